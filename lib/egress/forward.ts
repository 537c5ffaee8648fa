import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import type { Destination } from "../policy/decision.ts";
import type { Concealment } from "./concealment.ts";
import { forwardedHeaders, forwardedTrailers } from "./http-headers.ts";
import type { ReadRequest } from "./http-request.ts";
import { limits } from "./limits.ts";
import { alike, isCredential } from "./own-credential.ts";
import type { Origin } from "./origin.ts";
import { meanwhile, together } from "./together.ts";

/** What the request carries beside what the agent wrote. */
export interface Dressed {
  /** The request target as it goes out. */
  readonly target: string;
  /** Fields, `[name, value, …]`, that replace the agent's of the same name. */
  readonly headers: readonly string[];
  /** A credential belongs to this host: the client's own go neither in trailers, nor as cookies that it would get. */
  readonly bound?: boolean;
  /** Takes the secret that was put on out of the answer's head. */
  readonly conceal?: Concealment;
}

export interface Forwarding {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly read: ReadRequest;
  readonly origin: Origin;
  readonly where: Destination;
  readonly secure: boolean;
  readonly dressed: Dressed;
  /** `continue`: the agent waits for a 100 before it sends its body; the origin decides, unless it says nothing. */
  readonly begin: "now" | "continue";
  readonly carrying: Carrying;
}

/** A request on its way out, for whoever has to cut it. */
export interface Carrying {
  upstream: http.ClientRequest | undefined;
  isCut: boolean;
}

/**
 * Carries one request to its origin and the answer back, both streamed with back-pressure. A kept connection that the
 * origin had closed meanwhile is tried again where nothing can have happened twice. Rejects where no answer came.
 */
export async function forward(forwarding: Forwarding): Promise<void> {
  const { request, read, response, carrying } = forwarding;
  for (let again = false; ; again = true) {
    const upstream = start(forwarding);
    carrying.upstream = upstream;
    const gone = (): void => void upstream.destroy();
    response.on("close", gone);
    try {
      const answered = await answerTo(upstream, forwarding);
      await back(answered, forwarding);
      // Answered before its end, it never comes to one: nothing else would close its connection.
      if (!request.complete) upstream.destroy();
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const repeatable = read.body === "none" && safe.has(read.method) && !response.headersSent;
      const stale = upstream.reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
      upstream.destroy();
      if (response.destroyed || request.socket.destroyed) return;
      if (again || !repeatable || !stale) throw error;
    } finally {
      response.off("close", gone);
    }
  }
}

const tooLong = new Error(`the head of its answer is longer than ${limits.answerHeadBytes / 1024} KiB`);

/** RFC 9110, 9.2.1. */
const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

function start({ request, read, origin, where, secure, dressed, begin }: Forwarding): http.ClientRequest {
  const replaced = new Set<string>(["host", "content-length"]);
  for (let index = 0; index < dressed.headers.length; index += 2) {
    replaced.add((dressed.headers[index] ?? "").toLowerCase());
  }
  const headers = [
    "Host",
    authorityOf(where, secure),
    ...forwardedHeaders(request, (name) => replaced.has(name)),
  ];
  headers.push(...dressed.headers);
  if (read.body === "length") headers.push("Content-Length", request.headers["content-length"] ?? "0");
  else if (read.body === "chunked") headers.push("Transfer-Encoding", "chunked");
  else if (bodied.has(read.method)) headers.push("Content-Length", "0");
  headers.push("Connection", "keep-alive");
  const upstream = http.request({
    agent: origin,
    method: read.method,
    path: dressed.target,
    headers,
    setHost: false,
    maxHeaderSize: limits.answerHeadBytes,
  });
  // Bytes bound it. Node would leave out what is over a count, and say nothing.
  upstream.maxHeadersCount = 0;
  upstream.setTimeout(limits.answerMs, () => {
    upstream.destroy(new Error(`nothing came for ${limits.answerMs / 60_000} minutes`));
  });
  // A body begins at once, or when the origin says so.
  if (read.body === "none") upstream.end();
  else if (begin === "now") send(request, upstream, dressed);
  return upstream;
}

const bodied = new Set(["POST", "PUT", "PATCH"]);

function send(request: http.IncomingMessage, upstream: http.ClientRequest, dressed: Dressed): void {
  request.pipe(upstream, { end: false });
  request.once("end", () => {
    const trailers = forwardedTrailers(
      request,
      (name) => dressed.bound === true && mayBeCredential(name, dressed),
    );
    if (trailers.length > 0) upstream.addTrailers(trailers);
    upstream.end();
  });
  // An agent that hangs up in the middle of its body: the origin must not take the half for the whole.
  request.once("close", () => {
    if (!request.complete) upstream.destroy();
  });
}

