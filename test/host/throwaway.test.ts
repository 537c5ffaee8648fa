import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { HostContext } from "../../lib/host/context.ts";
import { readOperator } from "../../lib/host/operator.ts";
import { runThrowAway } from "../../lib/host/run-throwaway.ts";
import { shippedSeccomp } from "../../lib/host/seccomp.ts";
import { privateFolder } from "../../lib/host/state.ts";
import type { ThrowAwaySpec } from "../../lib/host/throwaway.ts";
import { clearThrowAways, openThrowAway } from "../../lib/host/throwaway-sandbox.ts";
import { temporaryFolder } from "./folder.ts";
import { address, outsideServer } from "./outside-server.ts";
import { firstLineOf, shell } from "./programs.ts";
import { agentSpec } from "./specs.ts";

async function contextIn(folder: string): Promise<HostContext> {
  const state = join(folder, "state");
  await privateFolder(state);
  const context: HostContext = {
    state,
    cache: join(folder, "cache"),
    operator: () => readOperator(join(folder, "host.yaml")),
    handed: new Map(),
    kit: () => {
      throw new Error("no kit here");
    },
    runThrowAway: (spec) => runThrowAway(context, spec),
    seccomp: { egress: await shippedSeccomp("egress"), agent: await shippedSeccomp("agent") },
    wallsOff: [],
    compiledEgress: undefined,
    transientIds: new Set(),
    log: () => undefined,
  };
  return context;
}

const plan = (parts: Partial<ThrowAwaySpec>): ThrowAwaySpec => ({
  subject: "test",
  argv: ["true"],
  env: {},
  files: [],
  binds: [],
  network: {},
  grants: [],
  limits: {},
  timeout: 30_000,
  output: () => undefined,
  signal: new AbortController().signal,
  ...parts,
});

test("a command is given files, a folder, a network and grants; what it leaves is the caller's", async () => {
  const context = await contextIn(temporaryFolder());
  const [allowed, denied] = [await outsideServer(), await outsideServer()];
  const bind = temporaryFolder();
  let said = "";
  const end = await context.runThrowAway(
    plan({
      argv: shell(
        `cat given; ls -d /shown; ln -s /etc/passwd link; mkdir -p deep/er && echo x > deep/er/file; ` +
          `"$@"; node -e 'require("net").connect(${denied.port}, "${address}").on("error", () => process.exit(0)).on("close", () => process.exit(0))'; exit 3`,
      ).concat("sh", ...firstLineOf(address, allowed.port)),
      files: [{ name: "given", content: "given content\n" }],
      binds: [{ from: bind, to: "/shown" }],
      network: allowed.rule,
      grants: [{ host: address, cidr: `${address}/32`, port: allowed.port }],
      output: (text) => (said += text),
    }),
  );
  expect(end.code).toBe(3);
  expect(said).toContain("given content");
  expect(said).toContain("/shown");
  expect(said).toContain("hello from outside");
  expect(end.tail).toBe(said);
  expect(end.refused).toEqual([expect.stringContaining(`${address}:${denied.port}`)]);
  expect(denied.connections()).toBe(0);
  expect(readFileSync(join(end.home, "deep/er/file"), "utf8")).toBe("x\n");
  expect(statSync(join(end.home, "deep/er/file")).uid).toBe(process.getuid?.());
  expect(lstatSync(join(end.home, "link")).isSymbolicLink()).toBe(true);
  await end.dispose();
  expect(readdirSync(join(context.state, "throwaway"))).toEqual([]);
  expect(readdirSync(join(context.state, "trash"))).toEqual([]);
  expect(context.transientIds.size).toBe(0);
});

test("one that takes too long, or that nobody waits for any more, is ended and leaves nothing", async () => {
  const context = await contextIn(temporaryFolder());
  const slow = { argv: ["/bin/sleep", "60"] };
  await expect(context.runThrowAway(plan({ ...slow, timeout: 1500 }))).rejects.toMatchObject({
    code: "timed_out",
  });
  const controller = new AbortController();
  const aborted = context.runThrowAway(plan({ ...slow, signal: controller.signal }));
  setTimeout(() => controller.abort(), 1500);
  await expect(aborted).rejects.toThrow();
  expect(readdirSync(join(context.state, "throwaway"))).toEqual([]);
});

test("what a daemon that was killed has left is ended and removed", async () => {
  const context = await contextIn(temporaryFolder());
  const { entry } = await openThrowAway(context, {
    spec: agentSpec(),
    grants: [],
    binds: [],
    fill: () => Promise.resolve(),
  });
  expect(existsSync(entry.control)).toBe(true);
  const folder = join(entry.control, "..");
  const { init } = JSON.parse(readFileSync(join(folder, "record.json"), "utf8")) as { init: { pid: number } };
  await clearThrowAways(context.state);
  expect(existsSync(folder)).toBe(false);
  expect(
    existsSync(`/proc/${init.pid}/cmdline`) && readFileSync(`/proc/${init.pid}/cmdline`).length > 0,
  ).toBe(false);
});
