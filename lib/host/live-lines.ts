import type { NetworkPolicies } from "../policy/language.ts";
import { escapeControls } from "./escape.ts";
import { ruleChanges, type RuleChanges } from "./live-network.ts";
import { openText } from "./open-text.ts";
import { unexpired, type Layers } from "./overrides.ts";

/** What is in force and not in the blueprint, a line each, with the command that takes it back. */
export function liveLines(id: string, base: NetworkPolicies, { live, allows, blocks }: Layers): string[] {
  const changes = live === null ? undefined : ruleChanges(base, live.network);
  const kinds = ["added", "changed", "removed"] as const satisfies readonly (keyof RuleChanges)[];
  return [
    ...blocks.map((block) =>
      "all" in block
        ? `blocked: everything, inference included (nacre unblock ${id} --all)`
        : `blocked: ${block.host} (nacre unblock ${id} '${block.host}')`,
    ),
    ...kinds.flatMap((kind) =>
      (changes?.[kind] ?? []).map(
        (rule) => `rule ${rule}: ${kind} by command, not in the blueprint (${takesBack(id)})`,
      ),
    ),
    ...unexpired(allows).map(
      (allow) =>
        `allowed until ${new Date(allow.until).toISOString()}: ${openText(allow)} (nacre allow ${id} --remove ${allow.id})`,
    ),
  ].map(escapeControls);
}

/** Rules where a command's word stands against the blueprint's. */
export const conflictLines = (id: string, { live }: Pick<Layers, "live">): string[] =>
  (live?.conflicts ?? []).map((rule) => escapeControls(conflictLine(id, rule)));

export const conflictLine = (id: string, rule: string): string =>
  `rule ${rule}: a command and the blueprint both changed it, and the command's stays (${takesBack(id)}, which takes the blueprint's for every rule)`;

const takesBack = (id: string): string => `nacre policy rollback ${id} --to up`;
