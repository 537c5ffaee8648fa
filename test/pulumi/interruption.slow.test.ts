import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { identify } from "../../lib/host/process-identity.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import type { Outcome } from "../../lib/pulumi/outcome.ts";
import { changed } from "../../lib/pulumi/outcome.ts";
import { engineTimeout, errorsOf, planOf, TestStack } from "./stack.ts";

let stack: TestStack;

beforeAll(() => findEngine({ cache: cacheDirectory() }), engineTimeout);
beforeEach(() => {
  stack = new TestStack();
});
afterEach(async () => {
  delete process.env["SLOW"];
  await stack.remove();
});

const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** The processes whose environment names this stack's state directory, by what they are. */
function processOf(kind: "engine" | "provider"): number | undefined {
  const found = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const is =
          kind === "engine"
            ? command[0]?.endsWith("/pulumi") && command[1] === "up"
            : command[1]?.endsWith("plugin/main.ts");
        return is === true && environment.includes(`NACRE_STATE_DIR=${stack.state}\0`);
      } catch {
        return false;
      }
    });
  return found === undefined ? undefined : Number(found);
}

/** An `up` that is in the middle of the sandbox's creation: its process exists, and nobody has recorded it. */
async function startUp(
  signal?: AbortSignal,
): Promise<{ run: Promise<Outcome>; engine: number; provider: number }> {
  process.env["SLOW"] = "60000";
  const run = (await stack.open()).up({ signal });
  while (stack.agent === undefined) await wait(50);
  await wait(300);
  delete process.env["SLOW"];
  return { run, engine: processOf("engine")!, provider: processOf("provider")! };
}

const pending = () => {
  const path = join(stack.state, "pulumi/.pulumi/stacks/nacre/dev.json");
  return JSON.parse(readFileSync(path, "utf8")).checkpoint.latest.pending_operations ?? [];
};

test("kill -9 of the engine in the middle of up: the next up clears its lock, finds the sandbox and converges", async () => {
  const { run, engine, provider } = await startUp();
  const { agent } = stack;
  await stack.kill(engine);
  const killed = await run;
  expect(killed.result).toBe("failed");
  expect(errorsOf(killed)).toBe("it was killed (SIGKILL)");
  await wait(500);
  expect(identify(provider)).toBeUndefined();
  expect(pending()).toHaveLength(1);

  const next = await (await stack.open()).up();
  expect(next.result).toBe("succeeded");
  expect(stack.repairs).toEqual([
    expect.stringMatching(/interrupted while it created .*::dev\/assistant/),
    expect.stringMatching(new RegExp(`cleared the lock of engine process ${engine} `)),
  ]);
  expect(planOf(next)).toEqual(["machine same", "workspace same", "sandbox same"]);
  expect(stack.agent).toEqual(agent);
  expect(pending()).toEqual([]);
  expect(changed(await (await stack.open()).preview())).toEqual([]);
});

test("kill -9 of the engine, then destroy: nothing is left running", async () => {
  const { run, engine } = await startUp();
  const { agent } = stack;
  await stack.kill(engine);
  await run;
  const destroyed = await (await stack.open()).destroy();
  expect(planOf(destroyed)).toEqual(["machine delete", "workspace keep", "sandbox delete"]);
  expect(identify(agent!.pid)).toBeUndefined();
});

test("kill -9 of the provider in the middle of up: the next up converges", async () => {
  const { run, provider } = await startUp();
  const { agent } = stack;
  await stack.kill(provider);
  expect((await run).result).toBe("failed");
  const next = await (await stack.open()).up();
  expect(next.result).toBe("succeeded");
  expect(stack.agent).toEqual(agent);
  expect(changed(await (await stack.open()).preview())).toEqual([]);
});

test("an interrupt ends up in order, and the next up converges", async () => {
  const interrupt = new AbortController();
  const { run } = await startUp(interrupt.signal);
  interrupt.abort();
  expect((await run).result).toBe("cancelled");
  expect((await (await stack.open()).up()).result).toBe("succeeded");
  expect(stack.repairs).toEqual([]);
  expect(stack.agent?.generation).toBe(1);
});

test("the lock of an engine that lives is respected", async () => {
  const { run, engine } = await startUp();
  const refusal = (await stack.open()).up();
  await expect(refusal).rejects.toMatchObject({ code: "stack_locked" });
  await expect(refusal).rejects.toThrow(`process ${engine} on `);
  await stack.kill(engine);
  await run;
});

test("a sandbox that does not become ready fails the up, is kept, and is mended by the next", async () => {
  const failed = await (await stack.open({ agent: { kind: "command", command: ["false"], env: {} } })).up();
  expect(failed.result).toBe("failed");
  expect(errorsOf(failed)).toBe("its process ended");
  const mended = await (await stack.open()).up();
  expect(planOf(mended)).toEqual(["machine same", "workspace same", "sandbox update"]);
  expect(mended.result).toBe("succeeded");
  expect(stack.agent?.generation).toBe(2);
});
