import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { machine, users } from "./machine.ts";
import { agentSpec as spec } from "./specs.ts";

const id = "dev/assistant";

/** A launcher whose walls can be left out, built for tests alone. */
function switchable(): string {
  const crate = fileURLToPath(new URL("../../lib/launcher", import.meta.url));
  const target = join(crate, "target/switchable");
  const flags = ["--locked", "-q", "--profile", "switchable", "--features", "switchable-walls"];
  execFileSync("cargo", ["build", ...flags, "--target-dir", target], { cwd: crate, stdio: "inherit" });
  const folder = mkdtempSync(join(tmpdir(), "nacre-switchable-"));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const copy = join(folder, "nacre-launcher");
  copyFileSync(join(target, "x86_64-unknown-linux-gnu/switchable/nacre-launcher"), copy);
  chmodSync(copy, 0o755);
  return copy;
}

describe.each(users)("as %s", (user) => {
  test.each([
    ["files", "files", "Landlock", "none"],
    ["syscalls", "syscalls", "Seccomp", "0"],
    ["network", "network", "interfaces", /\w+ \w+|\w+/],
    ["ids", "syscalls", "NoNewPrivs", "0"],
    ["pids", "syscalls", "pid namespace", /^pid:/],
    ["mounts", "files", "writable mounts", /\//],
  ] as const)("a sandbox without the wall %s shows it: %s, %s", async (off, wall, what, value) => {
    // Without a mount namespace the workspace is where it is: in a folder that root's agent, being nobody, cannot enter.
    if (off === "mounts" && user === "root") return;
    const host = machine(user, { NACRE_LAUNCHER: switchable(), NACRE_WALLS_OFF: off });
    // Without a network namespace there is nothing to capture, which the egress says.
    const problems = off === "network" ? [expect.stringContaining("captures nothing")] : [];
    expect(await host.create(spec({ restart: "never" }))).toMatchObject({ running: true, problems });
    const [status] = await host.call("status", { id });
    const reading = status?.walls.find((found) => found.wall === wall);
    expect(reading?.holds).toBe(false);
    const line = reading?.measurements.find((found) => found.what === what);
    expect(line).toMatchObject({ holds: false, value: expect.stringMatching(value) });
  });

  test("a launcher that is not a test build refuses to leave a wall out", async () => {
    const host = machine(user, { NACRE_WALLS_OFF: "files" });
    expect(await host.create(spec())).toMatchObject({
      running: false,
      problems: [expect.stringContaining("off")],
    });
  });

  test("best effort is a warning, and what was measured is shown all the same", async () => {
    const host = machine(user);
    await host.create(spec({ walls: { files: "best_effort", syscalls: "required" } }));
    const [status] = await host.call("status", { id });
    expect(status?.warnings).toEqual([expect.stringContaining("files is best_effort")]);
    const landlock = status?.walls[0]?.measurements.find(({ what }) => what === "Landlock");
    expect(landlock?.value).toBe("full");
  });

  test("limits that were asked for are kept, and read back", async () => {
    const host = machine(user);
    const reading = await host.create(spec({ resources: { pids: 64 } }));
    expect(reading.problems).toEqual([]);
    const bomb = await host.run(id, [
      "/bin/bash",
      "-c",
      "for i in $(seq 100); do sleep 5 & done 2>/dev/null; jobs -r | wc -l",
    ]);
    expect(Number(bomb.stdout.trim())).toBeLessThan(64);
    const [status] = await host.call("status", { id });
    expect(status?.warnings).toEqual([]);
  });
});
