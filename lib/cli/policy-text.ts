import { readFileSync } from "node:fs";
import { examinePolicy, problemsError } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { compile, type CompiledPolicy } from "../policy/compile.ts";

/** The text of a file that a person named; `-` is stdin. @throws NacreError `file_unreadable` */
export function textOf(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new NacreError({
      code: "file_unreadable",
      subject: file,
      message: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      hint: "name a file that is there",
    });
  }
}

/** A policy file, ready to be asked. @throws NacreError `invalid_file` with every problem */
export function compiledFrom(file: string): CompiledPolicy {
  const { policy, errors } = examinePolicy(textOf(file), file);
  if (policy === undefined) throw problemsError("invalid_file", errors);
  return compile({ base: policy.network_policies ?? {}, allows: [], blocks: [] });
}
