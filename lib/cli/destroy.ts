import { Command } from "commander";
import { contextOf, type StackOption } from "./context.ts";
import { note, plain, print, printJson } from "./output.ts";

interface DestroyOptions extends StackOption {
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** `nacre destroy`: takes an environment down. Says first what goes and what stays: the workspaces stay. */
export function destroy(): Command {
  return new Command("destroy")
    .description("take the environment down; the workspaces stay on this machine")
    .option("-s, --stack <name>", "the environment")
    .option("-y, --yes", "do not ask")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  $ nacre destroy -s dev")
    .action(async (options: DestroyOptions) => {
      const context = contextOf(options);
      const { interruptible, recordsOf } = await import("./stack.ts");
      const { outcomeReport } = await import("./outcome-report.ts");
      const { stateDirectory, workspacePaths } = await import("../host/paths.ts");
      const stack = await recordsOf(context);
      const signal = interruptible();
      const plan = await stack.destroy({ preview: true, signal });
      const gone = plan.changes.filter(({ kind }) => kind === "sandbox");
      const kept = plan.changes.filter(({ kind }) => kind === "workspace");
      if (gone.length === 0 && kept.length === 0) {
        note(`environment ${context.stack}: nothing is there`);
        return;
      }
      for (const { name } of gone) note(`- sandbox ${plain(name)} ends, with its logs and its audit kept`);
      for (const { name } of kept)
        note(`= workspace ${plain(name)} stays: ${workspacePaths(stateDirectory(), name).data}`);
      if (options.yes !== true) {
        const { confirm } = await import("./confirm.ts");
        if (!(await confirm(`take ${context.stack} down?`))) return;
      }
      const outcome = await stack.destroy({ signal });
      if (options.json === true) printJson(outcome);
      else print(outcomeReport(outcome, { done: "taken down", nothing: "nothing was there" }));
      if (outcome.result !== "succeeded") process.exitCode = 1;
    });
}

/** `nacre forget --machine ID`: drops the records of what lives on a machine that is gone. Touches nothing there. */
export function forget(): Command {
  return new Command("forget")
    .description("drop the records of what lives on another machine; touches nothing there")
    .requiredOption("--machine <id>", "the machine's id, as preview shows it")
    .option("-s, --stack <name>", "the environment")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", "\nExample:\n  $ nacre forget --machine 0f7c… -s dev")
    .action(async (options: StackOption & { readonly machine: string; readonly yes?: boolean }) => {
      const context = contextOf(options);
      const { recordsOf } = await import("./stack.ts");
      if (options.yes !== true) {
        const { confirm } = await import("./confirm.ts");
        if (!(await confirm(`forget everything of ${context.stack} on machine ${options.machine}?`))) return;
      }
      const dropped = await (await recordsOf(context)).forget(options.machine);
      for (const urn of dropped) note(`forgot ${plain(urn)}`);
      if (dropped.length === 0)
        note(`environment ${context.stack} records nothing on machine ${options.machine}`);
    });
}
