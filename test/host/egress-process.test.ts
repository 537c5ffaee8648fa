import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";
import type { Command } from "../../lib/egress/protocol.ts";
import { EgressProcess } from "../../lib/host/egress-process.ts";

const child = Object.assign(new EventEmitter(), {
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  pid: undefined,
});
vi.mock("../../lib/host/launcher.ts", () => ({ spawnLauncher: () => child }));

test("an egress hears its configuration first, whatever was said before it", () => {
  const none = (): void => undefined;
  const process = new EgressProcess({} as never, { loaded: none, failed: none, ports: none, log: none });
  const network = (revision: number): Command => ({
    type: "network",
    network: { revision, base: {}, allows: [], blocks: [] },
  });
  process.say(network(2));
  process.say({ type: "configure" } as Command);
  process.say(network(3));
  const heard = (child.stdin.read() as Buffer).toString().trim().split("\n");
  expect(heard.map((line) => JSON.parse(line) as unknown)).toEqual([
    { type: "configure" },
    network(2),
    network(3),
  ]);
});
