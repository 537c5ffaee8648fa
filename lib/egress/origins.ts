import type { Cidr } from "../policy/address.ts";
import { blockOf } from "../policy/decide.ts";
import type { Destination } from "../policy/decision.ts";
import { Refused } from "../policy/refused.ts";
import type { Dial } from "../router/upstream.ts";
import { TrustStore } from "../router/trust-store.ts";
import { limits } from "./limits.ts";
import type { LivePolicy } from "./live-policy.ts";
import { Origin } from "./origin.ts";
import type { Tunnels } from "./tunnels.ts";
import type { Upstreams } from "./upstreams.ts";

export interface OriginsParts {
  readonly policy: LivePolicy;
  readonly upstreams: Upstreams;
  readonly tunnels: Tunnels;
  /** PEM certificates of the authorities that count. */
  readonly trust: readonly string[];
}

/** The origins that inspected connections go to, kept for the next; the least recently used go first. */
export class Origins {
  readonly #parts: OriginsParts;
  readonly #trust: TrustStore;
  readonly #kept = new Map<string, Origin>();

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
      this.#kept.get(key) ?? new Origin({ ...where, secure, base: "" }, this.#dial(within), this.#trust);
    this.#kept.delete(key);
    this.#kept.set(key, origin);
    const [oldest] = this.#kept;
    if (this.#kept.size > limits.leaves && oldest !== undefined) {
      this.#kept.delete(oldest[0]);
      oldest[1].destroy();
    }
    return origin;
  }

  /** Resolved, checked, and cut by a block of the host or of all. */
  #dial(within: readonly Cidr[] | undefined): Dial {
    return async (where, signal) => {
      const { policy, upstreams, tunnels } = this.#parts;
      const blocked = (): ReturnType<typeof blockOf> => blockOf(policy.current, where.host);
      const socket = await upstreams.connect(where, signal, within);
      const meanwhile = blocked();
      if (meanwhile !== undefined) {
        socket.resetAndDestroy();
        throw new Refused(meanwhile, where);
      }
      const forget = tunnels.add({ denied: blocked, cut: () => socket.resetAndDestroy() });
      socket.once("close", forget);
      return socket;
    };
  }
}
