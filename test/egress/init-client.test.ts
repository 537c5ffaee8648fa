import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type CapturedEnds, InitClient } from "../../lib/egress/init-client.ts";
import { Owners } from "../../lib/egress/owners.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nacre-init-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
let servers: net.Server[] = [];
let opened = 0;
afterEach(() => {
  for (const server of servers) server.close();
  servers = [];
});

/** An init that answers each line by `answer`; what it has to keep to is the protocol alone. */
async function init(
  answer: (question: Record<string, unknown>, socket: net.Socket) => string | undefined,
): Promise<InitClient> {
  const file = path.join(folder, `${servers.length}-${Math.random()}.sock`);
  const server = net.createServer((socket) => {
    opened++;
    let buffered = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      buffered += chunk.toString();
      for (let end = buffered.indexOf("\n"); end >= 0; end = buffered.indexOf("\n")) {
        const said = answer(JSON.parse(buffered.slice(0, end)) as Record<string, unknown>, socket);
        buffered = buffered.slice(end + 1);
        if (said !== undefined) socket.write(said);
      }
    });
  });
  servers.push(server);
  await new Promise((resolve) => server.listen(file, () => resolve(undefined)));
  return new InitClient(file);
}

const captured = (remotePort: number): CapturedEnds => ({
  localAddress: "93.184.216.34",
  localPort: 443,
  remoteAddress: "25.255.0.1",
  remotePort,
});
const owner = (path: string, sha256 = "aa"): string =>
  `${JSON.stringify({ ok: true, pid: 7, path, sha256 })}\n`;
const failure =
  '{"ok":false,"error":{"code":"no_owner","subject":"socket","message":"no process holds it"}}\n';

describe("who owns a connection", () => {
  test("is asked by the ends of the connection, many over one socket, answers in order", async () => {
    const asked: unknown[] = [];
    opened = 0;
    const client = await init((question) => {
      asked.push(question);
      return owner(`/bin/${String(question["remote"]).split(":")[1] ?? ""}`);
    });
    const found = await Promise.all([1, 2, 3].map((port) => client.owner(captured(port))));
    expect(found.map(({ binary }) => binary)).toEqual(["/bin/1", "/bin/2", "/bin/3"]);
    expect(asked[0]).toEqual({
      op: "owner",
      proto: "tcp",
      local: "93.184.216.34:443",
      remote: "25.255.0.1:1",
    });
    expect(opened).toBe(1);
  });

  test("is nobody where init cannot tell, answers nonsense, or is gone", async () => {
    for (const answer of [failure, "nonsense\n", '{"ok":true}\n']) {
      expect(await new Owners(await init(() => answer)).of(captured(1))).toEqual({});
    }
    expect(await new Owners(await init((_, socket) => void socket.destroy())).of(captured(1))).toEqual({});
    expect(await new Owners(new InitClient(path.join(folder, "absent.sock"))).of(captured(1))).toEqual({});
    expect(await new Owners(undefined).of(captured(1))).toEqual({});
  });

  test("is asked anew after init's socket broke", async () => {
    let first = true;
    const client = await init((_, socket) => {
      if (!first) return owner("/bin/sh");
      first = false;
      socket.destroy();
      return undefined;
    });
    await expect(client.owner(captured(1))).rejects.toThrow();
    expect(await client.owner(captured(1))).toEqual({ binary: "/bin/sh", sha256: "aa" });
  });

  test("an answer that never comes fails those that wait behind it, and the next is asked over a new socket", async () => {
    let silent = true;
    const client = await init(() => (silent ? undefined : owner("/bin/sh")));
    const waiting = await Promise.allSettled([client.owner(captured(1)), client.owner(captured(2))]);
    expect(waiting.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    silent = false;
    expect(await client.owner(captured(3))).toMatchObject({ binary: "/bin/sh" });
  }, 15_000);

  test("a program is held to the bytes that a rule was first used with", async () => {
    const owners = new Owners(await init(() => owner("/sandbox/tool")));
    expect(owners.changed("r", { binary: "/sandbox/tool", sha256: "aa" })).toBeUndefined();
    expect(owners.changed("r", { binary: "/sandbox/tool", sha256: "aa" })).toBeUndefined();
    expect(owners.changed("r", { binary: "/sandbox/tool", sha256: "bb" })).toMatchObject({ layer: "binary" });
    expect(owners.changed("r", { binary: "/sandbox/other", sha256: "bb" })).toBeUndefined();
  });
});

describe("a stream to a port inside", () => {
  test("starts behind init's answer, with what came in the same read", async () => {
    const client = await init((question, socket) => {
      if (question["op"] === "dial") socket.write('{"ok":true}\nalready here');
      return undefined;
    });
    const stream = await client.dial(8080);
    const chunk = await new Promise<Buffer>((resolve) => stream.once("data", resolve).resume());
    expect(chunk.toString()).toBe("already here");
    stream.destroy();
  });

  test("is an error where init refuses or hangs up", async () => {
    await expect((await init(() => failure)).dial(80)).rejects.toThrow("no process holds it");
    await expect((await init((_, socket) => void socket.destroy())).dial(80)).rejects.toThrow("init closed");
  });
});
