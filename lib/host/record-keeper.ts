import { Mutex } from "./mutex.ts";
import { writeRecord, type SandboxRecord } from "./record.ts";

/** One sandbox' record: in memory as last said, on disk in that order. */
export class RecordKeeper {
  readonly #state: string;
  readonly #writes = new Mutex();
  #current: SandboxRecord;

  constructor(state: string, record: SandboxRecord) {
    this.#state = state;
    this.#current = record;
  }

  get current(): SandboxRecord {
    return this.#current;
  }

  /** Resolves when it is on disk. */
  save(change: Partial<SandboxRecord>): Promise<void> {
    this.#current = { ...this.#current, ...change };
    return this.#writes.run(() => writeRecord(this.#state, this.#current));
  }
}
