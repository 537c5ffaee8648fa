import { Command } from "commander";
import type { Entry } from "../host/api.ts";
import { note, plain } from "./output.ts";

interface RunOptions {
  readonly preset: string[];
  readonly folder: string;
  readonly apply?: boolean;
  readonly patch?: string;
  readonly quiet?: boolean;
  readonly tty?: boolean;
}

const collect = (value: string, before: string[]): string[] => [...before, value];

/** `nacre run -- COMMAND`: one command in a throw-away sandbox, over an overlay of a folder, whose changes come out as a diff. */
export function run(): Command {
  return new Command("run")
    .description(
      "run one command behind the walls, over an overlay of this folder; its changes come out as a diff",
    )
    .argument("<command...>", "after --")
    .option("--preset <name>", "what it may reach besides nothing; may be given again", collect, [])
    .option("--folder <path>", "the folder that it sees, at its own path", ".")
    .option("--apply", "make its changes in the folder, when the command ended with 0")
    .option("--patch <file>", "write the diff there, as git apply reads it")
    .option("-q, --quiet", "show no diff")
    .option("-t, --tty", "with a terminal of its own")
    .addHelpText(
      "after",
      `
The folder itself stays as it is until the changes are applied: with --apply, or by the answer to a question where a
person is there. Only files and links come out, with modes 644 and 755; git's own folders, and any folder that git would
take for a repository, never do. What was changed outside in the meantime is a conflict: then nothing is applied.
The diff goes to stderr, with what the network wall refused; the exit code is the command's, or 1 where its changes could not be applied.

A preset that carries a credential needs it to be this machine's, for run/run: nacre secret set NAME … --use run/run

Examples:
  $ nacre run -- npm test
  $ nacre run --preset npm --apply -- npm ci
  $ nacre run --patch fix.patch -- node agent.js "mend the tests"`,
    )
    .action(async (command: string[], options: RunOptions) => {
      const path = await import("node:path");
      const { realpath } = await import("node:fs/promises");
      const { connect } = await import("./daemon.ts");
      const { execInside } = await import("./exec-inside.ts");
      const daemon = await connect();
      const ended = new AbortController();
      const entered = Promise.withResolvers<Entry>();
      const folder = path.resolve(options.folder);
      const body = { spec: await specOf(options.preset), folder };
      const session = daemon.call("run.open", body, {
        signal: ended.signal,
        onProgress: ({ entry }) => {
          if (entry !== undefined) entered.resolve(entry);
        },
      });
      session.catch((error: unknown) => entered.reject(error as Error));
      const entry = await entered.promise;
      try {
        const code = await execInside(entry, command, options.tty === true);
        process.exitCode = code;
        const { tellRefusals } = await import("./run-refusals.ts");
        tellRefusals(await daemon.call("run.denials", { control: entry.control }));
        const { bringOut } = await import("./bring-out.ts");
        await bringOut({ ...options, control: entry.control, folder: await realpath(folder), code });
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
  const { namedPresets } = await import("./named-presets.ts");
  namedPresets(presets);
  const environment = new Environment("run", { target: Target.host() });
  new AgentSandbox(environment, "run", {
    agent: Program.of("-"),
    egress: presets.map((name) => Preset.named(name)),
  });
  const objects = synthesizeHost(environment, { catalogue: loadCatalogue() });
  for (const warning of objects.warnings) note(`warning: ${warning}`);
  const [sandbox] = objects.sandboxes;
  if (sandbox === undefined) throw new RangeError("the environment has one sandbox");
  const { readOperator } = await import("../host/operator.ts");
  const { operatorFile } = await import("../host/paths.ts");
  const { secretRefusals } = await import("../host/secret-use.ts");
  for (const refusal of secretRefusals(sandbox, await readOperator(operatorFile())))
    note(`warning: ${plain(String(refusal))}`);
  const { project, name, walls, files, seccomp, network, inference, credentials, resources, digests } =
    sandbox;
  return {
    project,
    environment: "run",
    name,
    walls,
    files,
    seccomp,
    network,
    inference,
    credentials,
    resources,
    digests,
  };
}
