import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { once } from "node:events";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const GRACE_MS = 3_000;

/** One process of the control plane, with its output in a file. It ends with us however we end (PR_SET_PDEATHSIG). */
export class Program {
  readonly name: string;
  readonly log: string;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(file: string, args: readonly string[], log: string) {
    this.name = basename(file);
    this.log = log;
    const output = openSync(log, "a", 0o600);
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", file, ...args], {
      stdio: ["ignore", output, output],
      env: { PATH: process.env["PATH"] }, // no kubeconfig, proxy or etcd setting of whoever runs the tests
    });
    this.#closed = once(this.#child, "close").catch(() => undefined);
    closeSync(output);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends this very process, for good once it settles. */
  async end(): Promise<void> {
    if (!this.isRunning()) return;
    this.#child.kill("SIGTERM");
    await Promise.race([this.#closed, sleep(GRACE_MS, undefined, { ref: false })]);
    if (this.isRunning()) this.#child.kill("SIGKILL");
    await this.#closed;
  }

  /** Its last words, for an error. */
  get lastLines(): string {
    const lines = readFileSync(this.log, "utf8").trimEnd().split("\n").slice(-12);
    return `${this.name}${this.isRunning() ? "" : " (ended)"}:\n${lines.map((line) => `  ${line.slice(0, 400)}`).join("\n")}`;
  }
}

/**
 * Resolves once `probe` says true, asked every 100 ms.
 * @throws Error with the last lines of all programs when that takes too long, or one of them has ended.
 */
export async function ready(
  what: string,
  programs: readonly Program[],
  milliseconds: number,
  probe: () => Promise<boolean>,
): Promise<void> {
  const end = Date.now() + milliseconds;
  let last: unknown;
  while (Date.now() < end && programs.every((program) => program.isRunning())) {
    const answer = await probe().catch((error: unknown) => {
      last = error;
      return false;
    });
    if (answer) return;
    await sleep(100);
  }
  const words = programs.map(({ lastLines }) => lastLines).join("\n");
  throw new Error(`${what} was not ready within ${milliseconds / 1000} s\n${words}`, { cause: last });
}
