import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf } from "./context.ts";
import type { BlueprintOption } from "./environment.ts";
import { programOption } from "./up.ts";
import { gatewayDocument, withGateway, type GatewayOption } from "./gateway-place.ts";
import { note, print, printJson } from "./output.ts";

interface UpOptions extends GatewayOption, BlueprintOption {
  readonly image?: string;
  readonly port?: string;
  readonly preview?: boolean;
  readonly json?: boolean;
}

/** `nacre gateway up`: makes the gateway of the environment, without what runs in it. */
export function gatewayUp(): Command {
  return withGateway(new Command("up"))
    .description("make K3s run in a container of this machine, as the environment asks for it")
    .option("-b, --blueprint <file>", "the blueprint")
    .addOption(programOption())
    .option("--overlay <file>", "this environment's own host ports and sizes")
    .option("--image <name>", "K3s by digest: rancher/k3s@sha256:…")
    .option("--port <number>", "where its API server is published on 127.0.0.1")
    .option("--preview", "only show what would be made")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nThe cluster's data stays in a volume, whatever happens to the container.\n\nExamples:\n  $ nacre gateway up --image rancher/k3s@sha256:…\n  $ nacre gateway up --gateway gateway.yaml --preview",
    )
    .action(run);
}

async function run(options: UpOptions): Promise<void> {
  const context = contextOf(options);
  const document = { ...(await gatewayDocument(context, options)), ...over(options) };
  const { readGateway } = await import("./gateway-environment.ts");
  const { gatewayStack, interruptible } = await import("./stack.ts");
  const { outcomeReport } = await import("./outcome-report.ts");
  const { GatewayContainer, gatewayTargets } = await import("../pulumi/gateway.ts");
  const objects = await readGateway(context, options, document);
  const preview = options.preview === true;
  const dockerHost = await hostOf(preview);
  // In the environment's own stack, and nothing else of it: `nacre up` means the same resources, so neither of the two
  // has to take the other's container away, and `nacre destroy` finds it. A stack of its own would be a second owner.
  const stack = await gatewayStack(context, () =>
    Promise.resolve(new GatewayContainer(context.stack, objects, { dockerHost })),
  );
  const doing = { signal: interruptible(), targets: gatewayTargets(context.project, context.stack) };
  const outcome = await (preview ? stack.preview(doing) : stack.up(doing));
  if (options.json === true) printJson(outcome);
  else
    print(
      outcomeReport(outcome, {
        done: preview ? "nothing was changed yet" : "done",
        nothing: "nothing changed",
      }),
    );
  if (outcome.result !== "succeeded") process.exitCode = 1;
  else if (!preview && options.json !== true)
    note(`kubeconfig: nacre gateway kubeconfig; API server: ${objects.server}`);
}

/** A preview works where no engine does. */
async function hostOf(preview: boolean): Promise<string> {
  const { DockerEngine } = await import("../docker/engine.ts");
  const { findingsOf } = await import("./container-findings.ts");
  try {
    const engine = await DockerEngine.find();
    for (const { name, found, fix, verdict } of findingsOf(await engine.describe(), engine.host))
      if (verdict !== "ok") note(`warning: ${name}: ${found}${fix === undefined ? "" : `\n  fix: ${fix}`}`);
    return engine.host;
  } catch (error) {
    if (!preview || !(error instanceof NacreError)) throw error;
    note(`warning: ${error.toString()}`);
    return process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
  }
}

function over({ image, port }: UpOptions): { readonly image?: string; readonly port?: number } {
  if (port !== undefined && !/^[1-9][0-9]{0,4}$/.test(port))
    throw new NacreError({
      code: "usage_port",
      subject: `--port ${port}`,
      message: "is no port",
      hint: "write a number: --port 6443",
    });
  return { ...(image !== undefined && { image }), ...(port !== undefined && { port: Number(port) }) };
}
