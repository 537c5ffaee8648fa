import http from "node:http";
import { once } from "node:events";
import type net from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Denied } from "../../lib/policy/decision.ts";
import { Refused } from "../../lib/policy/refused.ts";
import type { Inference } from "../../lib/router/config.ts";
import { demoModel } from "../../lib/router/demo.ts";
import { type InferenceOutcome, Router, type RouterOptions } from "../../lib/router/router.ts";
import { completion, failing, UpstreamDouble } from "./upstream-double.ts";

const secret = "nvapi-SECRET/value+1";
let upstream: UpstreamDouble;
let server: http.Server | undefined;
let outcomes: InferenceOutcome[] = [];
let blocked: Denied | undefined;

beforeEach(async () => {
  upstream = await new UpstreamDouble("integrate.api.nvidia.com").listen();
  outcomes = [];
  blocked = undefined;
});
afterEach(() => {
  upstream.close();
  server?.closeAllConnections();
  server?.close();
});

const nvidia: Inference = {
  route: { try: ["nvidia"], timeoutSeconds: 2 },
  providers: { nvidia: { kind: "nvidia", model: "nvidia/real", credential: "nvidia", trusted: false } },
  secrets: { nvidia: secret },
};

async function start(
  inference: Inference = nvidia,
  more: Partial<RouterOptions> = {},
): Promise<{ url: string; router: Router }> {
  const router = new Router({
    inference,
    dial: () => upstream.dial(),
    trust: [upstream.certificate],
    isGranted: () => false,
    demo: demoModel,
    blocked: () => blocked,
    ...more,
  });
  server = http.createServer((message, response) => {
    void router.serve(message, response).then((outcome) => outcomes.push(outcome));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`, router };
}

interface Got {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}
/** As an agent's client: by node:http, so that Host can be what it is inside. */
async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  path = "/v1/chat/completions",
): Promise<Got> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const sent = { host: "inference.local", "content-type": "application/json", ...headers };
  const request = http.request(`${url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: sent,
  });
  request.end(body === undefined ? undefined : text);
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() };
}
const chat = { model: "whatever", messages: [{ role: "user", content: "hi" }] };
const errorOf = ({ text }: Got): { message: string; code: string; type: string; [field: string]: unknown } =>
  (JSON.parse(text) as { error: never }).error;

describe("a chat completion", () => {
  test("goes to the provider with its model and the operator's key, and with nothing of the agent's headers", async () => {
    const { url } = await start();
    const agents = {
      authorization: "Bearer agents-own",
      "x-api-key": "agents-own",
      cookie: "session=agents-own",
      "openai-organization": "agents-own",
      "user-agent": "agents-own",
      "x-anything": "agents-own",
    };
    const got = await post(url, { ...chat, temperature: 0.1 }, agents);
    expect(got.status).toBe(200);
    expect(JSON.parse(got.text)).toMatchObject({ choices: [{ message: { content: "hello" } }] });
    expect(got.headers["set-cookie"]).toBeUndefined();
    const [seen] = upstream.seen;
    expect(seen?.path).toBe("/v1/chat/completions");
    expect(seen?.body).toMatchObject({ model: "nvidia/real", temperature: 0.1, messages: chat.messages });
    expect(seen?.headers).toMatchObject({
      host: "integrate.api.nvidia.com",
      authorization: `Bearer ${secret}`,
    });
    expect(JSON.stringify(seen?.headers)).not.toContain("agents-own");
    expect(got.text + JSON.stringify(got.headers)).not.toContain(secret);
    expect(outcomes).toMatchObject([{ provider: "nvidia", model: "nvidia/real", status: 200 }]);
  });

  test("streams: the first event comes before the last is made", async () => {
    const { url } = await start();
    let finish: (() => void) | undefined;
    upstream.answer = (_seen, response) => {
      response.setHeader("content-type", "text/event-stream");
      response.write("data: one\n\n");
      finish = () => response.end("data: [DONE]\n\n");
    };
    const request = http.request(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { host: "inference.local", "content-type": "application/json" },
    });
    request.end(JSON.stringify({ ...chat, stream: true }));
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    expect(answer.headers["content-type"]).toBe("text/event-stream");
    const [first] = (await once(answer, "data")) as [Buffer];
    expect(first.toString()).toBe("data: one\n\n");
    finish?.();
    const [last] = (await once(answer, "data")) as [Buffer];
    expect(last.toString()).toBe("data: [DONE]\n\n");
  });

  test("that the agent gives up is given up upstream", async () => {
    const { url } = await start();
    upstream.answer = (_seen, response) => {
      response.setHeader("content-type", "text/event-stream");
      response.write("data: one\n\n");
    };
    const request = http.request(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { host: "inference.local", "content-type": "application/json" },
    });
    request.on("error", () => undefined);
    request.end(JSON.stringify({ ...chat, stream: true }));
    await once(request, "response");
    request.destroy();
    await expect.poll(() => upstream.seen[0]?.aborted()).toBe(true);
  });

  test("reuses a connection, and survives that the provider closed it meanwhile", async () => {
    const { url } = await start();
    await post(url, chat);
    await post(url, chat);
    expect(upstream.connections).toBe(1);
    upstream.closeConnections();
    expect((await post(url, chat)).status).toBe(200);
  });

  test("uses another key from the moment that it is rotated", async () => {
    const { url, router } = await start();
    router.setSecrets({ nvidia: "second" });
    await post(url, chat);
    expect(upstream.seen[0]?.headers.authorization).toBe("Bearer second");
  });
});

