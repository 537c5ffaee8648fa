import { existsSync } from "node:fs";
import { join } from "node:path";
import { NacreError } from "../../error.ts";
import type { Grant } from "../../egress/protocol.ts";
import { inside } from "../inside.ts";
import type { KitContext } from "../kit.ts";
import type { ThrowAwayEnd } from "../throwaway.ts";
import type { Npm, Registry } from "./npm.ts";
import { npmProgress, packagesIn } from "./npm-progress.ts";

/** A package at one version, with a lock of its whole tree. */
export interface NpmKit {
  /** The package. */
  readonly name: string;
  readonly version: string;
  /** The text of a `package.json` that depends on exactly that, and of its `package-lock.json`. */
  readonly manifest: string;
  readonly lock: string;
  /** Of the installed tree, what is taken away before it is recorded. */
  readonly discard: readonly string[];
  /** What the installation takes of the disk at its peak. */
  readonly bytes: number;
}

/** `npm ci` of a kit's lock, in a throw-away sandbox that reaches the registry and nothing else. No script runs. */
export async function runNpm(
  kit: NpmKit,
  npm: Npm,
  registry: Registry,
  grants: readonly Grant[],
  { runThrowAway, progress, signal }: KitContext,
): Promise<ThrowAwayEnd> {
  const { url, port, authorities } = registry;
  const subject = `${kit.name}@${kit.version}`;
  // Distributions keep the packages that npm needs beside it, in /usr, which is shown at its own place.
  const folder = existsSync(join(npm.folder, "node_modules")) ? "/opt/nacre/npm" : npm.folder;
  const home = inside.workspace;
  const endpoint = {
    host: url.hostname,
    port,
    ...(url.protocol === "http:" ? { protocol: "tcp" as const } : {}),
  };
  return runThrowAway({
    subject: `kit ${subject}`,
    argv: [
      inside.node,
      `${folder}/bin/npm-cli.js`,
      "ci",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=http",
    ],
    env: {
      npm_config_registry: url.href,
      npm_config_cache: `${home}/.npm`,
      npm_config_update_notifier: "false",
      npm_config_progress: "false",
      ...(authorities === undefined ? {} : { npm_config_cafile: `${home}/authorities.pem` }),
    },
    files: [
      { name: "package.json", content: kit.manifest },
      { name: "package-lock.json", content: kit.lock },
      ...(authorities === undefined ? [] : [{ name: "authorities.pem", content: authorities }]),
    ],
    binds: folder === npm.folder ? [] : [{ from: npm.folder, to: folder }],
    network: {
      registry: {
        name: "the registry that npm is configured for",
        endpoints: [endpoint],
        binaries: [{ path: inside.node }],
      },
    },
    grants,
    limits: { pids: 512 },
    timeout: 20 * 60_000,
    output: npmProgress(subject, packagesIn(kit.lock), progress),
    signal,
  });
}

/** What npm said of why, and the smallest fix. */
export function npmFailure(
  subject: string,
  { code, tail, refused }: ThrowAwayEnd,
  { url }: Registry,
): NacreError {
  const said = tail
    .split("\n")
    .filter((line) => line.startsWith("npm error") && !line.includes("A complete log of this run"))
    .map((line) => line.slice("npm error".length).trim())
    .slice(0, 6);
  const reasons = [...said, ...refused.map((what) => `refused: ${what}`)];
  return new NacreError({
    code: "kit_install_failed",
    subject: `kit ${subject}`,
    message: printable(
      `npm ended with ${code}: ${reasons.length === 0 ? tail.slice(-400).trim() : reasons.join("; ")}`,
    ),
    hint: hintFor(tail, url),
  });
}

function hintFor(tail: string, { host }: URL): string {
  if (/E40[13]\b/.test(tail))
    return `${host} wants a login, and npm's tokens are not handed to the installer's sandbox: name a registry that needs none for these public packages`;
  if (/ENOSPC/.test(tail)) return "free some disk space";
  if (/(CERT|SELF_SIGNED|UNABLE_TO_)/.test(tail))
    return `${host} has a certificate of an authority that this host does not trust: npm config set cafile FILE`;
  return "try again; npm ci in an empty folder shows whether the registry answers your own npm";
}

/** What a sandbox said, without what would act on a terminal. */
const printable = (text: string): string => text.replace(/[\p{C}]/gu, " ").slice(0, 2000);
