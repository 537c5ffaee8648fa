import { setTimeout as sleep } from "node:timers/promises";
import type { Command, Configure, Network } from "../egress/protocol.ts";
import { NacreError, type ErrorParts } from "../error.ts";
import { EgressProcess, type Published } from "./egress-process.ts";
import type { EgressSpec } from "./launch-spec.ts";
import type { ProcessIdentity } from "./process-identity.ts";

export interface EgressPlan {
  /** Made anew for each start too: what keeps it from being made is why the egress does not run. */
  readonly spec: () => EgressSpec;
  /** Made anew for each start: secrets and leaf are read then, and kept nowhere. */
  readonly configure: () => Promise<Configure>;
}

export interface EgressListener {
  readonly started: (identity: ProcessIdentity) => Promise<void>;
  readonly ports: (ports: readonly Published[]) => void;
  readonly log: (level: string, message: string) => void;
  /** It says what it enforces now. */
  readonly loaded: (revision: number, hash: string) => void;
  /** It did not take that one, and keeps the one before (an egress that just started: denies everything). */
  readonly failed: (revision: number, error: NacreError) => void;
}

const firstPause = 100;
const longestPause = 10_000;
/** One that ran this long was all right: the next pause is short again. */
const steady = 10_000;

interface Waiting {
  readonly revision: number;
  readonly resolve: (hash: string) => void;
  readonly reject: (error: Error) => void;
}

/** Keeps one sandbox' egress running. While none runs, nothing answers the sandbox: its network is closed. */
export class EgressSupervisor {
  readonly #listener: EgressListener;
  readonly #waiting = new Set<Waiting>();
  #process: EgressProcess | undefined;
  #pushed: Network | undefined;
  #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  state: "running" | "backoff" | "stopped" = "stopped";
  loaded: { readonly revision: number; readonly hash: string } | null = null;
  /** Why it is not running, or what it did not take. */
  problem: string | undefined;
  restarts = 0;

  constructor(listener: EgressListener) {
    this.#listener = listener;
  }

  get pid(): number | null {
    return this.#process?.pid() ?? null;
  }

  /** Resolves when the first run has opened its doors, or has failed to; it is kept running either way. */
  async start(plan: EgressPlan): Promise<void> {
    await this.stop();
    this.#stopping = new AbortController();
    this.#pushed = undefined;
    this.restarts = 0;
    const first = Promise.withResolvers<undefined>();
    this.#loop = this.#keep(plan, this.#stopping.signal, () => first.resolve(undefined));
    await first.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#process?.stop();
    await this.#loop;
    this.state = "stopped";
    this.loaded = null;
  }

  say(command: Command): void {
    this.#process?.say(command);
  }

  /**
   * Pushes a policy. Resolves to its hash when it is in force; an egress that starts meanwhile takes it too.
   * @throws NacreError `timed_out` after so many milliseconds, or what the egress has against it
   */
  async push(network: Network, milliseconds: number): Promise<string> {
    this.#pushed = network;
    this.say({ type: "network", network });
    const { revision } = network;
    if (milliseconds <= 0) throw late(revision, 0);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const waiting = { revision, resolve, reject };
    this.#waiting.add(waiting);
    const timer = setTimeout(() => reject(late(revision, milliseconds)), milliseconds);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    }
  }

  /** Whoever waits is told that it is not in force: nothing will say so any more. */
  abandon(): void {
    for (const { revision, reject } of this.#waiting) reject(late(revision, 0));
  }

  async check(milliseconds: number): Promise<ErrorParts | undefined> {
    const process = this.#process;
    if (process === undefined)
      return new NacreError({ code: "egress_failed", subject: "egress", message: "no egress runs" }).toJSON();
    return process.check(milliseconds);
  }

  async #keep(plan: EgressPlan, signal: AbortSignal, first: () => void): Promise<void> {
    let pause = firstPause;
    const over = (): boolean => signal.aborted;
    while (!over()) {
      const began = Date.now();
      const why = await this.#run(plan, signal, first);
      this.#process = undefined;
      this.loaded = null;
      if (over()) break;
      this.problem = why;
      this.state = "backoff";
      this.restarts += 1;
      this.#listener.log("error", why);
      first();
      if (Date.now() - began > steady) pause = firstPause;
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, longestPause);
    }
    first();
  }

  /** One run; resolves to why it ended. */
  async #run(plan: EgressPlan, signal: AbortSignal, first: () => void): Promise<string> {
    try {
      const configure = await plan.configure();
      if (signal.aborted) return "stopped";
      const process = new EgressProcess(plan.spec(), {
        loaded: (revision, hash) => this.#loaded(revision, hash),
        failed: (revision, error) => this.#failed(revision, error),
        ports: this.#listener.ports,
        log: this.#listener.log,
      });
      this.#process = process;
      if (process.identity !== undefined) await this.#listener.started(process.identity);
      process.say(configure);
      try {
        await process.ready();
        this.state = "running";
        this.#catchUp(configure.network.revision);
        first();
      } catch (error) {
        await process.stop();
        return error instanceof Error ? String(error) : "it was not ready";
      }
      return await process.over;
    } catch (error) {
      return String(error);
    }
  }

  /** Said while this one was being made: it has not heard it. */
  #catchUp(configured: number): void {
    if (this.#pushed !== undefined && this.#pushed.revision > configured)
      this.say({ type: "network", network: this.#pushed });
  }

  #loaded(revision: number, hash: string): void {
    this.loaded = { revision, hash };
    this.problem = undefined;
    this.#listener.loaded(revision, hash);
    for (const waiting of this.#waiting) if (revision >= waiting.revision) waiting.resolve(hash);
  }

  #failed(revision: number, error: NacreError): void {
    this.problem = `policy revision ${revision} was not taken: ${error.message}`;
    for (const waiting of this.#waiting)
      if (revision === waiting.revision) {
        this.problem = undefined;
        waiting.reject(error);
      }
    this.#listener.failed(revision, error);
  }
}

const late = (revision: number, milliseconds: number): NacreError =>
  new NacreError({
    code: "timed_out",
    subject: `policy revision ${revision}`,
    message: milliseconds > 0 ? `was not in force within ${milliseconds / 1000} s` : "is not in force yet",
    hint: "it is kept, and loaded when the egress is back: nacre status",
  });
