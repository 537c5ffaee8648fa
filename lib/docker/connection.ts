import { request, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { z } from "zod";
import { NacreError } from "../error.ts";
import { addressText, type DockerAddress } from "./address.ts";

export interface DockerRequest {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE" | "HEAD";
  /** Without a version: each engine answers in its newest, and no version is spoken by old and new engines alike. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly json?: unknown;
  /** A body that is no JSON: an archive. */
  readonly body?: Readable | Buffer;
  /** Milliseconds until the answer begins, and then between its pieces. @default 10 s */
  readonly patience?: number;
  readonly signal?: AbortSignal | undefined;
  /** What it is about, for errors: `container gateway`. @default the engine */
  readonly subject?: string;
}

const largestJson = 8 << 20;
const largestErrorText = 64 << 10;
const usualPatience = 10_000;

/** Docker says `{message}`; Podman adds `cause` and `response`. */
const errorSchema = z.looseObject({ message: z.string() });

/** One HTTP request of the Engine API. Resolves when a good answer begins; an engine's refusal is a NacreError. */
export async function ask(address: DockerAddress, what: DockerRequest): Promise<IncomingMessage> {
  const response = await send(address, what);
  const status = response.statusCode ?? 0;
  if (status < 400) return response;
  const text = await bounded(response, largestErrorText, what.subject ?? addressText(address)).catch(
    () => "",
  );
  throw refused(address, what, status, messageIn(text.toString("utf8")));
}

/** @throws NacreError `docker_answer_invalid` when the answer is no JSON or not what the schema says */
export async function askJson<T>(
  address: DockerAddress,
  schema: z.ZodType<T>,
  what: DockerRequest,
): Promise<T> {
  const subject = what.subject ?? addressText(address);
  const body = await bounded(await ask(address, what), largestJson, subject);
  try {
    return schema.parse(JSON.parse(body.toString("utf8")));
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : "is no JSON";
    throw new NacreError(
      { code: "docker_answer_invalid", subject, message: `answer to ${what.path}: ${message}` },
      { cause: error },
    );
  }
}

/** For requests whose answer says nothing beyond its status. */
export async function askNothing(address: DockerAddress, what: DockerRequest): Promise<void> {
  await bounded(await ask(address, what), largestJson, what.subject ?? addressText(address));
}

/** @throws NacreError `docker_answer_too_large` */
export async function bounded(stream: Readable, largest: number, subject: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > largest) {
      stream.destroy();
      throw new NacreError({
        code: "docker_answer_too_large",
        subject,
        message: `is larger than ${largest} bytes`,
      });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function send(address: DockerAddress, what: DockerRequest): Promise<IncomingMessage> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(what.query ?? {})) {
    if (value !== undefined) query.set(key, String(value));
  }
  const headers: OutgoingHttpHeaders = { host: "docker" };
  const body = what.json === undefined ? what.body : Buffer.from(JSON.stringify(what.json));
  if (what.json !== undefined) headers["content-type"] = "application/json";
  else if (body !== undefined) headers["content-type"] = "application/x-tar";
  if (Buffer.isBuffer(body)) headers["content-length"] = body.length;

  const patience = what.patience ?? usualPatience;
  return new Promise((done, fail) => {
    const sent = request({
      ...(address.kind === "socket"
        ? { socketPath: address.path }
        : { host: address.host, port: address.port }),
      method: what.method ?? "GET",
      path: query.size === 0 ? what.path : `${what.path}?${query.toString()}`,
      headers,
      agent: false,
      timeout: patience,
      signal: what.signal,
    });
    let answer: IncomingMessage | undefined;
    sent.on("timeout", () => {
      const late = timeout(address, what, patience);
      (answer ?? sent).destroy(late);
    });
    sent.on("response", (response) => done((answer = response)));
    sent.on("error", (error) => fail(error instanceof NacreError ? error : unreachable(address, error)));
    if (body === undefined || Buffer.isBuffer(body)) sent.end(body);
    else body.on("error", (error) => sent.destroy(error)).pipe(sent);
  });
}

function messageIn(text: string): string {
  try {
    return errorSchema.parse(JSON.parse(text)).message;
  } catch {
    return text.trim();
  }
}

function refused(address: DockerAddress, what: DockerRequest, status: number, said: string): NacreError {
  const subject = what.subject ?? addressText(address);
  const message = said === "" ? `the engine answered ${status}` : said;
  if (status === 404 && /no such container/i.test(said)) {
    const hint = "see which there are with: docker ps -a";
    return new NacreError({ code: "container_not_found", subject, message: "there is none", hint });
  }
  return new NacreError({ code: status === 404 ? "docker_not_found" : "docker_refused", subject, message });
}

const timeout = (address: DockerAddress, what: DockerRequest, patience: number): NacreError =>
  new NacreError({
    code: "docker_timeout",
    subject: what.subject ?? addressText(address),
    message: `the engine at ${addressText(address)} said nothing for ${patience / 1000} s`,
    hint: "look whether it hangs: docker info",
  });

/** What stands between this process and the engine, in words. */
export function unreachable(address: DockerAddress, error: Error): NacreError {
  const subject = addressText(address);
  const cause = { cause: error };
  if (error.name === "AbortError") {
    return new NacreError({ code: "cancelled", subject, message: "the request was ended" }, cause);
  }
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return new NacreError(
        {
          code: "docker_absent",
          subject,
          message: "there is no such socket",
          hint: "start Docker or Podman (systemctl start docker), or name the socket in DOCKER_HOST",
        },
        cause,
      );
    case "EACCES":
    case "EPERM":
      return new NacreError(
        {
          code: "docker_denied",
          subject,
          message: "this user may not speak to it",
          hint: "use rootless Docker or Podman, or join the socket's group (its members are root of this machine)",
        },
        cause,
      );
    case "ECONNREFUSED":
      return new NacreError(
        {
          code: "docker_unreachable",
          subject,
          message: "nobody listens there",
          hint: "start the engine (systemctl start docker, or systemctl --user start podman.socket)",
        },
        cause,
      );
    default:
      return new NacreError({ code: "docker_unreachable", subject, message: error.message }, cause);
  }
}
