import { Command } from "commander";
import { NacreError } from "../error.ts";
import type { Client } from "../host/client.ts";
import { blueprintFile, contextOf, sandboxId, type Context, type StackOption } from "./context.ts";
import { note, plain, printJson } from "./output.ts";

interface AllowOptions extends StackOption {
  readonly json?: boolean;
  readonly for: string;
  readonly binary?: string;
  readonly yes?: boolean;
  readonly write?: string | true;
}

/** `nacre allow SANDBOX DENIAL|HOST[:PORT]`: a rule above the base policy, live, that expires. */
export function allow(): Command {
  return new Command("allow")
    .description("let a sandbox reach what was refused: live, for a while")
    .argument("<sandbox>")
    .argument("<what>", "the id of a denial (nacre denials), or HOST[:PORT]; 443 without a port")
    .option("-s, --stack <name>", "the environment")
    .option("--for <duration>", "how long", "1h")
    .option("--binary <path>", "only for this executable")
    .option("--write [file]", "also write the rule into the YAML blueprint")
    .option("-y, --yes", "do not ask")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nThe address guard stays: an allowed name that answers from a private address is still refused.\n\nExamples:\n  $ nacre allow assistant d-42\n  $ nacre allow assistant api.example.com --for 30m --binary /usr/bin/curl",
    )
    .action(async (name: string, what: string, options: AllowOptions) => {
      const { connect } = await import("./daemon.ts");
      const { seconds } = await import("./times.ts");
      const context = contextOf(options);
      const id = sandboxId(context, name);
      const daemon = await connect();
      const destination = destinationOf(what, options.binary);
      if (options.yes !== true && options.json !== true) {
        const { confirm } = await import("./confirm.ts");
        const shown =
          "denial" in destination
            ? await denied(daemon, id, destination.denial)
            : `${destination.host}:${destination.port}`;
        if (!(await confirm(`let ${id} reach ${plain(shown)} for ${options.for}?`))) return;
      }
      const write = await writerFor(context, id, options.write);
      const result = await daemon.call("allow", { id, what: destination, seconds: seconds(options.for) });
      if (write !== undefined) note(`written into ${await write(result.allow)}`);
      if (options.json === true) printJson(result);
      else
        note(
          `${id} may reach ${plain(result.allow.host)}:${result.allow.port} until ${new Date(result.allow.until).toISOString()} (revision ${result.revision}, enforced after ${result.enforcedMs.toFixed(0)} ms)`,
        );
    });
}

/** Before anything is allowed: a blueprint that cannot be written into is an error first. */
async function writerFor(context: Context, id: string, write: string | true | undefined) {
  if (write === undefined) return undefined;
  const { ruleWriter } = await import("./write-rule.ts");
  return ruleWriter(blueprintFile(context, write === true ? undefined : write), id);
}

type Destination = { denial: string } | { host: string; port: number; binary?: string };

function destinationOf(what: string, binary: string | undefined): Destination {
  if (!what.includes(".") && !what.includes(":")) return { denial: what };
  const match = /^(.+?)(?::([0-9]{1,5}))?$/.exec(what);
  const port = Number(match?.[2] ?? 443);
  if (match?.[1] === undefined || port < 1 || port > 65535)
    throw new NacreError({
      code: "usage_destination",
      subject: what,
      message: "is no host and port",
      hint: "write HOST or HOST:PORT: api.example.com:443",
    });
  return { host: match[1], port, ...(binary === undefined ? {} : { binary }) };
}

async function denied(daemon: Client, id: string, denial: string): Promise<string> {
  const found = (await daemon.call("denials", { id })).find((one) => one.id === denial);
  if (found === undefined)
    throw new NacreError({
      code: "denial_unknown",
      subject: denial,
      message: `${id} has no such denial`,
      hint: `nacre denials ${id} lists them`,
    });
  return `${found.host}:${found.port ?? "?"}${found.binary === null ? "" : ` from ${found.binary}`}`;
}
