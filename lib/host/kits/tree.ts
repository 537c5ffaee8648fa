import { createHash } from "node:crypto";
import { lstatSync, readlinkSync } from "node:fs";
import { chmod, readdir, readFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { NacreError } from "../../error.ts";

/** One thing in a tree, as it was recorded. Paths are relative, with `/`. */
export interface Entry {
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes; 0 for a folder, whose size is the file system's affair. */
  readonly size: number;
  /** Time of the last change of content or attributes, nanoseconds since the epoch; nobody can set it. 0 for a folder. */
  readonly changed: string;
  /** SHA-256 of a file's content, in hex; of a link, of where it points. */
  readonly hash: string;
}

type Seen = Omit<Entry, "hash">;

/**
 * All that is in a tree, by path. Follows no link, and takes files, folders and links that stay inside: anything else
 * was not made by an installation.
 */
export async function seenIn(root: string): Promise<readonly Seen[]> {
  const found: Seen[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of await readdir(join(root, folder))) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const entry = look(root, path);
      found.push(entry);
      if (entry.kind === "folder") folders.push(path);
    }
  }
  return found.sort(byPath);
}

/** Of code units, not of a locale. */
const byPath = (left: Seen, right: Seen): number =>
  left.path < right.path ? -1 : left.path > right.path ? 1 : 0;

function look(root: string, path: string): Seen {
  const stat = lstatSync(join(root, path), { bigint: true });
  const mode = Number(stat.mode & 0o7777n);
  if (stat.isDirectory()) return { path, kind: "folder", mode, size: 0, changed: "0" };
  const rest = { path, mode, size: Number(stat.size), changed: String(stat.ctimeNs) };
  if (stat.isFile()) return { ...rest, kind: "file" };
  if (!stat.isSymbolicLink()) throw strange(root, path, "is no file, folder or link");
  const target = readlinkSync(join(root, path));
  if (target.startsWith("/") || normalize(join(path, "..", target)).startsWith(".."))
    throw strange(root, path, `is a link that leads out, to ${target}`);
  return { ...rest, kind: "link" };
}

/** Reads every byte. */
export async function hashed(root: string, seen: readonly Seen[]): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  // A few at a time: more keep no disk busier, and each holds a whole file.
  for (let at = 0; at < seen.length; at += 16) {
    entries.push(...(await Promise.all(seen.slice(at, at + 16).map((entry) => hashOf(root, entry)))));
  }
  return entries;
}

async function hashOf(root: string, entry: Seen): Promise<Entry> {
  if (entry.kind === "folder") return { ...entry, hash: "" };
  const path = join(root, entry.path);
  const content = entry.kind === "link" ? readlinkSync(path) : await readFile(path);
  return { ...entry, hash: createHash("sha256").update(content).digest("hex") };
}

/** `sha256:…` over path, kind, mode, size and content of everything, in the order of paths. Times do not count. */
export function digestOf(entries: readonly Entry[]): string {
  const whole = createHash("sha256");
  for (const { path, kind, mode, size, hash } of entries) {
    whole.update(`${JSON.stringify([path, kind, mode, size, hash])}\n`);
  }
  return `sha256:${whole.digest("hex")}`;
}

/** The first path where the tree is not as recorded, by size, mode and change time alone; `undefined` where it is. */
export function differsAt(recorded: readonly Entry[], seen: readonly Seen[]): string | undefined {
  for (let at = 0; at < Math.max(recorded.length, seen.length); at += 1) {
    const [was, is] = [recorded[at], seen[at]];
    if (was === undefined || is === undefined) return (was ?? is)?.path;
    if (was.path !== is.path) return was.path < is.path ? was.path : is.path;
    if (was.kind !== is.kind || was.mode !== is.mode || was.size !== is.size || was.changed !== is.changed)
      return was.path;
  }
  return undefined;
}

/** Readable by every user id, writable by its owner alone, no set-id bits: what is shown to many sandboxes at once. */
export async function seal(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const { path, kind, mode } of await seenIn(root)) {
    if (kind === "link") continue;
    const wanted = kind === "folder" || (mode & 0o100) !== 0 ? 0o755 : 0o644;
    if (mode !== wanted) await chmod(join(root, path), wanted);
  }
}

const strange = (root: string, path: string, what: string): NacreError =>
  new NacreError({
    code: "kit_strange",
    subject: join(root, path),
    message: `${what}; no installation makes such a thing`,
    hint: `remove ${root}; it is installed again`,
  });