const mayBeCredential = (name: string, { headers }: Dressed): boolean =>
  isCredential(name) || alike(name, headers[0]);

async function answerTo(
  upstream: http.ClientRequest,
  { request, response, begin, dressed }: Forwarding,
): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  let answered = false;
  // Each comes once, so `once` would say no more, and cost more.
  upstream.on("response", (answer) => {
    answered = true;
    resolve(answer);
  });
  upstream.on("error", (error: NodeJS.ErrnoException) => {
    reject(error.code === "HPE_HEADER_OVERFLOW" ? tooLong : error);
  });
  upstream.on("close", () => {
    if (!answered) reject(new Error("closed without an answer"));
  });
  if (begin === "continue") {
    upstream.flushHeaders();
    let begun = false;
    const go = (): void => {
      if (begun || answered || response.headersSent || response.destroyed) return;
      begun = true;
      response.writeContinue();
      send(request, upstream, dressed);
    };
    // Some origins know no Expect, and wait for the body as they are waited for.
    upstream.once("socket", () => {
      const timer = setTimeout(go, limits.continueMs);
      upstream.once("response", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
    });
    upstream.once("continue", go);
  }
  let hints = 0;
  upstream.on("information", ({ statusCode, headers }) => {
    const link = headers["link"];
    if (statusCode !== 103 || typeof link !== "string" || response.headersSent || response.destroyed) return;
    // Nothing holds an origin back that sends one after the other, and nobody needs many.
    if (++hints > limits.hints) return;
    try {
      response.writeEarlyHints({ link: dressed.conceal?.in(link) ?? link });
    } catch {
      // A Link that Node does not take for one: hints may be left out.
    }
  });
  return await promise;
}

async function back(
  answered: http.IncomingMessage,
  { request, response, read, dressed }: Forwarding,
): Promise<void> {
  const status = answered.statusCode ?? 502;
  // Nothing asked for another protocol, and what is below 100 is no status.
  if (status < 200) throw new Error(`${status} is no answer`);
  // A session that the credential opened would be one: the agent could send it elsewhere, and never here.
  const sent = forwardedHeaders(answered, (name) => dressed.bound === true && name === "set-cookie");
  const headers = dressed.conceal?.inFields(sent) ?? sent;
  // RFC 9112, 9.3: an answer before the request's end leaves bytes that belong to no next request.
  if (!request.complete) response.shouldKeepAlive = false;
  if (
    answered.headers["transfer-encoding"] !== undefined &&
    answered.headers["content-length"] === undefined
  ) {
    headers.push("Transfer-Encoding", "chunked");
  }
  together(request.socket);
  const { statusMessage = "" } = answered;
  const reason = dressed.conceal?.in(statusMessage) ?? statusMessage;
  // RFC 9112, 4: nobody reads it; Node throws where it is not as it should be.
  response.writeHead(status, /^[\t\x20-\x7e]*$/.test(reason) ? reason : "", headers);
  if (read.method === "HEAD" || status === 204 || status === 304) {
    answered.resume();
    response.end();
    return;
  }
  await pour(answered, response, request.socket, dressed.conceal);
  if (!request.complete) {
    if (!response.writableFinished) await once(response, "close");
    request.socket.destroySoon();
  }
}

/**
 * The body of an answer, with back-pressure, to its last byte. What breaks off is cut on the other side too. (Node's `pipeline`
 * does the same at a quarter of what a small request costs altogether.)
 */
async function pour(
  answered: http.IncomingMessage,
  response: http.ServerResponse,
  socket: net.Socket,
  conceal: Concealment | undefined,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const broken = (error?: Error): void => {
    response.destroy();
    reject(error ?? new Error("it ended before its time"));
  };
  const flow = (): void => void answered.resume();
  answered.on("data", (chunk: Buffer) => {
    if (response.write(chunk)) return;
    answered.pause();
    response.once("drain", flow);
  });
  answered.on("end", () => {
    const trailers = forwardedTrailers(answered);
    for (const trailer of trailers) trailer[1] = conceal?.in(trailer[1]) ?? trailer[1];
    if (trailers.length > 0) response.addTrailers(trailers);
    meanwhile(socket, () => response.end());
  });
  answered.on("error", broken).on("close", () => {
    if (!answered.complete) broken();
  });
  response
    .on("finish", () => resolve(undefined))
    .on("close", () => {
      if (!response.writableFinished) broken();
    });
  await promise;
}

function authorityOf({ host, port }: Destination, secure: boolean): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`;
}
