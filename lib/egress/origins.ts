import type { Cidr } from "../policy/address.ts";
import type { Destination } from "../policy/decision.ts";
import { TrustStore } from "../router/trust-store.ts";
import { guardedDial, type WayOut } from "./guarded-dial.ts";
import { limits } from "./limits.ts";
import { Origin } from "./origin.ts";
import { Recent } from "./recent.ts";

export interface OriginsParts extends WayOut {
  /** PEM certificates of the authorities that count. */
  readonly trust: readonly string[];
}

/** The origins that inspected connections go to, kept for the next; the least recently used go first. */
export class Origins {
  readonly #parts: OriginsParts;
  readonly #trust: TrustStore;
  readonly #kept = new Recent<Origin>(limits.leaves);

  constructor(parts: OriginsParts) {
    this.#parts = parts;
    this.#trust = new TrustStore(parts.trust);
  }

  /** @param within the blocks that its addresses must lie in, where a rule says so */
  to(where: Destination, secure: boolean, within: readonly Cidr[] | undefined): Origin {
    const key = [
      where.host,
      where.port,
      secure,
      ...(within ?? []).map(({ value, bits }) => `${value}/${bits}`),
    ].join(" ");
    const origin =
      this.#kept.get(key) ??
      new Origin({ ...where, secure, base: "" }, guardedDial(this.#parts, within), this.#trust);
    this.#kept.keep(key, origin)?.retire();
    return origin;
  }
}
