import { randomBytes } from "node:crypto";
import { link, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { NacreError } from "../error.ts";
import type { ProviderName } from "./provider-plugins.ts";

export interface BackendOptions {
  /** Nacre's state directory. */
  readonly stateDirectory: string;
  /** Nacre's cache folder. */
  readonly cache: string;
  /** Any backend that Pulumi knows; PULUMI_BACKEND_URL goes before it. @default `file://<state>/pulumi` */
  readonly backend?: string | undefined;
  /**
   * The providers of Pulumi's own that are needed beside Nacre's.
   * @default none, and the engine looks for no other
   */
  readonly providers?: readonly ProviderName[];
}

export interface EngineSettings {
  readonly backend: string;
  /** Holds Pulumi.yaml and Pulumi.<environment>.yaml of one project. */
  readonly workFolder: string;
  /** Where the engine keeps what is its own; undefined leaves it the user's, for the login of a service. */
  readonly home: string | undefined;
  readonly environment: Record<string, string>;
}

/** Makes what the engine needs to run quietly: folders, a passphrase (once), and its environment. */
export async function engineSettings(options: BackendOptions, project: string): Promise<EngineSettings> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(project)) {
    throw new NacreError({
      code: "project_invalid",
      subject: `project ${JSON.stringify(project)}`,
      message: "is no name that Pulumi takes",
      hint: "use letters, digits, dashes, underscores and dots, a letter or digit first",
    });
  }
  const folder = join(options.stateDirectory, "pulumi");
  const workFolder = join(folder, "projects", project);
  await mkdir(workFolder, { recursive: true, mode: 0o700 });
  const backend = process.env["PULUMI_BACKEND_URL"] ?? options.backend ?? pathToFileURL(folder).href;
  return {
    backend,
    workFolder,
    home: engineHome(options),
    environment: {
      PULUMI_BACKEND_URL: backend,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      ...((options.providers ?? []).length === 0 && { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" }),
      PULUMI_ERROR_OUTPUT_STRING: "true",
      NACRE_STATE_DIR: options.stateDirectory,
      // It signs its locks with the user's name, and a user id of a container often has none.
      USER: process.env["USER"] ?? String(process.getuid?.() ?? ""),
      ...(await passphrase(options.stateDirectory)),
    },
  };
}

/** Where the engine keeps what is its own: see {@link EngineSettings.home}. */
export function engineHome({
  backend,
  cache,
}: Pick<BackendOptions, "backend" | "cache">): string | undefined {
  const isService = /^https?:/.test(process.env["PULUMI_BACKEND_URL"] ?? backend ?? "");
  return isService ? undefined : join(cache, "pulumi");
}

/** The user's own passphrase where there is one; else one that is made once. No secret of ours depends on it. */
async function passphrase(stateDirectory: string): Promise<Record<string, string>> {
  if (process.env["PULUMI_CONFIG_PASSPHRASE"] !== undefined) return {};
  if (process.env["PULUMI_CONFIG_PASSPHRASE_FILE"] !== undefined) return {};
  const path = join(stateDirectory, "passphrase");
  await createOnce(path, randomBytes(32).toString("base64url"));
  return { PULUMI_CONFIG_PASSPHRASE_FILE: path };
}

/** Whole or not at all, and the first of two writers wins: both then use the same. */
async function createOnce(path: string, content: string): Promise<void> {
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(draft, path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  });
  await rm(draft);
}
