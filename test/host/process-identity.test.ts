import { spawn } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { ended, identify, isAlive, signalProcess } from "../../lib/host/process-identity.ts";

function sleeper() {
  const child = spawn("sleep", ["600"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new Error("it did not start");
  return { child, identity };
}

test("a process id that was given to another since is nobody's: not alive, and not signalled", async () => {
  const { child, identity } = sleeper();
  const before = { ...identity, startTime: identity.startTime - 1 };
  expect(isAlive(before)).toBe(false);
  expect(await ended(before, 0)).toBe(true);
  signalProcess(before, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([isAlive(identity), child.signalCode]).toEqual([true, null]);
});

test("the very process is alive until it ends, also while nobody has waited for it", async () => {
  const { identity } = sleeper();
  expect(isAlive(identity)).toBe(true);
  expect(await ended(identity, 0)).toBe(false);
  signalProcess(identity, "SIGKILL");
  expect(await ended(identity, 5000)).toBe(true);
  signalProcess(identity, "SIGKILL");
});
