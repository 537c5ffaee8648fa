import { readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { z } from "zod";
import { reportSchema, type Command, type Report, type publishSchema } from "../egress/protocol.ts";
import { NacreError, type ErrorParts } from "../error.ts";
import type { EgressSpec } from "./launch-spec.ts";
import { spawnLauncher } from "./launcher.ts";
import { ended, identify, signalProcess, type ProcessIdentity } from "./process-identity.ts";

/** A line that an egress says is a report of ours; one that is longer is a sign of something else. */
const longestLine = 1024 * 1024;
const readyPatience = 20_000;

export type Published = z.infer<typeof publishSchema> & { readonly error?: ErrorParts | undefined };

export interface EgressEvents {
  readonly loaded: (revision: number, hash: string) => void;
  readonly failed: (revision: number, error: NacreError) => void;
  readonly ports: (ports: readonly Published[]) => void;
  readonly log: (level: string, message: string) => void;
}

/** One run of a sandbox' egress: started, told its configuration, and over when its process is. */
export class EgressProcess {
  readonly #stdin: Writable;
  readonly #events: EgressEvents;
  readonly #checks = new Map<number, (error: ErrorParts | undefined) => void>();
  readonly #ready = Promise.withResolvers<undefined>();
  /** What is to be said once it is configured. */
  #early: Command[] | undefined = [];
  #fatal: NacreError | undefined;
  #checkId = 0;
  /** The launcher's process, which ends with the egress and takes it along. */
  readonly identity: ProcessIdentity | undefined;
  /** Resolves to why, when the process has ended. */
  readonly over: Promise<string>;

  constructor(spec: EgressSpec, events: EgressEvents) {
    this.#events = events;
    const child = spawnLauncher("egress", spec, ["pipe", "pipe", "pipe"]);
    this.#stdin = child.stdin as Writable;
    this.#stdin.on("error", () => undefined); // Its end says more.
    this.identity = child.pid === undefined ? undefined : identify(child.pid);
    lines(child.stdout as Readable, (line) => this.#hear(line));
    lines(child.stderr as Readable, (line) => this.#complain(line));
    this.#ready.promise.catch(() => undefined);
    this.over = new Promise((resolve) => {
      const finish = (reason: string): void => {
        const why = this.#fatal?.toString() ?? reason;
        this.#ready.reject(this.#fatal ?? failure(why));
        for (const answer of this.#checks.values()) answer(failure(why).toJSON());
        this.#checks.clear();
        resolve(why);
      };
      child.once("error", (error) => finish(error.message));
      child.once("close", (code, signal) => finish(`the egress ended with ${code ?? signal ?? "nothing"}`));
    });
  }

  /** Says one command, the configuration first. A process that is gone hears nothing; `over` tells. */
  say(command: Command): void {
    if (this.#early !== undefined && command.type !== "configure") {
      this.#early.push(command);
      return;
    }
    const commands = [command, ...(this.#early ?? [])];
    this.#early = undefined;
    for (const one of commands) if (this.#stdin.writable) this.#stdin.write(`${JSON.stringify(one)}\n`);
  }

  /** Resolves when its doors are open; rejects with what it said when it could not open them. */
  async ready(): Promise<void> {
    const timer = setTimeout(
      () => this.#ready.reject(failure(`the egress was not ready within ${readyPatience / 1000} s`)),
      readyPatience,
    );
    try {
      await this.#ready.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One live call to the inference provider. */
  async check(milliseconds: number): Promise<ErrorParts | undefined> {
    const id = (this.#checkId += 1);
    const { promise, resolve } = Promise.withResolvers<ErrorParts | undefined>();
    this.#checks.set(id, resolve);
    const late = failure(`the inference provider did not answer within ${milliseconds / 1000} s`).toJSON();
    const timer = setTimeout(() => resolve(late), milliseconds);
    this.say({ type: "check", id });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#checks.delete(id);
    }
  }

  /** The egress itself, for a person to see: the launcher's child. */
  pid(): number | undefined {
    const launcher = this.identity?.pid;
    if (launcher === undefined) return undefined;
    try {
      const [child] = readFileSync(`/proc/${launcher}/task/${launcher}/children`, "utf8").split(" ");
      return child === undefined || child === "" ? launcher : Number(child);
    } catch {
      return undefined;
    }
  }

  /** Asks it to end, then makes it. */
  async stop(): Promise<void> {
    this.#stdin.end();
    const identity = this.identity;
    if (identity !== undefined && !(await ended(identity, 2000))) {
      signalProcess(identity, "SIGKILL");
      await ended(identity, 5000);
    }
    await this.over;
  }

  #hear(line: string): void {
    const report = reportOf(line);
    if (report === undefined) {
      this.#complain(line);
      return;
    }
    switch (report.type) {
      case "ready":
        this.#ready.resolve(undefined);
        break;
      case "loaded":
        this.#events.loaded(report.revision, report.hash);
        break;
      case "failed":
        this.#events.failed(report.revision, new NacreError(report.error));
        break;
      case "ports":
        this.#events.ports(report.ports);
        break;
      case "checked":
        this.#checks.get(report.id)?.(report.error);
        break;
      case "log":
        this.#events.log(report.level, report.message);
        break;
      case "fatal":
        this.#fatal = new NacreError(report.error);
        break;
    }
  }

  /** What the launcher says when a wall of the egress cannot be built is an error line; all else is for the log. */
  #complain(line: string): void {
    this.#events.log("error", line);
    this.#fatal ??= launcherError(line);
  }
}

/** Calls `take` for each line; a line that does not end is cut. */
function lines(stream: Readable, take: (line: string) => void): void {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => {
    text += piece;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      take(text.slice(0, end));
      text = text.slice(end + 1);
    }
    if (text.length > longestLine) text = "";
  });
  stream.once("end", () => (text === "" ? undefined : take(text)));
  stream.on("error", () => undefined);
}

function reportOf(line: string): Report | undefined {
  try {
    return reportSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function launcherError(line: string): NacreError | undefined {
  try {
    const said = JSON.parse(line) as { readonly error?: ErrorParts };
    return said.error?.code === undefined ? undefined : new NacreError(said.error);
  } catch {
    return undefined;
  }
}

const failure = (message: string): NacreError =>
  new NacreError({
    code: "egress_failed",
    subject: "egress",
    message,
    hint: "the sandbox has no network meanwhile; nacre status shows when it is back",
  });
