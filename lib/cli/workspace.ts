import { Command } from "commander";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { note, plain, print, printJson, table } from "./output.ts";

/** `nacre workspace list|remove`: the folders that outlive their sandboxes. */
export function workspace(): Command {
  const list = new Command("list")
    .description("list the workspaces of this machine, and whose they are")
    .option("--json", "as JSON")
    .action(async (options: { readonly json?: boolean }) => {
      const { connect } = await import("./daemon.ts");
      const found = await (await connect()).call("workspace.list", {});
      if (options.json === true) printJson(found);
      else if (found.length === 0) note("no workspace on this machine");
      else
        print(
          table(
            ["WORKSPACE", "PROJECT", "IN USE", "FOLDER"],
            found.map(({ id, project, used, data }) => [
              plain(id),
              plain(project),
              used ? "yes" : "no",
              plain(data),
            ]),
          ),
        );
    });
  const remove = new Command("remove")
    .description("remove a workspace that no sandbox uses, with everything that its agent left there")
    .argument("<sandbox>", "whose it was: NAME or STACK/NAME")
    .option("-s, --stack <name>", "the environment")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: StackOption & { readonly yes?: boolean }) => {
      const { connect } = await import("./daemon.ts");
      const { NacreError } = await import("../error.ts");
      const id = sandboxId(contextOf(options), name);
      const daemon = await connect();
      const found = (await daemon.call("workspace.list", {})).find((one) => one.id === id);
      if (found === undefined)
        throw new NacreError({
          code: "workspace_unknown",
          subject: `workspace ${id}`,
          message: "there is none on this machine",
          hint: "nacre workspace list shows them",
        });
      if (options.yes !== true) {
        const { confirmed } = await import("./confirm.ts");
        const question = `remove workspace ${id} of project ${plain(found.project)}, with all files in it?`;
        if (!(await confirmed(question))) return;
      }
      await daemon.call("workspace.delete", { id });
      note(`workspace ${id} is gone`);
    });
  return new Command("workspace")
    .description("the folders that outlive their sandboxes")
    .addCommand(list)
    .addCommand(remove)
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre workspace list\n  $ nacre destroy -s dev && nacre workspace remove dev/assistant",
    );
}
