import { canonicalJson } from "./canonical.ts";
import { policyFaults } from "../policy/faults.ts";
import type { NetworkPolicies, NetworkRule } from "../policy/language.ts";
import type { PresetDocument } from "./blueprint.ts";
import { distinct } from "./distinct.ts";
import { normalEndpoint } from "./normal-endpoint.ts";
import type { PolicyDocument } from "./policy-document.ts";
import type { Finding, Path } from "./problem.ts";

/** Rules of one agent, and where each comes from. */
export interface MergedRules {
  readonly rules: NetworkPolicies;
  /** Rule id to the preset that brought it; a rule of the policy itself is not in it. */
  readonly presets: Readonly<Record<string, string>>;
}

export type NormalPresets = Map<PresetDocument, NetworkPolicies>;

/** Two sources use one rule id for different rules: which of them a denial names would be a guess. */
export interface RuleConflict {
  readonly rule: string;
  readonly preset: string;
  readonly other: string;
}

/**
 * The policy's rules and the presets', by id. An id that comes twice must mean the same both times.
 * @param normal the presets that were met, in their normal form: kept from one agent to the next
 */
export function mergeRules(
  policy: NetworkPolicies,
  presets: readonly PresetDocument[],
  normal: NormalPresets = new Map(),
): MergedRules & { readonly conflicts: readonly RuleConflict[] } {
  const rules = new Map(Object.entries(normalPolicies(policy)));
  const origin = new Map<string, string>();
  const conflicts: RuleConflict[] = [];
  for (const preset of presets) {
    const network = normal.get(preset) ?? normalPolicies(preset.network);
    normal.set(preset, network);
    for (const [id, rule] of Object.entries(network)) {
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

const normalPolicies = (policies: NetworkPolicies): NetworkPolicies =>
  Object.fromEntries(Object.entries(policies).map(([id, rule]) => [id, normalRule(id, rule)]));

/** One form for every way to write a rule: defaults written out, lists without meaning in their order sorted. */
function normalRule(id: string, rule: NetworkRule): NetworkRule {
  const binaries = rule.binaries && distinct(rule.binaries);
  return {
    ...(rule.name === undefined || rule.name === id ? {} : { name: rule.name }),
    endpoints: distinct(rule.endpoints.map(normalEndpoint)),
    ...(binaries === undefined ? {} : { binaries }),
  };
}

/** What a schema cannot say about a policy: of its rules, and of its paths. */
export function ruleFindings(policy: PolicyDocument, at: Path): Finding[] {
  const { network_policies: rules = {}, filesystem_policy: files = {} } = policy;
  const found: Finding[] = policyFaults(rules).map(({ path, ...fault }) => ({
    ...fault,
    path: [...at, "network_policies", ...path],
  }));
  const paths = (files.read_only?.length ?? 0) + (files.read_write?.length ?? 0);
  if (paths > MOST_PATHS) {
    const reason = `${paths} paths; both lists together have at most ${MOST_PATHS}`;
    found.push({
      path: [...at, "filesystem_policy"],
      key: true,
      reason,
      fix: "name folders instead of files",
    });
  }
  return found;
}

const MOST_PATHS = 256;
