import type { IncomingMessage, ServerResponse } from "node:http";
import { NacreError } from "../error.ts";
import type { Denied } from "../policy/decision.ts";
import { inferenceHost } from "../policy/decide.ts";
import { deniedAnswer, type RouterError, sendError } from "./answer.ts";
import type { Backend } from "./backend.ts";
import type { Inference } from "./config.ts";
import { RouterFailure } from "./failure.ts";
import { InProcessBackend } from "./in-process.ts";
import { reachesOutside } from "./outside.ts";
import type { ChatModel } from "./provider.ts";
import { RemoteBackend } from "./remote.ts";
import { readChatRequest } from "./request.ts";
import { targetOf } from "./target.ts";
import { TrustStore } from "./trust-store.ts";
import { type Dial, UpstreamAgent } from "./upstream.ts";

export interface RouterOptions {
  readonly inference: Inference;
  readonly dial: Dial;
  /** PEM certificates of the authorities that a provider's certificate may come from. */
  readonly trust: readonly string[];
  readonly isGranted: (where: { readonly host: string; readonly port: number }) => boolean;
  /** Makes the model of a provider of kind `demo`. */
  readonly demo: (id: string) => ChatModel;
  /** The emergency stop, as of now. */
  readonly blocked: () => Denied | undefined;
}

/** One request, for the audit. Nothing of its content. */
export interface InferenceOutcome {
  readonly provider: string;
  readonly model: string;
  readonly status: number;
  /** Milliseconds to the end of the answer. */
  readonly duration: number;
  readonly denied?: Denied | undefined;
  readonly reason?: string | undefined;
}

/**
 * `https://inference.local/v1`: the agent's credentials and headers end here, the backend's begin. It speaks to one
 * provider by its own connection, injects the operator's secret at the wire, and overwrites the model.
 */
export class Router {
  readonly #options: RouterOptions;
  readonly #name: string;
  readonly #model: string;
  readonly #backend: Backend;
  #secrets: Readonly<Record<string, string>>;

  /** Throws where the route names what is not there or not enforced yet. */
  constructor(options: RouterOptions) {
    const { route, providers, secrets } = options.inference;
    const [name = "", ...others] = route.try;
    if (others.length > 0) {
      throw wrong(
        `route ${route.try.join(", ")}`,
        "falling back is not enforced yet",
        `name one provider: ${name}`,
      );
    }
    const provider = providers[name];
    if (provider === undefined)
      throw wrong(`route ${name}`, "no such inference provider", "name one of providers:");
    this.#options = options;
    this.#name = name;
    this.#model = provider.model;
    this.#secrets = secrets;
    if (provider.kind === "demo") {
      this.#backend = new InProcessBackend(options.demo(provider.model));
    } else {
      const target = targetOf(name, { ...provider, kind: provider.kind }, options.isGranted);
      this.#backend = new RemoteBackend({
        name,
        model: provider.model,
        target,
        agent: new UpstreamAgent(target, options.dial, new TrustStore(options.trust)),
        timeoutMs: route.timeoutSeconds * 1000,
        secret: () => this.#secret(provider.credential),
      });
    }
  }

  /** The values from now on; the requests under way keep theirs. */
  setSecrets(secrets: Readonly<Record<string, string>>): void {
    this.#secrets = secrets;
  }

  async serve(message: IncomingMessage, response: ServerResponse): Promise<InferenceOutcome> {
    const started = performance.now();
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    let failure: RouterError | undefined;
    let denied: Denied | undefined;
    try {
      denied = this.#options.blocked();
      if (denied === undefined) await this.#answer(message, response, gone.signal);
      else failure = deniedAnswer(denied, inferenceHost, 443);
    } catch (error) {
      failure = error instanceof RouterFailure ? error.answer : internal(error);
    }
    if (failure !== undefined) sendError(response, failure);
    return {
      provider: this.#name,
      model: this.#model,
      status: failure?.status ?? response.statusCode,
      duration: Math.round(performance.now() - started),
      denied,
      reason: failure?.message,
    };
  }

  /** Lets go of the connections that are kept for a next request. */
  close(): void {
    this.#backend.close();
  }

  /** One short request of its own, to find out whether the route works. Throws `RouterFailure` where it does not. */
  async check(signal: AbortSignal): Promise<void> {
    const request = {
      model: this.#model,
      messages: [{ role: "user", content: "ping" }] as const,
      max_tokens: 1,
    };
    const { contentType, body } = await this.#backend.chat(request, signal);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    if (contentType.startsWith("application/json") && /"choices"\s*:/.test(text)) return;
    const message = `inference provider ${this.#name}: does not answer with a chat completion`;
    throw new RouterFailure({
      status: 502,
      code: "not_this_dialect",
      message,
      hint: "check the endpoint: …/v1",
    });
  }

  async #answer(message: IncomingMessage, response: ServerResponse, gone: AbortSignal): Promise<void> {
    const route = routeOf(message);
    if (route === "models") {
      const models = [{ id: this.#model, object: "model", created: 0, owned_by: this.#name }];
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ object: "list", data: models }));
      return;
    }
    const request = await readChatRequest(message);
    const outside = reachesOutside(request);
    if (outside !== undefined) throw new RouterFailure(deniedAnswer(outside, inferenceHost, 443));
    const answer = await this.#backend.chat(request, gone);
    response.writeHead(200, { "content-type": answer.contentType, "cache-control": "no-store" });
    response.flushHeaders();
    for await (const chunk of answer.body) {
      if (!response.write(chunk)) await drained(response, gone);
      if (gone.aborted) return;
    }
    response.end();
  }

  #secret(name: string | undefined): string | undefined {
    if (name === undefined) return undefined;
    const secret = Object.hasOwn(this.#secrets, name) ? this.#secrets[name] : undefined;
    if (secret !== undefined && secret !== "") return secret;
    throw new RouterFailure({
      status: 503,
      code: "credential_unavailable",
      message: `the operator's secret ${name} is not at hand`,
      hint: `the operator runs nacre secret set ${name}, or nacre up where its variable is set`,
    });
  }
}

/** Strict about what it serves: two paths, one host. */
function routeOf(message: IncomingMessage): "chat" | "models" {
  const host = message.headers.host ?? "";
  if (host !== inferenceHost && host !== `${inferenceHost}:443`) {
    throw new RouterFailure({
      status: 421,
      code: "misdirected",
      message: `this is ${inferenceHost}, not ${host}`,
    });
  }
  const path = (message.url ?? "").replace(/\?.*$/, "");
  if (path === "/v1/chat/completions" && message.method === "POST") return "chat";
  if (path === "/v1/models" && message.method === "GET") return "models";
  throw new RouterFailure({
    status: 404,
    code: "unknown_route",
    message: `${message.method ?? "?"} ${path} is not served`,
    hint: "POST /v1/chat/completions and GET /v1/models are",
  });
}

async function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const go = (): void => resolve(undefined);
  response.once("drain", go);
  gone.addEventListener("abort", go, { once: true });
  await promise;
  response.off("drain", go);
  gone.removeEventListener("abort", go);
}

function internal(error: unknown): RouterError {
  const message = error instanceof Error ? error.message : String(error);
  return { status: 502, code: "inference_failed", message: `the answer broke off: ${message}` };
}

function wrong(subject: string, message: string, hint: string): NacreError {
  return new NacreError({ code: "inference_invalid", subject, message, hint });
}
