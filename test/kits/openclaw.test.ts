import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openclawKit } from "../../lib/host/kits/openclaw.ts";
import { temporary } from "./folder.ts";

const sandbox = {
  id: "dev/assistant",
  name: "assistant",
  ports: [{ inside: 18789, outside: 0 }],
  model: "nvidia/nemotron-3-super-120b-a12b",
  token: "f".repeat(64),
};
const agent = (more: Partial<typeof sandbox> | { model: null } = {}) =>
  openclawKit().agent({ path: "/x", digest: "sha256:0" }, { ...sandbox, ...more });
const file = (name: string, of = agent()) => {
  const found = of.files.find(({ at }) => at.endsWith(`/${name}`));
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};
const config = (name: string, of?: ReturnType<typeof agent>) => JSON.parse(file(name, of).content);

describe("OpenClaw as it is started", () => {
  test("speaks to inference.local alone, with a key that is none", () => {
    expect(config("models.json")).toMatchObject({
      mode: "replace",
      catalogRefresh: { enabled: false },
      providers: {
        inference: {
          baseUrl: "https://inference.local/v1",
          apiKey: "none-inside-the-sandbox",
          models: [{ id: "nvidia/nemotron-3-super-120b-a12b" }],
        },
      },
    });
    expect(config("model.json")).toEqual({ primary: "inference/nvidia/nemotron-3-super-120b-a12b" });
    expect(config("models.json", agent({ model: null })).providers).toEqual({});
  });

  test("listens on loopback, on the blueprint's port, and wants its token for everything", () => {
    const other = agent({ ports: [{ inside: 7000, outside: 9000 }] });
    expect(config("gateway.json", other)).toMatchObject({
      port: 7000,
      bind: "loopback",
      auth: { mode: "token", token: sandbox.token },
    });
    expect(other.connection(9000)).toEqual({ url: "http://127.0.0.1:9000", token: sandbox.token });
  });

  test("its token is in one file that only the agent may read, never in argv or environment", () => {
    const { argv, env, files } = agent();
    expect(
      files.filter(({ content }) => content.includes(sandbox.token)).map(({ at, mode }) => [at, mode]),
    ).toEqual([["/etc/nacre/openclaw/gateway.json", "0400"]]);
    expect(JSON.stringify({ argv, env })).not.toContain(sandbox.token);
  });

  test("looks for no updates and announces itself to nobody", () => {
    expect(config("first.json")).toMatchObject({
      update: { checkOnStart: false },
      discovery: { mdns: { mode: "off" } },
    });
    expect(agent().env).toMatchObject({ OPENCLAW_NO_AUTO_UPDATE: "1", OPENCLAW_DISABLE_BONJOUR: "1" });
  });
});

describe("the start script", () => {
  function start(home: string, first: string) {
    const folder = temporary();
    writeFileSync(join(folder, "first.json"), first);
    const script = file("start.sh").content.replaceAll("/etc/nacre/openclaw", folder);
    writeFileSync(join(folder, "start.sh"), script);
    return execFileSync(
      "/bin/sh",
      [join(folder, "start.sh"), "/bin/sh", "-c", "umask; echo $0 $@", "a", "b c"],
      {
        env: { HOME: home, PATH: process.env["PATH"] },
        encoding: "utf8",
      },
    );
  }

  test("puts the first configuration into the workspace, and then never touches it", () => {
    const home = temporary();
    start(home, "first");
    const path = join(home, ".openclaw/openclaw.json");
    expect(readFileSync(path, "utf8")).toBe("first");
    writeFileSync(path, "the agent's own");
    start(home, "second");
    expect(readFileSync(path, "utf8")).toBe("the agent's own");
  });

  test("ends as the server itself, with its arguments", () => {
    expect(start(temporary(), "")).toBe("0022\na b c\n");
  });

  test("fails where the workspace cannot be written", () => {
    const home = temporary();
    writeFileSync(join(home, ".openclaw"), "");
    expect(() => start(home, "")).toThrow();
  });
});

describe("whether it is ready", () => {
  async function answering(status: number): Promise<number> {
    const server = createServer((request, response) => {
      response.writeHead(request.url === "/startupz" ? status : 404).end();
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }
  const signal = new AbortController().signal;

  test("is what it says itself", async () => {
    expect(await agent().ready(await answering(200), signal)).toBeUndefined();
    expect(await agent().ready(await answering(503), signal)).toBe("OpenClaw answers 503: it is starting");
  });

  test("is no while nothing answers", async () => {
    expect(await agent().ready(1, signal)).toContain("does not answer: connect ECONNREFUSED");
  });

  test("is no where the answer takes longer than there is time", async () => {
    const busy = createServer(() => undefined);
    onTestFinished(() => {
      busy.closeAllConnections();
      busy.close();
    });
    await new Promise<void>((resolve) => busy.listen(0, "127.0.0.1", resolve));
    const { port } = busy.address() as AddressInfo;
    expect(await agent().ready(port, AbortSignal.timeout(50))).toContain("not in the time that was given");
  });
});

test("is installed once for sandboxes that start together, and again for the next where that failed", async () => {
  const cache = join(temporary(), "kits");
  let begun = 0;
  const context = {
    cache,
    progress: () => undefined,
    signal: new AbortController().signal,
    runThrowAway: async () => {
      begun += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error(`attempt ${begun}`);
    },
  };
  vi.stubEnv("npm_config_registry", "https://192.0.2.7/");
  onTestFinished(() => void vi.unstubAllEnvs());
  const kit = openclawKit();
  const failures = await Promise.allSettled([kit.ensure(context), kit.ensure(context)]);
  // Which of the two began first is luck.
  expect(failures.map((one) => (one.status === "rejected" ? String(one.reason) : "")).sort()).toEqual([
    "Error: attempt 1",
    "Error: attempt 2",
  ]);
  expect(begun).toBe(2);
  expect(readdirSync(cache)).toEqual([]);
});
