import { existsSync } from "node:fs";
import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { note, print, printJson } from "./output.ts";
import { programOption } from "./up.ts";

interface StatusOptions extends StackOption {
  readonly program?: string;
  readonly json?: boolean;
  readonly probe: boolean;
  readonly verbose?: boolean;
}

/** `nacre status [SANDBOX]`: per wall what is enforced, as read from the kernel and tried from inside. */
export function status(): Command {
  return new Command("status")
    .description("show per wall what is enforced right now, as read back and as tried from inside")
    .argument("[sandbox]", "a sandbox; without it all of this machine, or of --stack")
    .option("-s, --stack <name>", "the environment")
    .addOption(programOption())
    .option("--no-probe", "do not try the forbidden things from inside")
    .option("-v, --verbose", "each measurement, with where it was read")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExit code 1 when something that was asked for is not in force, or when --stack has no sandbox here.\nOf a stack in a cluster, what its API server holds is compared with what the blueprint, or the program, makes.\n\nExamples:\n  $ nacre status\n  $ nacre status -s prod\n  $ nacre status -s prod --program environment.ts\n  $ nacre status assistant --verbose\n  $ nacre status --json | jq '.[].walls'",
    )
    .action(async (name: string | undefined, options: StatusOptions) => {
      const context = contextOf(options);
      if (options.program !== undefined || (await isElsewhere(context.stackFile))) {
        const { readEnvironment } = await import("./environment.ts");
        const read = await readEnvironment(context, options);
        if (read.environment.target.kind !== "host") {
          const { runClusterStatus } = await import("./cluster-status.ts");
          if (!(await runClusterStatus(context, read, options, name))) process.exitCode = 1;
          return;
        }
      }
      const { connect } = await import("./daemon.ts");
      const { healthy, statusReport } = await import("./status-report.ts");
      const daemon = await connect();
      const id = name === undefined ? undefined : sandboxId(context, name);
      const found = await daemon.call("status", {
        ...(id === undefined ? {} : { id }),
        probe: options.probe,
      });
      const { stack } = options;
      const readings =
        stack === undefined || id !== undefined
          ? found
          : found.filter((reading) => reading.id.startsWith(`${stack}/`));
      if (stack !== undefined && readings.length === 0) throw absent(stack, found);
      if (options.json === true) printJson(readings);
      else if (readings.length === 0) note("no sandbox on this machine; nacre up makes one");
      else
        print(
          readings.map((reading) => statusReport(reading, Date.now(), options.verbose === true)).join("\n\n"),
        );
      if (!readings.every(healthy)) process.exitCode = 1;
    });
}

/** Whether the stack's file says that it is not on this machine's own kernel. */
async function isElsewhere(stackFile: string): Promise<boolean> {
  if (!existsSync(stackFile)) return false;
  const { readStackFile } = await import("./environment.ts");
  return (readStackFile(stackFile)?.target ?? "host") !== "host";
}

const absent = (stack: string, found: readonly { readonly id: string }[]): NacreError =>
  new NacreError({
    code: "environment_unknown",
    subject: `environment ${stack}`,
    message: "has no sandbox on this machine",
    hint:
      found.length === 0
        ? `nacre up -s ${stack} makes it`
        : `there are: ${found.map(({ id }) => id).join(", ")}`,
  });
