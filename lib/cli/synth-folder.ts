import { lstatSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { NacreError } from "../error.ts";
import { targets } from "../pulumi/target-name.ts";

/** Whose the files of a folder are. */
export type FolderOwner = Omit<Marker, "files">;

const markerSchema = z.strictObject({
  project: z.string(),
  stack: z.string(),
  target: z.enum(targets),
  /** Nothing else of the folder is ever removed or overwritten. */
  files: z.array(z.string().regex(/^(gateway\/)?[^/]+\.yaml$/)),
});
type Marker = z.infer<typeof markerSchema>;

/** What lies in the folder beside the files: so that a GitOps tool sees an object go, and no stack takes another's place. */
const MARKER = ".nacre-synth";

/**
 * Writes the files, and removes those that an earlier run wrote and that are not among them. Resolves to the removed.
 * @throws NacreError `folder_taken`, before anything is written; `folder_unwritable`
 */
export async function writeFolder(
  folder: string,
  files: ReadonlyMap<string, string>,
  owner: FolderOwner,
): Promise<readonly string[]> {
  try {
    const before = await ownFiles(folder, owner);
    const own = new Set(before);
    const foreign = [...files.keys()].find((name) => !own.has(name) && exists(join(folder, name)));
    if (foreign !== undefined)
      throw taken(
        join(folder, foreign),
        "is no file that nacre synth wrote",
        "name another folder with -o, or move the file away",
      );
    const gone = before.filter((name) => !files.has(name) && exists(join(folder, name)));
    const mark = (names: Iterable<string>): Promise<void> =>
      writeFile(join(folder, MARKER), stringify({ ...owner, files: [...names] }, { lineWidth: 0 }));
    const folders = new Set([folder, ...[...files.keys()].map((name) => dirname(join(folder, name)))]);
    for (const each of folders) await mkdir(each, { recursive: true });
    // A run that is killed leaves no file that the next one takes for somebody's.
    await mark([...files.keys(), ...gone]);
    for (const [name, text] of files) await writeFile(join(folder, name), text);
    for (const name of gone) await rm(join(folder, name));
    await mark(files.keys());
    return gone;
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** What an earlier run of the same owner wrote there. */
async function ownFiles(folder: string, owner: FolderOwner): Promise<readonly string[]> {
  const file = join(folder, MARKER);
  if (!exists(file)) return [];
  const read = markerSchema.safeParse(readable(await readFile(file, "utf8")));
  if (!read.success)
    throw taken(file, "does not say whose the folder is", "remove the folder, or name another");
  const { files, ...found } = read.data;
  if (nameOf(found) === nameOf(owner)) return files;
  throw taken(
    folder,
    `holds ${nameOf(found)}, not ${nameOf(owner)}`,
    "name another folder with -o, or remove this one",
  );
}

function readable(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

const nameOf = ({ project, stack, target }: FolderOwner): string =>
  `stack ${stack} of project ${project} on target ${target}`;

/** Also a link that leads nowhere. */
const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

const taken = (subject: string, message: string, hint: string): NacreError =>
  new NacreError({ code: "folder_taken", subject, message, hint });

const reasons: Readonly<Record<string, string>> = {
  EACCES: "you may not write there",
  EPERM: "you may not write there",
  EROFS: "its file system is read-only",
  ENOSPC: "its file system is full",
  EEXIST: "it is no folder",
  ENOTDIR: "it is no folder",
  EISDIR: "it is a folder",
};

function unwritable(folder: string, error: unknown): unknown {
  const reason = reasons[(error as NodeJS.ErrnoException).code ?? ""];
  if (reason === undefined) return error;
  const { path = folder } = error as NodeJS.ErrnoException;
  return new NacreError(
    {
      code: "folder_unwritable",
      subject: path,
      message: `cannot be written: ${reason}`,
      hint: "name another folder with -o",
    },
    { cause: error },
  );
}
