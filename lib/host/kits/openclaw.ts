import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { serverPorts } from "../../blueprint/index.ts";
import { inside } from "../inside.ts";
import type { Kit, KitAgent, KitSandbox } from "../kit.ts";
import { findKit, treeOf, type KitRecord } from "./kit-folder.ts";
import { installKit } from "./npm-install.ts";
import type { NpmKit } from "./npm-run.ts";
import { configFolder, openclawFiles } from "./openclaw-config.ts";

const name = "openclaw";
const version = "2026.9.6";

/** The real OpenClaw (https://github.com/openclaw/openclaw), its server always on. */
export function openclawKit(): Kit {
  const underWay = new Map<string, Promise<KitRecord>>();
  return {
    name,
    version,
    async ensure(context) {
      const package_ = await npmKit();
      const folder = folderIn(context.cache, package_);
      const reading = (): void => context.progress({ message: `${name}@${version}: reading every file` });
      const record =
        (await findKit(folder, context.check, reading)) ??
        (await once(underWay, folder, () => installKit(package_, folder, context)));
      return { path: treeOf(folder), digest: record.digest };
    },
    agent: (_installed, sandbox) => agentOf(sandbox),
  };
}

/** OpenClaw's own; where the blueprint names other ports and not this one, it listens on the first. */
const usualPort = serverPorts.openclaw;

const manifestFolder = new URL("openclaw/", import.meta.url);

async function npmKit(): Promise<NpmKit> {
  const [manifest, lock] = await Promise.all(
    ["package.json", "package-lock.json"].map((file) => readFile(new URL(file, manifestFolder), "utf8")),
  );
  return {
    name,
    version,
    manifest: manifest ?? "",
    lock: lock ?? "",
    // Says that install scripts were left out. OpenClaw then runs them at its start and removes it, and ends where it
    // cannot: in a read-only tree. They change nothing else in a tree like this one (compared file by file).
    discard: [`node_modules/${name}/.openclaw-lifecycle-pending`],
    // 647 MB of tree, and npm's cache of 222 MB beside it until it is done.
    bytes: 950e6,
  };
}

function folderIn(cache: string, kit: NpmKit): string {
  const lock = createHash("sha256").update(kit.lock).digest("hex").slice(0, 16);
  return join(cache, `${name}-${version}-${lock}`);
}

/** Two sandboxes that start together share one installation; each tries by itself where the other's failed. */
async function once(
  underWay: Map<string, Promise<KitRecord>>,
  folder: string,
  install: () => Promise<KitRecord>,
): Promise<KitRecord> {
  const others = underWay.get(folder);
  if (others !== undefined) {
    const done = await others.catch(() => undefined);
    return done ?? once(underWay, folder, install);
  }
  const own = install().finally(() => underWay.delete(folder));
  underWay.set(folder, own);
  return own;
}

function agentOf(sandbox: KitSandbox): KitAgent {
  const port = sandbox.ports.some(({ inside }) => inside === usualPort)
    ? usualPort
    : (sandbox.ports[0]?.inside ?? usualPort);
  return {
    argv: [
      "/bin/sh",
      `${configFolder}/start.sh`,
      inside.node,
      // 1.1 GB resident instead of 1.7 GB after the first turn, at the same speed (measured).
      "--max-semi-space-size=16",
      `${inside.kit}/node_modules/openclaw/openclaw.mjs`,
      "gateway",
      "run",
    ],
    env: {
      OPENCLAW_INCLUDE_ROOTS: configFolder,
      // Restarts are the supervisor's affair; updates, the kit's.
      OPENCLAW_NO_RESPAWN: "1",
      OPENCLAW_NO_AUTO_UPDATE: "1",
      OPENCLAW_DISABLE_BONJOUR: "1",
      // Its commands would write into /proc, which is read-only, and each answer would hold the shell's complaint.
      OPENCLAW_CHILD_OOM_SCORE_ADJ: "0",
      // Compiled code would lie in /tmp, which is memory; starting is no slower without (measured).
      NODE_DISABLE_COMPILE_CACHE: "1",
      NO_COLOR: "1",
    },
    files: openclawFiles(sandbox, port),
    port,
    ready: whyNotReady,
    // 12 s on two idle cores, 40 s on two busy ones.
    readySeconds: 180,
    connection: (outside) => ({ url: `http://127.0.0.1:${outside}`, token: sandbox.token }),
  };
}

/**
 * OpenClaw's own word on whether it has started: `/startupz` needs no token, and does not wait for its channels. While
 * it starts it is busy for seconds at a time, so no answer is a reason like another.
 */
function whyNotReady(outside: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      { host: "127.0.0.1", port: outside, path: "/startupz", agent: false, timeout: 5_000, signal },
      (response) => {
        response.resume();
        resolve(
          response.statusCode === 200 ? undefined : `OpenClaw answers ${response.statusCode}: it is starting`,
        );
      },
    );
    asked.once("timeout", () => asked.destroy(new Error("no answer within 5 s")));
    asked.once("error", ({ message }) => {
      resolve(
        `OpenClaw's port does not answer: ${signal.aborted ? "not in the time that was given" : message}`,
      );
    });
    asked.end();
  });
}
