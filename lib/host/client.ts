import { existsSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { linesOf } from "../egress/lines.ts";
import { NacreError } from "../error.ts";
import { version } from "../version.ts";
import { lineSchema, methods, type BodyOf, type Method, type Progress, type ResultOf } from "./api.ts";
import { build, codeRoot } from "./build.ts";
import { socketPath } from "./socket-path.ts";
import { startDaemon } from "./start.ts";
import { isCode } from "./state.ts";

export interface CallOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the call; what the daemon does for it goes on to a safe point. */
  readonly signal?: AbortSignal;
}

export interface Client {
  call<M extends Method>(method: M, body: BodyOf<M>, options?: CallOptions): Promise<ResultOf<M>>;
}

export interface ConnectOptions {
  /** `false`: a preview, which starts nothing. */
  readonly start: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The daemon of this state directory. `undefined` exactly when `start` is false and none runs. With `start`, a daemon
 * of another version, or of an older state of this code, is asked to end and is replaced; its sandboxes go on.
 */
export function connect(state: string, options: ConnectOptions & { readonly start: true }): Promise<Client>;
export function connect(state: string, options: ConnectOptions): Promise<Client | undefined>;
export async function connect(state: string, options: ConnectOptions): Promise<Client | undefined> {
  const client = clientOf(state);
  const found = await hello(client);
  if (!options.start) return found === undefined ? undefined : client;
  if (found !== undefined && serves(found)) return client;
  if (found !== undefined) await client.call("shutdown", {});
  await startDaemon(state, async () => (await hello(client))?.pid, options.signal);
  return client;
}

/** One of another installation of this version serves as well, as long as that is there: two would replace each other for ever. */
const serves = (found: ResultOf<"hello">): boolean =>
  found.version === version &&
  (found.build === build() ||
    (found.root !== undefined && found.root !== codeRoot && existsSync(found.root)));

async function hello(client: Client): Promise<ResultOf<"hello"> | undefined> {
  try {
    return await client.call("hello", {});
  } catch (error) {
    // `daemon_gone`: it was being ended while it was asked. Nothing is lost by asking the next one.
    if (error instanceof NacreError && /^daemon_(absent|gone)$/.test(error.code)) return undefined;
    throw error;
  }
}

const clientOf = (state: string): Client => ({
  async call(method, body, options = {}) {
    const response = await post(join(state, "daemon.sock"), method, JSON.stringify(body), options.signal);
    for await (const line of said(response, method)) {
      const message = lineSchema.parse(JSON.parse(line));
      if ("progress" in message) options.onProgress?.(message.progress);
      else if ("error" in message) throw new NacreError(message.error);
      else return methods[method].result.parse(message.result) as ResultOf<typeof method>;
    }
    throw gone(method);
  },
});

const longestLine = 64 * 1024 * 1024;

async function* said(response: IncomingMessage, method: string): AsyncGenerator<string> {
  try {
    yield* linesOf(response, longestLine, () => gone(method));
  } catch (error) {
    throw gone(method, error);
  }
}

function post(socket: string, method: string, body: string, signal?: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      if (signal?.aborted === true) reject(signal.reason as Error);
      else if (isCode(error, "ENOENT", "ECONNREFUSED", "ENOTDIR")) reject(absent(socket));
      else reject(gone(method, error));
    };
    let path: ReturnType<typeof socketPath>;
    try {
      path = socketPath(socket);
    } catch (error) {
      fail(error);
      return;
    }
    const sent = request({
      socketPath: path.address,
      path: `/${method}`,
      method: "POST",
      agent: false,
      signal,
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    });
    sent.once("socket", (connection) => connection.once("close", path.release));
    sent.once("error", fail);
    sent.once("response", resolve);
    sent.end(body);
  });
}

const absent = (socket: string): NacreError =>
  new NacreError({
    code: "daemon_absent",
    subject: socket,
    message: "no daemon answers there",
    hint: "nacre up starts it",
  });

const gone = (method: string, cause?: unknown): NacreError =>
  new NacreError(
    {
      code: "daemon_gone",
      subject: `daemon, ${method}`,
      message: "the daemon ended before it answered",
      hint: "run the command again; daemon.log in the state directory says why it ended",
    },
    { cause },
  );
