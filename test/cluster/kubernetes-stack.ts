import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  LocalWorkspace,
  PulumiCommand,
  type EngineEvent,
  type PulumiFn,
  type Stack,
} from "@pulumi/pulumi/automation/index.js";
import { stringify } from "yaml";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { engineSettings } from "../../lib/pulumi/settings.ts";

/** The folder of the stand-in: for `plugins: { providers: [{ name: kubernetes, path }] }` of any Pulumi.yaml. */
export const kubernetesPluginFolder = fileURLToPath(new URL("provider", import.meta.url));

/** What a run did, or would: `create Namespace agents`, each resource that is not the same, in the engine's order. */
export interface Run {
  readonly steps: readonly string[];
  /** The properties of which each changed resource's differ, by its name in the program. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** Warnings and errors. */
  readonly said: readonly string[];
}

/** A program that uses `@pulumi/kubernetes`, run by the real engine over the stand-in for its provider. */
export class KubernetesStack {
  readonly folder: string;
  readonly #stack: Stack;

  private constructor(folder: string, stack: Stack) {
    this.folder = folder;
    this.#stack = stack;
  }

  /** `program` is called in each run: it may read a variable of the test that has changed meanwhile. */
  static async open(program: PulumiFn): Promise<KubernetesStack> {
    const folder = await mkdtemp(join(tmpdir(), "nacre-kubernetes-stack-"));
    const engine = await findEngine({ cache: cacheDirectory() });
    // The SDK looks for `bin/pulumi` under a folder; an engine on PATH can lie anywhere.
    await mkdir(join(folder, "engine/bin"), { recursive: true });
    await symlink(engine.path, join(folder, "engine/bin/pulumi"));
    const settings = await engineSettings(
      { stateDirectory: folder, cache: join(folder, "cache") },
      "cluster",
    );
    const plugins = { providers: [{ name: "kubernetes", path: kubernetesPluginFolder }] };
    const project = { name: "cluster", runtime: "nodejs", backend: { url: settings.backend }, plugins };
    await writeFile(join(settings.workFolder, "Pulumi.yaml"), stringify(project));
    const stack = await LocalWorkspace.createOrSelectStack(
      { stackName: "dev", projectName: "cluster", program },
      {
        workDir: settings.workFolder,
        pulumiHome: settings.home,
        pulumiCommand: await PulumiCommand.get({ root: join(folder, "engine") }),
        envVars: settings.environment,
        secretsProvider: "passphrase",
      },
    );
    return new KubernetesStack(folder, stack);
  }

  preview = (options: { readonly refresh?: boolean } = {}): Promise<Run> =>
    this.#run((onEvent) => this.#stack.preview({ ...options, onEvent, color: "never" }));
  up = (): Promise<Run> => this.#run((onEvent) => this.#stack.up({ onEvent, color: "never" }));
  refresh = (): Promise<Run> => this.#run((onEvent) => this.#stack.refresh({ onEvent, color: "never" }));
  destroy = (): Promise<Run> => this.#run((onEvent) => this.#stack.destroy({ onEvent, color: "never" }));

  /** The state's text, as it lies on disk. (The SDK's `exportStack` shows secrets.) */
  state = (): Promise<string> =>
    readFile(join(this.folder, "pulumi/.pulumi/stacks/cluster/dev.json"), "utf8");

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  async #run(start: (onEvent: (event: EngineEvent) => void) => Promise<unknown>): Promise<Run> {
    const steps = new Set<string>();
    const paths: Record<string, readonly string[]> = {};
    const said: string[] = [];
    await start((event) => {
      const { severity, message = "" } = event.diagnosticEvent ?? {};
      if (severity === "warning" || severity === "error") said.push(message.trim());
      // A refresh knows only afterwards what it has found.
      const { metadata } = event.resOutputsEvent ?? event.resourcePreEvent ?? {};
      if (metadata === undefined || metadata.op === "same" || metadata.type === "pulumi:pulumi:Stack") return;
      const name = metadata.urn.split("::").at(-1) ?? "";
      const step = `${metadata.op} ${metadata.type.split(":").at(-1) ?? ""} ${name}`;
      steps.add(step);
      const differing = Object.keys(metadata.detailedDiff ?? {});
      if (differing.length > 0) paths[name] = differing;
    });
    return { steps: [...steps], paths, said };
  }
}
