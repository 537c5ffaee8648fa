import { NacreError } from "../error.ts";
import { parseCidr } from "./address.ts";
import { bindingOf } from "./binding.ts";
import { canonicalPath } from "./canonical-path.ts";
import type { CredentialBinding, Inspection, RuleId } from "./decision.ts";
import { policyFaults } from "./faults.ts";
import { glob } from "./glob.ts";
import { type HostPattern, parseHostPattern } from "./host-pattern.ts";
import { HostTrie } from "./host-trie.ts";
import { accessMethods, methodsOf, oneMethodProblem } from "./http-method.ts";
import { type Endpoint, endpointPorts, isInspected, type NetworkPolicies } from "./language.ts";
import { everyPath } from "./path-pattern.ts";
import { applies, type Entry, type Place, type RequestRule, Site } from "./place.ts";
import { problemText } from "./problem.ts";
import { programGlob, programProblem } from "./program.ts";
import { readQuery } from "./query.ts";
import { parametersOf } from "./query-match.ts";

/** What lies above the base policy: temporary allows, and the emergency stop. */
export interface Layers {
  readonly base: NetworkPolicies;
  readonly allows: readonly AllowedAbove[];
  readonly blocks: readonly ({ readonly host: string } | { readonly all: true })[];
}

/** A temporary allow: a host and a port whole, or with `method` and `path` (both, canonical) that one request. */
export interface AllowedAbove {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly binary?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** Of that request: exactly this query, `a=1&b=2`; absent, any. */
  readonly query?: string | undefined;
}

/** A policy that can only be asked. */
export interface CompiledPolicy {
  readonly rules: HostTrie<Map<number, Site>>;
  /** By port: what is allowed to addresses, whatever their name. */
  readonly addresses: ReadonlyMap<number, Site>;
  readonly blocked: HostTrie<string>;
  readonly blockAll: boolean;
}

/** Compiles what was parsed by `networkPoliciesSchema`. Errors name the rule and the fix. */
export function compile(layers: Layers): CompiledPolicy {
  const [fault] = policyFaults(layers.base);
  if (fault !== undefined) {
    const [id = "", ...place] = fault.path;
    throw broken(String(id), `${place.join(".")}: ${fault.reason}`, fault.fix);
  }
  const building = new Building();
  for (const [id, rule] of Object.entries(layers.base)) {
    const programs = rule.binaries?.map(({ path }) => path);
    for (const endpoint of rule.endpoints) building.endpoint(id, endpoint, programs);
  }
  // Of the base alone: an allow has none of its own to give to another.
  const credentials = layers.allows.map((allow) => building.credentialOf(allow));
  for (const [index, allow] of layers.allows.entries()) building.allow(allow, credentials[index]);
  building.close();
  const blocked = new HostTrie<string>();
  for (const block of layers.blocks) {
    if ("host" in block) blocked.at(pattern(`block ${block.host}`, block.host), () => block.host);
  }
  const { rules, addresses } = building;
  return { rules, addresses, blocked, blockAll: layers.blocks.some((block) => "all" in block) };
}

/** The sites while endpoints come in. */
class Building {
  readonly rules = new HostTrie<Map<number, Site>>();
  readonly addresses = new Map<number, Site>();
  readonly #sites = new Set<Site>();
  #count = 0;

  endpoint(rule: RuleId, endpoint: Endpoint, programs: readonly string[] | undefined): void {
    for (const port of endpointPorts(endpoint)) {
      const entry = this.#entry(rule, endpoint, port, programs);
      for (const place of this.#places(rule, endpoint.host, port, programs)) {
        place.add(entry);
        if (entry.rest) addRequests(place, entry, endpoint);
      }
    }
  }

