import { Command } from "commander";
import type { Denial } from "../host/api.ts";
import { queryText } from "../host/open-text.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { note, plain, print, printJson, table } from "./output.ts";

interface DenialsOptions extends StackOption {
  readonly json?: boolean;
  readonly since?: string;
}

/** `nacre denials SANDBOX`: what was refused, why, and the smallest fix. */
export function denials(): Command {
  return new Command("denials")
    .description("list what the network wall refused, with the rule and the smallest fix")
    .argument("<sandbox>")
    .option("-s, --stack <name>", "the environment")
    .option("--since <time>", "only later ones: an ISO time, or minutes ago such as 15m")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre denials assistant\n  $ nacre allow assistant 843e99dc --for 30m",
    )
    .action(async (name: string, options: DenialsOptions) => {
      const { connect } = await import("./daemon.ts");
      const { timeOf } = await import("./times.ts");
      const daemon = await connect();
      const since = options.since === undefined ? {} : { since: timeOf(options.since, Date.now()) };
      const found = await daemon.call("denials", { id: sandboxId(contextOf(options), name), ...since });
      if (options.json === true) printJson(found);
      else if (found.length === 0) note("nothing was refused");
      else show(found);
    });
}

function show(found: readonly Denial[]): void {
  print(
    table(
      ["ID", "WHEN", "DESTINATION", "BINARY", "LAYER", "REASON"],
      found.map(({ id, at, host, port, binary, layer, reason }) => [
        plain(id),
        new Date(at).toISOString().slice(0, 19).replace("T", " "),
        plain(port === null ? host : `${host}:${port}`),
        plain(binary ?? "-"),
        plain(layer),
        plain(reason),
      ]),
    ),
  );
  note("");
  for (const { id, fix, allow } of found)
    note(`fix for ${plain(id)}: ${plain(fix)}${allow === null ? "" : requestNote(allow)}`);
}

/** A shell's comment, so that the line can be pasted as it is. Its reason does not always name the whole request. */
const requestNote = ({ method, path, query }: NonNullable<Denial["allow"]>): string =>
  method === undefined ? "" : `  # ${plain(method)} ${plain(`${path ?? ""}${queryText(query)}`)}`;
