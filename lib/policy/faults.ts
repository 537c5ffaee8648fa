import { bindingText, positionProblem } from "./binding.ts";
import { exactHost, parseHostPattern } from "./host-pattern.ts";
import {
  type Endpoint,
  endpointPorts,
  isInspected,
  type NetworkPolicies,
  type RequestMatcher,
} from "./language.ts";
import { globsOverlap, programsOverlap } from "./overlap.ts";
import type { Problem } from "./problem.ts";

/** What is wrong in rules that have the right shape, or what should be known about them. */
export interface Fault extends Problem {
  /** From the rule's id on: `["github", "endpoints", 0, "port"]`. */
  readonly path: readonly (string | number)[];
  /** Whether the key is wrong, rather than its value. */
  readonly key?: boolean;
}

/** What a schema cannot say about rules: fields that need or exclude each other, endpoints that cannot both hold. */
export function policyFaults(policies: NetworkPolicies): Fault[] {
  const found: Fault[] = [];
  for (const [id, rule] of Object.entries(policies)) {
    if (rule.endpoints.length === 0) {
      const reason = "a rule without endpoints allows nothing";
      found.push({ path: [id, "endpoints"], reason, fix: "add an endpoint, or remove the rule" });
    }
    if (rule.binaries?.length === 0) {
      const fix = "remove binaries: then any program may";
      found.push({ path: [id, "binaries"], reason: "an empty list of programs", fix });
    }
    for (const [index, endpoint] of rule.endpoints.entries()) {
      const under = (fault: Fault): Fault => ({ ...fault, path: [id, "endpoints", index, ...fault.path] });
      found.push(...endpointFaults(endpoint).map(under));
    }
  }
  return found.length > 0 ? found : conflicts(policies);
}

function endpointFaults(endpoint: Endpoint): Fault[] {
  const found: Fault[] = [];
  const wrong = (field: keyof Endpoint, reason: string, fix: string): void =>
    void found.push({ path: [field], key: true, reason, fix });
  if (endpoint.port === undefined && endpoint.ports === undefined)
    found.push({ path: ["port"], reason: "is missing", fix: "add port: 443" });
  if (endpoint.port !== undefined && endpoint.ports !== undefined)
    wrong("port", "both port and ports are given", "remove port, and name it in ports");
  if (endpoint.host === undefined) {
    if (endpoint.allowed_ips === undefined)
      found.push({ path: ["host"], reason: "is missing", fix: "add host: api.example.com" });
    else if (endpoint.protocol === "tcp")
      wrong("protocol", "tcp needs a name to stand for the address", "add host, or remove protocol");
  }
  if (endpoint.protocol === "rest") found.push(...restFaults(endpoint));
  else found.push(...withoutRest(endpoint));
  if (endpoint.credential_binding !== undefined) found.push(...bindingFaults(endpoint));
  const matchers = [
    ...(endpoint.rules ?? []).map(({ allow }, index) => ({ at: ["rules", index, "allow"], matcher: allow })),
    ...(endpoint.deny_rules ?? []).map((matcher, index) => ({ at: ["deny_rules", index], matcher })),
  ];
  for (const { at, matcher } of matchers) found.push(...matcherFaults(at, matcher));
  return found;
}

function restFaults(endpoint: Endpoint): Fault[] {
  const found: Fault[] = [];
  if (endpoint.tls === "skip") {
    const reason = "requests are only seen where TLS is terminated";
    found.push({ path: ["tls"], key: true, reason, fix: "remove tls, or protocol: rest" });
  }
  if (endpoint.access !== undefined && endpoint.rules !== undefined) {
    const fix = "remove access, and say it as a rule: allow: { method: GET, path: /** }";
    found.push({ path: ["access"], key: true, reason: "both access and rules are given", fix });
  }
  if (endpoint.access === undefined && endpoint.rules === undefined) {
    const reason = "rest without access and rules allows nothing";
    found.push({ path: ["protocol"], key: true, reason, fix: "add access: read-only, or rules" });
  }
  return found;
}

/** What has no meaning where requests are not looked at. */
function withoutRest(endpoint: Endpoint): Fault[] {
  const unseen = !isInspected(endpoint);
  const needs: Partial<Record<keyof Endpoint, boolean>> = {
    path: unseen && endpoint.path !== undefined && endpoint.path !== "",
    access: endpoint.access !== undefined && endpoint.access !== "full",
    rules: endpoint.rules !== undefined,
    deny_rules: endpoint.deny_rules !== undefined,
    allow_encoded_slash: unseen && endpoint.allow_encoded_slash === true,
  };
  return Object.entries(needs)
    .filter(([, given]) => given)
    .map(([field]) => ({
      path: [field],
      key: true,
      reason: "needs protocol: rest, where requests are looked at",
      fix: field === "path" ? "add protocol: rest and access: full" : "write protocol: rest",
    }));
}

