import tls from "node:tls";

/** The authorities that an upstream's certificate may come from, read at first use: a system's bundle takes tens of milliseconds. */
export class TrustStore {
  readonly #authorities: readonly string[];
  #context: tls.SecureContext | undefined;

  /** @param authorities PEM, one certificate each */
  constructor(authorities: readonly string[]) {
    this.#authorities = authorities;
  }

  get context(): tls.SecureContext {
    return (this.#context ??= tls.createSecureContext({ ca: [...this.#authorities], minVersion: "TLSv1.2" }));
  }
}
