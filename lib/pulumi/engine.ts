import { randomUUID } from "node:crypto";
import { access, constants, mkdir, readdir, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { NacreError } from "../error.ts";
import { build } from "./engine/build.ts";
import { download } from "./engine/download.ts";
import type { OnEngineProgress } from "./engine/progress.ts";
import { engineVersion, isRecentEnough, versionOf } from "./engine/version.ts";

export type { EngineProgress, OnEngineProgress } from "./engine/progress.ts";
export { engineVersion } from "./engine/version.ts";

/** Pulumi's own engine: the `pulumi` program. */
export interface Engine {
  /** Absolute path of the program. */
  readonly path: string;
  readonly version: string;
  readonly origin: "path" | "cache" | "download" | "build";
}

export interface EngineOptions {
  /** Nacre's cache folder, `${XDG_CACHE_HOME:-~/.cache}/nacre`. */
  readonly cache: string;
  /** Where to look for an installed engine. @default process.env.PATH */
  readonly path?: string;
  /** Base URL of the releases, for a mirror. @default Pulumi's own */
  readonly releases?: string;
  /** @default false: an engine that is nowhere yet is obtained */
  readonly searchOnly?: boolean;
  readonly onProgress?: OnEngineProgress;
  readonly signal?: AbortSignal;
}

/**
 * Finds the engine: on PATH if recent enough, in the cache, by the official download, or compiled from its Go modules.
 * What is obtained lands in the cache by one rename, after it has answered to `version`.
 * @throws NacreError `engine_not_found` with what each way answered.
 */
export async function findEngine(options: EngineOptions): Promise<Engine> {
  const tried: string[] = [];
  const found = (await onPath(options, tried)) ?? (await inCache(options.cache));
  if (found !== undefined) return found;
  if (options.searchOnly !== true) {
    for (const way of ["download", "build"] as const) {
      const engine = await obtain(way, options, tried);
      if (engine !== undefined) return engine;
    }
  }
  throw new NacreError({
    code: "engine_not_found",
    subject: "Pulumi engine",
    message: `no engine ${engineVersion} or later of the same major could be had\n${tried.map((line) => `  - ${line}`).join("\n")}`,
    hint: `install Pulumi (https://www.pulumi.com/docs/install/) or Go 1.26 or later, and have it on PATH`,
  });
}

async function onPath(options: EngineOptions, tried: string[]): Promise<Engine | undefined> {
  for (const folder of (options.path ?? process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, "pulumi");
    if (folder === "" || !(await isProgram(path))) continue;
    const version = await versionOf(path, options.signal);
    if (version !== undefined && isRecentEnough(version)) return { path, version, origin: "path" };
    tried.push(`${path}: ${version === undefined ? "prints no version" : `is ${version}`}`);
    return undefined; // what a shell would start; another one behind it is nobody's intention
  }
  tried.push("PATH: no pulumi");
  return undefined;
}

const cached = (cache: string): string => join(cache, "engine", `v${engineVersion}`);

/** No version check here: nothing lands in the cache without one, and it would cost each command 0.2 s. */
async function inCache(cache: string): Promise<Engine | undefined> {
  const path = join(cached(cache), "bin/pulumi");
  return (await isProgram(path)) ? { path, version: engineVersion, origin: "cache" } : undefined;
}

async function obtain(
  way: "download" | "build",
  options: EngineOptions,
  tried: string[],
): Promise<Engine | undefined> {
  const target = cached(options.cache);
  const staging = join(dirname(target), `.${way}-${process.pid}-${randomUUID()}`);
  await removeLeftovers(dirname(target));
  await mkdir(staging, { recursive: true, mode: 0o700 });
  try {
    await (way === "download" ? download : build)(staging, options);
    options.signal?.throwIfAborted();
    options.onProgress?.({ step: "install", message: `installing into ${target}` });
    const version = await versionOf(join(staging, "bin/pulumi"), options.signal);
    if (version !== engineVersion) {
      tried.push(`${way}: it says that it is ${version ?? "no version"}, not ${engineVersion}`);
      return undefined;
    }
    await rm(join(staging, "source"), { recursive: true, force: true });
    await rename(staging, target).catch(async (error: unknown) => {
      // Another command was first: its engine is as good, if it is whole.
      if ((await inCache(options.cache)) === undefined) throw error;
    });
    return { path: join(target, "bin/pulumi"), version, origin: way };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof NacreError)) throw error;
    tried.push(`${way}: ${error.subject}: ${error.message}`);
    return undefined;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Folders that a killed command left behind, and a target folder without an engine in it. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = /^\.(?:download|build)-(\d+)-/.exec(name)?.[1];
    const dead = pid !== undefined && !isAlive(Number(pid));
    const broken = name === `v${engineVersion}` && !(await isProgram(join(folder, name, "bin/pulumi")));
    if (dead || broken) await rm(join(folder, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
