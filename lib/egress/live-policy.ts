import { compile, type CompiledPolicy } from "../policy/compile.ts";
import { policyHash } from "../policy/hash.ts";
import type { InForce } from "./audit.ts";
import type { Network } from "./protocol.ts";

/** Another policy came into force. */
export interface Loaded extends InForce {
  /** Allows that this very reload ended. */
  readonly expired: readonly string[];
}

/** `setTimeout` takes 31 bits of milliseconds. */
const longestTimer = 2 ** 31 - 1;

/**
 * The policy in force. It is swapped whole or not at all: what cannot be compiled leaves the old one. An allow's
 * expiry is a reload that this schedules, so the decision itself has no clock. Before the first, all is denied.
 */
export class LivePolicy {
  readonly #changed: (loaded: Loaded) => void;
  #current: CompiledPolicy = compile({ base: {}, allows: [], blocks: [] });
  #inForce: InForce = { hash: policyHash({ base: {}, allows: [], blocks: [] }), revision: 0 };
  #expiry: NodeJS.Timeout | undefined;

  constructor(changed: (loaded: Loaded) => void) {
    this.#changed = changed;
  }

  get current(): CompiledPolicy {
    return this.#current;
  }

  get inForce(): InForce {
    return this.#inForce;
  }

  /** Compiles, swaps and tells. Throws, changing nothing, where `network` cannot be compiled. */
  load(network: Network): void {
    this.#load(network, []);
  }

  #load(network: Network, expired: readonly string[]): void {
    const now = Date.now();
    const allows = network.allows.filter(({ until }) => until > now);
    const layers = { ...network, allows };
    this.#current = compile(layers);
    this.#inForce = { hash: policyHash(layers), revision: network.revision };
    clearTimeout(this.#expiry);
    this.#schedule({ ...network, allows }, now);
    this.#changed({ ...this.#inForce, expired });
  }

  #schedule(network: Network, now: number): void {
    if (network.allows.length === 0) return;
    const first = Math.min(...network.allows.map(({ until }) => until));
    const reload = (): void => {
      const ended = network.allows.filter(({ until }) => until <= Date.now()).map(({ id }) => id);
      if (ended.length === 0) this.#schedule(network, Date.now());
      else this.#load(network, ended);
    };
    this.#expiry = setTimeout(reload, Math.min(Math.max(first - now, 0) + 1, longestTimer));
  }
}