test("models are the route's", async () => {
  const { url } = await start();
  const got = await post(url, undefined, {}, "/v1/models");
  expect(JSON.parse(got.text)).toMatchObject({
    object: "list",
    data: [{ id: "nvidia/real", object: "model" }],
  });
});

describe("is refused, with nothing sent upstream:", () => {
  test.each([
    ["another path", chat, {}, "/v1/embeddings", 404, "unknown_route"],
    ["a path that only ends so", chat, {}, "/x/v1/chat/completions", 404, "unknown_route"],
    ["an absolute target", chat, {}, "//evil/v1/chat/completions", 404, "unknown_route"],
    ["another Host", chat, { host: "api.openai.com" }, undefined, 421, "misdirected"],
    ["another content type", chat, { "content-type": "text/plain" }, undefined, 415, "content_type"],
    ["a compressed body", chat, { "content-encoding": "gzip" }, undefined, 415, "content_encoding"],
    ["what is not JSON", "{", {}, undefined, 400, "invalid_json"],
    ["no messages", { model: "x", messages: [] }, {}, undefined, 400, "invalid_request"],
    [
      "an unknown role",
      { model: "x", messages: [{ role: "root", content: "" }] },
      {},
      undefined,
      400,
      "invalid_request",
    ],
    [
      "eleven megabytes",
      { ...chat, pad: "x".repeat(11 * 1024 * 1024) },
      {},
      undefined,
      413,
      "request_too_long",
    ],
  ])("%s", async (_what, body, headers, path, status, code) => {
    const { url } = await start();
    const got = await post(url, body, headers as never, path).catch(() => undefined);
    if (got !== undefined) {
      expect(got.status).toBe(status);
      expect(errorOf(got)).toMatchObject({ code, message: expect.any(String) as string });
    }
    await expect.poll(() => outcomes[0]?.status).toBe(status);
    expect(upstream.seen).toEqual([]);
  });

  test.each([
    [
      "an image by its address",
      {
        messages: [
          { role: "user", content: [{ type: "image_url", image_url: { url: "https://evil.example/?s" } }] },
        ],
      },
    ],
    ["the provider's own web search", { web_search_options: {} }],
    ["a tool that the provider runs", { tools: [{ type: "mcp", server_url: "https://evil.example" }] }],
  ])("%s, which would pass by the egress", async (_what, parts) => {
    const { url } = await start();
    const got = await post(url, { ...chat, ...parts });
    expect(got.status).toBe(403);
    expect(errorOf(got)).toMatchObject({
      code: "policy_denied",
      layer: "inference",
      next_steps: [expect.any(String)],
    });
    expect(upstream.seen).toEqual([]);
  });

  test("everything, while inference is blocked", async () => {
    const { url } = await start();
    blocked = {
      verdict: "deny",
      layer: "block",
      reason: "all traffic is blocked",
      fix: { text: "nacre unblock --all", unblock: "all" },
    };
    const got = await post(url, chat);
    expect(got.status).toBe(403);
    expect(errorOf(got)).toMatchObject({
      code: "policy_denied",
      layer: "block",
      rule: null,
      next_steps: ["nacre unblock --all"],
    });
    expect(outcomes[0]?.denied).toBe(blocked);
  });

  // The second is a name that every object has something of.
  test.each(["nvidia", "constructor"])(
    "a request whose secret %s is not at hand, with the fix",
    async (name) => {
      const provider = { kind: "nvidia", model: "nvidia/real", credential: name, trusted: false } as const;
      const { url } = await start({ ...nvidia, providers: { nvidia: provider }, secrets: {} });
      const got = await post(url, chat);
      expect(got.status).toBe(503);
      expect(errorOf(got)).toMatchObject({
        code: "credential_unavailable",
        message: expect.stringContaining(`nacre secret set ${name}`) as string,
      });
    },
  );
});

