import { writeFile } from "node:fs/promises";
import { styleText } from "node:util";
import type { Change } from "../host/changes.ts";
import { note, plain } from "./output.ts";

interface BringOut {
  /** The sandbox' control socket. */
  readonly control: string;
  /** The folder that the command saw. */
  readonly folder: string;
  /** The command's exit code. */
  readonly code: number;
  readonly apply?: boolean | undefined;
  readonly patch?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/** Lines of a diff that a person is shown; the rest is for --patch. */
const mostLines = 2000;

/** Shows what a command changed in its folder, and applies it where that is wanted. */
export async function bringOut({
  control,
  folder,
  code,
  apply,
  patch: file,
  quiet,
}: BringOut): Promise<void> {
  const { applyChanges, readChanges } = await import("../host/changes.ts");
  const { changes, left, conflicts } = await readChanges(control);
  for (const { path, reason } of left)
    note(`left inside: ${plain(path === "" ? "." : path)}: ${plain(reason)}`);
  for (const { path, reason } of conflicts) note(`conflict: ${plain(path)}: ${plain(reason)}`);
  if (changes.length === 0 && conflicts.length === 0) {
    if (apply === true || file !== undefined) note("nothing was changed");
    return;
  }
  const { patchOf } = await import("./patch.ts");
  const patch = patchOf(changes);
  if (quiet !== true) show(patch.text);
  const shown = new Set(patch.without);
  for (const change of changes)
    if (shown.has(change.path) || change.before?.kind === "folder") note(summary(change));
  note(counted(changes));
  // The patch comes last: where it is written into the folder, it is a change from outside.
  try {
    if (conflicts.length > 0) {
      note("nothing was applied: the folder was changed outside in the meantime; run it again");
      if (apply === true) process.exitCode = 1;
    } else if (apply === true && code !== 0) note("the command failed: nothing was applied");
    else if (apply === true || (file === undefined && (await wanted(folder))))
      note(`applied to ${plain(folder)}: ${await applyChanges(control, folder)} paths`);
    else if (file === undefined) note("nothing was applied: --apply does it, --patch FILE keeps the diff");
  } finally {
    if (file !== undefined) {
      await writeFile(file, patch.text, { mode: 0o600 });
      const missing = patch.without.length;
      note(
        `the diff is in ${plain(file)}${missing === 0 ? "" : `, without ${missing} that no diff can show`}`,
      );
    }
  }
}

/** A person may say so. */
async function wanted(folder: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const { confirm } = await import("./confirm.ts");
  return confirm(`apply these changes to ${plain(folder)}?`);
}

function show(text: string): void {
  const lines = text.split("\n").slice(0, -1);
  for (const line of lines.slice(0, mostLines)) note(coloured(line));
  if (lines.length > mostLines) note(`… ${lines.length - mostLines} more lines: --patch FILE keeps them all`);
}

function coloured(line: string): string {
  const harmless = line.split("\t").map(plain).join("\t");
  const colour = /^(diff |---|\+\+\+)/.test(line)
    ? "bold"
    : line.startsWith("+")
      ? "green"
      : line.startsWith("-")
        ? "red"
        : line.startsWith("@@")
          ? "cyan"
          : undefined;
  return colour === undefined ? harmless : styleText(colour, harmless, { stream: process.stderr });
}

/** What no diff shows. */
function summary({ path, before, after }: Change): string {
  const name = plain(path);
  if (after === null) return `deleted ${before?.kind ?? ""} ${name}`;
  return `${before === null ? "new" : "changed"} ${after.kind} ${name}, ${after.size} bytes`;
}

function counted(changes: readonly Change[]): string {
  const files = changes.filter(({ before }) => before?.kind !== "folder");
  const count = (name: string, of: (change: Change) => boolean): string[] => {
    const number = files.filter(of).length;
    return number === 0 ? [] : [`${number} ${name}`];
  };
  return [
    ...count("added", ({ before }) => before === null),
    ...count("changed", ({ before, after }) => before !== null && after !== null),
    ...count("deleted", ({ after }) => after === null),
    ...(files.length < changes.length ? [`${changes.length - files.length} folders deleted`] : []),
  ].join(", ");
}
