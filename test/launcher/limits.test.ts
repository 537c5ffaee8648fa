import { existsSync, mkdirSync, readFileSync, rmdirSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkSchema, type KernelOffer } from "../../lib/host/launch-spec.ts";
import { launch, once, refusal, run } from "./launcher.ts";
import { everyone, place, type Place } from "./place.ts";
import { sandboxSpec } from "./spec.ts";

/** Starts processes until the kernel refuses one; prints how many it got. */
const crowd = `import os, signal
children = []
try:
  for _ in range(200):
    child = os.fork()
    if child == 0: signal.pause()
    children.append(child)
except OSError as error: print(len(children), type(error).__name__)
for child in children: os.kill(child, 9)`;

describe.each(everyone)("limits, launched by %s", (as) => {
  let here: Place;
  let offer: KernelOffer;
  beforeAll(async () => {
    here = place(as);
    const ended = await run(here, "check");
    offer = checkSchema.parse(JSON.parse(ended.out));
  });
  afterAll(() => here.dispose());

  test("check says what this machine offers, and the launcher agrees", async () => {
    expect(offer.kernel).toBe(readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
    const posture = (await launchOnce(here)).posture;
    expect(offer.landlock).toMatchObject({ available: true, abi: posture.landlock.abi });
    expect(offer.landlock.scopes).toBe(posture.landlock.scopes.length > 0);
    for (const what of ["namespaces", "nf_tables", "seccomp", "overlay"] as const)
      expect(offer[what]).toEqual({ available: true });
  });

  test("open files and core files", async () => {
    const spec = sandboxSpec(here, "files", [
      "bash",
      "-c",
      "ulimit -n; ulimit -Hn; ulimit -c; ulimit -n 8192 || echo no",
    ]);
    const ended = await once(here, { ...spec, limits: { open_files: 777 } });
    expect(ended.out).toBe("777\n777\n0\nno\n");
  });

  test("processes are counted for this sandbox alone, by the group or by the user namespace", async () => {
    const spec = { ...sandboxSpec(here, "pids", null), limits: { pids: 20, cgroup: "none" as const } };
    await using sandbox = await launch(here, spec);
    expect(sandbox.launched.posture.limits).toMatchObject({ pids_by: "rlimit", processes: 20, cgroup: null });
    // Another sandbox of the same outside id takes nothing from it.
    await using _other = await launch(here, {
      ...sandboxSpec(here, "others", ["bash", "-c", "for i in $(seq 30); do sleep 600 & done; wait"]),
    });
    const ended = await sandbox.exec(["python3", "-c", crowd]);
    // Init and the command itself are counted too.
    expect(ended.out).toBe("18 BlockingIOError\n");
    expect((await sandbox.exec(["true"])).code).toBe(0);
    if (!offer.cgroup.controllers.includes("pids")) return;
    await using grouped = await launch(here, { ...sandboxSpec(here, "group", null), limits: { pids: 20 } });
    expect(grouped.launched.posture.limits).toMatchObject({ pids_by: "cgroup", cgroup: { pids: 20 } });
    expect((await grouped.exec(["python3", "-c", crowd])).out).toBe("18 BlockingIOError\n");
  });

  test("memory and processor time: kept and read back, or refused with the reason", async () => {
    const limits = { memory_bytes: 96 << 20, cpu: 0.5 };
    const spec = { ...sandboxSpec(here, "memory", null), limits };
    if (!["memory", "cpu"].every((name) => offer.cgroup.controllers.includes(name))) {
      expect(await refusal(here, spec)).toMatchObject({
        code: "limit_unkept",
        message: expect.stringMatching(/cannot be kept here: \/.+: .+/),
        hint: expect.stringContaining("as root"),
      });
      // Nothing half-made.
      expect(existsSync(join(spec.directory, "init.sock"))).toBe(false);
      return;
    }
    const sandbox = await launch(here, spec);
    const { cgroup } = sandbox.launched.posture.limits;
    expect(cgroup).toMatchObject({ cpu: 0.5, memory_bytes: 96 << 20, pids: null });
    const member = readFileSync(`/proc/${sandbox.launched.pid}/cgroup`, "utf8");
    expect(member).toContain("/nacre-");
    expect((await sandbox.exec(["python3", "-c", "x = bytearray(30 << 20); print(len(x))"])).out).toBe(
      `${30 << 20}\n`,
    );
    expect((await sandbox.exec(["python3", "-c", "x = bytearray(400 << 20)"])).code).toBe(137);
    // Two threads of work in half a processor.
    const busy = `import time
start, used = time.monotonic(), time.process_time()
while time.monotonic() - start < 1: pass
print(time.process_time() - used < 0.75)`;
    expect((await sandbox.exec(["python3", "-c", busy])).out).toBe("True\n");
    // Inside, the group is the root of what is seen.
    expect((await sandbox.exec(["cat", "/proc/self/cgroup"])).out).not.toContain("nacre-");
    await sandbox[Symbol.asyncDispose]();
    // The next generation takes the same group over.
    await using again = await launch(here, { ...spec, limits: { memory_bytes: 64 << 20 } });
    expect(again.launched.posture.limits.cgroup?.paths.every((path) => cgroup?.paths.includes(path))).toBe(
      true,
    );
    expect(again.launched.posture.limits.cgroup?.memory_bytes).toBe(64 << 20);
  });

  test("empty groups that were left are taken away; a young one, or one with a process, stays", async () => {
    if (!offer.cgroup.controllers.includes("pids")) return;
    const limits = { pids: 20 };
    await using lives = await launch(here, { ...sandboxSpec(here, "lives", null), limits });
    const [own = ""] = lives.launched.posture.limits.cgroup?.paths ?? [];
    const [left, young] = [join(dirname(own), "nacre-left"), join(dirname(own), "nacre-young")];
    for (const path of [left, young]) mkdirSync(path);
    const then = new Date(Date.now() - 3_600_000);
    for (const path of [left, own]) utimesSync(path, then, then);
    await using _next = await launch(here, { ...sandboxSpec(here, "next", null), limits });
    expect([left, young, own].map((path) => existsSync(path))).toEqual([false, true, true]);
    rmdirSync(young);
  });

  test("a one-shot sandbox takes its group away, and everything in it", async () => {
    const limits = { pids: 50, open_files: 100 };
    const spec = {
      ...sandboxSpec(here, "gone", [
        "bash",
        "-c",
        "cat /proc/self/cgroup; sleep 600 & setsid sleep 600 & exit 9",
      ]),
      limits,
    };
    const before = Date.now();
    const ended = await once(here, { ...spec, grace_ms: 5000 });
    expect(ended.code).toBe(9);
    // They end when they are asked; nobody waits for the grace to pass.
    expect(Date.now() - before).toBeLessThan(4000);
  });
});

async function launchOnce(here: Place) {
  await using sandbox = await launch(here, sandboxSpec(here, "once", null));
  return sandbox.launched;
}
