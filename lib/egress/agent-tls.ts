import type net from "node:net";
import tls from "node:tls";
import { NacreError } from "../error.ts";
import { limits } from "./limits.ts";

/** Why an agent's handshake did not come to its end, in a person's words. */
export class HandshakeFailed extends NacreError {
  constructor(host: string, reason: string) {
    super({
      code: "handshake_failed",
      subject: host,
      message: `the TLS handshake with the agent failed: ${reason}`,
      hint: "the client has to trust the sandbox' own authority: SSL_CERT_FILE inside names the bundle that has it",
    });
    this.name = "HandshakeFailed";
  }
}

/**
 * Ends the agent's TLS here, as `context` says, with HTTP/1.1 alone. What was read of the connection before has to be put
 * back into it. Throws `HandshakeFailed`.
 */
export async function acceptTls(
  agent: net.Socket,
  host: string,
  context: tls.SecureContext,
): Promise<tls.TLSSocket> {
  const socket = new tls.TLSSocket(agent, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: ["http/1.1"],
  });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const failed = (error: Error & { reason?: string; code?: string }): void =>
    reject(new HandshakeFailed(host, error.reason ?? error.code ?? error.message));
  const closed = (): void => reject(new HandshakeFailed(host, "the agent hung up"));
  const timer = setTimeout(() => {
    reject(new HandshakeFailed(host, `it took longer than ${limits.handshakeMs / 1000} s`));
  }, limits.handshakeMs);
  socket
    .once("secure", () => resolve(undefined))
    .once("error", failed)
    .once("close", closed);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    socket.off("close", closed);
    socket.off("error", failed).on("error", () => undefined);
  }
  return socket;
}
