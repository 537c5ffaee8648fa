import { constants } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ownIds } from "./outside-ids.ts";
import { folderOf, type SandboxPaths } from "./paths.ts";
import { isCode } from "./state.ts";

/** How many removed sandboxes of one name are remembered; each holds what its logs' and its audit's rotation left. */
const mostKept = 3;

/** Where logs and audit of removed sandboxes of this name are. */
export const recordsFolder = (state: string, id: string): string => join(state, "records", folderOf(id));

/**
 * Puts the logs and the audit of a sandbox that is about to be removed where they stay. Its agent and its egress have
 * ended; what they left is moved by name, and read by nobody here: a link stays a link.
 */
export async function keepRecords(state: string, id: string, paths: SandboxPaths): Promise<void> {
  const all = recordsFolder(state, id);
  const folder = join(all, new Date().toISOString().replaceAll(":", ""));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [from, isRecord] of [
    [paths.egress, /^audit(-[a-z]+)?\.jsonl(\.\d+)?$/],
    [paths.directory, /^egress\.log(\.\d+)?$/],
    [join(paths.directory, "logs"), /^agent\.log(\.\d+)?$/],
  ] as const)
    for (const name of await readdir(from).catch(() => []))
      if (isRecord.test(name)) await keep(join(from, name), join(folder, name));
  const older = (await readdir(all)).sort().slice(0, -mostKept);
  for (const name of older) await rm(join(all, name), { recursive: true, force: true });
}

/** A regular file becomes this user's own; anything else was not written by an egress or an init, and goes. */
async function keep(from: string, to: string): Promise<void> {
  await rename(from, to);
  try {
    const file = await open(to, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw Object.assign(new Error("no file"), { code: "EINVAL" });
      await file.chown(ownIds().uid, ownIds().gid);
      await file.chmod(0o600);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!isCode(error, "ELOOP", "EINVAL", "ENXIO", "EACCES")) throw error;
    await rm(to, { recursive: true, force: true });
  }
}
