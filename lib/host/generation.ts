import { rmdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Control } from "./control.ts";
import {
  doneSchema,
  probesSchema,
  stateSchema,
  type LaunchPosture,
  type Probes,
  type SandboxSpec,
  type SandboxState,
} from "./launch-spec.ts";
import { launch } from "./launcher.ts";
import { initOfNamespace, outsidePid } from "./outside-pid.ts";
import { ended, isAlive, signalProcess, type ProcessIdentity } from "./process-identity.ts";

/** One process tree of a sandbox: its init, commanded over the control socket. It outlives the daemon. */
export class Generation {
  readonly number: number;
  readonly init: ProcessIdentity;
  readonly #path: string;
  #control: Control;
  #left = false;
  /** Resolves when its init has ended. Never after `leave`. */
  readonly over: Promise<void>;

  private constructor(path: string, number: number, init: ProcessIdentity, control: Control) {
    this.#path = path;
    this.number = number;
    this.init = init;
    this.#control = control;
    this.over = this.#watch();
  }

  /** Builds the walls and starts the agent behind them. */
  static async start(spec: SandboxSpec, path: string): Promise<Generation> {
    const { pid, start_time: startTime } = await launch(spec);
    const init = { pid, startTime };
    try {
      return new Generation(path, spec.generation, init, await Control.open(path));
    } catch (error) {
      // Nobody could command it: it must not stay.
      await kill(init);
      throw error;
    }
  }

  /**
   * Finds the one that runs, whoever started it. `undefined`: none does. One whose init cannot be commanded any more,
   * or that is of another generation than `wanted`, is ended first: two never run.
   */
  static async adopt(
    path: string,
    wanted: number,
    recorded: ProcessIdentity | null,
  ): Promise<Generation | undefined> {
    const control = await reach(path, recorded === null && wanted > 0 ? launchPatience : 0);
    if (control === undefined) {
      if (recorded !== null) await kill(recorded);
      return undefined;
    }
    try {
      const state = await control.ask({ op: "state" }, stateSchema);
      const init = recorded !== null && isAlive(recorded) ? recorded : initOf(state);
      if (state.generation === wanted && init !== undefined)
        return new Generation(path, wanted, init, control);
      await stopOver(control, 2000);
      if (init !== undefined) await kill(init);
      return undefined;
    } catch {
      control.close();
      if (recorded !== null) await kill(recorded);
      return undefined;
    }
  }

  /** What init says; the agent's `pid` is the one outside, 0 while none runs. */
  async state(): Promise<Extract<SandboxState, { ok: true }>> {
    const state = await this.#control.ask({ op: "state" }, stateSchema);
    const { main } = state;
    if (main === null) return state;
    const pid = main.inside_pid === 0 ? 0 : (outsidePid(this.init, main.inside_pid) ?? 0);
    return { ...state, main: { ...main, pid } };
  }

  /** The forbidden things, tried from inside. */
  async probe(): Promise<Extract<Probes, { ok: true }>["probes"]> {
    return (await this.#control.ask({ op: "probe" }, probesSchema, 30_000)).probes;
  }

  async restartAgent(): Promise<void> {
    await this.#control.ask({ op: "restart" }, doneSchema, 30_000);
  }

  /** Ends everything inside, agent first and with grace. When this resolves nothing of it runs. */
  async stop(graceMs: number): Promise<void> {
    this.#left = true;
    const groups = await this.#groups();
    await stopOver(this.#control, graceMs);
    await kill(this.init);
    // Nobody else would: the launcher that made them has ended long ago. One that is not empty stays.
    for (const group of groups) await rmdir(group).catch(() => undefined);
  }

  /** Its control groups, as init knows them; none when it does not answer any more. */
  async #groups(): Promise<readonly string[]> {
    try {
      return (await this.state()).posture.limits.cgroup?.paths ?? [];
    } catch {
      return [];
    }
  }

  /** Lets it run on without this daemon. */
  leave(): void {
    this.#left = true;
    this.#control.close();
  }

  async #watch(): Promise<void> {
    for (;;) {
      await this.#control.closed;
      if (this.#left) return new Promise(() => undefined);
      if (await ended(this.init, 200)) return;
      try {
        this.#control = await Control.open(this.#path);
      } catch {
        // Alive, and nobody can command it: it cannot be adopted, fed or stopped in order. It ends.
        await kill(this.init);
        return;
      }
      await sleep(100);
    }
  }
}

export type LiveState = Awaited<ReturnType<Generation["state"]>>;
export type { LaunchPosture };

/** A daemon that was killed while a launcher worked: its init may answer only a moment later. */
const launchPatience = 3000;

async function reach(path: string, milliseconds: number): Promise<Control | undefined> {
  const end = Date.now() + milliseconds;
  for (;;) {
    try {
      return await Control.open(path);
    } catch {
      if (Date.now() >= end) return undefined;
      await sleep(50);
    }
  }
}

async function stopOver(control: Control, graceMs: number): Promise<void> {
  try {
    await control.ask({ op: "stop", grace_ms: graceMs }, doneSchema, graceMs + 10_000);
  } catch {
    // It is gone already, or does not answer: the caller makes sure.
  } finally {
    control.close();
  }
}

/** The end of init is the end of every process of its pid namespace (pid_namespaces(7)). */
async function kill(init: ProcessIdentity): Promise<void> {
  if (await ended(init, 1000)) return;
  signalProcess(init, "SIGKILL");
  if (!(await ended(init, 10_000))) throw new Error(`init ${init.pid} survives SIGKILL`);
}

/** Found by its agent. Undefined while none runs. */
function initOf({ main, posture }: Extract<SandboxState, { ok: true }>): ProcessIdentity | undefined {
  if (main === null || main.inside_pid === 0) return undefined;
  return initOfNamespace(posture.namespaces.pid, main.inside_pid);
}
