import type net from "node:net";
import type { Duplex } from "node:stream";
import type http from "node:http";
import { type Dial, UpstreamAgent } from "../router/upstream.ts";
import type { Target } from "../router/target.ts";
import type { TrustStore } from "../router/trust-store.ts";
import { limits } from "./limits.ts";
import { together } from "./together.ts";

/**
 * The connections to one origin that inspected requests go out on. One is made ready before an agent's own handshake
 * ends, so an origin that cannot be reached or verified is known by then.
 */
export class Origin extends UpstreamAgent {
  readonly #ready: net.Socket[] = [];

  constructor(target: Target, dial: Dial, trust: TrustStore) {
    super(target, dial, trust, { sockets: Infinity, free: limits.kept, idle: limits.keptMs });
  }

  /** Sees that a connection is there for the next request. Throws `Refused`, or why it cannot be had. */
  async prepare(): Promise<void> {
    if (this.#ready.length > 0 || Object.keys(this.freeSockets).length > 0) return;
    const socket = await this.connect();
    const forget = (): void => {
      const at = this.#ready.indexOf(socket);
      if (at >= 0) this.#ready.splice(at, 1);
    };
    socket.once("close", forget);
    socket.setTimeout(limits.keptMs, () => {
      if (this.#ready.includes(socket)) socket.destroy();
    });
    this.#ready.push(socket);
  }

  override createConnection(
    options: http.ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const ready = this.#ready.pop();
    if (ready === undefined || ready.destroyed || callback === undefined) {
      super.createConnection(options, (error, stream) => {
        // The request's record may still wait, as with any other connection.
        if (error === null) together(stream);
        callback?.(error, stream);
      });
      return;
    }
    ready.setTimeout(0);
    together(ready);
    callback(null, ready);
  }

  override reuseSocket(socket: Duplex, request: http.ClientRequest): void {
    super.reuseSocket(socket, request);
    together(socket);
  }

  /** All are alike. */
  override getName(): string {
    return "origin";
  }

  /** No more requests will come: what is kept goes, and what is under way comes to its end. */
  retire(): void {
    const free = Object.values(this.freeSockets).flatMap((sockets) => sockets ?? []);
    for (const socket of [...this.#ready.splice(0), ...free]) socket.destroy();
  }
}
