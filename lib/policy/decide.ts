import type { CompiledPolicy, Entry } from "./compile.ts";
import type { Caller, Decision, Denied, Destination } from "./decision.ts";

/** Served by the egress itself, so no rule names it; only blocks reach it. */
export const inferenceHost = "inference.local";

/**
 * Pure: no clock, no I/O. A block wins over everything; then the most specific host pattern that has the port and
 * the program; then, between rules that are equal in that, the one that asks most of the wire.
 */
export function decide(policy: CompiledPolicy, who: Caller, where: Destination): Decision {
  const blocked = blockOf(policy, where.host);
  if (blocked !== undefined) return blocked;
  let mismatch: Entry | undefined;
  const hosts = policy.rules.matching(where.host);
  for (const ports of hosts) {
    for (const entry of ports.get(where.port) ?? []) {
      if (runsFrom(entry, who.binary)) return { verdict: "allow", rule: entry.rule, inspect: entry.inspect };
      mismatch ??= entry;
    }
  }
  if (mismatch !== undefined) return wrongProgram(mismatch, who, where);
  return hosts.length === 0 ? unknownHost(where) : wrongPort(hosts, where);
}

/** Whether a name may be resolved at all, at some port and for some program. `undefined`: it may. */
export function resolvable(policy: CompiledPolicy, host: string): Denied | undefined {
  const blocked = blockOf(policy, host);
  if (blocked !== undefined) return blocked;
  return policy.rules.matching(host).length > 0 ? undefined : unknownHost({ host, port: 443 });
}

/** Whether the answer depends on the program, so that the socket's owner must be asked. */
export function dependsOnProgram(policy: CompiledPolicy, where: Destination): boolean {
  return policy.rules
    .matching(where.host)
    .some((ports) => ports.get(where.port)?.some((entry) => entry.programs !== undefined));
}

/** The emergency stop alone: also for what the egress dials for itself (`inference.local`'s providers). */
export function blockOf(policy: CompiledPolicy, host: string): Denied | undefined {
  if (policy.blockAll) {
    return {
      verdict: "deny",
      layer: "block",
      reason: "all traffic is blocked",
      fix: unblock("all", "--all"),
    };
  }
  const pattern = policy.blocked.matching(host)[0];
  if (pattern === undefined) return undefined;
  const reason = pattern === host ? `${host} is blocked` : `${host} is blocked by ${pattern}`;
  return { verdict: "deny", layer: "block", reason, fix: unblock(pattern, pattern) };
}

function runsFrom(entry: Entry, binary: string | undefined): boolean {
  if (entry.programs === undefined) return true;
  return binary !== undefined && entry.programs.some((matches) => matches(binary));
}

function unknownHost(where: Destination): Denied {
  return { verdict: "deny", layer: "network", reason: `no rule names ${where.host}`, fix: allow(where) };
}

function wrongPort(hosts: readonly Map<number, Entry[]>[], where: Destination): Denied {
  const ports = [...new Set(hosts.flatMap((entries) => [...entries.keys()]))].sort((a, b) => a - b);
  const shown = ports.length > 8 ? `${ports.slice(0, 8).join(", ")}, …` : ports.join(", ");
  return {
    verdict: "deny",
    rule: [...(hosts[0]?.values() ?? [])][0]?.[0]?.rule,
    layer: "network",
    reason: `${where.host} is allowed on port ${shown}, not ${where.port}`,
    fix: allow(where),
  };
}

function wrongProgram(entry: Entry, who: Caller, where: Destination): Denied {
  const owner =
    who.binary === undefined
      ? "the program that owns the socket could not be told"
      : `the socket belongs to ${who.binary}`;
  return {
    verdict: "deny",
    rule: entry.rule,
    layer: "binary",
    reason: `rule ${entry.rule} is for ${entry.programsText}; ${owner}`,
    fix: allow(where, who.binary),
  };
}

function allow(where: Destination, binary?: string): Denied["fix"] {
  const program = binary === undefined ? "" : ` for ${binary}`;
  return {
    text: `allow ${where.host} on port ${where.port}${program}: a person can, with nacre allow`,
    allow: { host: where.host, port: where.port, binary },
  };
}

function unblock(what: string, argument: string): Denied["fix"] {
  return { text: `a person lifts the block with nacre unblock ${argument}`, unblock: what };
}
