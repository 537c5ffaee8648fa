import { constants } from "node:fs";
import { mkdir, open, rename, stat, unlink } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { NacreError } from "../error.ts";

/** Makes a private folder (0700) and its parents. One that others may enter is refused: they could plant sockets in it. */
export async function privateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await stat(path);
  const user = process.getuid?.() ?? 0;
  if (found.uid !== user)
    throw new NacreError({
      code: "state_foreign",
      subject: path,
      message: `belongs to user id ${found.uid}, and this is user id ${user}`,
      hint: "run as that user, or set NACRE_STATE_DIR to a folder of your own",
    });
  if ((found.mode & 0o077) !== 0)
    throw new NacreError({
      code: "state_open",
      subject: path,
      message: `others may enter it (mode ${(found.mode & 0o777).toString(8)})`,
      hint: `chmod 700 ${path}`,
    });
}

/** Atomic and durable: a reader sees the old content or the new, also after a power cut. Mode 0600. */
export async function writeAtomic(path: string, content: string | Buffer): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw storageError(path, error);
  }
  await syncFolder(folder);
}

export const writeJson = (path: string, value: unknown): Promise<void> =>
  writeAtomic(path, `${JSON.stringify(value, undefined, 2)}\n`);

/** So that a name that was made, renamed or removed in it stays so after a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** `undefined`: there is none. @throws NacreError `state_corrupt` that names the file; never an empty default. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(path, error instanceof Error ? error.message : String(error));
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw corrupt(path, z.prettifyError(parsed.error).replaceAll("\n", "; "));
  return parsed.data;
}

/** Follows no symbolic link at the last name, and takes regular files alone. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw corrupt(path, "it is no regular file");
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    if (error instanceof NacreError) throw error;
    throw corrupt(path, error instanceof Error ? error.message : String(error));
  }
}

export const isCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && "code" in error && codes.includes(String(error.code));

const corrupt = (path: string, reason: string): NacreError =>
  new NacreError({
    code: "state_corrupt",
    subject: path,
    message: `cannot be read: ${reason}`,
    hint: "put back a copy of it, or move it away to lose what it holds",
  });

function storageError(path: string, error: unknown): unknown {
  if (isCode(error, "ENOSPC", "EDQUOT"))
    return new NacreError(
      {
        code: "disk_full",
        subject: path,
        message: "no space is left to write it",
        hint: "free some disk space",
      },
      { cause: error },
    );
  if (isCode(error, "EROFS", "EACCES", "EPERM"))
    return new NacreError(
      {
        code: "state_unwritable",
        subject: path,
        message: `cannot be written: ${error instanceof Error ? error.message : String(error)}`,
        hint: "set NACRE_STATE_DIR to a folder of your own on a writable disk",
      },
      { cause: error },
    );
  return error;
}
