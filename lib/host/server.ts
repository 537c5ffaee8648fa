import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { chmod, unlink } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { z } from "zod";
import { NacreError } from "../error.ts";
import { methods, type Method, type ParsedBodyOf, type Progress, type ResultOf } from "./api.ts";
import { socketPath } from "./socket-path.ts";
import { isCode } from "./state.ts";

export interface CallContext {
  readonly progress: (progress: Progress) => void;
  /** Aborted when the caller hangs up. Only what can be left half done without harm looks at it. */
  readonly signal: AbortSignal;
}

export type Handlers = {
  readonly [M in Method]: (body: ParsedBodyOf<M>, context: CallContext) => Promise<ResultOf<M>>;
};

export interface DaemonServer {
  /** Takes no new calls, and resolves when those under way are answered. */
  close(): Promise<void>;
  /** Calls under way. */
  busy(): number;
}

const bodyLimit = 8 * 1024 * 1024;

/** Serves the daemon's methods on `daemon.sock`. The state directory's mode is the gate: only its user can connect. */
export async function serve(state: string, handlers: Handlers, asked: () => void): Promise<DaemonServer> {
  const path = join(state, "daemon.sock");
  await unlink(path).catch((error: unknown) => {
    if (!isCode(error, "ENOENT")) throw error;
  });
  let underWay = 0;
  const server = createServer((request, response) => {
    asked();
    underWay += 1;
    void answer(handlers, request, response).finally(() => {
      underWay -= 1;
      asked();
    });
  });
  // A call may take minutes (an installation); a caller that stops sending its request may not.
  server.requestTimeout = 30_000;
  await listen(server, path);
  return {
    busy: () => underWay,
    async close() {
      const closed = once(server, "close");
      server.close();
      await closed;
      await unlink(path).catch(() => undefined);
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  const { address, release } = socketPath(path);
  server.listen(address);
  await once(server, "listening");
  await chmod(path, 0o600);
  // The descriptor stays open: Node removes the socket by this address when it closes.
  server.once("close", release);
}

async function answer(handlers: Handlers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.setHeader("content-type", "application/x-ndjson");
  response.setHeader("connection", "close");
  const write = (line: object): void => {
    if (!response.writableEnded && !gone.signal.aborted) response.write(`${JSON.stringify(line)}\n`);
  };
  try {
    const method = methodOf(request);
    const body = bodyOf(method, await read(request));
    const context = { progress: (progress: Progress) => write({ progress }), signal: gone.signal };
    // Head first, so that a caller sees at once that it is heard.
    response.flushHeaders();
    write({ result: await call(handlers, method, body, context) });
  } catch (error) {
    write({ error: partsOf(error) });
  }
  response.end();
}

const call = <M extends Method>(
  handlers: Handlers,
  method: M,
  body: ParsedBodyOf<M>,
  context: CallContext,
): Promise<ResultOf<M>> => handlers[method](body, context);

function methodOf(request: IncomingMessage): Method {
  const name = (request.url ?? "/").slice(1);
  if (request.method === "POST" && Object.hasOwn(methods, name)) return name as Method;
  throw new NacreError({
    code: "method_unknown",
    subject: `${request.method ?? ""} ${request.url ?? ""}`,
    message: "the daemon has no such method",
    hint: "nacre and its daemon are of different versions: end the daemon, the next command starts the right one",
  });
}

function bodyOf<M extends Method>(method: M, text: string): ParsedBodyOf<M> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(method, "the body is no JSON");
  }
  const parsed = methods[method].body.safeParse(value);
  if (!parsed.success) throw invalid(method, z.prettifyError(parsed.error).replaceAll("\n", "; "));
  return parsed.data as ParsedBodyOf<M>;
}

const invalid = (method: Method, message: string): NacreError =>
  new NacreError({ code: "request_invalid", subject: `request ${method}`, message });

async function read(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > bodyLimit)
      throw new NacreError({ code: "request_too_long", subject: "request", message: "longer than 8 MiB" });
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** What is no `NacreError` is a mistake of ours: it is said as that, and its trace goes to the log. */
function partsOf(error: unknown): object {
  if (error instanceof NacreError) return error.toJSON();
  console.error(error);
  return {
    code: "internal",
    subject: "daemon",
    message: error instanceof Error ? error.message : String(error),
    hint: "daemon.log in the state directory has the trace",
  };
}
