import { spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { NacreError } from "../../lib/error.ts";
import type { Entry } from "../../lib/host/api.ts";
import { connect } from "../../lib/host/client.ts";
import { stateDirectory } from "../../lib/host/paths.ts";

/**
 * Speaks to a daemon as whoever it was started as: `machine.ts` starts it as root or as an ordinary user, and asks over
 * Node's IPC channel.
 */
export interface Question {
  readonly id: number;
  readonly call?: { readonly method: string; readonly body: unknown };
  /** Runs a command inside through the launcher. */
  readonly run?: { readonly entry: Entry; readonly argv: readonly string[]; readonly stdin?: string };
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly progress?: unknown;
}

process.on("message", (question: Question) => {
  answer(question).then(
    (result) => process.send?.({ id: question.id, result } satisfies Answer),
    (error: unknown) => process.send?.({ id: question.id, error: partsOf(error) } satisfies Answer),
  );
});
process.on("disconnect", () => process.exit(0));

async function answer({ id, call, run }: Question): Promise<unknown> {
  if (run !== undefined) return inside(run);
  const client = await connect(stateDirectory(), { start: true });
  const { method, body } = call as { method: "hello"; body: Record<string, never> };
  return client.call(method, body, {
    onProgress: (progress) => process.send?.({ id, progress } satisfies Answer),
  });
}

const partsOf = (error: unknown): unknown =>
  error instanceof NacreError ? error.toJSON() : { code: "unexpected", message: String(error) };

function inside({ entry, argv, stdin = "" }: NonNullable<Question["run"]>): Promise<unknown> {
  const child = spawn(entry.launcher, ["exec"], { stdio: ["pipe", "pipe", "pipe", "pipe"], env: {} });
  const { control, env, cwd } = entry;
  const spec = child.stdio[3] as Writable;
  spec.on("error", () => undefined);
  spec.end(JSON.stringify({ control, env, cwd, argv, tty: false }));
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
}
