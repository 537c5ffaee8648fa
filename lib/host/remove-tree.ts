import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rmdir, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isCode, syncFolder } from "./state.ts";

/**
 * Removes a tree that an agent wrote. Every step goes through the descriptor of a folder that was opened without
 * following a link (`/proc/self/fd/N/name` is `openat`), so a link or a folder that is swapped leads nowhere else; every
 * folder is first moved up beside its parent, so no depth is too deep for a path or for the stack. What is interrupted
 * lies in `trash` and is finished by `emptyTrash`.
 * @param trash a private folder on the same file system
 */
export async function removeTree(path: string, trash: string): Promise<void> {
  await mkdir(trash, { recursive: true, mode: 0o700 });
  try {
    await rename(path, join(trash, randomBytes(12).toString("hex")));
  } catch (error) {
    if (isCode(error, "ENOENT")) return;
    throw error;
  }
  await syncFolder(dirname(path));
  await emptyTrash(trash);
}

export async function emptyTrash(trash: string): Promise<void> {
  let top: FileHandle;
  try {
    top = await openFolder(trash);
  } catch (error) {
    if (isCode(error, "ENOENT")) return;
    throw error;
  }
  try {
    for (let names = await namesIn(top); names.length > 0; names = await namesIn(top))
      for (const name of names) {
        try {
          await removeEntry(top, name);
        } catch (error) {
          // Two may empty the same trash: what the other took, or filled again, is looked at once more.
          if (!isCode(error, "ENOENT", "ENOTEMPTY")) throw error;
        }
      }
  } finally {
    await top.close();
  }
}

/** Removes a file; moves what a folder holds up into `top`, and removes the folder. */
async function removeEntry(top: FileHandle, name: Buffer): Promise<void> {
  const path = at(top, name);
  let folder: FileHandle;
  try {
    folder = await openFolder(path);
  } catch (error) {
    if (isCode(error, "ENOENT")) return;
    if (isCode(error, "ENOTDIR", "ELOOP")) return unlink(path);
    if (!isCode(error, "EACCES")) throw error;
    // A folder of our own that forbids itself to us. (An ordinary user's: root is never refused.)
    await allow(path);
    folder = await openFolder(path);
  }
  try {
    await folder.chmod(0o700);
    for (const child of await namesIn(folder)) {
      const from = at(folder, child);
      if (await isFolder(from)) await rename(from, join(pathOf(top), randomBytes(12).toString("hex")));
      else await unlink(from);
    }
  } finally {
    await folder.close();
  }
  await rmdir(path);
}

/** Moving a folder rewrites its `..`, which needs the right to write in it. */
async function isFolder(path: Buffer): Promise<boolean> {
  try {
    const folder = await openFolder(path);
    await folder.chmod(0o700);
    await folder.close();
    return true;
  } catch (error) {
    if (isCode(error, "ENOTDIR", "ELOOP")) return false;
    if (!isCode(error, "EACCES")) throw error;
    await allow(path);
    return isFolder(path);
  }
}

/** `O_PATH` opens what cannot be read; its `/proc` link is then that very thing, whatever its name becomes. */
async function allow(path: Buffer): Promise<void> {
  const O_PATH = 0o10000000;
  const thing = await open(path, O_PATH | constants.O_NOFOLLOW | constants.O_DIRECTORY);
  try {
    await chmod(pathOf(thing), 0o700);
  } finally {
    await thing.close();
  }
}

const openFolder = (path: string | Buffer): Promise<FileHandle> =>
  open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);

const namesIn = (folder: FileHandle): Promise<Buffer[]> => readdir(pathOf(folder), { encoding: "buffer" });

const pathOf = (folder: FileHandle): string => `/proc/self/fd/${folder.fd}`;

/** Names are bytes: an agent's need not be UTF-8. */
const at = (folder: FileHandle, name: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${pathOf(folder)}/`), name]);
