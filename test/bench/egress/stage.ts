import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, copyFileSync, createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Network } from "../../../lib/egress/protocol.ts";
import { World, type RunningEgress } from "../../egress/world/world.ts";
import { Client } from "../rounds.ts";
import { policy } from "./rules.ts";

const self = process.getuid?.() ?? 0;
/** Nobody in particular, where the bench itself runs as root: Debian's servers do not like to be that. */
const nobody = self === 0 ? 65_534 : self;
const clientFile = new URL("client.ts", import.meta.url).pathname;

/**
 * A world of network namespaces with an agent, an egress with a policy in force, and servers; and whatever a bench puts
 * beside the egress. All of it ends with it, by its process id.
 */
export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly egress: RunningEgress;
  /** Of what is started: its configuration, its logs. */
  readonly folder: string;
  readonly #children: ChildProcess[] = [];

  private constructor(world: World, egress: RunningEgress, folder: string) {
    this.world = world;
    this.egress = egress;
    this.folder = folder;
  }

  static async open(base: object = policy): Promise<Stage> {
    const world = await World.make();
    const folder = mkdtempSync(join(tmpdir(), "nacre-bench-egress-"));
    try {
      for (const name of ["server.crt", "server.key", "ca.crt"])
        copyFileSync(join(world.folder, name), join(folder, name));
      if (self !== nobody)
        for (const path of [
          folder,
          ...["server.crt", "server.key", "ca.crt"].map((name) => join(folder, name)),
        ])
          chownSync(path, nobody, nobody);
      const egress = await world.egress({ base: base as Network["base"] });
      return new Stage(world, egress, folder);
    } catch (error) {
      await world.stop();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Starts a server where the egress runs, or where the origins are; it is up once `port` takes connections there.
   * `nobody`: as a user that owns nothing but the folder.
   */
  async launch(
    where: "egress" | "servers",
    argv: readonly string[],
    port: number,
    as: "self" | "nobody" = "nobody",
  ): Promise<number> {
    const [program = "", ...rest] = [...this.world.entry(as === "self" ? self : nobody, where), ...argv];
    const log = join(this.folder, `${String(this.#children.length)}.log`);
    const child = spawn(program, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] ?? "", HOME: this.folder },
      cwd: this.folder,
    });
    this.#children.push(child);
    for (const stream of [child.stdout, child.stderr]) stream.pipe(createWriteStream(log, { flags: "a" }));
    await using probe = this.client(where);
    const until = performance.now() + 30_000;
    while (performance.now() < until && child.exitCode === null && child.signalCode === null) {
      if ((await probe.ask(`up 127.0.0.1 ${port}`)) === "yes") return child.pid ?? 0;
      await sleep(50);
    }
    throw new Error(`${argv[0] ?? ""} did not come up: ${readFileSync(log, "utf8").slice(-2000)}`);
  }

  /** What measures, in the agent's place or another's. */
  client(where: "agent" | "egress" | "servers"): Client {
    return Client.beside(this.words(where), clientFile);
  }

  /** Words before a program that is to run there. */
  words(where: "agent" | "egress" | "servers"): readonly string[] {
    return where === "agent" ? this.world.agentEntry() : this.world.entry(self, where);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const late = setTimeout(() => void child.kill("SIGKILL"), 3000);
      await ended;
      clearTimeout(late);
    }
    await this.egress.stop();
    await this.world.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Milliseconds of processor that a process has taken so far, with its threads (proc(5): in hundredths of a second). */
export function processorMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
