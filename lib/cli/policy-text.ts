import { createReadStream } from "node:fs";
import { examinePolicy, problemsError } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { compile, type CompiledPolicy } from "../policy/compile.ts";

/** No policy that people write is larger. */
const largest = 1024 * 1024;

/**
 * The text of a file that a person named, `-` the standard input. Strict UTF-8: what two readers may read as two is none.
 * @throws NacreError `file_unreadable`
 */
export async function textOf(file: string, most = largest): Promise<string> {
  const fail = (message: string, hint: string): NacreError =>
    new NacreError({ code: "file_unreadable", subject: file, message, hint });
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    const source = file === "-" ? process.stdin : createReadStream(file, { end: most });
    for await (const piece of source as AsyncIterable<Buffer>) {
      pieces.push(piece);
      if ((size += piece.length) > most) break;
    }
  } catch (error) {
    throw fail(
      `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      "name a file that is there",
    );
  }
  if (size > most) throw fail(`is larger than ${most / 2 ** 20} MiB`, "split it up");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw fail("is not UTF-8", "save it as UTF-8");
  }
}

/** A policy file, ready to be asked. @throws NacreError `invalid_file` with every problem */
export async function compiledFrom(file: string): Promise<CompiledPolicy> {
  const { policy, errors } = examinePolicy(await textOf(file), file);
  if (policy === undefined) throw problemsError("invalid_file", errors);
  return compile({ base: policy.network_policies ?? {}, allows: [], blocks: [] });
}
