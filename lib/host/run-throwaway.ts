import { constants } from "node:os";
import { writeFile, chown } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { NacreError } from "../error.ts";
import type { HostContext } from "./context.ts";
import { giveTree } from "./give-tree.ts";
import { spawnLauncher } from "./launcher.ts";
import { ownIds } from "./outside-ids.ts";
import type { ThrowAwayEnd, ThrowAwaySpec } from "./throwaway.ts";
import { openThrowAway, type ThrowAway } from "./throwaway-sandbox.ts";

const tailLength = 16 * 1024;

/** Runs one command in a sandbox that is thrown away, and hands out what it left in its home. */
export async function runThrowAway(context: HostContext, spec: ThrowAwaySpec): Promise<ThrowAwayEnd> {
  spec.signal.throwIfAborted();
  const sandbox = await openThrowAway(context, {
    spec: {
      project: "nacre",
      environment: "throw-away",
      name: "throw-away",
      walls: { files: "required", syscalls: "required" },
      files: { readOnly: [], readWrite: ["/sandbox", "/tmp"] },
      seccomp: context.seccomp.agent,
      network: spec.network,
      inference: null,
      credentials: {},
      resources: { ...spec.limits },
      digests: { blueprint: "", environment: "" },
    },
    grants: spec.grants,
    binds: spec.binds,
    fill: async (home, { uid, gid }) => {
      for (const { name, content } of spec.files) {
        const path = join(home, basename(name));
        await writeFile(path, content, { flag: "wx", mode: 0o600 });
        if (ownIds().uid === 0) await chown(path, uid, gid);
      }
    },
  });
  try {
    const { code, tail } = await execute(sandbox, spec);
    await sandbox.end();
    const { uid, gid } = ownIds();
    if (uid === 0) await giveTree(sandbox.home, uid, gid);
    return { code, tail, refused: sandbox.refused(), home: sandbox.home, dispose: sandbox.close };
  } catch (error) {
    await sandbox.close();
    throw error;
  }
}

async function execute({ entry }: ThrowAway, spec: ThrowAwaySpec): Promise<{ code: number; tail: string }> {
  spec.signal.throwIfAborted(); // Nobody waits any more: it took long to open.
  const { control, env, cwd } = entry;
  const command = { control, argv: [...spec.argv], env: { ...env, ...spec.env }, cwd, tty: false };
  const child = spawnLauncher("exec", command, ["ignore", "pipe", "pipe"]);
  let tail = "";
  for (const stream of [child.stdout, child.stderr] as Readable[]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      tail = (tail + text).slice(-tailLength);
      spec.output(text);
    });
  }
  const late = AbortSignal.timeout(spec.timeout);
  const stop = AbortSignal.any([spec.signal, late]);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // What runs inside holds the pipes and outlives the relay: nobody waits for it, it ends with the sandbox.
  const abort = (): void => {
    child.kill("SIGKILL");
    reject(late.aborted && !spec.signal.aborted ? tooLate(spec) : (spec.signal.reason as Error));
  };
  stop.addEventListener("abort", abort);
  child.once("error", reject);
  child.once("close", (status, signal) => {
    resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
  try {
    return { code: await promise, tail };
  } finally {
    stop.removeEventListener("abort", abort);
  }
}

const tooLate = ({ subject, timeout }: ThrowAwaySpec): NacreError =>
  new NacreError({
    code: "timed_out",
    subject,
    message: `was not done within ${Math.round(timeout / 1000)} s and was ended`,
    hint: "try again when the machine or the network is less busy",
  });
