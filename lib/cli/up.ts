import { Command, Option } from "commander";
import { contextOf, type Context, type StackOption } from "./context.ts";
import type { BlueprintOption } from "./environment.ts";
import { print, printJson } from "./output.ts";
import { targets } from "../pulumi/target-name.ts";

export interface RunOptions extends StackOption, BlueprintOption {
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** `nacre up`: makes the environment so. */
export function up(): Command {
  return withOptions(new Command("up"))
    .description("make the environment real on its target, as its blueprint or its program says")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre preview && nacre up\n  $ nacre up -s prod -b blueprints/prod.yaml\n  $ nacre up -s prod --program environment.ts",
    )
    .action(async (options: RunOptions) => {
      if (!(await runUp(contextOf(options), options))) process.exitCode = 1;
    });
}

/** Whether it succeeded. Nothing runs that the operator's file does not cover: that is checked first. */
export async function runUp(context: Context, options: RunOptions): Promise<boolean> {
  const { interruptible, stackOf } = await import("./stack.ts");
  const { outcomeReport } = await import("./outcome-report.ts");
  const stack = await stackOf(context, options);
  const outcome = await stack.up({ signal: interruptible() });
  if (options.json === true) printJson(outcome);
  else print(outcomeReport(outcome, { done: "done", nothing: "nothing changed" }));
  return outcome.result === "succeeded";
}

/** `nacre preview`: what `up` would do. Starts nothing, and works before anything exists. */
export function preview(): Command {
  return withOptions(new Command("preview"))
    .description("show what up would do; starts nothing")
    .option("--expect-no-changes", "exit code 3 when something would change")
    .addHelpText(
      "after",
      "\nA preview needs no cluster; of a gateway or a cluster the first one downloads Pulumi's plugins.\n\nExamples:\n  $ nacre preview\n  $ nacre preview --target cluster\n  $ nacre preview --json --expect-no-changes",
    )
    .action(async (options: RunOptions & { readonly expectNoChanges?: boolean }) => {
      const { interruptible, stackOf } = await import("./stack.ts");
      const { outcomeReport } = await import("./outcome-report.ts");
      const { changed } = await import("../pulumi/outcome.ts");
      const stack = await stackOf(contextOf(options), options);
      const outcome = await stack.preview({ signal: interruptible() });
      if (options.json === true) printJson(outcome);
      else
        print(outcomeReport(outcome, { done: "nothing was changed yet", nothing: "nothing would change" }));
      if (outcome.result !== "succeeded") process.exitCode = 1;
      else if (options.expectNoChanges === true && changed(outcome).length > 0) process.exitCode = 3;
    });
}

/** `nacre refresh`: reads how things are into the record. */
export function refresh(): Command {
  return withOptions(new Command("refresh"))
    .description("read how things are into the environment's record")
    .option("--preview", "only show what differs")
    .addHelpText("after", "\nExit code 3 when something differs.\n\nExample:\n  $ nacre refresh --preview")
    .action(async (options: RunOptions & { readonly preview?: boolean }) => {
      const { interruptible, stackOf } = await import("./stack.ts");
      const { outcomeReport } = await import("./outcome-report.ts");
      const { changed } = await import("../pulumi/outcome.ts");
      const stack = await stackOf(contextOf(options), options);
      const outcome = await stack.refresh({ signal: interruptible(), preview: options.preview === true });
      if (options.json === true) printJson(outcome);
      else print(outcomeReport(outcome, { done: "differs from the record", nothing: "all is as recorded" }));
      if (outcome.result !== "succeeded") process.exitCode = 1;
      else if (changed(outcome).length > 0) process.exitCode = 3;
    });
}

export const withOptions = (command: Command): Command => withBlueprint(command).option("--json", "as JSON");

export const programOption = (): Option =>
  new Option("-p, --program <file>", "a module whose `environment` makes the construct tree").conflicts(
    "blueprint",
  );

/** Which environment, made of what. */
export const withBlueprint = (command: Command): Command =>
  command
    .option("-b, --blueprint <file>", "the blueprint")
    .addOption(programOption())
    .option("--overlay <file>", "this environment's own host ports and sizes")
    .addOption(
      new Option("-t, --target <target>", "where it runs, whatever the stack's file says").choices(targets),
    )
    .option("-s, --stack <name>", "the environment");
