import { readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isAlive } from "../../lib/host/process-identity.ts";
import { eventually, machine, users } from "./machine.ts";
import { address, outsideServer } from "./outside-server.ts";
import { countingServer, firstLineOf, shell } from "./programs.ts";
import { agentSpec as spec } from "./specs.ts";

const id = "dev/assistant";

/** A sandbox with an allowed server, an agent that counts its starts, and its processes. */
async function running(user: (typeof users)[number]) {
  const host = machine(user);
  const server = await outsideServer();
  host.operator(server.grants);
  const agent = { kind: "command", command: countingServer(8080), env: {} } as const;
  const description = spec({ agent, network: server.rule });
  expect(await host.create(description)).toMatchObject({ running: true, problems: [] });
  const status = async () => {
    const [found] = await host.call("status", { id });
    if (found === undefined) throw new Error("no status");
    return found;
  };
  return {
    host,
    server,
    description,
    status,
    agentPid: async () => (await status()).agent?.pid ?? 0,
    starts: async () => Number((await host.run(id, shell("wc -l < starts"))).stdout),
    greeting: async () => (await host.run(id, firstLineOf(address, server.port))).stdout,
  };
}

describe.each(users)("as %s", (user) => {
  test("kill -9 of the agent: it is started again, in the same process tree", async () => {
    const { host, agentPid, status, starts, greeting } = await running(user);
    const [before, init] = [await agentPid(), host.record(id).init];
    await host.kill(before);
    await eventually(agentPid, (pid) => pid !== 0 && pid !== before);
    expect(host.record(id).init).toEqual(init);
    expect(await status()).toMatchObject({
      generation: 1,
      agent: { restarts: 1, lastExit: { signal: "SIGKILL" } },
    });
    expect(await eventually(starts, (count) => count === 2)).toBe(2);
    expect(await greeting()).toBe("hello from outside");
  });

  test("kill -9 of init: nothing of it survives, and another process tree starts over the same workspace", async () => {
    const { host, agentPid, status, starts, greeting } = await running(user);
    const [before, agent] = [host.record(id).init, await agentPid()];
    await host.kill(before?.pid ?? 0);
    await eventually(status, ({ phase, generation }) => phase === "running" && generation === 2);
    expect(() => readFileSync(`/proc/${agent}/cmdline`)).toThrow();
    await eventually(status, ({ egress }) => egress.state === "running");
    expect(await eventually(starts, (count) => count === 2)).toBe(2);
    expect(await greeting()).toBe("hello from outside");
  });

  test("kill -9 of the egress: open connections end, the agent goes on, another one serves", async () => {
    const { host, server, agentPid, status, greeting } = await running(user);
    const agent = await agentPid();
    const held = host.run(id, [
      "/opt/nacre/node/bin/node",
      "-e",
      `const s = require("net").connect(${server.port}, "${address}"); s.on("data", () => {}); s.on("error", () => {}); s.on("close", () => process.exit(7));`,
    ]);
    await eventually(
      () => server.open(),
      (open) => open === 1,
    );
    const before = (await status()).egress.pid ?? 0;
    await host.kill(before);
    expect((await held).code).toBe(7);
    await eventually(status, ({ egress }) => egress.state === "running" && egress.pid !== before);
    expect(await greeting()).toBe("hello from outside");
    expect(await agentPid()).toBe(agent);
  });

  test("kill -9 of the daemon: the agent runs on without a network, and the next daemon adopts it", async () => {
    const { host, server, agentPid, status, greeting, description } = await running(user);
    const [agent, record] = [await agentPid(), host.record(id)];
    const entry = await host.call("sandbox.entry", { id });
    const daemon = await host.daemonPid();
    const egress = (await status()).egress.pid ?? 0;
    await host.kill(daemon);
    // No daemon: its egress has lost its stdin and ends. What the agent dials now is held or refused, and reaches nobody.
    await eventually(
      () => isGone(egress),
      (gone) => gone,
    );
    expect(isAlive(record.init ?? { pid: 0, startTime: 0 })).toBe(true);
    const connections = server.connections();
    const dialled = host.runAt(entry, [
      "/bin/bash",
      "-c",
      `timeout 2 bash -c 'cat < /dev/tcp/${address}/${server.port}'; echo "$?"`,
    ]);
    expect((await dialled).stdout).not.toContain("hello");
    expect(server.connections()).toBe(connections);
    // Asking starts the next one.
    expect(await greeting()).toBe("hello from outside");
    expect(await agentPid()).toBe(agent);
    expect(await host.call("sandbox.update", { spec: description })).toMatchObject({
      generation: 1,
      problems: [],
    });
  });

  test("kill -9 of the daemon in the middle of a create and of an update: the next one converges", async () => {
    const host = machine(user);
    const description = spec({ agent: { kind: "command", command: countingServer(8080), env: {} } });
    await host.call("workspace.create", { spec: { project: "test", environment: "dev", name: "assistant" } });
    for (const [after, change] of [0, 30, 60, 100, 150, 220, 320].entries()) {
      const wanted = { ...description, resources: { pids: 300 + after } };
      const interrupted = host.call("sandbox.create", { spec: wanted }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, change));
      await host.kill(await host.daemonPid()).catch(() => undefined);
      await interrupted;
      expect(await host.call("sandbox.create", { spec: wanted })).toMatchObject({
        running: true,
        problems: [],
      });
      expect(initsOf(host)).toBe(1);
    }
    const count = Number((await host.run(id, shell("wc -l < starts"))).stdout);
    expect(count).toBeLessThanOrEqual(host.record(id).generation);
  });

  test("a changed wall whose generation cannot start: none runs, also after kill -9, and the next change mends it", async () => {
    const { host, description } = await running(user);
    await host.run(id, shell("echo kept > note"));
    const before = host.record(id).init;
    // Landlock adds rights up: this wall cannot be built.
    const broken = { ...description, files: { readOnly: ["/sandbox/x"], readWrite: ["/sandbox", "/tmp"] } };
    const failed = { running: false, problems: [expect.stringContaining("cannot be read-only")] };
    expect(await host.call("sandbox.update", { spec: broken })).toMatchObject(failed);
    expect(before !== null && isAlive(before)).toBe(false);
    expect(initsOf(host)).toBe(0);
    await host.kill(await host.daemonPid());
    expect(await host.call("sandbox.read", { id })).toMatchObject(failed);
    expect(initsOf(host)).toBe(0);
    const restart = host.call("sandbox.update", { spec: description }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await host.kill(await host.daemonPid()).catch(() => undefined);
    await restart;
    expect(await host.call("sandbox.update", { spec: description })).toMatchObject({
      running: true,
      problems: [],
    });
    expect(initsOf(host)).toBe(1);
    expect((await host.run(id, shell("cat note"))).stdout).toBe("kept\n");
  });
});

function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

/** Process trees whose first process holds this sandbox' lock. */
function initsOf(host: ReturnType<typeof machine>): number {
  const { ino } = statSync(`${host.state}/sandboxes/dev--assistant/lock`);
  const locks = readFileSync("/proc/locks", "utf8").split("\n");
  return locks.filter((line) => line.includes("FLOCK") && line.includes(`:${ino} `)).length;
}