function bindingFaults({ host, protocol, tls, credential_binding: binding }: Endpoint): Fault[] {
  const found: Fault[] = [];
  const here = ["credential_binding"];
  if (host === undefined || exactHost(host) === undefined) {
    const reason = "a credential goes to one exact host";
    found.push({ path: here, key: true, reason, fix: "name the host whole, one endpoint each" });
  }
  if (protocol === "tcp") {
    const reason = "tcp is any bytes, and a credential goes into HTTP requests";
    found.push({ path: here, key: true, reason, fix: "write protocol: rest, or remove credential_binding" });
  }
  if (tls === "skip") {
    const reason = "TLS that is not terminated can carry no credential";
    found.push({ path: ["tls"], key: true, reason, fix: "remove tls, or credential_binding" });
  }
  const position = binding?.in === undefined ? undefined : positionProblem(binding.in);
  if (position !== undefined) found.push({ path: [...here, "in"], ...position });
  return found;
}

function matcherFaults(at: readonly (string | number)[], { query = {} }: RequestMatcher): Fault[] {
  return Object.entries(query).flatMap(([name, matcher]) => {
    if (typeof matcher === "string" || (matcher.glob === undefined) !== (matcher.any === undefined))
      return [];
    const reason = matcher.glob === undefined ? "an empty matcher" : "both glob and any are given";
    return [{ path: [...at, "query", name], reason, fix: 'write one glob: "*", or any: [a, b]' }];
  });
}

/** One endpoint at one host and port, with its place in the policies. */
export interface Placed {
  readonly at: readonly [string, "endpoints", number];
  readonly endpoint: Endpoint;
  readonly binaries: NetworkPolicies[string]["binaries"];
}

/** Endpoints that share a host (as a pattern) and a port. */
export function placesOf(policies: NetworkPolicies): Map<string, Placed[]> {
  const places = new Map<string, Placed[]>();
  for (const [id, { endpoints, binaries }] of Object.entries(policies)) {
    for (const [index, endpoint] of endpoints.entries()) {
      const pattern = endpoint.host === undefined ? undefined : parseHostPattern(endpoint.host);
      const host = pattern === undefined ? "" : "text" in pattern ? pattern.text : (endpoint.host ?? "");
      for (const port of endpointPorts(endpoint)) {
        const key = `${host}:${port}`;
        const placed: Placed = { at: [id, "endpoints", index], endpoint, binaries };
        const known = places.get(key);
        if (known === undefined) places.set(key, [placed]);
        else known.push(placed);
      }
    }
  }
  return places;
}

/** Of endpoints at one host and port for one program: what only one of them can have. */
function conflicts(policies: NetworkPolicies): Fault[] {
  const found = new Map<string, Fault>();
  const add = (fault: Fault): void => void found.set(JSON.stringify(fault.path), fault);
  for (const [place, all] of placesOf(policies)) {
    const spliced = all.filter(({ endpoint }) => endpoint.tls === "skip" || endpoint.protocol === "tcp");
    const inspected = spliced.length === 0 ? [] : all.filter(({ endpoint }) => isInspected(endpoint));
    for (const one of spliced) {
      const other = inspected.find(({ binaries }) => programsOverlap(one.binaries, binaries));
      if (other === undefined) continue;
      const field = one.endpoint.tls === "skip" ? "tls" : "protocol";
      const what = field === "tls" ? "tls: skip" : "protocol: tcp";
      const reason = `rule ${other.at[0]} inspects the requests of ${place}, which ${what} rules out`;
      add({ path: [...one.at, field], reason, fix: `remove ${what}, or name other programs` });
    }
    for (const { one, other } of bindingConflicts(all)) {
      const reason = `rule ${other.at[0]} binds another credential to the same requests of ${place}`;
      add({
        path: [...one.at, "credential_binding"],
        key: true,
        reason,
        fix: "give the two endpoints paths that do not overlap",
      });
    }
  }
  return [...found.values()];
}

function* bindingConflicts(all: readonly Placed[]): Iterable<{ one: Placed; other: Placed }> {
  const bound = all.flatMap((placed) => {
    const { credential_binding: binding } = placed.endpoint;
    return binding === undefined ? [] : [{ placed, text: bindingText(binding) }];
  });
  if (new Set(bound.map(({ text }) => text)).size < 2) return;
  for (const [index, { placed: one, text }] of bound.entries()) {
    const other = bound
      .slice(0, index)
      .find(
        (before) =>
          before.text !== text &&
          programsOverlap(before.placed.binaries, one.binaries) &&
          globsOverlap(before.placed.endpoint.path || "**", one.endpoint.path || "**", "/"),
      );
    if (other !== undefined) yield { one, other: other.placed };
  }
}
