import type { Change, Outcome } from "../pulumi/outcome.ts";
import { duration, plain } from "./output.ts";

const marks: Readonly<Record<Change["operation"], string>> = {
  create: "+",
  update: "~",
  replace: "±",
  delete: "-",
  keep: "=",
  same: " ",
};

/** What a run did, or would do: a line for each resource of ours that changes, with why and what it costs. */
export function outcomeReport(
  outcome: Outcome,
  verbs: { readonly done: string; readonly nothing: string },
): string {
  const changes = outcome.changes.filter(
    ({ operation, notes, failed }) => operation !== "same" || notes.length > 0 || failed,
  );
  const lines = changes.flatMap(changeLines);
  const stray = outcome.notices
    .filter(({ subject }) => subject === undefined || !changes.some(({ name }) => name === subject))
    .map(({ severity, message }) => `${severity}: ${message.split("\n").map(plain).join("\n  ")}`);
  return [...lines, ...stray, summary(outcome, verbs)].join("\n");
}

/** `sandbox`; of Kubernetes and Docker, what the object is called there: `Deployment`. */
const titleOf = ({ kind, type }: Change): string =>
  kind === "object" ? (type.split(":").at(-1) ?? type) : kind;

function changeLines(change: Change): string[] {
  // A property that changed as a whole may differ in hundreds of places: those are for `--json`.
  const properties = [...new Set(change.paths.map((path) => path.split(/[.[]/)[0] ?? path))];
  const paths = properties.length === 0 ? "" : `  [${properties.map(plain).join(", ")}]`;
  const kept = change.operation === "keep" ? "  (leaves the stack, stays on this machine)" : "";
  return [
    `${marks[change.operation]} ${titleOf(change)} ${plain(change.name)}${paths}${kept}${change.failed ? "  FAILED" : ""}`,
    ...change.notes.flatMap((note) => note.split("\n")).map((line) => `    ${plain(line)}`),
  ];
}

function summary(outcome: Outcome, verbs: { readonly done: string; readonly nothing: string }): string {
  const took = duration(outcome.durationMs);
  if (outcome.result !== "succeeded") return `${outcome.result} after ${took}`;
  const counts = new Map<string, number>();
  for (const { operation } of outcome.changes)
    if (operation !== "same") counts.set(operation, (counts.get(operation) ?? 0) + 1);
  if (counts.size === 0) return `${verbs.nothing} (${took})`;
  return `${[...counts].map(([operation, count]) => `${count} to ${operation}`).join(", ")}: ${verbs.done} (${took})`;
}
