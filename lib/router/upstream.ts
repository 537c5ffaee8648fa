import http from "node:http";
import type net from "node:net";
import tls from "node:tls";
import type { Duplex } from "node:stream";
import { NacreError } from "../error.ts";
import { parseAddress } from "../policy/address.ts";
import type { Target } from "./target.ts";
import type { TrustStore } from "./trust-store.ts";

/** The way out: guarded, recorded, cut by a block. The egress gives it; the router has no other. */
export type Dial = (
  where: { readonly host: string; readonly port: number },
  signal: AbortSignal,
) => Promise<net.Socket>;

/** Milliseconds for a TLS handshake; and that an idle connection is kept for the next request. */
const handshakeMs = 10_000;
const idleMs = 30_000;

/** How many connections to one target there may be, and how long one is kept without a request. */
export interface Keeping {
  readonly sockets: number;
  readonly free: number;
  /** Milliseconds. */
  readonly idle: number;
}

/** Connections to one target, kept alive between requests. Every certificate is verified, always; sessions are resumed. */
export class UpstreamAgent extends http.Agent {
  readonly #target: Target;
  readonly #dial: Dial;
  readonly #trust: TrustStore;
  #session: Buffer | undefined;

  constructor(
    target: Target,
    dial: Dial,
    trust: TrustStore,
    keeping: Keeping = { sockets: 64, free: 4, idle: idleMs },
  ) {
    const { sockets, free, idle } = keeping;
    super({ keepAlive: true, maxSockets: sockets, maxFreeSockets: free, timeout: idle });
    this.#target = target;
    this.#dial = dial;
    this.#trust = trust;
  }

  override createConnection(
    _options: http.ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.connect().then(
      (socket) => callback?.(null, socket),
      // Node's own type wants a stream beside the error; none is read where there is an error.
      (error: unknown) => (callback as ((error: unknown) => void) | undefined)?.(error),
    );
  }

  /** A connection of its own, verified where the target is secure. */
  protected async connect(): Promise<net.Socket> {
    const { host, port, secure } = this.#target;
    const plain = await this.#dial({ host, port }, AbortSignal.timeout(handshakeMs * 2));
    if (!secure) return plain;
    const socket = tls.connect({
      socket: plain,
      // RFC 6066: an address is no server name. Its certificate is checked for it all the same.
      ...(parseAddress(host) === undefined ? { servername: host } : {}),
      host,
      secureContext: this.#trust.context,
      ...(this.#session === undefined ? {} : { session: this.#session }),
      ALPNProtocols: ["http/1.1"],
    });
    socket.on("session", (session: Buffer) => (this.#session = session));
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const failed = (error: NodeJS.ErrnoException): void => {
      reject(error instanceof NacreError ? error : tlsFailure(host, error.code ?? error.message));
    };
    const closed = (): void => reject(tlsFailure(host, "closed during the handshake"));
    const timer = setTimeout(
      () => socket.destroy(tlsFailure(host, "no TLS handshake within 10 s")),
      handshakeMs,
    );
    socket
      .once("secureConnect", () => resolve(undefined))
      .once("error", failed)
      .once("close", closed);
    try {
      await promise;
    } catch (error) {
      plain.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
      socket.off("close", closed);
    }
    // Its next listener is the HTTP client's, a moment later; until then an error must not end the process.
    socket.off("error", failed).on("error", () => undefined);
    return socket;
  }
}

function tlsFailure(host: string, reason: string): NacreError {
  return new NacreError({
    code: "tls_failed",
    subject: host,
    message: `${host} cannot be verified: ${reason}`,
    hint: "if your network inspects TLS, put its authority into the host's bundle of authorities (or start the daemon with SSL_CERT_FILE)",
  });
}
