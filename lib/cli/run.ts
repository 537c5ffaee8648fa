import { Command } from "commander";
import type { Entry } from "../host/api.ts";
import { note } from "./output.ts";

interface RunOptions {
  readonly preset: string[];
  readonly folder: string;
  readonly tty?: boolean;
}

const collect = (value: string, before: string[]): string[] => [...before, value];

/** `nacre run -- COMMAND`: one command in a throw-away sandbox, over an overlay of a folder. Nothing of the folder changes. */
export function run(): Command {
  return new Command("run")
    .description(
      "run one command behind the walls, over an overlay of this folder: nothing of the folder changes",
    )
    .argument("<command...>", "after --")
    .option("--preset <name>", "what it may reach besides nothing; may be given again", collect, [])
    .option("--folder <path>", "the folder that it sees, at its own path", ".")
    .option("-t, --tty", "with a terminal of its own")
    .addHelpText(
      "after",
      "\nWhat the command writes is thrown away with its sandbox. The exit code is the command's.\n\nExamples:\n  $ nacre run -- npm test\n  $ nacre run --preset npm -- npm ci",
    )
    .action(async (command: string[], options: RunOptions) => {
      const path = await import("node:path");
      const { connect } = await import("./daemon.ts");
      const { execInside } = await import("./exec-inside.ts");
      const daemon = await connect();
      const ended = new AbortController();
      const entered = Promise.withResolvers<Entry>();
      const body = { spec: await specOf(options.preset), folder: path.resolve(options.folder) };
      const session = daemon.call("run.open", body, {
        signal: ended.signal,
        onProgress: ({ entry }) => {
          if (entry !== undefined) entered.resolve(entry);
        },
      });
      session.catch((error: unknown) => entered.reject(error as Error));
      const entry = await entered.promise;
      try {
        process.exitCode = await execInside(entry, command, options.tty === true);
      } finally {
        ended.abort();
      }
    });
}

/** What the presets allow, behind the walls of every sandbox. */
async function specOf(presets: readonly string[]) {
  const {
    AgentSandbox,
    Command: Program,
    Environment,
    Preset,
    Target,
  } = await import("../constructs/index.ts");
  const { loadCatalogue } = await import("../pulumi/catalogue.ts");
  const { synthesizeHost } = await import("../synth/host.ts");
  const environment = new Environment("run", { target: Target.host() });
  new AgentSandbox(environment, "run", {
    agent: Program.of("-"),
    egress: presets.map((name) => Preset.named(name)),
  });
  const objects = synthesizeHost(environment, { catalogue: loadCatalogue() });
  for (const warning of objects.warnings) note(`warning: ${warning}`);
  const [sandbox] = objects.sandboxes;
  if (sandbox === undefined) throw new RangeError("the environment has one sandbox");
  const { project, name, walls, files, seccomp, network, inference, resources, digests } = sandbox;
  return { project, environment: "run", name, walls, files, seccomp, network, inference, resources, digests };
}
