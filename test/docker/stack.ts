import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as sdk from "@pulumi/docker";
import {
  LocalWorkspace,
  PulumiCommand,
  type ProjectSettings,
  type Stack,
} from "@pulumi/pulumi/automation/index.js";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";

/** The folder that `plugins.providers: [{ name: docker, path }]` names. */
export const dockerPlugin = fileURLToPath(new URL("provider", import.meta.url));

/** A stack of the real engine whose program uses @pulumi/docker, with the stand-in as its plugin. */
export class DockerStack {
  readonly folder = mkdtempSync(join(tmpdir(), "nacre-docker-stack-"));
  readonly #host: string;

  constructor(host: string) {
    this.#host = host;
  }

  /** `program` gets the options that make a resource this engine's. */
  async open(program: (options: { readonly provider: sdk.Provider }) => object): Promise<Stack> {
    const engine = await findEngine({ cache: cacheDirectory() });
    return LocalWorkspace.createOrSelectStack(
      {
        stackName: "dev",
        projectName: "docker",
        program: () =>
          Promise.resolve(program({ provider: new sdk.Provider("docker", { host: this.#host }) })) as Promise<
            Record<string, unknown>
          >,
      },
      {
        workDir: this.folder,
        pulumiHome: join(cacheDirectory(), "pulumi"),
        pulumiCommand: await PulumiCommand.get({ root: dirname(dirname(engine.path)) }),
        envVars: {
          PULUMI_CONFIG_PASSPHRASE: "",
          PULUMI_SKIP_UPDATE_CHECK: "true",
          PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
          PULUMI_ERROR_OUTPUT_STRING: "true",
          USER: "root",
        },
        projectSettings: this.#project() as ProjectSettings,
      },
    );
  }

  /** The SDK's type knows no `plugins`; Pulumi.yaml does. */
  #project(): object {
    const backend = { url: `file://${this.folder}` };
    const plugins = { providers: [{ name: "docker", path: dockerPlugin }] };
    return { name: "docker", runtime: "nodejs", backend, plugins };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a run does or would do, one step a resource: `replace container image`. */
export async function stepsOf(
  run: (options: { onEvent: (event: any) => void }) => Promise<unknown>,
): Promise<readonly string[]> {
  const steps: string[] = [];
  await run({
    onEvent(event) {
      const metadata = event.resourcePreEvent?.metadata;
      if (metadata === undefined || !String(metadata.type).startsWith("docker:")) return;
      if (metadata.op === "same") return;
      const paths = Object.keys(metadata.detailedDiff ?? {}).sort();
      steps.push([metadata.op, String(metadata.urn).split("::").at(-1), ...paths].join(" "));
    },
  });
  return steps;
}
