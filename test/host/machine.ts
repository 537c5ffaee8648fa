import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { NacreError, type ErrorParts } from "../../lib/error.ts";
import type { BodyOf, Entry, Method, Progress, ResultOf } from "../../lib/host/api.ts";
import { ended, identify, signalProcess, type ProcessIdentity } from "../../lib/host/process-identity.ts";
import { sandboxRecordSchema, type SandboxRecord } from "../../lib/host/record.ts";
import { folderOf } from "../../lib/host/paths.ts";
import { idOf, type HostSandbox } from "../../lib/synth/host-objects.ts";
import type { Answer, Question } from "./driver.ts";
import { ownToolchain, readableToolchain } from "./toolchain.ts";

/** Nobody's id on any machine that runs these tests. */
export const ordinary = 54_321;

export const users =
  process.getuid?.() === 0 ? (["root", "ordinary user"] as const) : (["ordinary user"] as const);
export type User = (typeof users)[number];

/** Another launcher than the built one, for those who work on it. */
const launcher =
  process.env["NACRE_LAUNCHER"] === undefined ? {} : { NACRE_LAUNCHER: process.env["NACRE_LAUNCHER"] };

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a machine is, and how long: in this test's network and for this test, where nothing is said. */
export interface Stay {
  /** Words before a program that is to run there as user `uid`. */
  readonly entry?: (uid: number) => readonly string[];
  /** Takes what is to be done at its end. */
  readonly atEnd?: (end: () => Promise<void>) => void;
}

/** A state directory of this test's own, with its daemon, as root or as an ordinary user. Gone after the test. */
export function machine(
  user: User,
  environment: Readonly<Record<string, string>> = {},
  { entry, atEnd = onTestFinished }: Stay = {},
) {
  const home = mkdtempSync(join(tmpdir(), "nacre-host-"));
  const uid = user === "root" || process.getuid?.() !== 0 ? (process.getuid?.() ?? 0) : ordinary;
  const state = join(home, "state");
  const config = join(home, ".config", "nacre");
  mkdirSync(config, { recursive: true });
  chmodSync(home, 0o755);
  for (const path of [home, join(home, ".config"), config]) chownSync(path, uid, uid);
  const { root, node } = uid === process.getuid?.() ? ownToolchain : readableToolchain();
  const command = [...(entry?.(uid) ?? []), node, join(root, "test/host/driver.ts")];
  const driver = spawn(command[0] ?? "", command.slice(1), {
    ...(entry === undefined ? { uid, gid: uid } : {}),
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      NACRE_STATE_DIR: state,
      NACRE_CACHE_DIR: join(home, "cache"),
      ...launcher,
      ...environment,
    },
  });
  const waiting = new Map<
    number,
    { take: (answer: Answer) => void; progress: (progress: Progress) => void }
  >();
  let count = 0;
  driver.on("message", (answer: Answer) => {
    const asked = waiting.get(answer.id);
    if (answer.progress !== undefined) asked?.progress(answer.progress as Progress);
    else asked?.take(answer);
  });
  const ask = (question: Omit<Question, "id">, progress: (progress: Progress) => void = () => undefined) =>
    new Promise<unknown>((resolve, reject) => {
      const id = (count += 1);
      waiting.set(id, {
        progress,
        take: ({ result, error }) => {
          waiting.delete(id);
          if (error === undefined) resolve(result);
          else reject(new NacreError(error as ErrorParts));
        },
      });
      driver.send({ id, ...question });
    });

  const call = async <M extends Method>(
    method: M,
    body: BodyOf<M>,
    progress?: (progress: Progress) => void,
  ) => (await ask({ call: { method, body } }, progress)) as ResultOf<M>;
  const record = (id: string): SandboxRecord =>
    sandboxRecordSchema.parse(
      JSON.parse(readFileSync(join(state, "sandboxes", folderOf(id), "sandbox.json"), "utf8")),
    );

  const create = async (spec: HostSandbox) => {
    const { project, environment: name, name: sandbox } = spec;
    await call("workspace.create", { spec: { project, environment: name, name: sandbox } });
    return call("sandbox.create", { spec });
  };

  atEnd(async () => {
    for (const { id } of await call("status", {}).catch(() => [])) await call("sandbox.delete", { id });
    const { pid } = await call("hello", {});
    await call("shutdown", {});
    const daemon = identify(pid);
    if (daemon !== undefined && !(await ended(daemon, 10_000))) throw new Error("the daemon does not end");
    driver.disconnect();
    // What a test that failed half way has left must not live on.
    for (const init of inits(state)) signalProcess(init, "SIGKILL");
    rmSync(home, { recursive: true, force: true });
  });

  return {
    user,
    uid,
    node,
    root,
    home,
    state,
    /** Writes the operator's file. */
    operator: (text: string): void => {
      const path = join(config, "host.yaml");
      writeFileSync(path, text, { mode: 0o600 });
      chownSync(path, uid, uid);
    },
    call,
    create,
    record,
    /** Runs a command inside, as `nacre exec` does. */
    run: async (of: HostSandbox | string, argv: readonly string[], stdin?: string): Promise<Ran> => {
      const entry = await call("sandbox.entry", { id: typeof of === "string" ? of : idOf(of) });
      return (await ask({ run: { entry, argv, stdin } })) as Ran;
    },
    /** The same with an entry that was asked for before: no daemon is started for it. */
    runAt: async (entry: Entry, argv: readonly string[]): Promise<Ran> =>
      (await ask({ run: { entry, argv } })) as Ran,
    kill: async (pid: number): Promise<void> => {
      const target = identify(pid);
      if (target === undefined) throw new Error(`no process ${pid}`);
      signalProcess(target, "SIGKILL");
      if (!(await ended(target, 5000))) throw new Error(`process ${pid} survives`);
    },
    daemonPid: async (): Promise<number> => (await call("hello", {})).pid,
  };
}

function inits(state: string): ProcessIdentity[] {
  const folder = join(state, "sandboxes");
  return (existsSync(folder) ? readdirSync(folder) : []).flatMap((name) => {
    const path = join(folder, name, "sandbox.json");
    const { data } = sandboxRecordSchema.safeParse(
      existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null,
    );
    return data?.init ?? [];
  });
}

/** Waits until `condition` gives something, or says what it last gave. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  good: (value: T) => boolean,
  milliseconds = 20_000,
): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (good(value)) return value;
    if (Date.now() > end) throw new Error(`never: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
