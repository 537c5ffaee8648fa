import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { NacreError } from "../../error.ts";
import type { KitCheck } from "../kit.ts";
import { isCode, readJson, syncFolder, writeJson } from "../state.ts";
import { differsAt, digestOf, hashed, seal, seenIn, type Entry } from "./tree.ts";

/**
 * One installed kit: `tree/`, which sandboxes are shown, and beside it what it was like when it was installed.
 *
 * `kit.json` holds the digest; `tree.jsonl` a line for each file, so that what changed can be named.
 */
const recordSchema = z.strictObject({
  /** `openclaw@2026.9.6` */
  kit: z.string().min(1),
  /** Of everything in `tree/`. */
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  files: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  installedAt: z.iso.datetime(),
});
export type KitRecord = z.infer<typeof recordSchema>;

const lineSchema = z.tuple([
  z.string().min(1),
  z.enum(["file", "folder", "link"]),
  z.int().nonnegative(),
  z.int().nonnegative(),
  z.string().regex(/^\d+$/),
  z.string(),
]);

const record = (folder: string): string => join(folder, "kit.json");
const lines = (folder: string): string => join(folder, "tree.jsonl");
export const treeOf = (folder: string): string => join(folder, "tree");

/** Takes what lies in `folder`'s tree as installed: sealed, read whole, recorded. */
export async function recordKit(folder: string, kit: string, now = new Date()): Promise<KitRecord> {
  await seal(treeOf(folder));
  const entries = await hashed(treeOf(folder), await seenIn(treeOf(folder)));
  const files = entries.filter(({ kind }) => kind === "file");
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const installed = {
    kit,
    digest: digestOf(entries),
    files: files.length,
    bytes,
    installedAt: now.toISOString(),
  };
  await writeLines(folder, entries);
  await writeJson(record(folder), installed);
  return installed;
}

/**
 * `undefined`: nothing is installed there. By attributes no content is read, but where they differ: a copy, or a
 * restored backup, has other change times and the same content, which only reading can tell. `reading` is called then.
 *
 * @throws NacreError `kit_changed`, which names the first file that is another
 */
export async function findKit(
  folder: string,
  check: KitCheck = "attributes",
  reading: () => void = () => undefined,
): Promise<KitRecord | undefined> {
  const found = await readJson(record(folder), recordSchema);
  if (found === undefined) return undefined;
  const recorded = await readLines(folder);
  if (digestOf(recorded) !== found.digest) throw changed(folder, found.kit, "tree.jsonl");
  const seen = await seenIn(treeOf(folder));
  if (check === "attributes" && differsAt(recorded, seen) === undefined) return found;
  reading();
  const is = await hashed(treeOf(folder), seen);
  const other = digestOf(is) === found.digest ? undefined : differsAt(contentOf(recorded), contentOf(is));
  if (other !== undefined) throw changed(folder, found.kit, other);
  await writeLines(folder, is);
  return found;
}

/** Compared by content: the hash stands in the place of the change time. */
const contentOf = (entries: readonly Entry[]) => entries.map((entry) => ({ ...entry, changed: entry.hash }));

/** Moves a recorded kit to its place. Whoever came first stays: both are the same by their lock. */
export async function placeKit(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isCode(error, "ENOTEMPTY", "EEXIST")) throw error;
    await rm(from, { recursive: true, force: true });
  }
}

export const makeKitFolder = (folder: string): Promise<unknown> => mkdir(folder, { mode: 0o755 });

async function writeLines(folder: string, entries: readonly Entry[]): Promise<void> {
  const text = entries.map(
    ({ path, kind, mode, size, changed, hash }) =>
      `${JSON.stringify([path, kind, mode, size, changed, hash])}\n`,
  );
  const temporary = `${lines(folder)}.new`;
  await writeFile(temporary, text.join(""), { mode: 0o600, flush: true });
  await rename(temporary, lines(folder));
  await syncFolder(folder);
}

async function readLines(folder: string): Promise<readonly Entry[]> {
  try {
    const text = await readFile(lines(folder), "utf8");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [path, kind, mode, size, changed, hash] = lineSchema.parse(JSON.parse(line));
        return { path, kind, mode, size, changed, hash };
      });
  } catch (error) {
    throw new NacreError(
      {
        code: "kit_changed",
        subject: lines(folder),
        message: "cannot be read, so nothing says what the kit was like when it was installed",
        hint: `remove ${folder}; the kit is installed again`,
      },
      { cause: error },
    );
  }
}

const changed = (folder: string, kit: string, path: string): NacreError =>
  new NacreError({
    code: "kit_changed",
    subject: `kit ${kit}`,
    message: `${path} is not as it was installed`,
    hint: `remove ${folder}; the kit is installed again`,
  });
