import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { NacreError, type ErrorParts } from "../error.ts";
import type { InitClient } from "./init-client.ts";
import { limits } from "./limits.ts";

/** A port of the sandbox and where it is on the host. */
export interface Published {
  readonly inside: number;
  readonly outside: number;
  readonly error?: ErrorParts;
}

/** Headers that are between two neighbours only (RFC 9110, 7.6.1); a request's framing is kept as it came. */
const hopByHop = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"]);

/**
 * Shows an HTTP server of the sandbox on 127.0.0.1 of the host. What the agent serves runs in the operator's browser,
 * and pages of anybody run there too: so the Host is a loopback name with this very port (no rebinding), and a request
 * that a page makes comes from this very origin (no cross-site request, no cross-site WebSocket).
 */
export async function publish(
  inside: number,
  outside: number,
  init: InitClient,
  refused: (inside: number, reason: string) => void,
): Promise<Published> {
  const server = http.createServer({ keepAliveTimeout: 30_000 });
  server.maxConnections = limits.published;
  const port = (): number => (server.address() as AddressInfo).port;
  server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
    const fault = strangeRequest(request, port());
    if (fault === undefined) {
      void relay(request, response, inside, init);
      return;
    }
    refused(inside, fault);
    response.writeHead(403, { "content-type": "text/plain", connection: "close" }).end(`Nacre: ${fault}\n`);
  });
  server.on("upgrade", (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => undefined);
    const fault = strangeRequest(request, port());
    if (fault === undefined) {
      void relayUpgrade(request, socket, head, inside, init);
      return;
    }
    refused(inside, fault);
    socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once("error", reject);
  server.listen({ host: "127.0.0.1", port: outside }, () => resolve(undefined));
  try {
    await promise;
    return { inside, outside: port() };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const failure = new NacreError({
      code: "port_unavailable",
      subject: `port ${outside}`,
      message: code === "EADDRINUSE" ? `127.0.0.1:${outside} is in use` : `cannot be opened: ${String(code)}`,
      hint: "free it, or publish on another: outside: 0 takes a free one",
    });
    return { inside, outside, error: failure.toJSON() };
  }
}

/** Why a request is not from a person's own browser or program, if so. */
function strangeRequest(request: http.IncomingMessage, port: number): string | undefined {
  const host = request.headers.host ?? "";
  const names = ["127.0.0.1", "localhost", "[::1]"].map((name) => `${name}:${port}`);
  if (!names.includes(host.toLowerCase())) return `Host ${JSON.stringify(host)} is not 127.0.0.1:${port}`;
  const { origin } = request.headers;
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return `Origin ${JSON.stringify(origin)} is not http://${host}`;
  }
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return `a ${site} request of a page`;
  return undefined;
}

async function relay(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  inside: number,
  init: InitClient,
): Promise<void> {
  response.on("error", () => undefined);
  try {
    const socket = await init.dial(inside);
    const onward = http.request({
      createConnection: () => socket,
      method: request.method,
      path: request.url,
      headers: passedOn(request.rawHeaders),
      setHost: false,
    });
    // By then the client has its parser on the stream, which comes paused.
    onward.once("socket", (stream) => stream.resume());
    response.once("close", () => onward.destroy());
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    onward.once("response", resolve).once("error", reject);
    request.pipe(onward);
    const answer = await promise;
    answer.on("error", () => response.destroy());
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage,
      passedOn(answer.rawHeaders, "transfer-encoding"),
    );
    response.flushHeaders();
    answer.pipe(response);
  } catch (error) {
    unavailable(response, inside, error);
  }
}

function unavailable(response: http.ServerResponse, inside: number, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const reason = error instanceof Error ? error.message : String(error);
  response.writeHead(502, { "content-type": "text/plain", connection: "close" });
  response.end(`Nacre: nothing answers on port ${inside} in the sandbox: ${reason}\n`);
}

/** The request's head as it came (its headers were parsed and checked), then bytes both ways. */
async function relayUpgrade(
  request: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
  inside: number,
  init: InitClient,
): Promise<void> {
  try {
    const onward = await init.dial(inside);
    const lines = [`${request.method ?? "GET"} ${request.url ?? "/"} HTTP/1.1`];
    for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
      lines.push(`${request.rawHeaders[index] ?? ""}: ${request.rawHeaders[index + 1] ?? ""}`);
    }
    onward.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    if (head.length > 0) onward.write(head);
    const end = (): void => {
      onward.destroy();
      socket.destroy();
    };
    onward.once("error", end).once("close", end);
    socket.once("error", end).once("close", end);
    onward.pipe(socket);
    socket.pipe(onward);
  } catch {
    socket.end("HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  }
}

function passedOn(raw: readonly string[], ...dropped: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    if (!hopByHop.has(name.toLowerCase()) && !dropped.includes(name.toLowerCase()))
      kept.push(name, raw[index + 1] ?? "");
  }
  return kept;
}
