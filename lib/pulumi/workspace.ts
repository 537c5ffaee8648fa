import { createRequire } from "node:module";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalWorkspace, PulumiCommand, Stack, type PulumiFn } from "@pulumi/pulumi/automation/index.js";
import { stringify } from "yaml";
import type { Engine } from "./engine.ts";
import type { EngineSettings } from "./settings.ts";

/** The folder that holds `pulumi-resource-nacre`: what `plugins.providers[].path` of a Pulumi.yaml names. */
export const pluginFolder = fileURLToPath(new URL("../provider/bin", import.meta.url));

export interface StackParts {
  readonly engine: Engine;
  readonly project: string;
  readonly environment: string;
  readonly program: PulumiFn;
  readonly settings: EngineSettings;
  /** @default the provider of this package */
  readonly plugin?: string | undefined;
  /** Folders of other providers, by name. @default none: the engine's own places */
  readonly plugins?: Readonly<Record<string, string>>;
}

/**
 * A stack of the Automation API. The SDK would start the engine five times around each command, to select the stack, for
 * its own version, and for outputs and history afterwards: 0.3 s each, for what is known or comes as events.
 */
export async function openStack(parts: StackParts): Promise<Stack> {
  const { settings, program, environment } = parts;
  await writeProject(settings, parts.project, { nacre: parts.plugin ?? pluginFolder, ...parts.plugins });
  const workspace = await LocalWorkspace.create({
    workDir: settings.workFolder,
    pulumiHome: settings.home,
    pulumiCommand: commandOf(parts.engine),
    envVars: settings.environment,
    secretsProvider: "passphrase",
    program,
  });
  workspace.selectStack = () => Promise.resolve();
  const stack = await Stack.select(environment, workspace);
  stack.outputs = () => Promise.resolve({});
  stack.info = () => Promise.resolve(undefined);
  return stack;
}

/** Written whole, and only when it differs: another command may be reading it. */
async function writeProject(
  settings: EngineSettings,
  name: string,
  plugins: Readonly<Record<string, string>>,
): Promise<void> {
  const content = stringify({
    name,
    runtime: "nodejs",
    backend: { url: settings.backend },
    plugins: { providers: Object.entries(plugins).map(([plugin, path]) => ({ name: plugin, path })) },
  });
  const path = join(settings.workFolder, "Pulumi.yaml");
  if ((await readFile(path, "utf8").catch(() => "")) === content) return;
  await writeFile(`${path}.${process.pid}`, content, { mode: 0o600 });
  await rename(`${path}.${process.pid}`, path);
}

/** The SDK's constructor is private to its types: its factory asks the engine for the version that we know. */
function commandOf(engine: Engine): PulumiCommand {
  const sdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));
  const { SemVer } = sdk("semver") as { SemVer: new (version: string) => object };
  const known: [string, object] = [engine.path, new SemVer(engine.version)];
  return Reflect.construct<[string, object], PulumiCommand>(PulumiCommand as never, known);
}
