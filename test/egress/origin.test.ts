import http from "node:http";
import type net from "node:net";
import { Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Origin } from "../../lib/egress/origin.ts";
import { beforehand } from "../../lib/egress/together.ts";
import { TrustStore } from "../../lib/router/trust-store.ts";

test("what is to be done beforehand is done before a byte goes out on a connection that is new", async () => {
  const said: string[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (_chunk, _, done) => {
      said.push("written");
      done();
    },
  });
  const socket = Object.assign(stream, { setTimeout: () => stream, setKeepAlive: () => stream });
  const target = { host: "api.example", port: 80, secure: false, base: "" };
  const dial = (): Promise<net.Socket> => Promise.resolve(socket as unknown as net.Socket);
  const agent = new Origin(target, dial, new TrustStore([]));
  beforehand(() => void said.push("noted"));
  const request = http.request({ agent, path: "/" });
  request.on("error", () => undefined).end();
  await turn();
  await turn();
  expect(said.slice(0, 2)).toEqual(["noted", "written"]);
  request.destroy();
});
