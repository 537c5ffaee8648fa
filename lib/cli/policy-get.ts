import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { print, printJson } from "./output.ts";
import { revisionOf } from "./policy-rollback.ts";

interface GetOptions extends StackOption {
  readonly json?: boolean;
  readonly rev?: string;
  readonly full?: boolean;
}

/** `nacre policy get SANDBOX`: the base policy that is wanted now, or one of before, as a policy file. */
export function policyGet(): Command {
  return new Command("get")
    .description("print what a sandbox may reach, as a policy file that policy set takes")
    .argument("<sandbox>")
    .option("--rev <revision>", "an earlier one: a number of nacre policy history")
    .option("--full", "also the walls, and the allows and blocks above it")
    .option("-s, --stack <name>", "the environment")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre policy get assistant > policy.yaml\n  $ nacre policy get assistant --rev 3 --json",
    )
    .action(async (name: string, options: GetOptions) => {
      const id = sandboxId(contextOf(options), name);
      const version = options.rev === undefined ? undefined : revisionOf(options.rev);
      if (version !== undefined && options.full === true) throw onlyNow();
      const { connect } = await import("./daemon.ts");
      const { revisionText, wantedText } = await import("./policy-yaml.ts");
      const daemon = await connect();
      if (version !== undefined) {
        const found = await daemon.call("policy.revision", { id, version });
        if (options.json === true) printJson(found);
        else print(revisionText(id, found));
        return;
      }
      const found = await daemon.call("policy.get", { id });
      if (options.json === true) printJson(found);
      else print(wantedText(id, found, options.full === true));
    });
}

const onlyNow = (): NacreError =>
  new NacreError({
    code: "usage_full",
    subject: "--full",
    message: "shows what is there now, and a revision keeps its base alone",
    hint: "leave out --full or --rev",
  });
