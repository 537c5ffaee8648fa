import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, type AgentConnection } from "../../lib/host/ask.ts";
import type { Progress } from "../../lib/host/api.ts";
import { openclawKit } from "../../lib/host/kits/openclaw.ts";
import { demoModel } from "../../lib/router/demo.ts";
import { Router } from "../../lib/router/router.ts";
import { runUnwalled, startUnwalled } from "./unwalled.ts";

/**
 * The real OpenClaw, installed by the real npm from the registry that it is configured for, against the real router
 * and its demo model. Without walls. A cache may be given, so that it is not fetched each time:
 * `NACRE_CACHE_DIR=… vitest run --config .config/vitest.slow.config.ts test/kits/openclaw.slow.test.ts`.
 */
const folder = mkdtempSync(join(tmpdir(), "nacre-openclaw-"));
const cache = join(process.env["NACRE_CACHE_DIR"] ?? folder, "kits");
const workspace = join(folder, "workspace");
const kit = openclawKit();
const told: Progress[] = [];
const context = {
  cache,
  runThrowAway: runUnwalled,
  progress: (progress: Progress) => void told.push(progress),
  signal: new AbortController().signal,
};

let connection: AgentConnection;
let running: Awaited<ReturnType<typeof startUnwalled>>;
let prompts = 0;

const model = createServer((request, response) => {
  prompts += 1;
  // Over TLS on its own name it would say so itself.
  request.headers.host = "inference.local";
  void router.serve(request, response);
});
const router = new Router({
  inference: {
    route: { try: ["demo"], timeoutSeconds: 60 },
    providers: { demo: { kind: "demo", model: "demo", trusted: true } },
    secrets: {},
  },
  dial: () => Promise.reject(new Error("the demo dials nobody")),
  trust: [],
  isGranted: () => false,
  demo: demoModel,
  blocked: () => undefined,
});

const listening = (server: ReturnType<typeof createServer>): Promise<number> =>
  new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
  );

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  const installed = await kit.ensure(context);
  const [port, modelPort] = [await freePort(), await listening(model)];
  mkdirSync(workspace);
  const agent = kit.agent(installed, {
    id: "dev/assistant",
    name: "assistant",
    ports: [{ inside: port, outside: port }],
    model: "demo",
    token: randomBytes(32).toString("hex"),
  });
  connection = agent.connection(port);
  running = await startUnwalled(agent, port, {
    "/opt/nacre/node/bin": dirname(process.execPath),
    "/opt/nacre/kit": installed.path,
    "/etc/nacre/openclaw": join(folder, "etc"),
    "/sandbox": workspace,
    "https://inference.local": `http://127.0.0.1:${modelPort}`,
  });
}, 600_000);

afterAll(async () => {
  await running.stop();
  model.closeAllConnections();
  model.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string): string => {
  const value = randomBytes(8).toString("hex");
  writeFileSync(join(workspace, name), `${value}\n`);
  return value;
};

/** Every message of every conversation, from OpenClaw's own session file. */
function transcript(): any[] {
  const path = join(workspace, ".openclaw/agents/main/agent/openclaw-agent.sqlite");
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = database
      .prepare(
        "SELECT session_key, event_json FROM transcript_events JOIN session_windows USING (session_id) ORDER BY seq",
      )
      .all();
    return rows.map(({ session_key, event_json }) => ({
      session: session_key,
      ...JSON.parse(String(event_json)).message,
    }));
  } finally {
    database.close();
  }
}

test("a value that was written after it started comes back, and another value gives another answer", async () => {
  const first = write("note.txt");
  const answer = await ask(connection, "Read the file note.txt in your workspace and tell me what it says.");
  expect(answer.text).toContain(first);
  expect(answer.text).toContain("demo model");
  const second = write("note.txt");
  const again = await ask(connection, "what does note.txt say?");
  expect(again.text).toContain(second);
  expect(again.text).not.toContain(first);
}, 180_000);

