import http from "node:http";
import { NacreError } from "../error.ts";
import { Refused } from "../policy/refused.ts";
import { deniedAnswer } from "./answer.ts";
import type { Backend, BackendAnswer } from "./backend.ts";
import { RouterFailure } from "./failure.ts";
import type { ChatRequest } from "./provider.ts";
import type { Target } from "./target.ts";
import type { UpstreamAgent } from "./upstream.ts";
import { upstreamFailure } from "./upstream-failure.ts";

/** Milliseconds between two chunks of an answer. */
const idleMs = 120_000;
/** Bytes of one answer. */
const answerBytes = 64 * 1024 * 1024;

export interface RemoteOptions {
  /** The provider's name in the blueprint. */
  readonly name: string;
  readonly model: string;
  readonly target: Target;
  readonly agent: UpstreamAgent;
  readonly timeoutMs: number;
  /** Read for each request, so that it can be rotated. Throws `RouterFailure` where it is named and lacking. */
  readonly secret: () => string | undefined;
}

/** A provider that speaks OpenAI's chat completions over HTTP. Nothing of the agent's request headers gets there. */
export class RemoteBackend implements Backend {
  readonly #options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  async chat(request: ChatRequest, signal: AbortSignal): Promise<BackendAnswer> {
    const secret = this.#options.secret();
    const body = Buffer.from(JSON.stringify({ ...request, model: this.#options.model }));
    const response = await this.#send(body, secret, signal);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw await upstreamFailure(this.#options, response, secret);
    const contentType = response.headers["content-type"] ?? "application/json";
    if (!/^(application\/json|text\/event-stream)\b/.test(contentType)) {
      response.destroy();
      throw this.#failed(502, "not_this_dialect", `answers with ${contentType}, not with a chat completion`);
    }
    return { contentType, body: this.#bounded(response) };
  }

  close(): void {
    this.#options.agent.destroy();
  }

  /** A kept connection may have been closed meanwhile: nothing was answered then, and one more try is safe. */
  async #send(body: Buffer, secret: string | undefined, signal: AbortSignal): Promise<http.IncomingMessage> {
    for (let again = false; ; again = true) {
      const request = this.#request(body, secret, signal);
      try {
        return await answered(request, body, this.#options.timeoutMs);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (again || !request.reusedSocket || (code !== "ECONNRESET" && code !== "EPIPE")) {
          throw this.#explained(error);
        }
      }
    }
  }

  #request(body: Buffer, secret: string | undefined, signal: AbortSignal): http.ClientRequest {
    const { target, agent } = this.#options;
    const host = target.host.includes(":") ? `[${target.host}]` : target.host;
    return http.request({
      agent,
      signal,
      method: "POST",
      path: `${target.base}/chat/completions`,
      headers: {
        host: target.port === (target.secure ? 443 : 80) ? host : `${host}:${target.port}`,
        "user-agent": "nacre",
        accept: "application/json, text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": body.length,
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      },
    });
  }

  async *#bounded(response: http.IncomingMessage): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    response.setTimeout(idleMs, () => response.destroy(new Error("nothing came for two minutes")));
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytes) throw this.#failed(502, "answer_too_long", "answers with more than 64 MiB");
      yield chunk;
    }
  }

  #explained(error: unknown): RouterFailure {
    if (error instanceof RouterFailure) return error;
    if (error instanceof Refused) {
      return new RouterFailure(deniedAnswer(error.denied, error.where.host, error.where.port), {
        cause: error,
      });
    }
    const code = error instanceof NacreError ? error.code : "unreachable";
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof NacreError ? error.hint : undefined;
    return this.#failed(code === "timeout" ? 504 : 502, code, message, hint);
  }

  #failed(status: number, code: string, message: string, hint?: string): RouterFailure {
    return new RouterFailure({
      status,
      code,
      message: `inference provider ${this.#options.name}: ${message}`,
      hint,
    });
  }
}

async function answered(
  request: http.ClientRequest,
  body: Buffer,
  timeoutMs: number,
): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  request.once("response", resolve).once("error", reject);
  const timer = setTimeout(() => {
    const message = `did not answer within ${timeoutMs / 1000} s`;
    request.destroy(new NacreError({ code: "timeout", subject: "inference", message }));
  }, timeoutMs);
  request.end(body);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.on("error", () => undefined);
  }
}
