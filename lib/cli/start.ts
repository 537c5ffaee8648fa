import { randomBytes } from "node:crypto";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { NacreError } from "../error.ts";
import type { Client } from "../host/client.ts";
import { note, plain, print } from "./output.ts";

/**
 * `nacre start`: the whole line once. The example environment comes up, the agent is given a task whose answer only it
 * can know, and what is enforced on it is read back.
 */
export function start(): Command {
  return new Command("start")
    .description("bring the example environment up, give its agent a task, and show what is enforced on it")
    .addHelpText("after", "\nExample:\n  $ nacre start")
    .action(async () => {
      // No stack file: the example runs on this machine, whatever a checkout's own stacks say.
      const context = {
        directory: packageFolder,
        project: "nacre",
        stack: "dev",
        isNamed: false,
        stackFile: "",
      };
      const { runUp } = await import("./up.ts");
      const blueprint = await chooseBlueprint();
      note(`environment dev from ${blueprint}`);
      if (!(await runUp(context, { blueprint }))) {
        process.exitCode = 1;
        return;
      }
      const { connect } = await import("./daemon.ts");
      const daemon = await connect();
      await task(daemon);
      const [reading] = await daemon.call("status", { id: sandbox, probe: true });
      if (reading === undefined) throw lost();
      const { healthy, statusReport } = await import("./status-report.ts");
      print(`\n${statusReport(reading, Date.now(), false)}`);
      if (!healthy(reading)) process.exitCode = 1;
      const nacre = calledAs(import.meta.url, packageFolder, process.cwd());
      const next = ['ask assistant "…"', "shell assistant", "denials assistant", "destroy -s dev"];
      note(`\nnext:\n${next.map((command) => `  ${nacre} ${command}`).join("\n")}`);
    });
}

const sandbox = "dev/assistant";
const packageFolder = fileURLToPath(new URL("../..", import.meta.url));

/** How `nacre` is called here: a checkout, which runs its sources, puts nothing on PATH. */
export const calledAs = (module: string, folder: string, from: string): string =>
  module.endsWith(".ts") ? `node ${relative(from, join(folder, "lib/bootstrap.mjs"))}` : "nacre";

/** Writes a random value into the workspace, and asks the agent for it. */
async function task(daemon: Client): Promise<void> {
  const { execInside } = await import("./exec-inside.ts");
  const { ask } = await import("../host/ask.ts");
  const value = randomBytes(8).toString("hex");
  const entry = await daemon.call("sandbox.entry", { id: sandbox });
  const wrote = await execInside(entry, ["/bin/sh", "-c", 'printf %s "$1" > note.txt', "sh", value], false);
  if (wrote !== 0) throw lost();
  const question = "Read the file note.txt in your workspace and tell me what it says.";
  print(`\nyou:   ${question}`);
  const connection = await daemon.call("agent.connection", { id: sandbox });
  const started = performance.now();
  const reply = await ask(connection, question, { timeoutMs: 300_000 });
  print(`agent: ${reply.text.split("\n").map(plain).join("\n       ")}`);
  const right = reply.text.includes(value);
  note(
    `       (${((performance.now() - started) / 1000).toFixed(1)} s; ${right ? `it holds ${value}, which was written after the agent started` : `it does NOT hold ${value}`})`,
  );
  if (!right) process.exitCode = 1;
}

/** NVIDIA Endpoints where the operator has mapped a key, or has one in the environment; else the demo model. */
async function chooseBlueprint(): Promise<string> {
  const { operatorFile } = await import("../host/paths.ts");
  const { readOperator } = await import("../host/operator.ts");
  const { mapKey, nvidiaHost } = await import("./provider-key.ts");
  const { secrets } = await readOperator(operatorFile());
  const example = (name: string): string => join(packageFolder, "stacks", name);
  if (secrets["nvidia"] !== undefined) return example("blueprint.nvidia.yaml");
  if ((process.env["NVIDIA_API_KEY"] ?? "") === "") return example("blueprint.yaml");
  await mapKey("nvidia", { env: "NVIDIA_API_KEY" }, nvidiaHost, sandbox);
  return example("blueprint.nvidia.yaml");
}

const lost = (): NacreError =>
  new NacreError({
    code: "sandbox_lost",
    subject: sandbox,
    message: "ended while it was being used",
    hint: "nacre status and nacre logs assistant say why",
  });
