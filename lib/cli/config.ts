import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { Command } from "commander";
import type { Problem } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { contextOf, type Context, type StackOption } from "./context.ts";
import { note, print, printJson } from "./output.ts";

/** `nacre config check`: whether a stack's file says what Nacre can read, and what `synth` makes of it. */
export function config(): Command {
  return new Command("config").description("look at a stack's configuration").addCommand(check());
}

function check(): Command {
  return new Command("check")
    .description(
      "check what a stack's file says under nacre:, and what synth makes of it; each problem with the fix",
    )
    .argument("[file]", "the file; without it, the stack's own")
    .option("-s, --stack <name>", "the environment")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nWarnings are synth's, and leave it valid. A project whose program makes the environment, and that has no blueprint,\nhas the file checked alone; nacre synth --program does the rest.\n\nExamples:\n  $ nacre config check -s prod\n  $ nacre config check stacks/Pulumi.prod.yaml --json",
    )
    .action(async (named: string | undefined, options: StackOption & { readonly json?: boolean }) => {
      const { examineStackFile } = await import("../pulumi/stack-config.ts");
      const { problemsError } = await import("../blueprint/index.ts");
      const context = contextOfFile(named, options);
      const file = named ?? context.stackFile;
      if (!existsSync(file))
        throw new NacreError({
          code: "config_missing",
          subject: file,
          message: "there is no such file",
          hint: "name one, or a stack that has one: -s prod",
        });
      const read = examineStackFile(readFileSync(file, "utf8"), file);
      const { warnings, refused } =
        read.document === undefined ? { warnings: [], refused: undefined } : await synthesized(context);
      const problems: readonly Problem[] =
        refused === undefined
          ? read.problems
          : [
              {
                file,
                line: 1,
                column: 1,
                path: "",
                reason: `${refused.subject}: ${refused.message}`,
                fix: refused.hint ?? "each of these says its own",
              },
            ];
      if (options.json === true) printJson({ file, valid: problems.length === 0, problems, warnings });
      else {
        for (const line of warnings) note(line);
        if (problems.length > 0) throw refused ?? problemsError("invalid_config", problems);
        print(
          `${file}: ${warnings.length === 0 ? "nothing is wrong with it" : "no error; the warnings are above"}`,
        );
      }
      if (problems.length > 0) process.exitCode = 1;
    });
}

/** `stacks/Pulumi.prod.yaml` is the stack prod's, of the project that it lies in. */
function contextOfFile(named: string | undefined, options: StackOption): Context {
  if (named === undefined) return contextOf(options);
  const stack = options.stack ?? /^Pulumi\.(.+)\.ya?ml$/.exec(basename(named))?.[1];
  const context = contextOf(stack === undefined ? options : { stack }, dirname(resolve(named)));
  return { ...context, stackFile: resolve(named) };
}

/** What `synth` says of the stack: its notes, or why it refuses. */
async function synthesized(
  context: Context,
): Promise<{ readonly warnings: readonly string[]; readonly refused?: NacreError }> {
  const { readEnvironment } = await import("./environment.ts");
  const { notesOf, renderEnvironment } = await import("../synth/environment.ts");
  try {
    const { environment, catalogue } = await readEnvironment(context, {});
    const { project } = context;
    return { warnings: notesOf(renderEnvironment(environment, { catalogue, project })) };
  } catch (error) {
    if (!NacreError.isInstance(error)) throw error;
    if (error.code !== "blueprint_missing") return { warnings: [], refused: error };
    return {
      warnings: [
        `warning: there is no blueprint in ${context.directory}, so the file alone was checked (nacre synth --program FILE does the rest)`,
      ],
    };
  }
}
