import { once } from "node:events";
import type { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { limits } from "../../lib/egress/limits.ts";
import { type RunningEgress, World } from "./world/world.ts";

let world: World;
let egress: RunningEgress | undefined;
beforeAll(async () => {
  world = await World.make();
});
afterEach(async () => {
  await egress?.stop();
  egress = undefined;
});
afterAll(() => world.stop());

test("connections that wait for a decision are bounded; those beyond are refused, and the next is served once they end", async () => {
  egress = await world.egress({
    base: { web: { endpoints: [{ host: "allowed.example.com", port: 443 }] } },
  });
  // Each of them says nothing, so its ClientHello is waited for.
  const silent = world.start(`exec python3 -c '
import socket, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
address = socket.gethostbyname("allowed.example.com")
all = [socket.create_connection((address, 443)) for _ in range(${limits.undecided})]
print("there", flush=True); sys.stdin.read()'`);
  await once(silent.stdout as Readable, "data");
  const get = "curl -sSk --max-time 5 https://allowed.example.com/";
  await expect.poll(async () => (await world.run(get)).code).not.toBe(0);
  await expect
    .poll(() => egress?.records().find(({ layer }) => layer === "limit")?.reason)
    .toBe(`${limits.undecided} connections are waiting already`);
  silent.stdin?.end();
  await expect.poll(async () => (await world.run(get)).code).toBe(0);
});
