import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Entry } from "../../lib/host/api.ts";
import { inside } from "../../lib/host/inside.ts";

/** The arguments of Node that run a file of ours as text, where our files are not. */
const asText = (file: string): string[] => [
  "--input-type=module-typescript",
  "--disable-warning=ExperimentalWarning",
  "-e",
  readFileSync(new URL(file, import.meta.url), "utf8"),
];

/** A process that goes on running and measures when it is told to: a line in, a line out. */
export class Client implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdin?.on("error", () => undefined);
    this.#lines = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
  }

  /** Inside a sandbox, with the agent's walls. */
  static inside(entry: Entry, file: string): Client {
    const { control, env, cwd } = entry;
    const child = spawn(entry.launcher, ["exec"], { stdio: ["pipe", "pipe", "inherit", "pipe"], env: {} });
    const argv = [inside.node, ...asText(file)];
    (child.stdio[3] as Writable).end(JSON.stringify({ control, env, cwd, argv, tty: false }));
    return new Client(child);
  }

  /** Outside, as `enter` has it. */
  static outside(enter: readonly string[], file: string): Client {
    const [program = "", ...rest] = [...enter, process.execPath, ...asText(file)];
    return new Client(spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] }));
  }

  /** Outside, where our files are as they are here. */
  static beside(enter: readonly string[], path: string): Client {
    const [program = process.execPath, ...rest] = enter;
    rest.push(process.execPath, path);
    return new Client(spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] }));
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`);
    return this.next();
  }

  async next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true)
      throw new Error(`the measuring process ended with ${this.#child.exitCode ?? "a signal"}`);
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const end = once(this.#child, "exit");
    this.#child.stdin?.end();
    await end;
  }
}