test("its own session file holds the tool call that read the value", async () => {
  const value = write("proof.txt");
  await ask(connection, "read the file proof.txt", { session: "proof" });
  const said = transcript().filter(({ session }) => session === "agent:main:proof");
  const call = said
    .flatMap(({ role, content }) => (role === "assistant" ? content : []))
    .find(({ type }) => type === "toolCall");
  expect(call).toMatchObject({ name: "read", arguments: { path: "proof.txt" } });
  const result = said.find(({ role }) => role === "toolResult");
  expect(result).toMatchObject({ toolCallId: call.id, toolName: "read" });
  expect(JSON.stringify(result.content)).toContain(value);
}, 60_000);

test("runs commands in its workspace without asking anybody, with the Node of the kit first on PATH", async () => {
  const value = write("other.txt");
  const { text } = await ask(connection, "run: pwd; cat other.txt; command -v node; node --version");
  expect(text).toContain(workspace);
  expect(text).toContain(value);
  expect(text).toContain(process.version);
}, 60_000);

test("one message costs two prompts, not a loop of tool calls", async () => {
  write("note.txt");
  const before = prompts;
  await ask(connection, "read the file note.txt");
  expect(prompts - before).toBe(2);
}, 60_000);

test("`main` is the conversation that its own pages open with", async () => {
  await ask(connection, "hello", { session: "main" });
  expect(transcript().map(({ session }) => session)).toContain("agent:main:main");
}, 60_000);

test("asking costs what OpenClaw's own turn costs, and at most 0.2 s more", async () => {
  const bare = async (): Promise<number> => {
    const started = performance.now();
    const response = await fetch(`${connection.url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${connection.token}`,
        "content-type": "application/json",
        "x-openclaw-session-key": "bench",
      },
      body: JSON.stringify({ model: "openclaw/default", messages: [{ role: "user", content: "hello" }] }),
    });
    await response.text();
    return performance.now() - started;
  };
  const [own, asked]: [number[], number[]] = [[], []];
  for (let round = 0; round < 7; round += 1) {
    own.push(await bare());
    asked.push((await ask(connection, "hello", { session: "bench" })).milliseconds);
  }
  const median = (of: number[]): number => of.sort((left, right) => left - right)[3] ?? 0;
  console.log(`own turn ${Math.round(median(own))} ms, ask ${Math.round(median(asked))} ms (medians of 7)`);
  expect(median(asked) - median(own)).toBeLessThan(200);
}, 120_000);

test("its configuration follows the blueprint: what is Nacre's cannot be changed in place, the rest can", () => {
  const config = JSON.parse(readFileSync(join(workspace, ".openclaw/openclaw.json"), "utf8"));
  expect(config.gateway).toEqual({ $include: join(folder, "etc/gateway.json") });
  expect(JSON.stringify(config)).not.toContain(connection.token);
});

test("dials nobody but the model, and copies none of its pages into the workspace", () => {
  expect(running.log()).not.toMatch(/telemetry|catalog refresh|fetch failed/i);
  expect(existsSync(join(workspace, ".openclaw/cache/control-ui-assets"))).toBe(false);
});

test("another token is refused", async () => {
  await expect(ask({ ...connection, token: "0".repeat(64) }, "hi")).rejects.toMatchObject({
    code: "agent_refused",
  });
});

test("a second start finds the kit as it was installed, and fetches nothing", async () => {
  told.length = 0;
  const started = performance.now();
  await kit.ensure({ ...context, runThrowAway: () => Promise.reject(new Error("fetched again")) });
  console.log(`kit check: ${Math.round(performance.now() - started)} ms`);
  expect(told).toEqual([]);
}, 60_000);

test("every byte of the kit is as it was installed, though it ran", async () => {
  const started = performance.now();
  await kit.ensure({ ...context, check: "content" });
  console.log(`whole re-hash: ${Math.round(performance.now() - started)} ms`);
}, 120_000);

test("stopped, it gives no answer", async () => {
  expect(await running.stop()).toBe(0);
  await expect(ask(connection, "hi", { reconnectMs: 0 })).rejects.toMatchObject({
    code: "agent_unreachable",
  });
}, 60_000);
