import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connect } from "../../lib/host/client.ts";
import { identify } from "../../lib/host/process-identity.ts";
import { temporaryFolder } from "./folder.ts";
import { machine, users } from "./machine.ts";

describe.each(users)("as %s", (user) => {
  test("starts on demand, once, in a session of its own, and ends when asked", async () => {
    const host = machine(user);
    const pids = await Promise.all([1, 2, 3, 4].map(() => host.daemonPid()));
    expect(new Set(pids).size).toBe(1);
    const [pid = 0] = pids;
    const fields = statFields(pid);
    expect(fields.session).toBe(pid);
    expect(fields.group).toBe(pid);
    expect(statSync(join(host.state, "daemon.sock")).mode & 0o777).toBe(0o600);
    await host.call("shutdown", {});
    await expect.poll(() => identify(pid), { timeout: 20_000 }).toBeUndefined();
    expect(existsSync(join(host.state, "daemon.sock"))).toBe(false);
  });

  test("after kill -9 the next one serves with the same machine id", async () => {
    const host = machine(user);
    const before = await host.call("hello", {});
    await host.kill(before.pid);
    const after = await host.call("hello", {});
    expect(after.pid).not.toBe(before.pid);
    expect(after.machine).toBe(before.machine);
  });

  test("gets nothing of the caller's environment that is not about places, npm or TLS", async () => {
    const host = machine(user, {
      SOME_API_KEY: "s3cret-in-the-environment",
      npm_config_registry: "https://r.example/",
    });
    const pid = await host.daemonPid();
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
    expect(environment).not.toContain("s3cret-in-the-environment");
    expect(environment).toContain("npm_config_registry=https://r.example/");
  });
});

test("a preview starts none", async () => {
  const state = join(temporaryFolder(), "state");
  expect(await connect(state, { start: false })).toBeUndefined();
  expect(existsSync(state)).toBe(false);
});

test("a state directory with a corrupt machine id is an error that names the file", async () => {
  const state = join(temporaryFolder(), "state");
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(state, "machine"), "{", { mode: 0o600 });
  await expect(connect(state, { start: true })).rejects.toMatchObject({
    code: "state_corrupt",
    subject: join(state, "machine"),
  });
});

test("a path longer than a socket's address can be", async () => {
  const state = join(temporaryFolder(), "s".repeat(150), "state");
  mkdirSync(join(state, ".."));
  const client = await connect(state, { start: true });
  expect((await client.call("hello", {})).pid).toBeGreaterThan(0);
  await client.call("shutdown", {});
});

function statFields(pid: number): { group: number; session: number } {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { group: Number(fields[2]), session: Number(fields[3]) };
}
