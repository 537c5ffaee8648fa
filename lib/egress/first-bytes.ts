import type net from "node:net";
import type { Denied, Destination, RuleId } from "../policy/decision.ts";
import { parseAddress } from "../policy/address.ts";
import { hostName } from "../policy/host-name.ts";
import { type FirstBytes, readClientHello } from "./client-hello.ts";
import { limits } from "./limits.ts";

/** What an agent sent first, read and still to be passed on. */
export interface Opening {
  readonly bytes: Buffer;
  readonly is: FirstBytes;
}

/**
 * Reads until it is clear what a connection starts with; the socket is paused after it. An end, an error or the time
 * being up leaves `is.kind` at `more`.
 * @param within milliseconds; without it, as long as the agent is silent (many protocols let the server speak first)
 */
export async function readOpening(socket: net.Socket, within?: number): Promise<Opening> {
  const { promise, resolve } = Promise.withResolvers<Opening>();
  let bytes = Buffer.alloc(0);
  const settle = (is: FirstBytes): void => resolve({ bytes, is });
  const data = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    const is = readClientHello(bytes);
    if (is.kind === "more") return;
    socket.pause();
    settle(is);
  };
  const over = (): void => settle({ kind: "more" });
  const timer = within === undefined ? undefined : setTimeout(over, within);
  socket.on("data", data).once("end", over).once("close", over);
  socket.resume();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.pause();
    socket.off("data", data).off("end", over).off("close", over);
  }
}

/** Why first bytes break a rule that is for TLS, or for whatever the agent speaks; `undefined` where they do not. */
export function openingFault(
  is: FirstBytes,
  rule: RuleId,
  where: Destination,
  required: boolean,
): Denied | undefined {
  const refuse = (reason: string, text: string): Denied => ({
    verdict: "deny",
    rule,
    layer: "tls",
    reason,
    fix: { text },
  });
  switch (is.kind) {
    case "more":
      return required
        ? refuse(
            `no whole ClientHello came (${limits.helloMs / 1000} s are given)`,
            "speak TLS, or let the rule say protocol: tcp",
          )
        : undefined;
    case "other":
      return required
        ? refuse("the connection does not start with TLS", "speak TLS, or let the rule say protocol: tcp")
        : undefined;
    case "malformed":
      return refuse(is.reason, "use a TLS client that keeps to RFC 8446");
    case "hello":
      if (is.encrypted) {
        return refuse(
          "the ClientHello hides its name (ECH)",
          "switch encrypted ClientHello off in the client",
        );
      }
      if (!isFor(is.serverName, where.host)) {
        const named = is.serverName === undefined ? "no server name" : `the name ${is.serverName}`;
        return refuse(`the ClientHello has ${named}, not ${where.host}`, `connect to the name that is meant`);
      }
      return undefined;
  }
}

/** RFC 6066: an address is never a server name, so a connection to one has none. */
function isFor(serverName: string | undefined, host: string): boolean {
  if (parseAddress(host) !== undefined) return serverName === undefined;
  return serverName !== undefined && hostName(serverName) === host;
}
