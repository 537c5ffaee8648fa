import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { waitFor, withWait, type WaitOptions } from "./policy-wait.ts";

interface RollbackOptions extends StackOption, WaitOptions {
  readonly json?: boolean;
  readonly to?: string;
}

/** `nacre policy rollback SANDBOX [--to N|up]`: the base policy of before, or the blueprint's. */
export function policyRollback(): Command {
  const command = new Command("rollback")
    .description("put an earlier base policy back, live; allows and blocks stay above it")
    .argument("<sandbox>")
    .option("--to <revision>", "a number of nacre policy history, or up: the blueprint's")
    .option("-s, --stack <name>", "the environment")
    .option("--json", "as JSON");
  return withWait(command)
    .addHelpText(
      "after",
      "\nWithout --to: the last other one that was in force, so a second rollback undoes the first.\n\nExit codes: 0 in force (without --wait: recorded), 1 refused, 124 not in force in time.\n\nExamples:\n  $ nacre policy rollback assistant\n  $ nacre policy rollback assistant --to up --wait",
    )
    .action(async (name: string, options: RollbackOptions) => {
      const body = { id: sandboxId(contextOf(options), name), ...toOf(options.to) };
      const wait = await waitFor(options);
      const { connect } = await import("./daemon.ts");
      const { tellChange } = await import("./policy-change.ts");
      const changed = await (await connect()).call("policy.rollback", { ...body, ...wait });
      tellChange(body.id, changed, options.json === true);
    });
}

function toOf(to: string | undefined): { readonly to?: number | "up" } {
  return to === undefined ? {} : { to: to === "up" ? to : revisionOf(to) };
}

/** @throws NacreError `usage_revision` */
export function revisionOf(text: string): number {
  if (/^(0|[1-9][0-9]{0,8})$/.test(text)) return Number(text);
  throw new NacreError({
    code: "usage_revision",
    subject: text,
    message: "is no revision",
    hint: "write a number of nacre policy history",
  });
}