describe("what the provider refuses is told without the key:", () => {
  test.each([
    [401, { error: { message: `Incorrect API key: ${secret}` } }, 502, "credential_refused"],
    [403, { error: { message: `Incorrect API key: ${secret}` } }, 502, "credential_refused"],
    [404, { error: { message: "no such model" } }, 404, "model_unavailable"],
    [
      400,
      {
        error: {
          message: `too long; you sent ${encodeURIComponent(secret)} and ${Buffer.from(secret).toString("base64")}`,
        },
      },
      400,
      "provider_refused",
    ],
    [500, "<html>oops</html>", 502, "provider_failed"],
    [307, "", 502, "redirect_refused"],
  ])("%i", async (status, body, expected, code) => {
    const { url } = await start();
    upstream.answer = failing(status, body, { location: "https://evil.example/" });
    const got = await post(url, chat);
    expect(got.status).toBe(expected);
    expect(errorOf(got).code).toBe(code);
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")]) {
      expect(got.text).not.toContain(form);
    }
    expect(upstream.seen).toHaveLength(1);
  });

  test("429, with the time to wait", async () => {
    const { url } = await start();
    upstream.answer = failing(429, { error: "slow down" }, { "retry-after": "7" });
    const got = await post(url, chat);
    expect(got).toMatchObject({ status: 429, headers: { "retry-after": "7" } });
    expect(errorOf(got).message).toContain("slow down");
  });
});

