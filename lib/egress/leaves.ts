import { randomBytes } from "node:crypto";
import tls from "node:tls";
import { Issuer, type Authority } from "./authority.ts";
import { limits } from "./limits.ts";
import { Recent } from "./recent.ts";

/**
 * What the egress shows an agent for a name: a leaf of the sandbox' own authority, made at first use and kept, the
 * least recently used first to go. All share one key for tickets, so that a client resumes its session whichever leaf it met.
 */
export class Leaves {
  readonly #issuer: Issuer;
  readonly #kept = new Recent<{ readonly context: tls.SecureContext; readonly expires: Date }>(limits.leaves);
  readonly #ticketKeys = randomBytes(48);

  constructor(authority: Authority) {
    this.#issuer = new Issuer(authority);
  }

  get count(): number {
    return this.#kept.size;
  }

  /** @param host a name in its normal form, or an address */
  contextFor(host: string): tls.SecureContext {
    const known = this.#kept.get(host);
    const leaf =
      known !== undefined && known.expires.getTime() > Date.now() + renewMs ? known : this.#make(host);
    this.#kept.keep(host, leaf);
    return leaf.context;
  }

  #make(host: string): { context: tls.SecureContext; expires: Date } {
    const { certificate, key, expires } = this.#issuer.issue(host);
    const context = tls.createSecureContext({
      cert: certificate,
      key,
      minVersion: "TLSv1.2",
      ticketKeys: this.#ticketKeys,
      sessionIdContext: "nacre",
    });
    return { context, expires };
  }
}

/** A leaf is made anew a day before it expires. */
const renewMs = 24 * 3600 * 1000;
