import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { expect, test } from "vitest";
import { isDead, lockHoldersOf } from "../../lib/pulumi/lock.ts";

const refusal = (host: string, pid: number, at: string) =>
  [
    "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.",
    `  file:///state/pulumi/.pulumi/locks/organization/nacre/dev/x.json: created by root@${host} (pid ${pid}) at ${at}`,
  ].join("\n");

test("the holders of a lock are read from the engine's refusal, each once", () => {
  const text = refusal("box", 4711, "2026-11-24T17:00:19Z");
  const expected = [{ host: "box", pid: 4711, since: new Date("2026-11-24T17:00:19Z") }];
  expect(lockHoldersOf(text)).toEqual(expected);
  expect(lockHoldersOf(`${text}\n${text}`)).toEqual(expected);
  expect(lockHoldersOf("error: no stack named 'dev' found")).toBeUndefined();
});

test("only a process of this host that has ended is dead", async () => {
  const child = spawn("sleep", ["60"]);
  const pid = child.pid!;
  const since = new Date();
  expect(isDead({ host: hostname(), pid, since })).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isDead({ host: hostname(), pid, since })).toBe(true);
  expect(isDead({ host: "elsewhere", pid, since })).toBe(false);
});

test("a pid that was given to a younger process is dead", () => {
  const long = new Date(Date.now() - 24 * 3600 * 1000 * 365);
  expect(isDead({ host: hostname(), pid: process.pid, since: long })).toBe(true);
  expect(isDead({ host: hostname(), pid: process.pid, since: new Date() })).toBe(false);
});
