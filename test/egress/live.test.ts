import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import readline from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Network } from "../../lib/egress/protocol.ts";
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

const rule = (host: string, ...ports: number[]): object => ({ endpoints: [{ host, ports }] });
const both = {
  a: rule("allowed.example.com", 7000, 443),
  b: rule("halfdead.example.com", 7000, 443),
} as never;
const network = (parts: Partial<Network>): Network => ({
  revision: 1,
  base: both,
  allows: [],
  blocks: [],
  ...parts,
});

/** An open tunnel of the agent to a server that says "hello" and waits. */
async function tunnel(host: string): Promise<{ child: ChildProcess; ended: () => boolean }> {
  const child = world.start(`exec 3<>/dev/tcp/${host}/7000; cat <&3 2>&1`);
  await once(readline.createInterface({ input: child.stdout as Readable }), "line");
  return { child, ended: () => child.exitCode !== null };
}

describe("a new policy", () => {
  test("closes the tunnels that it denies, leaves the others, and says what it is", async () => {
    egress = await world.egress(network({}));
    const first = await egress.next("loaded");
    const [kept, dropped] = [await tunnel("halfdead.example.com"), await tunnel("allowed.example.com")];
    const { a: _, ...rest } = both as Record<string, never>;
    egress.send({ type: "network", network: network({ revision: 2, base: rest }) });
    const second = await egress.next("loaded");
    expect(second).toMatchObject({ revision: 2 });
    expect(second.hash).not.toBe(first.hash);
    await expect.poll(dropped.ended).toBe(true);
    expect(kept.ended()).toBe(false);
    expect(egress.records().filter(({ verdict }) => verdict === "deny")).toMatchObject([
      { host: "allowed.example.com", port: 7000, layer: "network", revision: 2 },
    ]);
    expect((await world.run("getent hosts allowed.example.com")).code).toBe(2);
  });

  test.each([
    ["looks into what was opaque", { protocol: "rest", access: "read-only" }, {}],
    ["asks for its name where any bytes went", {}, { protocol: "tcp" }],
    ["has other addresses", { allowed_ips: ["93.184.216.99"] }, {}],
  ])("that %s ends what was opened before, and nothing else", async (_what, now, before) => {
    const rules = (more: object): never =>
      ({
        a: { endpoints: [{ host: "allowed.example.com", port: 7000, ...more }] },
        b: rule("halfdead.example.com", 7000),
      }) as never;
    egress = await world.egress(network({ base: rules(before) }));
    await egress.next("loaded");
    const [kept, dropped] = [await tunnel("halfdead.example.com"), await tunnel("allowed.example.com")];
    egress.send({ type: "network", network: network({ revision: 2, base: rules(before) }) });
    await egress.next("loaded");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(dropped.ended()).toBe(false);
    egress.send({ type: "network", network: network({ revision: 3, base: rules(now) }) });
    await egress.next("loaded");
    await expect.poll(dropped.ended).toBe(true);
    expect(kept.ended()).toBe(false);
  });

  test("that is invalid is told as failed, and the old one stays in force", async () => {
    egress = await world.egress(network({}));
    const open = await tunnel("allowed.example.com");
    const invalid = { endpoints: [{ host: "example.com", port: 443, ports: [443] }] };
    egress.send({ type: "network", network: network({ revision: 2, base: { bad: invalid } }) });
    expect(await egress.next("failed")).toMatchObject({
      revision: 2,
      error: { code: "policy_invalid", subject: "rule bad", hint: "remove port, and name it in ports" },
    });
    expect(open.ended()).toBe(false);
    expect((await world.run("curl -sSk https://allowed.example.com/")).code).toBe(0);
  });

  test("that is invalid from the start leaves everything denied", async () => {
    const invalid = { endpoints: [{ host: "example.com" }] };
    egress = await world.egress(network({ base: { bad: invalid } }));
    expect(await egress.next("failed")).toMatchObject({ error: { subject: "rule bad" } });
    expect((await world.run("getent hosts allowed.example.com")).code).toBe(2);
  });
});

describe("a block", () => {
  test("of a host closes its tunnels and wins over the base and over an allow", async () => {
    egress = await world.egress(network({}));
    const [kept, dropped] = [await tunnel("halfdead.example.com"), await tunnel("allowed.example.com")];
    const allows = [{ id: "x", host: "allowed.example.com", port: 443, until: Date.now() + 60_000 }];
    egress.send({
      type: "network",
      network: network({ revision: 2, allows, blocks: [{ host: "allowed.example.com" }] }),
    });
    await expect.poll(dropped.ended).toBe(true);
    expect(kept.ended()).toBe(false);
    expect((await world.run("getent hosts allowed.example.com")).code).toBe(2);
    egress.send({ type: "network", network: network({ revision: 3, allows }) });
    await expect.poll(async () => (await world.run("curl -sSk https://allowed.example.com/")).code).toBe(0);
  });

  test("of all stops all", async () => {
    egress = await world.egress(network({}));
    const open = [await tunnel("halfdead.example.com"), await tunnel("allowed.example.com")];
    egress.send({ type: "network", network: network({ revision: 2, blocks: [{ all: true }] }) });
    await expect.poll(() => open.every(({ ended }) => ended())).toBe(true);
    expect((await world.run("getent hosts halfdead.example.com")).code).toBe(2);
  });
});

