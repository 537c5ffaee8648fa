/** What was used last, by key: where there is more than `most`, the least recently used goes. */
export class Recent<T> {
  readonly #most: number;
  readonly #kept = new Map<string, T>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(key: string): T | undefined {
    return this.#kept.get(key);
  }

  /** Keeps `value` as the one used last; returns the one that had to go, if any had. */
  keep(key: string, value: T): T | undefined {
    this.#kept.delete(key);
    this.#kept.set(key, value);
    if (this.#kept.size <= this.#most) return undefined;
    const [oldest] = this.#kept;
    if (oldest === undefined) return undefined;
    this.#kept.delete(oldest[0]);
    return oldest[1];
  }
}
