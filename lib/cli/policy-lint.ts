import { Command } from "commander";
import type { ExaminedPolicy, Problem } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { note, plain, print, printJson } from "./output.ts";

/** `nacre policy lint FILE…`: what is wrong in policies, where, and the smallest fix. */
export function policyLint(): Command {
  return new Command("lint")
    .description(
      "say what is wrong in policy files, where, and the smallest fix; exits with 1 if anything is",
    )
    .argument("<file...>", "policy files; - is stdin")
    .option("--json", "as JSON: { valid, files: [{ file, valid }], errors, warnings }")
    .addHelpText(
      "after",
      "\nA warning is what holds and was probably not meant; it leaves a policy valid. A file that cannot be read is an error of its own: the others are looked at.\n\nExamples:\n  $ nacre policy lint policies/agent.yaml\n  $ nacre policy lint --json policies/*.yaml",
    )
    .action(async (files: readonly string[], options: { readonly json?: boolean }) => {
      const { examinePolicy } = await import("../blueprint/index.ts");
      const { textOf } = await import("./policy-text.ts");
      const examined = await Promise.all(
        files.map(async (file): Promise<ExaminedPolicy> => {
          try {
            return examinePolicy(await textOf(file), file);
          } catch (error) {
            if (error instanceof NacreError) return { errors: [unread(file, error)], warnings: [] };
            throw error;
          }
        }),
      );
      const errors = examined.flatMap((one) => one.errors);
      const warnings = examined.flatMap((one) => one.warnings);
      const valid = errors.length === 0;
      if (options.json === true) {
        const looked = files.map((file, index) => ({ file, valid: examined[index]?.errors.length === 0 }));
        printJson({ valid, files: looked, errors, warnings });
      } else {
        for (const problem of errors) print(line("error", problem));
        for (const problem of warnings) print(line("warning", problem));
        const good = files.length === 1 ? "it is" : `all ${files.length} are`;
        if (valid) note(`${good} valid`);
      }
      if (!valid) process.exitCode = 1;
    });
}

const unread = (file: string, { message, hint }: NacreError): Problem => ({
  file,
  line: 1,
  column: 1,
  path: "",
  reason: message,
  fix: hint ?? "name a file that is there",
});

/** `agent.yaml:7:9: error: network_policies.x: reason (fix)`, as editors understand it. */
function line(kind: "error" | "warning", { file, line: row, column, path, reason, fix }: Problem): string {
  const at = path === "" ? "" : `${path}: `;
  return plain(`${file}:${row}:${column}: ${kind}: ${at}${reason} (fix: ${fix})`);
}
