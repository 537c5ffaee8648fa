import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { NacreError } from "../error.ts";
import type { SecretEntry } from "./operator.ts";
import { isCode } from "./state.ts";

/** A secret's value, or why there is none now: its endpoints answer `credential_unavailable` until there is. */
export type Resolved = { readonly value: string } | { readonly lacking: string };

const commandPatience = 30_000;
const longest = 64 * 1024;

/** Reads a source. `env` gives what callers have handed over; nothing here is written anywhere. */
export async function resolveSecret(
  name: string,
  entry: SecretEntry,
  handed: ReadonlyMap<string, string>,
): Promise<Resolved> {
  if (entry.env !== undefined) {
    const value = handed.get(name);
    if (value !== undefined) return { value };
    return { lacking: `secret ${name}: ${entry.env} was not set when nacre up ran; set it and run nacre up` };
  }
  try {
    if (entry.file !== undefined) return checked(name, await fromFile(pathOf(entry.file)));
    return checked(name, await fromCommand(entry.command ?? []));
  } catch (error) {
    if (error instanceof NacreError)
      return { lacking: `secret ${name}: ${error.message} (${error.hint ?? ""})` };
    throw error;
  }
}

/** What tells that a file source changed, without reading it; undefined: no file source, or none there. */
export async function fingerprint(entry: SecretEntry): Promise<string | undefined> {
  if (entry.file === undefined) return undefined;
  try {
    const found = await stat(pathOf(entry.file), { bigint: true });
    return `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
  } catch {
    return undefined;
  }
}

/** A header value goes out on a line of its own: a control character would make two of it (RFC 9110, 5.5). */
function checked(name: string, text: string): Resolved {
  const value = text.replace(/\r?\n$/, "");
  if (value === "") return { lacking: `secret ${name}: its source is empty` };
  if (/[\u0000-\u001f\u007f]/.test(value)) return { lacking: `secret ${name}: it holds a control character` };
  return { value };
}

async function fromFile(path: string): Promise<string> {
  const fail = (message: string, hint: string): NacreError =>
    new NacreError({ code: "secret_unreadable", subject: path, message: `${path} ${message}`, hint });
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR")) throw fail("is not there", "write the secret into it, mode 600");
    throw fail("cannot be opened", `chmod 600 ${path}`);
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) throw fail("is no regular file", "name a file that holds the secret alone");
    if ((found.mode & 0o077) !== 0) throw fail("can be read by others", `chmod 600 ${path}`);
    if (found.size > longest) throw fail("is longer than 64 KiB", "name a file that holds the secret alone");
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** No shell; output kept off every log, since a program may say the secret in its error. */
function fromCommand([program = "", ...args]: readonly string[]): Promise<string> {
  const fail = (message: string): NacreError =>
    new NacreError({
      code: "secret_command_failed",
      subject: program,
      message: `${program} ${message}`,
      hint: "run it by hand as the daemon's user",
    });
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: commandPatience,
      cwd: "/",
    });
    const pieces: Buffer[] = [];
    let size = 0;
    child.stdout.on("data", (piece: Buffer) => {
      size += piece.length;
      if (size > longest) child.kill("SIGKILL");
      else pieces.push(piece);
    });
    child.once("error", (error) => reject(fail(`cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(Buffer.concat(pieces).toString("utf8"));
      else reject(fail(code === null ? `was ended by ${signal ?? "a signal"}` : `ended with ${code}`));
    });
  });
}

const pathOf = (written: string): string =>
  written === "~" || written.startsWith("~/") ? join(homedir(), written.slice(1)) : written;
