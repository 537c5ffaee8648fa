import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, type StackOption } from "./context.ts";
import { print, printJson } from "./output.ts";

/** `nacre config check`: whether a stack's file says what Nacre can read. */
export function config(): Command {
  return new Command("config").description("look at a stack's configuration").addCommand(check());
}

function check(): Command {
  return new Command("check")
    .description("check what a stack's file says under nacre:, each problem with its place and the fix")
    .argument("[file]", "the file; without it, the stack's own")
    .option("-s, --stack <name>", "the environment")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre config check -s prod\n  $ nacre config check stacks/Pulumi.prod.yaml --json",
    )
    .action(async (named: string | undefined, options: StackOption & { readonly json?: boolean }) => {
      const { examineStackFile } = await import("../pulumi/stack-config.ts");
      const { problemsError } = await import("../blueprint/index.ts");
      const file = named ?? contextOf(options).stackFile;
      if (!existsSync(file))
        throw new NacreError({
          code: "config_missing",
          subject: file,
          message: "there is no such file",
          hint: "name one, or a stack that has one: -s prod",
        });
      const { problems } = examineStackFile(readFileSync(file, "utf8"), file);
      if (options.json === true) printJson({ file, valid: problems.length === 0, problems });
      else if (problems.length === 0) print(`${file}: nothing is wrong with it`);
      else throw problemsError("invalid_config", problems);
      if (problems.length > 0) process.exitCode = 1;
    });
}
