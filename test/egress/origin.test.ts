import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { limits } from "../../lib/egress/limits.ts";
import { Origin } from "../../lib/egress/origin.ts";
import { Origins, type OriginsParts } from "../../lib/egress/origins.ts";
import { beforehand } from "../../lib/egress/together.ts";
import { Tunnels } from "../../lib/egress/tunnels.ts";
import { compile } from "../../lib/policy/compile.ts";
import { TrustStore } from "../../lib/router/trust-store.ts";

/** A connection to an origin that says what was written, and answers once it may. */
function connectionThat(written: () => void, answering: Promise<void> = Promise.resolve()): net.Socket {
  const stream: Duplex = new Duplex({
    read: () => undefined,
    write: (_chunk, _, done) => {
      written();
      void answering.then(() => stream.push("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
      done();
    },
  });
  const same = (): Duplex => stream;
  const socket = { setTimeout: same, setKeepAlive: same, ref: same, unref: same };
  return Object.assign(stream, socket) as unknown as net.Socket;
}

async function ask(agent: Origin): Promise<number | undefined> {
  const [answer] = (await once(http.get({ agent, path: "/" }), "response")) as [http.IncomingMessage];
  await once(answer.resume(), "end");
  await turn();
  return answer.statusCode;
}

test.each([
  ["new", () => Promise.resolve(undefined)],
  ["made ready", (agent: Origin) => agent.prepare()],
  ["kept", ask],
])(
  "what is to be done beforehand is done before a byte goes out on a connection that is %s",
  async (_, first) => {
    let said: string[] = [];
    const target = { host: "api.example", port: 80, secure: false, base: "" };
    const dial = (): Promise<net.Socket> => Promise.resolve(connectionThat(() => void said.push("written")));
    const agent = new Origin(target, dial, new TrustStore([]));
    await first(agent);
    await turn();
    said = [];
    beforehand(() => void said.push("noted"));
    await ask(agent);
    expect(said).toEqual(["noted", "written"]);
    agent.retire();
  },
);

test("a request under way comes to its end, however many other origins are asked meanwhile", async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const sent = Promise.withResolvers<undefined>();
  const connect = (): Promise<net.Socket> =>
    Promise.resolve(connectionThat(() => sent.resolve(undefined), promise));
  const origins = new Origins({
    policy: { current: compile({ base: {}, allows: [], blocks: [] }) },
    upstreams: { connect, denied: () => undefined },
    tunnels: new Tunnels(),
    trust: [],
  } as unknown as OriginsParts);
  const asked = ask(origins.to({ host: "long.example", port: 80 }, false, undefined));
  await sent.promise;
  for (let index = 0; index <= limits.leaves; index++)
    origins.to({ host: `${index}.example`, port: 80 }, false, undefined);
  resolve(undefined);
  expect(await asked).toBe(200);
});
