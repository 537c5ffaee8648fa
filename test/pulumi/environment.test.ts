import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { identify } from "../../lib/host/process-identity.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { changed, unobserved } from "../../lib/pulumi/outcome.ts";
import { engineTimeout, errorsOf, planOf, TestStack } from "./stack.ts";

let stack: TestStack;

beforeAll(() => findEngine({ cache: cacheDirectory() }), engineTimeout);
beforeEach(() => {
  stack = new TestStack();
});
afterEach(() => stack.remove());

const everything = (operation: string) =>
  ["machine", "workspace", "sandbox"].map((kind) => `${kind} ${operation}`);

test("a preview works before anything exists, and starts nothing", async () => {
  const plan = await (await stack.open()).preview();
  expect(plan.result).toBe("succeeded");
  expect(planOf(plan)).toEqual(everything("create"));
  expect(stack.progress).toEqual([]);
  expect(readdirSync(stack.state).sort()).toEqual(["cache", "passphrase", "pulumi"]);
  expect(statSync(join(stack.state, "passphrase")).mode & 0o777).toBe(0o600);
});

test("what up made is unchanged for the next up", async () => {
  const first = await (await stack.open()).up();
  expect(first.result).toBe("succeeded");
  expect(planOf(first)).toEqual(everything("create"));
  expect(stack.progress).toContain("dev/assistant: waiting for generation 1");
  const { agent } = stack;
  const passphrase = readFileSync(join(stack.state, "passphrase"), "utf8");

  const second = await (await stack.open()).up();
  expect(changed(second)).toEqual([]);
  expect(planOf(second)).toEqual(everything("same"));
  expect(stack.agent).toEqual(agent);
  expect(readFileSync(join(stack.state, "passphrase"), "utf8")).toBe(passphrase);
});

test("a plan tells a live change from one that restarts the agent", async () => {
  await (await stack.open()).up();
  const { agent } = stack;

  const live = await (await stack.open({ network: {} })).preview();
  expect(changed(live)).toMatchObject([
    { name: "dev/assistant", operation: "update", paths: ["network.github"], notes: [] },
  ]);

  const walls = { files: "best_effort", syscalls: "required" } as const;
  const restart = await (await stack.open({ walls })).preview();
  expect(changed(restart)).toMatchObject([
    { operation: "update", paths: ["walls.files"], notes: ["restarts the agent (walls)"] },
  ]);
  expect(stack.agent).toEqual(agent);

  await (await stack.open({ network: {} })).up();
  expect(stack.agent).toEqual(agent);
  await (await stack.open({ network: {}, walls })).up();
  expect(stack.agent?.generation).toBe(2);
});

test("a sandbox that died is shown by preview, which starts nothing, and is brought back by up", async () => {
  await (await stack.open()).up();
  await stack.kill(stack.agent!.pid);
  const { agent } = stack;

  const plan = await (await stack.open()).preview();
  expect(changed(plan)).toMatchObject([
    { kind: "sandbox", operation: "update", notes: ["its process ended"] },
  ]);
  const drift = await (await stack.open()).refresh({ preview: true });
  expect(changed(drift)).toMatchObject([
    { kind: "sandbox", operation: "update", notes: ["its process ended"] },
  ]);
  expect(stack.agent).toEqual(agent);

  await (await stack.open()).up();
  expect(stack.agent?.generation).toBe(2);
  expect(changed(await (await stack.open()).preview())).toEqual([]);
});

test("destroy takes everything but the workspace, and says so beforehand", async () => {
  await (await stack.open()).up();
  const { agent } = stack;
  const expected = ["machine delete", "workspace keep", "sandbox delete"];
  expect(planOf(await (await stack.open()).destroy({ preview: true }))).toEqual(expected);
  expect(stack.agent).toEqual(agent);

  expect(planOf(await (await stack.open()).destroy())).toEqual(expected);
  expect(identify(agent!.pid)).toBeUndefined();
  expect(existsSync(join(stack.state, "workspaces/dev/assistant.json"))).toBe(true);
  expect(planOf(await (await stack.open()).preview())).toEqual(everything("create"));
});

test("another machine over the same state is told unobserved, changes nothing, and can forget", async () => {
  await (await stack.open()).up();
  const { agent } = stack;
  const owner = readFileSync(join(stack.state, "machine"), "utf8");
  writeFileSync(join(stack.state, "machine"), "another");

  const idle = await (await stack.open()).up();
  expect(idle.result).toBe("succeeded");
  expect(planOf(idle)).toEqual(everything("same"));
  expect(unobserved(idle)).toHaveLength(3);

  const refused = await (await stack.open({ network: {} })).up();
  expect(refused.result).toBe("failed");
  expect(errorsOf(refused)).toContain(`nacre forget --machine ${owner}`);
  expect(stack.agent).toEqual(agent);

  const dropped = await (await stack.open()).forget(owner);
  expect(dropped.map((urn) => urn.split("::").at(-1))).toEqual(["dev", "dev/assistant", "dev/assistant"]);
  expect(planOf(await (await stack.open()).preview())).toEqual(everything("create"));
  expect(stack.agent).toEqual(agent);
});
