import { isUtf8 } from "node:buffer";
import { formatPatch, OMIT_HEADERS, structuredPatch } from "diff";
import type { Change } from "../host/changes.ts";

/** Milliseconds that one file's lines are compared. */
const patience = 2000;

export interface Patch {
  /** Unified, with git's extended headers: `git apply` and `patch -p1` read it. */
  readonly text: string;
  /** Paths whose content is not text, too long or too different to compare: the patch does not hold them. */
  readonly without: readonly string[];
}

/** The changes as a patch. Folders are not in it: they come and go with their files. */
export function patchOf(changes: readonly Change[]): Patch {
  const parts: string[] = [];
  const without: string[] = [];
  for (const change of changes) {
    if (change.before?.kind === "folder") continue;
    const [before, after] = [sideOf(change, "before"), sideOf(change, "after")];
    const sides: [Side | null, Side | null][] =
      before !== null && after !== null && before.type !== after.type
        ? [
            [before, null],
            [null, after],
          ]
        : [[before, after]];
    const written = sides.map(([from, to]) => part(change.path, from, to));
    if (written.includes(undefined)) without.push(change.path);
    else parts.push(...(written as string[]));
  }
  return { text: parts.join(""), without };
}

interface Side {
  /** Of git's file types. */
  readonly type: "100" | "120";
  /** As git writes it: the type and the permission bits. */
  readonly mode: string;
  /** `undefined`: it cannot be shown. */
  readonly text: string | undefined;
}

function sideOf(change: Change, which: "before" | "after"): Side | null {
  const entry = change[which];
  if (entry === null) return null;
  const content = which === "before" ? change.oldContent : change.newContent;
  const text = content !== null && isUtf8(content) && !content.includes(0) ? content.toString() : undefined;
  if (entry.kind === "symlink") return { type: "120", mode: "120000", text };
  const executable = "executable" in entry ? entry.executable : (entry.mode & 0o100) !== 0;
  return { type: "100", mode: executable ? "100755" : "100644", text };
}

/** One file, from one side to the other, of which one may be missing. `undefined`: it cannot be shown. */
function part(path: string, before: Side | null, after: Side | null): string | undefined {
  const [old, now] = [before === null ? "" : before.text, after === null ? "" : after.text];
  const hunks = old === undefined || now === undefined ? undefined : hunksOf(old, now);
  if (hunks === undefined) return undefined;
  const [from, to] = [quoted(`a/${path}`), quoted(`b/${path}`)];
  const head = [`diff --git ${from} ${to}`];
  if (before === null) head.push(`new file mode ${after?.mode ?? ""}`);
  else if (after === null) head.push(`deleted file mode ${before.mode}`);
  else if (before.mode !== after.mode) head.push(`old mode ${before.mode}`, `new mode ${after.mode}`);
  const names = [`--- ${before === null ? "/dev/null" : from}`, `+++ ${after === null ? "/dev/null" : to}`];
  return [...head, ...(hunks === "" ? [] : [...names, hunks])].join("\n") + "\n";
}

/** `undefined`: the two differ too much to be compared in time. */
function hunksOf(before: string, after: string): string | undefined {
  if (before === after) return "";
  const patch = structuredPatch("", "", before, after, "", "", { context: 3, timeout: patience });
  return patch === undefined ? undefined : formatPatch(patch, OMIT_HEADERS).replace(/\n$/, "");
}

/** Names as git quotes them: what could end a line or a name is written in octal. */
function quoted(name: string): string {
  if (!/["\\\u0000-\u001f\u007f]/.test(name)) return name;
  const escaped = name.replace(/["\\\u0000-\u001f\u007f]/g, (character) =>
    character === '"' || character === "\\"
      ? `\\${character}`
      : `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return `"${escaped}"`;
}