describe("a provider that is not what it should be", () => {
  test("silent for longer than the route waits: 504", async () => {
    const { url } = await start({ ...nvidia, route: { try: ["nvidia"], timeoutSeconds: 0.2 } });
    upstream.answer = () => undefined;
    const got = await post(url, chat);
    expect(got.status).toBe(504);
    expect(errorOf(got)).toMatchObject({ code: "timeout" });
  });

  test("with a certificate of an authority that nobody trusts: never spoken to", async () => {
    const { url } = await start(nvidia, { trust: [] });
    const got = await post(url, chat);
    expect(got.status).toBe(502);
    expect(errorOf(got)).toMatchObject({
      code: "tls_failed",
      message: expect.stringContaining("SSL_CERT_FILE") as string,
    });
    expect(upstream.seen).toEqual([]);
  });

  test("with a certificate for another name: never spoken to", async () => {
    const endpoint = "https://other.example.com/v1";
    const { url } = await start({
      ...nvidia,
      providers: { nvidia: { kind: "openai", model: "m", endpoint, credential: "nvidia", trusted: false } },
    });
    expect(errorOf(await post(url, chat)).code).toBe("tls_failed");
    expect(upstream.seen).toEqual([]);
  });

  test("that answers a page, not a completion", async () => {
    const { url } = await start();
    upstream.answer = (_seen, response) => response.setHeader("content-type", "text/html").end("<html>");
    expect(errorOf(await post(url, chat))).toMatchObject({ code: "not_this_dialect" });
  });

  test("that answers without end is cut at 64 MiB, and does not look whole", async () => {
    const { url } = await start();
    upstream.answer = (_seen, response) => {
      response.setHeader("content-type", "text/event-stream");
      response.on("error", () => undefined);
      const piece = Buffer.alloc(1024 * 1024, "x");
      let left = 96;
      const more = (): void => {
        if (left-- > 0) response.write(piece, more);
        else response.end();
      };
      more();
    };
    await expect(post(url, { ...chat, stream: true })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    await expect.poll(() => outcomes.at(-1)?.reason).toContain("64 MiB");
  });

  test("that breaks off in the middle: the agent's answer breaks off, and does not look whole", async () => {
    const { url } = await start();
    upstream.answer = (_seen, response) => {
      response.setHeader("content-type", "text/event-stream");
      response.write("data: one\n\n", () => response.destroy());
    };
    await expect(post(url, { ...chat, stream: true })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  });

  test("at an address that the guard refuses: told as a denial with the grant", async () => {
    const denied: Denied = {
      verdict: "deny",
      layer: "address",
      reason: "answers with 10.0.0.1, a private address",
      fix: { text: "grants: …" },
    };
    const { url } = await start(nvidia, {
      dial: (where) => Promise.reject(new Refused(denied, where)),
    });
    const got = await post(url, chat);
    expect(got.status).toBe(403);
    expect(errorOf(got)).toMatchObject({
      code: "policy_denied",
      layer: "address",
      next_steps: ["grants: …"],
    });
  });
});

describe("a route is refused at once", () => {
  const make = (inference: Inference, isGranted = false): Router =>
    new Router({
      inference,
      dial: () => upstream.dial(),
      trust: [],
      isGranted: () => isGranted,
      demo: demoModel,
      blocked: () => undefined,
    });
  const one = (provider: object): Inference => ({
    ...nvidia,
    providers: { nvidia: { kind: "openai", model: "m", trusted: false, ...provider } },
  });

  test.each([
    [
      "with a provider to fall back to",
      { ...nvidia, route: { try: ["nvidia", "other"], timeoutSeconds: 1 } },
      "not enforced yet",
    ],
    [
      "with no such provider",
      { ...nvidia, route: { try: ["absent"], timeoutSeconds: 1 } },
      "no such inference provider",
    ],
    ["over plain http", one({ endpoint: "http://model.example.com/v1" }), "in the clear"],
    ["with a key in its URL", one({ endpoint: "https://me:key@model.example.com/v1" }), "more than host"],
    ["that is no http", one({ endpoint: "ftp://model.example.com/v1" }), "not an https URL"],
  ])("%s", (_what, inference, reason) => {
    expect(() => make(inference)).toThrow(reason);
  });

  test("with a credential over plain http, granted or not", () => {
    expect(() => make(one({ endpoint: "http://10.0.0.1:8000/v1", credential: "nvidia" }), true)).toThrow(
      "verified TLS only",
    );
    expect(() => make(one({ endpoint: "http://10.0.0.1:8000/v1" }), true)).not.toThrow();
  });
});

describe("a model of this network, granted by the operator", () => {
  test("is spoken to over plain http, without any key", async () => {
    upstream.close();
    upstream = await new UpstreamDouble("x", false).listen();
    const endpoint = `http://127.0.0.1:${upstream.port}/v1/`;
    const providers = { local: { kind: "openai" as const, model: "qwen", endpoint, trusted: true } };
    const { url } = await start(
      { route: { try: ["local"], timeoutSeconds: 2 }, providers, secrets: {} },
      { isGranted: () => true },
    );
    upstream.answer = completion("local");
    expect((await post(url, chat)).status).toBe(200);
    expect(upstream.seen[0]).toMatchObject({ path: "/v1/chat/completions", body: { model: "qwen" } });
    expect(upstream.seen[0]?.headers.authorization).toBeUndefined();
    expect(upstream.seen[0]?.headers.host).toBe(`127.0.0.1:${upstream.port}`);
  });
});

describe("the demo model", () => {
  const demo: Inference = {
    route: { try: ["demo"], timeoutSeconds: 2 },
    providers: { demo: { kind: "demo", model: "demo", trusted: true } },
    secrets: {},
  };

  test("answers whole and streamed, in the same words", async () => {
    const { url } = await start(demo);
    const whole = JSON.parse((await post(url, chat)).text) as {
      choices: { message: { content: string } }[];
      object: string;
    };
    expect(whole.object).toBe("chat.completion");
    const events = (await post(url, { ...chat, stream: true, stream_options: { include_usage: true } })).text
      .trim()
      .split("\n\n");
    expect(events.at(-1)).toBe("data: [DONE]");
    const chunks = events.slice(0, -1).map(
      (event) =>
        JSON.parse(event.slice(6)) as {
          object: string;
          choices: { delta: { content?: string }; finish_reason: string | null }[];
          usage?: object;
        },
    );
    expect(new Set(chunks.map(({ object }) => object))).toEqual(new Set(["chat.completion.chunk"]));
    const words = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? "")).join("");
    expect(words).toBe(whole.choices[0]?.message.content);
    expect(words.toLowerCase()).toContain("demo");
  });
});

describe("the live check", () => {
  test("passes where the provider answers, and sends one short request", async () => {
    const { router } = await start();
    await router.check(AbortSignal.timeout(2000));
    expect(upstream.seen[0]?.body).toMatchObject({ model: "nvidia/real", max_tokens: 1 });
  });

  test.each([
    [failing(401, {}), "credential_refused"],
    [failing(404, {}), "model_unavailable"],
    [failing(429, {}), "rate_limited"],
    [failing(200, { pong: true }), "not_this_dialect"],
  ])("says what is wrong", async (answer, code) => {
    const { router } = await start();
    upstream.answer = answer;
    await expect(router.check(AbortSignal.timeout(2000))).rejects.toMatchObject({ answer: { code } });
  });
});
