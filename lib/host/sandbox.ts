import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NacreError } from "../error.ts";
import type { HostSandbox } from "../synth/host-objects.ts";
import type { Entry } from "./api.ts";
import { changeOf } from "./change.ts";
import type { HostContext, ShowProgress } from "./context.ts";
import { Generation } from "./generation.ts";
import { inside, sandboxEnvironment } from "./inside.ts";
import { keepRecords } from "./kept-records.ts";
import type { InstalledKit, KitAgent } from "./kit.ts";
import { launcherPath } from "./launcher.ts";
import { Mutex } from "./mutex.ts";
import { sandboxPaths, workspacePaths, type SandboxPaths } from "./paths.ts";
import type { SandboxRecord } from "./record.ts";
import { RecordKeeper } from "./record-keeper.ts";
import { isAlive } from "./process-identity.ts";
import { removeTree } from "./remove-tree.ts";
import { SandboxNetwork } from "./sandbox-network.ts";
import { sandboxSpecOf, stopGrace, type StartedKit } from "./sandbox-spec.ts";
import { readText, writeAtomic } from "./state.ts";
import { prepareTrust } from "./trust.ts";

/** Pauses before a process tree that ended is started again, and how long one must live for the pause to be short. */
const pauses = { first: 500, longest: 30_000, steady: 60_000 } as const;
/** An agent that ends at once does so within this. */
const settling = 600;

/** One sandbox, supervised: at most one process tree of it ever runs. */
export class Sandbox {
  readonly id: string;
  readonly network: SandboxNetwork;
  readonly paths: SandboxPaths;
  readonly #context: HostContext;
  readonly #keeper: RecordKeeper;
  readonly #steps = new Mutex();
  readonly #closing = new AbortController();
  #generation: Generation | undefined;
  #tokenOnce: Promise<string> | undefined;
  #pause: number = pauses.first;
  /** Why the agent's own server does not answer yet. */
  #unready: string | undefined;

  constructor(context: HostContext, record: SandboxRecord) {
    this.id = record.id;
    this.#context = context;
    this.paths = sandboxPaths(context.state, record.id);
    this.#keeper = new RecordKeeper(context.state, record);
    this.network = new SandboxNetwork(context, this.#keeper, this.paths);
  }

  get record(): SandboxRecord {
    return this.#keeper.current;
  }

  get generation(): Generation | undefined {
    return this.#generation;
  }

  get unready(): string | undefined {
    return this.#unready;
  }

  /** After a daemon's start: finds the process tree that runs, if one does. Nobody can be told before. */
  async find(): Promise<void> {
    const { generation, init } = this.record;
    if (generation === 0) return;
    this.#generation = await Generation.adopt(this.paths.control, generation, init);
    if (this.#generation !== undefined) await this.#keeper.save({ init: this.#generation.init });
  }

  /** After `find`: gives it its network again, and starts again what should run. */
  resume(): Promise<void> {
    return this.#steps.run(async () => {
      const { generation, wanted, spec } = this.record;
      if (this.#generation !== undefined && wanted === "running") await this.#attend(this.#generation);
      else if (this.#generation !== undefined) await this.#stop();
      else if (generation > 0 && wanted === "running" && spec.restart !== "never")
        await this.#start(() => undefined);
    });
  }

  /** Makes it as `spec` says: by a push where that is enough, else by another process tree over the same workspace. */
  become(spec: HostSandbox, progress: ShowProgress): Promise<void> {
    return this.#steps.run(async () => {
      const change = changeOf(this.record.spec, spec);
      const isLive = this.#generation !== undefined && change === "live";
      // Before anything is stopped: what cannot be enforced leaves all as it is.
      await this.network.policy.rebase(spec.network, isLive);
      if (this.#generation !== undefined && change !== "restart") {
        if (change === "live") await this.#keeper.save({ spec });
        await this.network.refresh(true);
        await this.#ready(progress);
        return;
      }
      await this.#stop();
      await this.#keeper.save({ spec });
      this.#pause = pauses.first;
      await this.#start(progress);
    });
  }

  /** Ends it and forgets it. The workspace stays, and so do its logs and its audit, at another place. */
  remove(): Promise<void> {
    this.#closing.abort();
    this.network.abandon();
    return this.#steps.run(async () => {
      await this.#keeper.save({ wanted: "stopped" });
      await this.#stop();
      await keepRecords(this.#context.state, this.id, this.paths);
      const trash = join(this.#context.state, "trash");
      await removeTree(this.paths.egress, trash);
      await removeTree(this.paths.directory, trash);
    });
  }

