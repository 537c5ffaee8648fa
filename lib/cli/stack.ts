import { cacheDirectory, stateDirectory } from "../host/paths.ts";
import { EnvironmentStack } from "../pulumi/automation.ts";
import { findEngine, type EngineProgress } from "../pulumi/engine.ts";
import { deploy } from "../pulumi/deploy.ts";
import { HostEnvironment } from "../pulumi/host.ts";
import { providersOf, type ProviderName } from "../pulumi/provider-plugins.ts";
import { isInKubernetes } from "../pulumi/stack-environment.ts";
import { synthesizeHost } from "../synth/host.ts";
import { synthesizeKubernetes } from "../synth/kubernetes.ts";
import type { Context } from "./context.ts";
import { readEnvironment, type BlueprintOption } from "./environment.ts";
import { bytes, note, plain } from "./output.ts";
import { inProgram } from "./program.ts";

/** The Pulumi stack of an environment, with its blueprint, or a module, as its program. Obtains the engine if there is none yet. */
export async function stackOf(context: Context, options: BlueprintOption): Promise<EnvironmentStack> {
  const { environment, catalogue, config } = await readEnvironment(context, options);
  const { project } = context;
  if (isInKubernetes(environment)) {
    // What is wrong with the tree is said before an engine is looked for.
    inProgram(options.program, () => synthesizeKubernetes(environment, { catalogue, project }));
    return open(
      context,
      () => deploy(environment, config, context.directory),
      providersOf[environment.target.kind],
    );
  }
  const objects = inProgram(options.program, () => synthesizeHost(environment, { catalogue, project }));
  for (const warning of objects.warnings) note(`warning: ${warning}`);
  return open(context, () => Promise.resolve(new HostEnvironment(environment.name, objects)));
}

/** The stack without a program: for what needs its records alone. */
export const recordsOf = (context: Context): Promise<EnvironmentStack> =>
  open(context, () => Promise.resolve());

/** The stack with its gateway alone as the program: what else is in it stays, where a run names its targets. */
export const gatewayStack = (context: Context, program: () => Promise<unknown>): Promise<EnvironmentStack> =>
  open(context, program, ["docker"]);

async function open(
  context: Context,
  program: () => Promise<unknown>,
  providers: readonly ProviderName[] = [],
): Promise<EnvironmentStack> {
  const cache = cacheDirectory();
  const engine = await findEngine({ cache, onProgress: engineProgress });
  return EnvironmentStack.open({
    stateDirectory: stateDirectory(),
    cache,
    engine,
    project: context.project,
    backend: context.backend,
    environment: context.stack,
    providers,
    program: async () => {
      await program();
    },
    onProgress: ({ subject, message }) =>
      note(`  ${subject === undefined ? "" : `${plain(subject)}: `}${plain(message)}`),
    onRepair: (line) => note(`repaired: ${line}`),
  });
}

/** Milliseconds between two lines of one step; a build has thousands. */
const pace = 3000;
let last = { step: "", at: 0 };

function engineProgress({ step, message, done, total, unit }: EngineProgress): void {
  const now = Date.now();
  if (step === last.step && now - last.at < pace && done !== total) return;
  last = { step, at: now };
  const count = (value: number): string => (unit === "bytes" ? bytes(value) : String(value));
  const far =
    done === undefined ? "" : ` (${count(done)}${total === undefined ? "" : ` of ${count(total)}`})`;
  note(`  engine: ${message}${far}`);
}

/** Ctrl-C ends the run in order; a second one ends this process. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    note("stopping; what is under way is brought to a safe end (again: at once)");
    controller.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  return controller.signal;
}
