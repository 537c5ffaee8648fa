import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { expect } from "vitest";
import {
  launchedSchema,
  type EgressSpec,
  type ExecSpec,
  type Launched,
  type SandboxSpec,
} from "../../lib/host/launch-spec.ts";
import type { Place } from "./place.ts";
import { environment } from "./spec.ts";

/** How a process ended and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly error: string;
}

/** Starts the launcher as the place's caller. */
export function start(
  place: Place,
  mode: string,
  spec?: object,
  stdio: StdioOptions & readonly unknown[] = ["ignore", "pipe", "pipe"],
): ChildProcess {
  const { uid, gid } = place.caller;
  const self = process.getuid?.() === uid;
  const command = self ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const words = [...command, place.launcher, mode];
  const child = spawn(words[0] ?? "", words.slice(1), {
    stdio: [...(stdio as ["ignore"]), "pipe"],
    cwd: "/",
  });
  const channel = child.stdio[3] as Writable;
  channel.on("error", () => undefined);
  channel.end(spec === undefined ? "" : JSON.stringify(spec));
  return child;
}

/** Runs a mode to its end. */
export async function run(place: Place, mode: string, spec?: object, input?: string): Promise<Ended> {
  const child = start(place, mode, spec, ["pipe", "pipe", "pipe"]);
  const ended = gather(child);
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input ?? "");
  return await ended;
}

export async function gather(child: ChildProcess): Promise<Ended> {
  let [out, error] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (piece: string) => (out += piece));
  child.stderr?.setEncoding("utf8").on("data", (piece: string) => (error += piece));
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, out, error }));
  });
}

/** A one-shot sandbox: the agent's own output and exit code. */
export const once = (place: Place, spec: SandboxSpec, input?: string): Promise<Ended> =>
  run(place, "sandbox", { ...spec, wait: true }, input);

/** A sandbox that was started and is stopped at the end of `using`. */
export class Sandbox implements AsyncDisposable {
  readonly place: Place;
  readonly spec: SandboxSpec;
  readonly launched: Extract<Launched, { ok: true }>;

  constructor(place: Place, spec: SandboxSpec, launched: Extract<Launched, { ok: true }>) {
    this.place = place;
    this.spec = spec;
    this.launched = launched;
  }

  get control(): string {
    return join(this.spec.directory, "init.sock");
  }

  /** Questions on one connection, in order. */
  ask(...questions: readonly object[]): Promise<any[]> {
    return ask(this.control, ...questions);
  }

  /** A command through `nacre-launcher exec`. */
  exec(argv: readonly string[], parts: Partial<ExecSpec> & { readonly input?: string } = {}): Promise<Ended> {
    const { input, ...rest } = parts;
    const spec = { control: this.control, argv, env: environment, cwd: "/sandbox", tty: false, ...rest };
    return run(this.place, "exec", spec, input);
  }

  shell(script: string): Promise<Ended> {
    return this.exec(["bash", "-c", script]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ask(this.control, { op: "stop", grace_ms: 0 }).catch(() => undefined);
  }
}

export async function launch(place: Place, spec: SandboxSpec): Promise<Sandbox> {
  const ended = await run(place, "sandbox", spec);
  const launched = launchedSchema.parse(JSON.parse(ended.out));
  if (!launched.ok) throw new Error(JSON.stringify(launched.error));
  expect(ended.error).toBe("");
  return new Sandbox(place, spec, launched);
}

/** What the launcher says when it refuses. */
export async function refusal(place: Place, spec: SandboxSpec): Promise<{ code: string; message: string }> {
  const ended = await run(place, "sandbox", spec);
  const said = launchedSchema.parse(JSON.parse(ended.out));
  if (said.ok) throw new Error("it was launched");
  expect(ended.code).toBe(1);
  return said.error;
}

/** Asks init; rejects when it closes before the last answer. */
export function ask(path: string, ...questions: readonly object[]): Promise<any[]> {
  return new Promise((resolve, reject) => {
    const answers: unknown[] = [];
    let text = "";
    const socket = connect(path, () =>
      socket.write(questions.map((one) => `${JSON.stringify(one)}\n`).join("")),
    );
    socket.setEncoding("utf8");
    socket.on("data", (piece: string) => {
      text += piece;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        answers.push(JSON.parse(text.slice(0, end)));
        text = text.slice(end + 1);
      }
      if (answers.length >= questions.length) {
        socket.destroy();
        resolve(answers);
      }
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`init closed the connection: ${text}`)));
  });
}

export interface EgressRun {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts an egress; resolves when its program said a line. */
export async function startEgress(place: Place, spec: EgressSpec): Promise<EgressRun> {
  const child = start(place, "egress", spec, ["pipe", "pipe", "pipe"]);
  const ended = gather(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    void ended.then((end) => reject(new Error(`the egress ended: ${JSON.stringify(end)}`)));
  });
  return { child, ended };
}
