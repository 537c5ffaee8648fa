import http from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "./limits.ts";

/** One request of an agent, and where its answer goes. */
export interface Turn {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly begin: "now" | "continue";
}

/**
 * An answer of the egress itself. A body that is small is read to its end first, so that the agent has sent it and reads the
 * answer, and the connection goes on; a longer one, or one that waits for a 100, is not.
 */
export async function answer(
  { request, response, begin }: Turn,
  status: number,
  body: object,
): Promise<void> {
  const whole = begin === "now" && !response.headersSent && (await drained(request));
  if (!whole) response.shouldKeepAlive = false;
  send(response, status, body);
}

export function send(response: http.ServerResponse, status: number, body: object): void {
  // Where half of another answer is out, only its end can follow.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const text = JSON.stringify(body);
  // The reason is said anew: half an answer of the origin's may have left its own.
  response.writeHead(status, http.STATUS_CODES[status], {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Reads what is left of a request, and no more than a little of it. Whether it ended. */
async function drained(request: http.IncomingMessage): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let bytes = 0;
  const timer = setTimeout(() => resolve(false), limits.drainMs);
  request
    .on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.drainBytes) resolve(false);
    })
    .once("end", () => resolve(true))
    .once("close", () => resolve(request.complete));
  const whole = await promise;
  clearTimeout(timer);
  return whole;
}

/** What was written goes out, then it is closed whole: nothing more is read. */
export function ended(socket: Duplex): void {
  socket.end(() => socket.destroy());
}
