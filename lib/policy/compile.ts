import { NacreError } from "../error.ts";
import type { Inspection, RuleId } from "./decision.ts";
import type { Glob } from "./glob.ts";
import { type HostPattern, parseHostPattern } from "./host-pattern.ts";
import { HostTrie } from "./host-trie.ts";
import type { Endpoint, NetworkPolicies } from "./language.ts";
import { problemText } from "./problem.ts";
import { programGlob, programProblem } from "./program.ts";

/** What lies above the base policy: temporary allows, and the emergency stop. */
export interface Layers {
  readonly base: NetworkPolicies;
  readonly allows: readonly {
    readonly id: string;
    readonly host: string;
    readonly port: number;
    readonly binary?: string | undefined;
  }[];
  readonly blocks: readonly ({ readonly host: string } | { readonly all: true })[];
}

/** One endpoint of one rule at one port. */
export interface Entry {
  readonly rule: RuleId;
  readonly inspect: Inspection;
  /** `undefined`: any program. */
  readonly programs: readonly Glob[] | undefined;
  /** As written, for the reason of a denial. */
  readonly programsText: string;
}

/** A policy that can only be asked. */
export interface CompiledPolicy {
  readonly rules: HostTrie<Map<number, Entry[]>>;
  readonly blocked: HostTrie<string>;
  readonly blockAll: boolean;
}

/** Compiles what was parsed by `networkPoliciesSchema`. Errors name the rule and the fix. */
export function compile(layers: Layers): CompiledPolicy {
  const rules = new HostTrie<Map<number, Entry[]>>();
  for (const [id, rule] of Object.entries(layers.base)) {
    if (rule.binaries?.length === 0) {
      throw broken(id, "binaries is an empty list", "leave it out for any program, or name one");
    }
    const programs = rule.binaries?.map(({ path }) => path);
    for (const endpoint of rule.endpoints) {
      for (const port of portsOf(id, endpoint)) add(rules, id, endpoint, port, programs);
    }
  }
  for (const allow of layers.allows) {
    const programs = allow.binary === undefined ? undefined : [allow.binary];
    add(rules, `allow:${allow.id}`, { host: allow.host }, allow.port, programs);
  }
  const blocked = new HostTrie<string>();
  for (const block of layers.blocks) {
    if ("host" in block) blocked.at(pattern(`block ${block.host}`, block.host), () => block.host);
  }
  return { rules, blocked, blockAll: layers.blocks.some((block) => "all" in block) };
}

function add(
  rules: CompiledPolicy["rules"],
  rule: RuleId,
  endpoint: Endpoint,
  port: number,
  programs: readonly string[] | undefined,
): void {
  for (const path of programs ?? []) {
    const problem = programProblem(path);
    if (problem !== undefined) throw broken(rule, problem.reason, problem.fix);
  }
  const ports = rules.at(pattern(rule, endpoint.host), () => new Map<number, Entry[]>());
  const entries = ports.get(port) ?? [];
  entries.push({
    rule,
    inspect: endpoint.protocol === "tcp" ? "opaque" : port === 443 ? "tls" : "sniff",
    programs: programs?.map(programGlob),
    programsText: programs?.join(", ") ?? "any program",
  });
  // Where two rules of one host and port differ in what they ask of the wire, the one that asks more comes first.
  entries.sort((a, b) => strictness[a.inspect] - strictness[b.inspect]);
  ports.set(port, entries);
}

const strictness: Readonly<Record<Inspection, number>> = { http: 0, tls: 1, sniff: 2, opaque: 3 };

function portsOf(rule: RuleId, endpoint: Endpoint): readonly number[] {
  const { port, ports } = endpoint;
  if (port !== undefined && ports !== undefined) {
    throw broken(rule, `${endpoint.host} has both port and ports`, "remove port, and name it in ports");
  }
  const all = ports ?? (port === undefined ? [] : [port]);
  if (all.length === 0) throw broken(rule, `${endpoint.host} has no port`, "add port: 443");
  return [...new Set(all)];
}

function pattern(rule: RuleId, host: string): HostPattern {
  const parsed = parseHostPattern(host);
  if ("reason" in parsed) throw broken(rule, problemText(parsed), parsed.fix);
  return parsed;
}

function broken(rule: RuleId, message: string, hint: string): NacreError {
  return new NacreError({ code: "policy_invalid", subject: `rule ${rule}`, message, hint });
}
