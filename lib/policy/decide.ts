import { type Cidr, parseAddress, unmapped } from "./address.ts";
import type { CompiledPolicy } from "./compile.ts";
import { decideRequest } from "./decide-request.ts";
import type { Allowed, Caller, Decision, Denied, Destination, HttpRequest } from "./decision.ts";
import { allowFix, unblockFix } from "./fix.ts";
import {
  applies,
  type Asking,
  comesBefore,
  type Entry,
  mayApply,
  type Place,
  reaches,
  type Site,
} from "./place.ts";

/** Served by the egress itself, so no rule names it; only blocks reach it. */
export const inferenceHost = "inference.local";

/**
 * Pure: no clock, no I/O. A block wins over everything.
 *
 * Without `what`, whether a connection may be opened: the most specific host pattern that has the port and the
 * program decides; between rules equal in that, the one that asks most of the wire. It is `http` where any endpoint
 * that applies (pattern, port, program) has rules on requests or a credential.
 *
 * With `what`, whether that request may pass, where the connection is `http`; elsewhere the same as without. Deny
 * rules come first, then what allows, then `audit`.
 */
export function decide(
  policy: CompiledPolicy,
  who: Caller,
  where: Destination,
  what?: HttpRequest,
): Decision {
  const blocked = blockOf(policy, where.host);
  if (blocked !== undefined) return blocked;
  const hosts = policy.rules.matching(where.host);
  const sites = sitesAt(policy, hosts, where.port);
  const places: Place[] = [];
  for (const site of sites) site.collect(who.binary, places);
  const asking: Asking = { binary: who.binary, address: addressOf(policy, where) };
  const connection = decideConnection(places, asking) ?? refusedConnection(hosts, sites, asking, where);
  if (what === undefined || connection.verdict === "deny" || connection.inspect !== "http") return connection;
  return decideRequest(places, connection.rule, asking, where, what);
}

/** Whether a name may be resolved at all, at some port and for some program. `undefined`: it may. */
export function resolvable(policy: CompiledPolicy, host: string): Denied | undefined {
  const blocked = blockOf(policy, host);
  if (blocked !== undefined) return blocked;
  return policy.rules.matching(host).length > 0 ? undefined : unknownHost({ host, port: 443 });
}

/** Whether the answer depends on the program, so that the socket's owner must be asked. */
export function dependsOnProgram(policy: CompiledPolicy, where: Destination): boolean {
  const sites = sitesAt(policy, policy.rules.matching(where.host), where.port);
  return sites.some((site) => site.dependsOnProgram);
}

/** The emergency stop alone: also for what the egress dials for itself (`inference.local`'s providers). */
export function blockOf(policy: CompiledPolicy, host: string): Denied | undefined {
  if (policy.blockAll) {
    return {
      verdict: "deny",
      layer: "block",
      reason: "all traffic is blocked",
      fix: unblockFix("all", "--all"),
    };
  }
  const pattern = policy.blocked.matching(host)[0];
  if (pattern === undefined) return undefined;
  const reason = pattern === host ? `${host} is blocked` : `${host} is blocked by ${pattern}`;
  return { verdict: "deny", layer: "block", reason, fix: unblockFix(pattern, pattern) };
}

/** What holds at this host and port, the most specific pattern first; last, what is for addresses alone. */
function sitesAt(
  { addresses }: CompiledPolicy,
  hosts: readonly ReadonlyMap<number, Site>[],
  port: number,
): readonly Site[] {
  const sites: Site[] = [];
  for (const ports of hosts) {
    const site = ports.get(port);
    if (site !== undefined) sites.push(site);
  }
  const unnamed = addresses.get(port);
  if (unnamed !== undefined) sites.push(unnamed);
  return sites;
}

function addressOf({ addresses }: CompiledPolicy, { host, port }: Destination): Asking["address"] {
  if (!addresses.has(port)) return undefined;
  const address = parseAddress(host);
  return address && unmapped(address);
}

/** `undefined`: nothing allows it. */
function decideConnection(places: readonly Place[], asking: Asking): Allowed | undefined {
  let chosen: Entry | undefined;
  let site: Site | undefined;
  let [http, bound] = [false, false];
  for (const place of places) {
    const entry = firstOf(place, asking);
    if (entry !== undefined) {
      http ||= entry.inspect === "http";
      if (chosen === undefined || (place.site === site && comesBefore(entry, chosen)))
        [chosen, site] = [entry, place.site];
    }
    // What is denied to a program is denied to one that could not be told.
    if (asking.binary === undefined) for (const denying of place.denying) http ||= mayApply(denying, asking);
    for (const binding of place.bound) bound ||= mayApply(binding, asking);
  }
  if (chosen === undefined) return undefined;
  return {
    verdict: "allow",
    rule: chosen.rule,
    inspect: http ? "http" : chosen.inspect,
    within: http ? withinAll(places) : chosen.within,
    bound: (http && bound) || undefined,
  };
}

/** The endpoint that applies and asks most of the wire: they are in that order. */
function firstOf(place: Place, asking: Asking): Entry | undefined {
  for (const entry of place.entries) if (applies(entry, asking)) return entry;
  return undefined;
}

/** Before a request is known, the addresses of all that could allow it; `undefined` where one of them has none. */
function withinAll(places: readonly Place[]): readonly Cidr[] | undefined {
  const [only, ...more] = places;
  if (more.length === 0) return only?.within;
  return places.every(({ within }) => within !== undefined)
    ? places.flatMap(({ within }) => within ?? [])
    : undefined;
}

function refusedConnection(
  hosts: readonly ReadonlyMap<number, Site>[],
  sites: readonly Site[],
  asking: Asking,
  where: Destination,
): Denied {
  for (const site of sites)
    for (const entry of site.entries())
      if (reaches(entry, asking)) return wrongProgram(entry, asking.binary, where);
  return hosts.length === 0 ? unknownHost(where) : wrongPort(hosts, where);
}

function unknownHost(where: Destination): Denied {
  return {
    verdict: "deny",
    layer: "network",
    reason: `no rule names ${where.host}`,
    fix: allowFix(where, undefined),
  };
}

function wrongPort(hosts: readonly ReadonlyMap<number, Site>[], where: Destination): Denied {
  const [first] = hosts.flatMap((sites) => [...sites.values()].flatMap((site) => [...site.entries()]));
  const ports = [...new Set(hosts.flatMap((sites) => [...sites.keys()]))].sort((a, b) => a - b);
  const shown = ports.length > 8 ? `${ports.slice(0, 8).join(", ")}, …` : ports.join(", ");
  return {
    verdict: "deny",
    rule: first?.rule,
    layer: "network",
    reason: `${where.host} is allowed on port ${shown}, not ${where.port}`,
    fix: allowFix(where, undefined),
  };
}

function wrongProgram(entry: Entry, binary: string | undefined, where: Destination): Denied {
  const owner =
    binary === undefined
      ? "the program that owns the socket could not be told"
      : `the socket belongs to ${binary}`;
  return {
    verdict: "deny",
    rule: entry.rule,
    layer: "binary",
    reason: `rule ${entry.rule} is for ${entry.programsText}; ${owner}`,
    fix: allowFix(where, binary),
  };
}
