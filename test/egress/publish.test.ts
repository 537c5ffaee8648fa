import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { InitClient } from "../../lib/egress/init-client.ts";
import { publish } from "../../lib/egress/publish.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nacre-publish-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const refused: string[] = [];
let agent: http.Server;
let init: net.Server;
let client: InitClient;
let outside = 0;
let reached = 0;

/** A server of the agent, and an init that gives streams to it and to no other port. */
beforeAll(async () => {
  agent = http.createServer((request, response) => {
    reached++;
    if (request.url === "/stream") {
      response.write("first\n");
      setTimeout(() => response.end("second\n"), 200);
    } else {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        response.setHeader("x-method", request.method ?? "");
        response.statusCode = request.url === "/missing" ? 404 : 200;
        response.end(
          `${request.url ?? ""} ${request.headers.host ?? ""} ${Buffer.concat(chunks).toString()}`,
        );
      });
    }
  });
  const sockets = new WebSocketServer({ server: agent });
  sockets.on("connection", (socket) =>
    socket.on("message", (data: Buffer) => socket.send(`echo ${data.toString()}`)),
  );
  await new Promise((resolve) => agent.listen(0, "127.0.0.1", () => resolve(undefined)));
  const inside = (agent.address() as net.AddressInfo).port;
  const file = path.join(folder, "egress.sock");
  init = net.createServer((socket) => {
    socket.once("data", (line: Buffer) => {
      const { port } = JSON.parse(line.toString()) as { port: number };
      if (port !== 18789) {
        socket.end('{"ok":false,"error":{"code":"dial","subject":"port","message":"connection refused"}}\n');
        return;
      }
      socket.write('{"ok":true}\n');
      const onward = net.connect(inside, "127.0.0.1");
      socket.pipe(onward).pipe(socket);
      for (const side of [socket, onward])
        side.on("error", () => [socket, onward].map((each) => each.destroy()));
    });
  });
  await new Promise((resolve) => init.listen(file, () => resolve(undefined)));
  client = new InitClient(file);
  ({ outside } = await publish(18789, 0, client, (_port, reason) => refused.push(reason)));
});
afterAll(() => {
  agent.closeAllConnections();
  agent.close();
  init.close();
});

async function request(
  headers: Record<string, string>,
  target = "/",
  method = "GET",
  body = "",
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  http
    .request({ host: "127.0.0.1", port: outside, path: target, method, headers }, resolve)
    .on("error", reject)
    .end(body);
  const answer = await promise;
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
}

describe("a published port", () => {
  test("relays requests, bodies, statuses and streams of the agent's server", async () => {
    expect(outside).toBeGreaterThan(0);
    expect(await request({})).toEqual({ status: 200, text: `/ 127.0.0.1:${outside} ` });
    expect(await request({}, "/missing")).toMatchObject({ status: 404 });
    expect(await request({}, "/post", "POST", "some body")).toMatchObject({
      text: `/post 127.0.0.1:${outside} some body`,
    });
    expect(await request({ "transfer-encoding": "chunked" }, "/post", "PUT", "chunks")).toMatchObject({
      text: `/post 127.0.0.1:${outside} chunks`,
    });
    const started = performance.now();
    const stream = await fetch(`http://localhost:${outside}/stream`);
    const reader = stream.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("first\n");
    expect(performance.now() - started).toBeLessThan(190);
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("second\n");
  });

  test("is on 127.0.0.1 only", async () => {
    const others = Object.values(os.networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4");
    for (const { address } of [...others, { address: "127.0.0.2" }]) {
      await expect(
        new Promise((resolve, reject) =>
          net.connect(outside, address).on("connect", resolve).on("error", reject),
        ),
      ).rejects.toThrow("ECONNREFUSED");
    }
  });

  test.each([
    ["a rebound name", { host: "evil.example" }],
    ["a rebound name with the right port", { host: "evil.example:PORT" }],
    ["another port", { host: "127.0.0.1:1" }],
    ["no port", { host: "127.0.0.1" }],
    ["a page of another origin", { origin: "https://evil.example" }],
    ["a page of another port of this host", { origin: "http://127.0.0.1:1" }],
    ["a page whose origin is hidden", { origin: "null" }],
    ["the same name but another scheme", { origin: "https://127.0.0.1:PORT" }],
    ["a loopback name that is not the Host's", { origin: "http://localhost:PORT" }],
    ["a link or form of another site", { "sec-fetch-site": "cross-site" }],
    ["another port's page, which is the same site", { "sec-fetch-site": "same-site" }],
  ])("refuses %s before the agent's server sees it", async (_what, written) => {
    const headers = Object.fromEntries(
      Object.entries(written).map(([name, value]) => [name, value.replace("PORT", String(outside))]),
    );
    const before = reached;
    for (const method of ["GET", "POST"])
      expect(await request(headers, "/", method)).toMatchObject({ status: 403 });
    expect(reached).toBe(before);
    expect(refused.length).toBeGreaterThan(0);
  });

  test("takes its own pages and typed addresses", async () => {
    for (const headers of [
      {
        host: `localhost:${outside}`,
        origin: `http://localhost:${outside}`,
        "sec-fetch-site": "same-origin",
      },
      { "sec-fetch-site": "none" },
    ]) {
      expect(await request(headers as never)).toMatchObject({ status: 200 });
    }
  });

  test("relays a WebSocket of its own origin or of a program, and no other's", async () => {
    const talk = async (options: object): Promise<string> => {
      const socket = new WebSocket(`ws://127.0.0.1:${outside}/`, options);
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      socket.on("open", () => socket.send("hi"));
      socket.on("message", (data: Buffer) => resolve(data.toString()));
      socket.on("error", reject);
      try {
        return await promise;
      } finally {
        socket.terminate();
      }
    };
    expect(await talk({})).toBe("echo hi");
    expect(await talk({ origin: `http://127.0.0.1:${outside}` })).toBe("echo hi");
    await expect(talk({ origin: "https://evil.example" })).rejects.toThrow("403");
    await expect(talk({ headers: { host: "evil.example" } })).rejects.toThrow("403");
  });

  test("says so where nothing answers inside, and where the port outside is taken", async () => {
    const other = await publish(9, 0, client, () => undefined);
    const answer = await fetch(`http://127.0.0.1:${other.outside}/`);
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain("nothing answers on port 9 in the sandbox: connection refused");
    expect(await publish(9, outside, client, () => undefined)).toMatchObject({
      inside: 9,
      outside,
      error: { code: "port_unavailable", message: `127.0.0.1:${outside} is in use` },
    });
  });
});
