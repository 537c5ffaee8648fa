import type { Denied } from "../policy/decision.ts";

/** A decided connection, from its decision to its end. */
export interface Tunnel {
  /** Why the policy in force now denies it, if it does. */
  readonly denied: () => Denied | undefined;
  /** Resets both sides. */
  readonly cut: (denied: Denied) => void;
}

/** Everything that is open. A new policy, or a grant that is gone, closes what it denies at once; the rest lives on. */
export class Tunnels {
  readonly #open = new Set<Tunnel>();

  get count(): number {
    return this.#open.size;
  }

  /** @returns what to call at its end. */
  add(tunnel: Tunnel): () => void {
    this.#open.add(tunnel);
    return () => this.#open.delete(tunnel);
  }

  review(): void {
    for (const tunnel of [...this.#open]) {
      const denied = tunnel.denied();
      if (denied === undefined) continue;
      this.#open.delete(tunnel);
      tunnel.cut(denied);
    }
  }
}
