import type { PolicyChanged } from "../host/policy-api.ts";
import { note, plain, print, printJson } from "./output.ts";

/** What a change of the base policy came to: a line for each rule, then whether it is in force. */
export function tellChange(id: string, changed: PolicyChanged, json: boolean): void {
  if (json) {
    printJson(changed);
    return;
  }
  const { added, removed, changed: other } = changed.changes;
  for (const rule of added) print(`+ rule ${plain(rule)}`);
  for (const rule of other) print(`~ rule ${plain(rule)}`);
  for (const rule of removed) print(`- rule ${plain(rule)}`);
  const count = added.length + removed.length + other.length;
  const what = `${id}: ${count === 0 ? "no rule changed; " : ""}policy revision ${changed.revision}`;
  note(
    changed.state === "Loaded"
      ? `${what} is in force${count === 0 ? "" : ` (after ${changed.enforcedMs.toFixed(0)} ms)`}`
      : `${what} is recorded, and in force when its egress is back: nacre policy history ${id}`,
  );
}
