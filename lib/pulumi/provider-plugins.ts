import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { NacreError } from "../error.ts";
import type { EngineSettings } from "./settings.ts";
import type { TargetName } from "./target-name.ts";

/** A provider of Pulumi's own: a program that the engine starts, and that npm does not bring. */
export type ProviderName = "docker" | "kubernetes";

/** What the resources of a target need, beside Nacre's own provider. */
export const providersOf: Readonly<Record<TargetName, readonly ProviderName[]>> = {
  host: [],
  gateway: ["docker", "kubernetes"],
  cluster: ["kubernetes"],
};

/** A provider at the version of its installed package, which is the one that the engine asks for. */
export interface ProviderPlugin {
  readonly name: ProviderName;
  readonly version: string;
}

/**
 * Those that are in none of the engine's places: its own folder, and PATH. Of a package that is not installed nothing is
 * said: who imports it says that.
 * @param home where the engine keeps its plugins. @default the user's own place
 */
export function missingPlugins(
  names: readonly ProviderName[],
  home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"),
): ProviderPlugin[] {
  return names.flatMap((name) => {
    const version = packageVersion(name);
    if (version === undefined || isOnPath(`pulumi-resource-${name}`)) return [];
    const folder = join(home, "plugins", `resource-${name}-v${version}`);
    // Beside one that is being installed, or whose installation was ended, lies a mark of it.
    return existsSync(folder) && !existsSync(`${folder}.partial`) ? [] : [{ name, version }];
  });
}

function packageVersion(name: ProviderName): string | undefined {
  try {
    const found = createRequire(import.meta.url)(`@pulumi/${name}/package.json`) as { version: string };
    return found.version;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

const isOnPath = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));

/**
 * Downloads a plugin into the engine's folder.
 * @param engine the engine's path
 * @throws NacreError `plugin_missing` with why it cannot be had, and how it comes onto a machine without internet
 */
export async function installPlugin(
  { name, version }: ProviderPlugin,
  engine: string,
  { home, environment }: EngineSettings,
): Promise<void> {
  const env = { ...process.env, ...environment, ...(home !== undefined && { PULUMI_HOME: home }) };
  const args = ["plugin", "install", "resource", name, version, "--color", "never", "--non-interactive"];
  const said = await new Promise<string | undefined>((done) => {
    execFile(engine, args, { env }, (error, _, stderr) =>
      done(error === null ? undefined : stderr || error.message),
    );
  });
  if (said === undefined) return;
  // It tries five times, and its last word is only that it did.
  const reasons = [...said.matchAll(/^(?:warning: Error downloading plugin|error): (.*)$/gm)];
  throw new NacreError({
    code: "plugin_missing",
    subject: `Pulumi plugin ${name} ${version}`,
    message: `it is not installed, and it cannot be downloaded: ${reasons[0]?.[1] ?? said.trim()}`,
    hint: `${offlineFix({ name, version }, engineByHand(engine, home))}; nacre synth needs no plugin`,
  });
}

const architectures: Readonly<Record<string, string>> = { x64: "amd64" };

/** How a plugin comes onto a machine without internet. */
export function offlineFix({ name, version }: ProviderPlugin, engine: string): string {
  const archive = `pulumi-resource-${name}-v${version}-linux-${architectures[process.arch] ?? process.arch}.tar.gz`;
  const install = `${engine} plugin install resource ${name} ${version} --file ${archive}`;
  return `without internet: bring https://get.pulumi.com/releases/plugins/${archive} here, then ${install}`;
}

/** The engine as a shell would start it, over the same plugins. */
export const engineByHand = (engine: string, home: string | undefined): string =>
  `${home === undefined ? "" : `PULUMI_HOME=${home} `}${engine}`;
