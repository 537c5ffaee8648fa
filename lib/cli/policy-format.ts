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
      const { formatPolicy } = await import("../blueprint/index.ts");
      const { NacreError } = await import("../error.ts");
      const { textOf } = await import("./policy-text.ts");
      const { replaceFile } = await import("./replace-file.ts");
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
      if (options.write === true && changed) await replaceFile(file, text);
      if (options.json === true) printJson({ changed, text });
      else if (options.write !== true) process.stdout.write(text);
      else note(changed ? `${file} is formatted` : `${file} was formatted already`);
    });
}
