import { Command } from "commander";
import { note, printJson } from "./output.ts";

interface FormatOptions {
  readonly write?: boolean;
  readonly json?: boolean;
}

/** `nacre policy format FILE`: the same policy in its one order and spelling, comments kept. */
export function policyFormat(): Command {
  return new Command("format")
    .description("print a policy in its one order and spelling, comments kept; the meaning stays")
    .argument("<file>", "a policy file; - is stdin")
    .option("--write", "into the file instead of stdout")
    .option("--json", "as JSON: { changed, text }")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre policy format policies/agent.yaml\n  $ nacre policy format --write policies/agent.yaml",
    )
    .action(async (file: string, options: FormatOptions) => {
      const { rename, stat, writeFile } = await import("node:fs/promises");
      const { formatPolicy } = await import("../blueprint/index.ts");
      const { NacreError } = await import("../error.ts");
      const { textOf } = await import("./policy-text.ts");
      if (file === "-" && options.write === true)
        throw new NacreError({
          code: "usage_format",
          subject: "--write",
          message: "stdin cannot be written",
          hint: "name a file, or leave --write out",
        });
      const before = await textOf(file);
      const text = formatPolicy(before, file);
      const changed = text !== before;
      if (options.write === true && changed) {
        const draft = `${file}.nacre-new.yaml`;
        await writeFile(draft, text, { mode: (await stat(file)).mode & 0o777 });
        await rename(draft, file);
      }
      if (options.json === true) printJson({ changed, text });
      else if (options.write !== true) process.stdout.write(text);
      else note(changed ? `${file} is formatted` : `${file} was formatted already`);
    });
}
