import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { z } from "zod";
import { NacreError } from "../error.ts";
import { changeRecordSchema, launchErrorSchema, type ChangeRecord } from "./launch-spec.ts";
import { spawnLauncher } from "./launcher.ts";

/** A path that differs, with its content where a person could read it. */
export type Change = Extract<ChangeRecord, { record: "change" }> & {
  readonly oldContent: Buffer | null;
  readonly newContent: Buffer | null;
};

export interface Changes {
  readonly changes: readonly Change[];
  readonly left: readonly { readonly path: string; readonly reason: string }[];
  readonly conflicts: readonly { readonly path: string; readonly reason: string }[];
}

/** Bytes; `LONGEST_RECORD` of the launcher. */
const longestRecord = 64 * 1024;
/** Bytes; the launcher tells the content of no file that is larger. */
const largestContent = 1024 * 1024;

/**
 * What a throw-away sandbox changed in its folder. Whatever runs in it is ended first, so that it stays so.
 * @throws NacreError `changes_failed`
 */
export async function readChanges(control: string): Promise<Changes> {
  const child = spawnLauncher("changes", { control }, ["ignore", "pipe", "pipe"]);
  const ended = endOf(child);
  const found = { changes: [] as Change[], left: [] as Named[], conflicts: [] as Named[] };
  let whole = false;
  try {
    const input = new Pieces(child.stdout as Readable);
    for (let line = await input.line(); line !== undefined; line = await input.line()) {
      const record = changeRecordSchema.parse(JSON.parse(line));
      if (record.record === "change") {
        const content = async (length: number | null): Promise<Buffer | null> =>
          length === null ? null : input.bytes(length);
        found.changes.push({
          ...record,
          oldContent: await content(record.old),
          newContent: await content(record.new),
        });
      } else if (record.record === "done") whole = true;
      else found[record.record === "left" ? "left" : "conflicts"].push(record);
    }
  } catch (error) {
    child.kill("SIGKILL");
    await ended.catch(() => undefined);
    throw failed(String(error), error);
  }
  await ended;
  if (!whole) throw failed("it ended early");
  return found;
}

type Named = Extract<ChangeRecord, { record: "left" | "conflict" }>;

const appliedSchema = z.object({ ok: z.literal(true), applied: z.int() });

/**
 * Makes the changes in the folder itself, or none of them. Returns how many paths were changed.
 * @throws NacreError `conflict`: a path was changed outside in the meantime; `apply_failed`
 */
export async function applyChanges(control: string, folder: string): Promise<number> {
  const child = spawnLauncher("apply", { control, folder }, ["ignore", "pipe", "pipe"]);
  let out = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (out += text));
  await endOf(child);
  return appliedSchema.parse(JSON.parse(out)).applied;
}

/** Resolves when the launcher has ended well; else its own words. */
function endOf(child: ChildProcess): Promise<void> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else
        reject(spoken(said) ?? failed(said === "" ? `the launcher ended with ${code ?? "a signal"}` : said));
    });
  });
}

function spoken(line: string): NacreError | undefined {
  try {
    return new NacreError(z.object({ error: launchErrorSchema }).parse(JSON.parse(line)).error);
  } catch {
    return undefined;
  }
}

const failed = (message: string, cause?: unknown): NacreError =>
  new NacreError({ code: "changes_failed", subject: "what was changed", message }, { cause });

/** Lines and bytes by turns, from one stream. */
class Pieces {
  readonly #chunks: AsyncIterator<Buffer>;
  #read: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async line(): Promise<string | undefined> {
    let end = this.#read.indexOf("\n");
    while (end < 0) {
      if (this.#read.length > longestRecord) throw new RangeError("a record is too long");
      if (!(await this.#more())) {
        if (this.#read.length > 0) throw new RangeError("it ended in a record");
        return undefined;
      }
      end = this.#read.indexOf("\n");
    }
    return this.#take(end + 1).toString("utf8", 0, end);
  }

  async bytes(length: number): Promise<Buffer> {
    if (length > largestContent) throw new RangeError("a content is too long");
    while (this.#read.length < length) if (!(await this.#more())) throw new RangeError("it ended in a file");
    return this.#take(length);
  }

  #take(length: number): Buffer {
    const taken = this.#read.subarray(0, length);
    this.#read = this.#read.subarray(length);
    return taken;
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#read = this.#read.length === 0 ? next.value : Buffer.concat([this.#read, next.value]);
    return true;
  }
}
