import { canonicalJson } from "./canonical.ts";
import type { Endpoint, NetworkPolicies, NetworkRule } from "../policy/language.ts";
import type { PresetDocument } from "./blueprint.ts";
import type { PolicyDocument } from "./policy-document.ts";
import type { Finding, Path } from "./problem.ts";

/** Rules of one agent, and where each comes from. */
export interface MergedRules {
  readonly rules: NetworkPolicies;
  /** Rule id to the preset that brought it; a rule of the policy itself is not in it. */
  readonly presets: Readonly<Record<string, string>>;
}

/** Two sources use one rule id for different rules: which of them a denial names would be a guess. */
export interface RuleConflict {
  readonly rule: string;
  readonly preset: string;
  readonly other: string;
}

/** The policy's rules and the presets', by id. An id that comes twice must mean the same both times. */
export function mergeRules(
  policy: NetworkPolicies,
  presets: readonly PresetDocument[],
): MergedRules & { readonly conflicts: readonly RuleConflict[] } {
  const rules = new Map(Object.entries(policy).map(([id, rule]) => [id, normalRule(id, rule)]));
  const origin = new Map<string, string>();
  const conflicts: RuleConflict[] = [];
  for (const preset of presets) {
    for (const [id, written] of Object.entries(preset.network)) {
      const rule = normalRule(id, written);
      const known = rules.get(id);
      if (known === undefined) {
        rules.set(id, rule);
        origin.set(id, preset.name);
      } else if (canonicalJson(known) !== canonicalJson(rule)) {
        const before = origin.get(id);
        conflicts.push({
          rule: id,
          preset: preset.name,
          other: before === undefined ? "the policy" : `the preset ${before}`,
        });
      }
    }
  }
  const sorted = [...rules].sort(([a], [b]) => (a < b ? -1 : 1));
  return { rules: Object.fromEntries(sorted), presets: Object.fromEntries(origin), conflicts };
}

/** One form for every way to write a rule: defaults written out, lists without meaning in their order sorted. */
function normalRule(id: string, rule: NetworkRule): NetworkRule {
  const binaries = rule.binaries && distinct(rule.binaries);
  return {
    ...(rule.name === undefined || rule.name === id ? {} : { name: rule.name }),
    endpoints: distinct(rule.endpoints.map(normalEndpoint)),
    ...(binaries === undefined ? {} : { binaries }),
  };
}

function normalEndpoint(endpoint: Endpoint): Endpoint {
  const { port, ports, protocol, tls, ...rest } = endpoint;
  const all = [...new Set([...(ports ?? []), ...(port === undefined ? [] : [port])])].sort((a, b) => a - b);
  return {
    ...rest,
    host: endpoint.host.toLowerCase(),
    ports: all,
    ...(protocol === undefined || protocol === "" ? {} : { protocol }),
    ...(tls === undefined || tls === "" ? {} : { tls }),
    enforcement: endpoint.enforcement ?? "enforce",
  };
}

function distinct<T>(items: readonly T[]): T[] {
  const byText = new Map(items.map((item) => [canonicalJson(item), item]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

/** What a schema cannot say about rules: exactly one way to give ports, no list that is ambiguous when empty. */
export function ruleFindings(policy: PolicyDocument, at: Path): Finding[] {
  const found: Finding[] = [];
  for (const [id, rule] of Object.entries(policy.network_policies ?? {})) {
    const here = [...at, "network_policies", id];
    if (rule.endpoints.length === 0) {
      found.push({
        path: [...here, "endpoints"],
        reason: "a rule without endpoints allows nothing",
        fix: "add an endpoint, or remove the rule",
      });
    }
    if (rule.binaries?.length === 0) {
      const path = [...here, "binaries"];
      found.push({ path, reason: "an empty list of programs", fix: "remove binaries: then any program may" });
    }
    for (const [index, endpoint] of rule.endpoints.entries()) {
      const path = [...here, "endpoints", index];
      if (endpoint.port === undefined && endpoint.ports === undefined) {
        found.push({ path: [...path, "port"], reason: "is missing", fix: "add port: 443" });
      }
      if (endpoint.port !== undefined && endpoint.ports !== undefined) {
        const fix = "remove port, and name it in ports";
        found.push({ path: [...path, "port"], key: true, reason: "both port and ports are given", fix });
      }
    }
  }
  return found;
}
