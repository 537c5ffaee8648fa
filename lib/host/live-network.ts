import { z } from "zod";
import { canonicalJson } from "../blueprint/index.ts";
import { networkPoliciesSchema, type NetworkPolicies } from "../policy/language.ts";

/**
 * A base policy that stands in place of the blueprint's, because a command said so. `up`: it is on its way into the
 * record, and an interruption must not lose it.
 */
export const liveNetworkSchema = z.strictObject({
  network: networkPoliciesSchema,
  by: z.enum(["set", "rollback", "up"]),
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** Rules that a command and the blueprint both changed since: the command's are in force. */
  conflicts: z.array(z.string()),
});
export type LiveNetwork = z.infer<typeof liveNetworkSchema>;

/** Rule ids by what became of them, each list in order. */
export const ruleChangesSchema = z.strictObject({
  added: z.array(z.string()),
  removed: z.array(z.string()),
  changed: z.array(z.string()),
});
export type RuleChanges = z.infer<typeof ruleChangesSchema>;

export function ruleChanges(from: NetworkPolicies, to: NetworkPolicies): RuleChanges {
  const [before, after] = [rulesOf(from), rulesOf(to)];
  return {
    added: [...after.keys()].filter((id) => !before.has(id)).sort(),
    removed: [...before.keys()].filter((id) => !after.has(id)).sort(),
    changed: [...after.keys()].filter((id) => before.has(id) && before.get(id) !== after.get(id)).sort(),
  };
}

export const sameNetwork = (a: NetworkPolicies, b: NetworkPolicies): boolean =>
  a === b || canonicalJson(a) === canonicalJson(b);

/** Nothing stands in the blueprint's place where it says the same. */
export const unlessSame = (live: LiveNetwork | null, base: NetworkPolicies): LiveNetwork | null =>
  live === null || sameNetwork(live.network, base) ? null : live;

/**
 * What is live when the blueprint's base becomes another, rule by rule: what only one side changed since `before` is
 * taken from it, and where both did, the command's rule stays and is told. A rule that is gone counts as changed.
 */
export function rebased(live: LiveNetwork, before: NetworkPolicies, after: NetworkPolicies): LiveNetwork {
  const [was, command, blueprint] = [rulesOf(before), rulesOf(live.network), rulesOf(after)];
  const ids = [...new Set([...command.keys(), ...blueprint.keys()])].sort();
  const network = Object.fromEntries(
    ids.flatMap((id) => {
      const from = command.get(id) === was.get(id) ? after : live.network;
      const rule = Object.hasOwn(from, id) ? from[id] : undefined;
      return rule === undefined ? [] : [[id, rule] as const];
    }),
  );
  const differing = [...new Set([...ids, ...was.keys()])].filter(
    (id) => command.get(id) !== was.get(id) && command.get(id) !== blueprint.get(id),
  );
  const conflicts = differing.filter(
    (id) => live.conflicts.includes(id) || blueprint.get(id) !== was.get(id),
  );
  return { ...live, network, conflicts: conflicts.sort() };
}

const rulesOf = (network: NetworkPolicies): Map<string, string> =>
  new Map(Object.entries(network).map(([id, rule]) => [id, canonicalJson(rule)]));
