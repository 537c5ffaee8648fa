import { Command } from "commander";
import type { ResultOf } from "../host/api.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { note, plain, print, printJson, table } from "./output.ts";

/** `nacre policy history SANDBOX`: every policy that was asked for, by whom, and what became of it. */
export function policyHistory(): Command {
  return new Command("history")
    .description("list what a sandbox was told to enforce: each revision, and what became of it")
    .argument("<sandbox>")
    .option("-s, --stack <name>", "the environment")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nThe last hundred are kept; * is the one that is wanted now.\n\nExamples:\n  $ nacre policy history assistant\n  $ nacre policy get assistant --rev 3",
    )
    .action(async (name: string, options: StackOption & { readonly json?: boolean }) => {
      const { connect } = await import("./daemon.ts");
      const found = await (
        await connect()
      ).call("policy.history", {
        id: sandboxId(contextOf(options), name),
      });
      if (options.json === true) printJson(found);
      else show(found);
    });
}

function show({ wanted, revisions }: ResultOf<"policy.history">): void {
  print(
    table(
      ["REVISION", "STATE", "BY", "WHEN", "HASH", "WHAT"],
      revisions.map(({ version, state, by, at, hash, what }) => [
        `${version}${version === wanted ? "*" : ""}`,
        state,
        by,
        new Date(at).toISOString().slice(0, 19).replace("T", " "),
        hash.slice(0, 12),
        plain(what),
      ]),
    ),
  );
  for (const { version, error } of revisions)
    if (error !== null)
      note(
        `revision ${version} failed: ${plain(error.subject)}: ${error.message.split("\n").map(plain).join("; ")}`,
      );
}
