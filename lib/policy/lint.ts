import { parseCidr } from "./address.ts";
import { positionWarning } from "./binding.ts";
import { overlap } from "./address-range.ts";
import { type Fault, type Placed, placesOf } from "./faults.ts";
import { glob } from "./glob.ts";
import { accessMethods, hasMethod, type Methods, methodsOf } from "./http-method.ts";
import {
  type Endpoint,
  endpointPorts,
  isInspected,
  type NetworkPolicies,
  type RequestMatcher,
} from "./language.ts";
import { everyPath } from "./path-pattern.ts";
import { globsOverlap, programsOverlap } from "./overlap.ts";
import { unruled } from "./unruled.ts";

/** A policy with more endpoints is not asked whether each of its deny rules can fire: the work grows with the square. */
const MOST_COMPARED = 500;

/** What holds, and is probably not what was meant. Of rules without faults. */
export function policyWarnings(policies: NetworkPolicies): Fault[] {
  const found: Fault[] = [];
  for (const [id, { endpoints, binaries = [] }] of Object.entries(policies)) {
    for (const [index, { path }] of binaries.entries()) {
      const helper = helperOf(path);
      if (helper === undefined || binaries.some((binary) => glob(binary.path, "/")(helper))) continue;
      const reason = `${path} starts ${helper}, which owns the socket: the rule never matches ${path}`;
      found.push({ path: [id, "binaries", index, "path"], reason, fix: `add { path: ${helper} }` });
    }
    for (const [index, endpoint] of endpoints.entries()) {
      for (const fault of endpointWarnings(endpoint))
        found.push({ ...fault, path: [id, "endpoints", index, ...fault.path] });
    }
  }
  const placed = Object.entries(policies).flatMap(([id, { endpoints, binaries }]) =>
    endpoints.map((endpoint, index): Placed => ({ at: [id, "endpoints", index], endpoint, binaries })),
  );
  found.push(...shadows(policies));
  return placed.length > MOST_COMPARED ? found : [...found, ...unspliced(placed), ...neverFiring(placed)];
}

/** Launchers, and what they start to talk to the network. */
function helperOf(program: string): string | undefined {
  const slash = program.lastIndexOf("/");
  const folder = program.slice(0, slash);
  if (folder.includes("*")) return undefined;
  switch (program.slice(slash + 1)) {
    case "git":
      return "/usr/lib/git-core/git-remote-http";
    case "npm":
    case "npx":
      return `${folder}/node`;
    case "pip":
    case "pip3":
      return `${folder}/python3`;
    default:
      return undefined;
  }
}

function endpointWarnings(endpoint: Endpoint): Fault[] {
  const { host, enforcement, protocol, allowed_ips: written = [], credential_binding: binding } = endpoint;
  const found: Fault[] = [];
  const prefix = binding?.in && positionWarning(binding.in);
  if (prefix !== undefined) found.push({ path: ["credential_binding", "in", "prefix"], ...prefix });
  const never = host === undefined ? undefined : unruled(host);
  if (never !== undefined) found.push({ path: ["host"], ...never });
  if (enforcement === "audit") {
    const reason =
      protocol === "rest"
        ? "audit forwards what its rules refuse, and only reports it"
        : "audit has nothing to report here: without protocol: rest all of it is allowed";
    found.push({ path: ["enforcement"], reason, fix: "write enforce" });
  }
  const ranges = written.flatMap((text) => {
    const range = parseCidr(text);
    return range === undefined ? [] : [{ text, range }];
  });
  for (const [index, { text, range }] of ranges.entries()) {
    if (range.bits < 16)
      found.push({
        path: ["allowed_ips", index],
        reason: `${text} is broader than /16`,
        fix: "name the blocks that are meant",
      });
    const other = ranges.find((one, at) => at < index && overlap(one.range, range));
    if (other !== undefined)
      found.push({
        path: ["allowed_ips", index],
        reason: `${text} and ${other.text} overlap`,
        fix: "keep the one that is meant",
      });
  }
  return found;
}

/** Endpoints without rules beside those with rules: what the rules do not allow, they do. */
function shadows(policies: NetworkPolicies): Fault[] {
  const found = new Map<string, Fault>();
  for (const [place, all] of placesOf(policies)) {
    const rest = all.filter(({ endpoint }) => endpoint.protocol === "rest");
    if (rest.length === 0) continue;
    for (const { at, endpoint, binaries } of all) {
      if (endpoint.protocol === "rest") continue;
      const other = rest.find(
        (one) => programsOverlap(one.binaries, binaries) && pathsOverlap(one.endpoint, endpoint),
      );
      if (other === undefined) continue;
      const reason = `opens ${place} whole, so what rule ${other.at[0]} does not allow there is allowed all the same`;
      found.set(at.join(" "), { path: at, reason, fix: "remove it, or give it protocol: rest and rules" });
    }
  }
  return [...found.values()];
}

/** What shall be spliced, under another pattern that is inspected: then it is inspected. (Of one host it is an error.) */
function unspliced(all: readonly Placed[]): Fault[] {
  return all.flatMap((one) => {
    if (one.endpoint.tls !== "skip" && one.endpoint.protocol !== "tcp") return [];
    const inspected = all.find((other) => isInspected(other.endpoint) && meet(one, other));
    if (inspected === undefined) return [];
    const reason = `rule ${inspected.at[0]} inspects requests of ${inspected.endpoint.host ?? "addresses"}, and so also of this host`;
    const field = one.endpoint.tls === "skip" ? "tls" : "protocol";
    return [{ path: [...one.at, field], reason, fix: "narrow one of the two hosts, or name other programs" }];
  });
}

/** Deny rules that meet nothing that is allowed. */
function neverFiring(all: readonly Placed[]): Fault[] {
  return all.flatMap((one) =>
    (one.endpoint.deny_rules ?? []).flatMap((deny, index) => {
      if (all.some((other) => meet(one, other) && allowsSome(other.endpoint, deny))) return [];
      const reason = "it can never refuse anything: no rule allows what it names";
      return [{ path: [...one.at, "deny_rules", index], reason, fix: "remove it, or correct its path" }];
    }),
  );
}

/** Whether a request could be both endpoints'. */
function meet(a: Placed, b: Placed): boolean {
  const ports = endpointPorts(b.endpoint);
  return (
    endpointPorts(a.endpoint).some((port) => ports.includes(port)) &&
    globsOverlap(a.endpoint.host ?? "**", b.endpoint.host ?? "**", ".") &&
    programsOverlap(a.binaries, b.binaries) &&
    pathsOverlap(a.endpoint, b.endpoint)
  );
}

const pathsOverlap = (a: Endpoint, b: Endpoint): boolean => globsOverlap(lower(a.path), lower(b.path), "/");

const lower = (path: string | undefined): string =>
  path === undefined || path === "" ? everyPath : path.toLowerCase();

function allowsSome(
  { protocol, enforcement, access, rules = [], path }: Endpoint,
  deny: RequestMatcher,
): boolean {
  if (!globsOverlap(lower(path), lower(deny.path), "/")) return false;
  if (protocol !== "rest" || enforcement === "audit") return true;
  const denied = methodsOf(deny.method);
  if (access !== undefined) return share(accessMethods[access], denied);
  return rules.some(
    ({ allow }) =>
      share(methodsOf(allow.method), denied) && globsOverlap(lower(allow.path), lower(deny.path), "/"),
  );
}

const share = (a: Methods, b: Methods): boolean =>
  a === "any" || b === "any" || [...a].some((method) => hasMethod(b, method));