  /** The daemon ends: the agent runs on, without a network until the next one. */
  async leave(): Promise<void> {
    this.#closing.abort();
    this.network.abandon();
    await this.#steps.run(async () => {
      this.#generation?.leave();
      this.#generation = undefined;
      await this.network.close();
    });
  }

  /** How a terminal enters. @throws NacreError `sandbox_stopped` */
  entry(): Entry {
    if (this.#generation === undefined) throw stopped(this.id);
    return {
      launcher: launcherPath(),
      control: this.paths.control,
      env: sandboxEnvironment(this.record.spec.credentials),
      cwd: inside.workspace,
    };
  }

  /** The kit's own view of this sandbox; undefined for a plain command. Pure: no kit needs to be installed. */
  async kitAgent(installed: InstalledKit = { path: inside.kit, digest: "" }): Promise<KitAgent | undefined> {
    const { agent, name, ports, inference } = this.record.spec;
    if (agent.kind !== "kit") return undefined;
    const first = inference?.route.try[0];
    return this.#context.kit(agent.kit, agent.version).agent(installed, {
      id: this.id,
      name,
      ports,
      model: first === undefined ? null : (inference?.providers[first]?.model ?? null),
      token: await this.#token(),
    });
  }

  /** Where the agent's own server is published on the host. */
  outside(agent: KitAgent): number | undefined {
    return this.record.published.find(({ inside }) => inside === agent.port)?.outside;
  }

  /** Asks the agent's own server once. */
  async lookWhetherReady(): Promise<void> {
    const agent = await this.kitAgent();
    if (agent === undefined || this.#generation === undefined) return;
    const outside = this.outside(agent);
    if (outside === undefined) this.#unready = `its port ${agent.port} is not published`;
    else this.#unready = await agent.ready(outside, AbortSignal.timeout(2000));
  }

  async #start(progress: ShowProgress): Promise<void> {
    const { id, generation } = this.record;
    await this.#keeper.save({ wanted: "running", generation: generation + 1, init: null, failure: null });
    let started: Generation;
    try {
      const kit = await this.#prepareKit(progress);
      progress({ message: `starting ${id}, generation ${generation + 1}` });
      const trust = await prepareTrust(this.paths.trust, id);
      await mkdir(join(this.paths.directory, "logs"), { recursive: true, mode: 0o700 });
      started = await Generation.start(
        sandboxSpecOf({
          record: this.record,
          directory: this.paths.directory,
          data: workspacePaths(this.#context.state, this.record.spec.workspace).data,
          trust,
          kit,
          wallsOff: this.#context.wallsOff,
        }),
        this.paths.control,
      );
      await this.#keeper.save({ init: started.init, kitDigest: kit?.installed.digest ?? null });
    } catch (error) {
      // The daemon ends: the next one starts it.
      if (this.#closing.signal.aborted) throw error;
      if (!(error instanceof NacreError)) this.#context.log(id, String((error as Error).stack ?? error));
      await this.#keeper.save({ wanted: "stopped", failure: String(error) });
      return;
    }
    await this.#attend(started);
    await this.#ready(progress);
  }

  async #attend(generation: Generation): Promise<void> {
    this.#generation = generation;
    const since = Date.now();
    generation.over
      .then(() => this.#steps.run(() => this.#afterEnd(generation, Date.now() - since)))
      .catch((error: unknown) => this.#context.log(this.id, `after its end: ${String(error)}`));
    await this.network.open();
  }

  /** Its init ended, and with it everything inside. */
  async #afterEnd(generation: Generation, lived: number): Promise<void> {
    if (this.#generation !== generation) return;
    this.#generation = undefined;
    await this.network.close();
    if (this.#closing.signal.aborted) return;
    if (this.record.spec.restart === "never") {
      await this.#keeper.save({ wanted: "stopped", failure: "its init ended" });
      return;
    }
    this.#pause = lived > pauses.steady ? pauses.first : this.#pause;
    this.#context.log(this.id, `its init ended; started again in ${this.#pause} ms`);
    const again = sleep(this.#pause, undefined, { signal: this.#closing.signal, ref: false });
    this.#pause = Math.min(this.#pause * 2, pauses.longest);
    again
      .then(() =>
        this.#steps.run(async () => {
          if (this.#generation === undefined && this.record.wanted === "running")
            await this.#start(() => undefined);
        }),
      )
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted)
          this.#context.log(this.id, `cannot be started again: ${String(error)}`);
      });
  }

  async #stop(): Promise<void> {
    const generation = this.#generation;
    this.#generation = undefined;
    // The network first: what it still sends while it is being stopped must not outlast the old policy.
    await this.network.close();
    await generation?.stop(stopGrace);
    await this.#keeper.save({ init: null, egress: null });
  }

  async #prepareKit(progress: ShowProgress): Promise<StartedKit | undefined> {
    const { agent } = this.record.spec;
    if (agent.kind !== "kit") return undefined;
    const kit = this.#context.kit(agent.kit, agent.version);
    const installed = await kit.ensure({
      cache: join(this.#context.cache, "kits"),
      runThrowAway: this.#context.runThrowAway,
      progress,
      signal: this.#closing.signal,
    });
    const started = await this.kitAgent(installed);
    return started === undefined ? undefined : { installed, agent: started };
  }

  /** Waits until the agent serves, or until it is clear that it does not yet. */
  async #ready(progress: ShowProgress): Promise<void> {
    const agent = await this.kitAgent();
    if (agent === undefined) {
      const started = (await this.#generation?.state())?.main?.started_at_ms ?? Date.now();
      await sleep(Math.max(0, settling - (Date.now() - started)));
      return;
    }
    progress({ message: `waiting for ${this.id} to answer` });
    const end = Date.now() + agent.readySeconds * 1000;
    for (;;) {
      await this.lookWhetherReady();
      if (this.#unready === undefined || Date.now() > end || this.#closing.signal.aborted) return;
      const init = this.#generation?.init;
      if (init === undefined || !isAlive(init)) return;
      await sleep(200);
    }
  }

  /** Made once, and once for all who ask at the same time. */
  #token(): Promise<string> {
    return (this.#tokenOnce ??= (async () => {
      const found = await readText(this.paths.token);
      if (found !== undefined && found !== "") return found;
      const token = randomBytes(32).toString("hex");
      await writeAtomic(this.paths.token, token);
      return token;
    })());
  }
}

export const stopped = (id: string): NacreError =>
  new NacreError({
    code: "sandbox_stopped",
    subject: `sandbox ${id}`,
    message: "does not run",
    hint: "nacre status says why; nacre up starts it",
  });