describe("an allow", () => {
  test("opens one port, and ends by itself with its tunnels", async () => {
    egress = await world.egress(network({ base: {} }));
    await egress.next("loaded");
    expect((await world.run("getent hosts allowed.example.com")).code).toBe(2);
    const until = Date.now() + 4000;
    const allows = [{ id: "short", host: "allowed.example.com", port: 7000, until }];
    egress.send({ type: "network", network: network({ revision: 2, base: {}, allows }) });
    await egress.next("loaded");
    const open = await tunnel("allowed.example.com");
    expect((await world.run("curl -sSk https://allowed.example.com/")).code).not.toBe(0);
    expect(open.ended()).toBe(false);
    expect(await egress.next("loaded")).toMatchObject({ revision: 2, expired: ["short"] });
    expect(Date.now()).toBeGreaterThanOrEqual(until);
    await expect.poll(open.ended).toBe(true);
    expect((await world.run("getent hosts allowed.example.com")).code).toBe(2);
  });

  test("of a program whose path has a line separator in it is taken as it is", async () => {
    egress = await world.egress(network({ base: {} }));
    await egress.next("loaded");
    const binary = "/sandbox/a\u2028b\u2029c";
    const allows = [{ id: "x", host: "allowed.example.com", port: 443, binary, until: Date.now() + 60_000 }];
    egress.send({ type: "network", network: network({ revision: 2, base: {}, allows }) });
    expect(await egress.next("loaded")).toMatchObject({ revision: 2 });
  });

  test("does not lift the address guard", async () => {
    const allows = [{ id: "x", host: "private.example.com", port: 443, until: Date.now() + 60_000 }];
    egress = await world.egress(network({ allows }));
    expect((await world.run("curl -sSk https://private.example.com/")).code).not.toBe(0);
    expect(egress.records().find(({ verdict }) => verdict === "deny")).toMatchObject({ layer: "address" });
  });
});

describe("a grant of the operator's", () => {
  const grants = [443, 7000, 9443].map((port) => ({
    ...{ host: "private.example.com", cidr: "10.77.0.1/32", port },
  }));

  test("that is taken back ends the tunnels that went through it, and no other", async () => {
    const base = { a: rule("allowed.example.com", 7000), b: rule("private.example.com", 7000) } as never;
    egress = await world.egress(network({ base }), { grants });
    const [kept, dropped] = [await tunnel("allowed.example.com"), await tunnel("private.example.com")];
    egress.send({ type: "grants", grants: grants.filter(({ port }) => port === 7000) });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(dropped.ended()).toBe(false);
    egress.send({ type: "grants", grants: grants.filter(({ port }) => port !== 7000) });
    await expect.poll(dropped.ended).toBe(true);
    expect(kept.ended()).toBe(false);
    const denied = (): unknown => egress?.records().find(({ verdict }) => verdict === "deny");
    await expect.poll(denied).toMatchObject({ host: "private.example.com", port: 7000, layer: "address" });
  });

  test("that is taken back ends kept connections to an origin, and a request under way", async () => {
    const endpoint = { host: "private.example.com", port: 9443, protocol: "rest", access: "read-only" };
    egress = await world.egress(network({ base: { p: { endpoints: [endpoint] } } as never }), { grants });
    const at = `--cacert ${world.folder}/agent-ca.crt https://private.example.com:9443`;
    const slow = world.start(`curl -sS -N ${at}/slow; echo "ended $?"`);
    let out = "";
    slow.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await expect.poll(() => out).toBe("first\n");
    // This one leaves a connection that is kept for seconds.
    expect((await world.run(`curl -sS -o /dev/null -w '%{http_code}' ${at}/ok`)).out).toBe("200");
    egress.send({ type: "grants", grants: [] });
    await expect.poll(() => out).toMatch(/^first\nended (18|56)\n$/);
    const refused = await world.run(`curl -sS -w '%{http_code}' ${at}/ok`);
    expect(refused.out).toContain("private.example.com answers with 10.77.0.1, a private address");
    expect(refused.out).toMatch(/403$/);
    expect(world.seen().filter(({ url }) => url === "/ok")).toHaveLength(1);
  });
});

describe("the egress process", () => {
  test("ends with its control channel, and every tunnel with it", async () => {
    egress = await world.egress(network({}));
    const open = await tunnel("allowed.example.com");
    egress.child.stdin?.end();
    await once(egress.child, "exit");
    expect(egress.child.exitCode).toBe(0);
    await expect.poll(open.ended).toBe(true);
  });

  test("answers with the same address for a name after kill -9", async () => {
    const poolFile = `${world.folder}/pool-kept.json`;
    egress = await world.egress(network({}), { poolFile });
    await world.run("getent ahostsv4 halfdead.example.com");
    const before = (await world.run("getent ahostsv4 allowed.example.com")).out;
    egress.child.kill("SIGKILL");
    await once(egress.child, "exit");
    egress = await world.egress(network({}), { poolFile });
    expect((await world.run("getent ahostsv4 allowed.example.com")).out).toBe(before);
    expect(before).toMatch(/^25\.255\.0\.3 /);
  });

  test.each([
    ["not JSON", "{", "not JSON"],
    ["an unknown command", '{"type":"open"}', "command"],
    ["a command before configure", '{"type":"secrets","secrets":{}}', "not configure"],
  ])("ends with the reason at %s", async (_what, line, reason) => {
    egress = await world.egress(network({}));
    if (reason === "not configure") {
      await egress.stop();
      egress = world.bareEgress();
    }
    egress.child.stdin?.write(`${line}\n`);
    const fatal = await egress.next("fatal");
    expect(fatal.error.message).toContain(reason);
    if (egress.child.exitCode === null) await once(egress.child, "exit");
    expect(egress.child.exitCode).toBe(1);
  });

  test("never repeats a secret in what it says of a bad command", async () => {
    egress = await world.egress(network({}));
    egress.child.stdin?.write('{"type":"secrets","secrets":{"nvidia":["hunter2hunter2"]}}\n');
    const fatal = await egress.next("fatal");
    expect(JSON.stringify(fatal)).not.toContain("hunter2");
  });
});
