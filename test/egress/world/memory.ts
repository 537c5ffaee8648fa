import type { ChildProcess } from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Bytes of a process, once what nothing holds is thrown away. */
export interface Held {
  /** JavaScript objects, and the buffers that they hold outside of the heap. */
  readonly heap: number;
  /** All that is in the machine's memory: what the allocators keep for the next time, too. */
  readonly resident: number;
}

/** Reads what an egress holds. It has to be started with `options`. */
export class Memory {
  readonly options: readonly string[];
  readonly #file: string;

  constructor(folder: string) {
    this.#file = `${folder}/memory.json`;
    const probe = new URL("memory-probe.ts", import.meta.url);
    probe.searchParams.set("to", this.#file);
    // Code that was not used for a while stays: else its going hides what comes.
    this.options = ["--expose-gc", "--no-flush-bytecode", "--import", probe.href];
  }

  async of(egress: ChildProcess): Promise<Held> {
    egress.kill("SIGUSR2");
    for (let waited = 0; !fs.existsSync(this.#file); waited += 20) {
      if (waited > 30_000 || egress.exitCode !== null) throw new Error("the egress does not tell its memory");
      await sleep(20);
    }
    const held = JSON.parse(fs.readFileSync(this.#file, "utf8")) as Held;
    fs.rmSync(this.#file);
    return held;
  }
}
