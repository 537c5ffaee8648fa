import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, type Context, type StackOption } from "./context.ts";
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
      const { recordsFolder } = await import("../host/kept-records.ts");
      const { stateDirectory, workspacePaths } = await import("../host/paths.ts");
      const stack = await recordsOf(context);
      const signal = interruptible();
      const plan = await stack.destroy({ preview: true, signal });
      const gone = plan.changes.filter(({ kind }) => kind === "sandbox");
      const workspaces = plan.changes.filter(({ kind }) => kind === "workspace");
      if (plan.result !== "succeeded") {
        if (options.json === true) printJson(plan);
        else print(outcomeReport(plan, { done: "", nothing: "" }));
        process.exitCode = 1;
        return;
      }
      if (gone.length === 0 && workspaces.length === 0) {
        await refuseElsewhere(context);
        note(`environment ${context.stack}: nothing is there`);
        return;
      }
      for (const { name } of gone) {
        const records = recordsFolder(stateDirectory(), name);
        note(`- sandbox ${plain(name)} ends; its logs and its audit are kept in ${records}`);
      }
      for (const { name, operation } of workspaces) {
        const { data } = workspacePaths(stateDirectory(), name);
        note(
          operation === "keep"
            ? `= workspace ${plain(name)} stays: ${data}`
            : `- workspace ${plain(name)} is deleted: ${data}`,
        );
      }
      if (options.yes !== true) {
        const { confirmed } = await import("./confirm.ts");
        if (!(await confirmed(`take ${context.stack} down?`))) return;
      }
      const outcome = await stack.destroy({ signal });
      if (options.json === true) printJson(outcome);
      else print(outcomeReport(outcome, { done: "taken down", nothing: "nothing was there" }));
      if (outcome.result !== "succeeded") process.exitCode = 1;
    });
}

/** Nothing is there by this state's record; another project's, or another state's, may be. */
async function refuseElsewhere({ stack, project, backend }: Context): Promise<void> {
  const { connect } = await import("./daemon.ts");
  const found = (await (await connect()).call("status", {})).filter(({ id }) => id.startsWith(`${stack}/`));
  if (found.length === 0) return;
  const projects = [...new Set(found.map((sandbox) => sandbox.project))];
  const isOurs = projects.length === 1 && projects[0] === project;
  throw new NacreError({
    code: "environment_elsewhere",
    subject: `environment ${stack}`,
    message: isOurs
      ? `is on this machine (${listed(found)}), but not in this Pulumi state (${backend ?? "the default one"})`
      : `belongs to project ${projects.map(plain).join(", ")} on this machine (${listed(found)}), and this is project ${project}`,
    hint: isOurs ? "run it with the backend that nacre up had" : "run it in that project's folder",
  });
}

const listed = (found: readonly { readonly id: string }[]): string => found.map(({ id }) => id).join(", ");

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
        const { confirmed } = await import("./confirm.ts");
        if (!(await confirmed(`forget everything of ${context.stack} on machine ${options.machine}?`)))
          return;
      }
      const dropped = await (await recordsOf(context)).forget(options.machine);
      for (const urn of dropped) note(`forgot ${plain(urn)}`);
      if (dropped.length === 0)
        note(`environment ${context.stack} records nothing on machine ${options.machine}`);
    });
}
