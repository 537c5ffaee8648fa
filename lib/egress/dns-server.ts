import dgram from "node:dgram";
import type net from "node:net";
import type { DnsOutcome, PolicyDns } from "./dns.ts";

/** Bytes of one query: no name is longer than 255, and EDNS options are few. */
const queryBytes = 4096;
/** Milliseconds that a TCP asker may be silent (RFC 7766, 6.2.3). */
const idleMs = 10_000;

/** Serves one UDP socket that was opened inside the sandbox. Resolves when it listens. */
export async function serveUdp(
  fd: number,
  family: "udp4" | "udp6",
  dns: PolicyDns,
  seen: (outcome: DnsOutcome) => void,
): Promise<dgram.Socket> {
  const socket = dgram.createSocket(family);
  socket.on("message", (message, from) => {
    if (message.length > queryBytes) return;
    const outcome = dns.answer(message);
    if (outcome === undefined) return;
    // An asker that is gone is no error of ours.
    socket.send(outcome.answer, from.port, from.address, () => undefined);
    seen(outcome);
  });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  socket.once("error", reject);
  socket.bind({ fd }, () => resolve(undefined));
  await promise;
  socket.removeListener("error", reject);
  socket.on("error", () => undefined);
  return socket;
}

/** Serves a captured TCP connection to port 53: messages behind two bytes of length (RFC 1035, 4.2.2). */
export function serveTcp(socket: net.Socket, dns: PolicyDns, seen: (outcome: DnsOutcome) => void): void {
  let buffered = Buffer.alloc(0);
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  socket.on("data", (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes]);
    while (buffered.length >= 2) {
      const length = buffered.readUInt16BE(0);
      if (length > queryBytes) {
        socket.destroy();
        return;
      }
      if (buffered.length < 2 + length) break;
      const outcome = dns.answer(buffered.subarray(2, 2 + length));
      buffered = buffered.subarray(2 + length);
      if (outcome === undefined) {
        socket.destroy();
        return;
      }
      const head = Buffer.alloc(2);
      head.writeUInt16BE(outcome.answer.length, 0);
      // One that does not read its answers is dropped, not buffered for.
      if (!socket.write(Buffer.concat([head, outcome.answer]))) {
        socket.destroy();
        return;
      }
      seen(outcome);
    }
  });
  socket.resume();
}
