import net from "node:net";
import { expect, test } from "vitest";
import { guardedDial, type WayOut } from "../../lib/egress/guarded-dial.ts";
import { Tunnels } from "../../lib/egress/tunnels.ts";
import { compile } from "../../lib/policy/compile.ts";

test("a block that comes while a connection is dialled ends it", async () => {
  const where = { host: "api.example.com", port: 443 };
  // It has no connection that could be reset, which it says.
  const socket = new net.Socket().on("error", () => undefined);
  const policy = { current: compile({ base: {}, allows: [], blocks: [] }) };
  const connect = (): Promise<net.Socket> => {
    policy.current = compile({ base: {}, allows: [], blocks: [{ host: where.host }] });
    return Promise.resolve(socket);
  };
  const upstreams = { connect, denied: () => undefined };
  const dial = guardedDial({ policy, upstreams, tunnels: new Tunnels() } as unknown as WayOut);
  await expect(dial(where, AbortSignal.timeout(1000))).rejects.toMatchObject({ denied: { layer: "block" } });
  expect(socket.destroyed).toBe(true);
});
