import { constants } from "node:fs";
import { lchown, open, readdir } from "node:fs/promises";
import { NacreError } from "../error.ts";
import { isCode } from "./state.ts";

const deepest = 200;

/**
 * Gives a tree that a sandbox wrote, and that nothing writes any more, to `uid`. Walks by descriptors
 * (`/proc/self/fd/N/name` is `openat`) and follows no link. Changing the owner clears set-user-id bits (chown(2)).
 */
export async function giveTree(path: string | Buffer, uid: number, gid: number, depth = 0): Promise<void> {
  if (depth > deepest)
    throw new NacreError({
      code: "tree_too_deep",
      subject: "throw-away sandbox",
      message: `left folders more than ${deepest} deep`,
    });
  let folder;
  try {
    folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isCode(error, "ENOTDIR", "ELOOP")) return lchown(path, uid, gid);
    throw error;
  }
  try {
    await folder.chown(uid, gid);
    const here = `/proc/self/fd/${folder.fd}`;
    for (const name of await readdir(here, { encoding: "buffer" }))
      await giveTree(Buffer.concat([Buffer.from(`${here}/`), name]), uid, gid, depth + 1);
  } finally {
    await folder.close();
  }
}
