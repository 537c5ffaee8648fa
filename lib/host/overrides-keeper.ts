import { Mutex } from "./mutex.ts";
import { readOverrides, unexpired, writeOverrides, type Overrides } from "./overrides.ts";

/** How long what nobody waits for may stay in memory: a burst of reports is one write. */
const delay = 50;

/** One sandbox' overrides: in memory as last said, on disk in that order. */
export class OverridesKeeper {
  readonly #state: string;
  readonly #id: string;
  readonly #complain: (error: unknown) => void;
  readonly #writes = new Mutex();
  #current: Overrides;
  #later: NodeJS.Timeout | undefined;

  private constructor(state: string, id: string, current: Overrides, complain: (error: unknown) => void) {
    this.#state = state;
    this.#id = id;
    this.#current = current;
    this.#complain = complain;
  }

  static async open(state: string, id: string, complain: (error: unknown) => void): Promise<OverridesKeeper> {
    return new OverridesKeeper(state, id, await readOverrides(state, id), complain);
  }

  get current(): Overrides {
    return this.#current;
  }

  /** Resolves when it is on disk; what cannot be written did not happen. */
  async save(change: (before: Overrides) => Overrides): Promise<void> {
    const before = this.#current;
    this.#take(change);
    try {
      await this.#write();
    } catch (error) {
      this.#current = before;
      throw error;
    }
  }

  /** For what the egress would say again: on disk soon, or with the next `save`. */
  note(change: (before: Overrides) => Overrides): void {
    this.#take(change);
    this.#later ??= setTimeout(() => void this.#write().catch(this.#complain), delay);
  }

  /** Resolves when nothing of it is in memory alone. */
  flush(): Promise<void> {
    return this.#later === undefined ? this.#writes.run(() => Promise.resolve()) : this.#write();
  }

  #take(change: (before: Overrides) => Overrides): void {
    const next = change(this.#current);
    this.#current = { ...next, allows: unexpired(next.allows) };
  }

  #write(): Promise<void> {
    clearTimeout(this.#later);
    this.#later = undefined;
    return this.#writes.run(() => writeOverrides(this.#state, this.#id, this.#current));
  }
}