  allow(above: AllowedAbove, credential: CredentialBinding | undefined): void {
    const rule = `allow:${above.id}`;
    const programs = above.binary === undefined ? undefined : [above.binary];
    const { host, port } = above;
    const request = requestOf(rule, above);
    if (request === undefined) {
      this.endpoint(rule, { host, port }, programs);
      return;
    }
    const endpoint: Endpoint = {
      host,
      protocol: "rest",
      allow_encoded_slash: request.path.includes("%2F"),
    };
    const { methods, exactly } = request;
    const entry = { ...this.#entry(rule, endpoint, port, programs), ...(credential && { credential }) };
    for (const place of this.#places(rule, host, port, programs)) {
      place.add(entry);
      place.allow(request.path, { entry, methods, parameters: [], exactly }, true);
    }
  }

  close(): void {
    for (const site of this.#sites) site.close();
  }

  /**
   * One request that is allowed above goes out as those of its host do: with the credential that is bound there for that
   * path and those programs, where it is one. A host that is opened whole carries none.
   */
  credentialOf({ id, host, port, binary, path }: AllowedAbove): CredentialBinding | undefined {
    if (path === undefined) return undefined;
    const site = this.rules.at(pattern(`allow:${id}`, host), () => new Map<number, Site>()).get(port);
    const asking = { binary, address: undefined };
    const found = new Map<string, CredentialBinding>();
    for (const entry of site?.entries() ?? []) {
      const { credential, selects } = entry;
      if (credential !== undefined && applies(entry, asking) && selects?.(path) !== false)
        found.set(JSON.stringify(credential), credential);
    }
    const [only, ...others] = found.values();
    return others.length === 0 ? only : undefined;
  }

  #places(
    rule: RuleId,
    host: string | undefined,
    port: number,
    programs: readonly string[] | undefined,
  ): readonly Place[] {
    const ports =
      host === undefined ? this.addresses : this.rules.at(pattern(rule, host), () => new Map<number, Site>());
    const site = ports.get(port) ?? new Site();
    ports.set(port, site);
    this.#sites.add(site);
    return site.placesOf(programs);
  }

  #entry(rule: RuleId, endpoint: Endpoint, port: number, programs: readonly string[] | undefined): Entry {
    for (const path of programs ?? []) {
      const problem = programProblem(path);
      if (problem !== undefined) throw broken(rule, problem.reason, problem.fix);
    }
    const { path: selected, credential_binding: binding, allowed_ips: ranges } = endpoint;
    const selects = selected === undefined || selected === "" ? undefined : selected;
    return {
      rule,
      inspect: inspectionOf(endpoint, port),
      programs: programs?.map(programGlob),
      programsText: programs?.join(", ") ?? "any program",
      rest: endpoint.protocol === "rest",
      audit: endpoint.enforcement === "audit",
      within: ranges?.map((range) => parseCidr(range)).filter((range) => range !== undefined),
      unnamed: endpoint.host === undefined,
      credential: binding && bindingOf(binding),
      encodedSlash: endpoint.allow_encoded_slash === true,
      selects: selects === undefined ? undefined : glob(selects, "/"),
      selectsLower: selects === undefined ? undefined : glob(selects.toLowerCase(), "/"),
      rank: ((binding === undefined ? 2 : 0) + (ranges === undefined ? 1 : 0)) * 2 ** 32 + this.#count++,
    };
  }
}

/** The rules of a rest endpoint. */
function addRequests(place: Place, entry: Entry, endpoint: Endpoint): void {
  const { access, rules = [], deny_rules: denies = [] } = endpoint;
  if (access !== undefined) place.allow(everyPath, { entry, methods: accessMethods[access], parameters: [] });
  for (const { allow } of rules)
    place.allow(allow.path, {
      entry,
      methods: methodsOf(allow.method),
      parameters: parametersOf(allow.query),
    });
  for (const deny of denies)
    place.deny(deny.path, { entry, methods: methodsOf(deny.method), parameters: parametersOf(deny.query) });
}

function inspectionOf(endpoint: Endpoint, port: number): Inspection {
  if (isInspected(endpoint)) return "http";
  if (endpoint.protocol === "tcp") return "opaque";
  return port === 443 ? "tls" : "sniff";
}

/** The one request of a temporary allow; `undefined` where it opens the host and port whole. */
function requestOf(
  rule: RuleId,
  { method, path, query }: AllowedAbove,
): (Pick<RequestRule, "methods" | "exactly"> & { readonly path: string }) | undefined {
  if (method === undefined && path === undefined && query === undefined) return undefined;
  if (method === undefined || path === undefined)
    throw broken(rule, "it has a method or a path without the other", "give both, or none");
  const problem = oneMethodProblem(method);
  if (problem !== undefined) throw broken(rule, problem.reason, problem.fix);
  const canonical = canonicalPath(path, { encodedSlash: true });
  if (!("path" in canonical)) throw broken(rule, `${path}: ${canonical.reason}`, canonical.fix);
  if (canonical.path !== path) throw broken(rule, `${path} is not canonical`, `write ${canonical.path}`);
  const exactly = query === undefined ? undefined : readQuery(query);
  if (exactly === "unreadable")
    throw broken(rule, "its query can be read in more than one way", "write it with escapes: a=1&b=2");
  return { methods: methodsOf(method), path, exactly };
}

function pattern(rule: RuleId, host: string): HostPattern {
  const parsed = parseHostPattern(host);
  if ("reason" in parsed) throw broken(rule, problemText(parsed), parsed.fix);
  return parsed;
}

function broken(rule: RuleId, message: string, hint: string): NacreError {
  return new NacreError({ code: "policy_invalid", subject: `rule ${rule}`, message, hint });
}
