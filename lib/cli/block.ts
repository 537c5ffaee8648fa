import { Command } from "commander";
import type { Block } from "../egress/protocol.ts";
import { NacreError } from "../error.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { note, plain, printJson } from "./output.ts";

interface BlockOptions extends StackOption {
  readonly json?: boolean;
  readonly all?: boolean;
}

/** `nacre block`: the emergency stop. Live, open connections are closed, and it stays until `unblock`. */
export const block = (): Command =>
  command(
    "block",
    "stop a sandbox from reaching a host, or anything, now; open connections are closed",
  ).addHelpText(
    "after",
    "\nExamples:\n  $ nacre block assistant api.example.com\n  $ nacre block assistant --all      # inference too",
  );

/** `nacre unblock`: ends a block. */
export const unblock = (): Command =>
  command("unblock", "end a block").addHelpText("after", "\nExample:\n  $ nacre unblock assistant --all");

function command(verb: "block" | "unblock", description: string): Command {
  return new Command(verb)
    .description(description)
    .argument("<sandbox>")
    .argument("[host]", "a name, or a pattern of the policy language: *.example.com")
    .option("-s, --stack <name>", "the environment")
    .option("--all", "everything, inference included")
    .option("--json", "as JSON")
    .action(async (name: string, host: string | undefined, options: BlockOptions) => {
      if ((host === undefined) === (options.all !== true))
        throw new NacreError({
          code: "usage_block",
          subject: verb,
          message: "takes a host or --all, one of them",
          hint: `nacre ${verb} ${name} HOST`,
        });
      if (host === "*" || host === "**")
        throw new NacreError({
          code: "usage_block",
          subject: `${verb} ${host}`,
          message: "every host is --all",
          hint: `nacre ${verb} ${name} --all`,
        });
      const { connect } = await import("./daemon.ts");
      const { hostOf } = await import("./destination.ts");
      const what = host === undefined ? { all: true as const } : { host: hostOf(host) };
      const daemon = await connect();
      const id = sandboxId(contextOf(options), name);
      const result = await daemon.call(verb, { id, what });
      if (options.json === true) printJson(result);
      else {
        const done = "ended" in result && !result.ended ? wasNot(result.blocks) : `${verb}ed`;
        if ("stopped" in result && result.stopped === true)
          note(`${id}: its record cannot be read, so its processes were ended`);
        note(
          `${id}: ${named(what)} ${done} (revision ${result.revision}, enforced after ${result.enforcedMs.toFixed(0)} ms)`,
        );
      }
    });
}

const wasNot = (left: readonly Block[]): string =>
  `was not blocked; ${left.length === 0 ? "nothing is" : `blocked: ${left.map(named).join(", ")}`}`;

const named = (block: Block): string => ("all" in block ? "everything" : plain(block.host));
