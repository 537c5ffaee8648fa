import { describe, expect, test } from "vitest";
import { healthy, statusReport } from "../../lib/cli/status-report.ts";
import type { SandboxStatus } from "../../lib/host/api.ts";

const measurement = { what: "Seccomp", value: "2", source: "/proc/1/status", holds: true };
const status = (parts: Partial<SandboxStatus> = {}): SandboxStatus => ({
  id: "dev/assistant",
  project: "p",
  generation: 1,
  phase: "running",
  problems: [],
  warnings: [],
  agent: { pid: 1, startedAt: 0, restarts: 0, lastExit: null },
  init: { pid: 2 },
  published: [],
  egress: { state: "running", pid: 3, revision: 1, loaded: { revision: 1, hash: "sha256:00" }, restarts: 0 },
  live: null,
  allows: [],
  blocks: [],
  grants: [],
  digests: { blueprint: "sha256:00", environment: "sha256:00" },
  walls: [{ wall: "syscalls", holds: true, measurements: [measurement] }],
  probes: [],
  exec: { same: true, compared: ["Seccomp"], differences: [] },
  ...parts,
});

describe("a sandbox is healthy", () => {
  test("where everything that was asked for is in force", () => expect(healthy(status())).toBe(true));

  const { egress } = status();
  const difference = { field: "Seccomp", agent: "2", exec: "0" };
  test.each<[string, Partial<SandboxStatus>]>([
    ["a wall does not hold", { walls: [{ wall: "files", holds: false, measurements: [] }] }],
    [
      "a command that is executed has other walls",
      { exec: { same: false, compared: ["Seccomp"], differences: [difference] } },
    ],
    ["it has a problem", { problems: ["its egress does not answer"] }],
    ["it does not run", { phase: "backoff" }],
    ["its egress does not run", { egress: { ...egress, state: "backoff" } }],
    ["its egress has no policy", { egress: { ...egress, loaded: null } }],
  ])("and not where %s", (_, parts) => expect(healthy(status(parts))).toBe(false));
});

test("a measurement and a probe that fail are shown unasked, with what was wanted and where it was read", () => {
  const failed = { ...measurement, value: "0", wanted: "2", holds: false };
  const probes = [
    { name: "trace a process", wall: "syscalls" as const, refused: false, detail: "the kernel did it" },
  ];
  const walls = [{ wall: "syscalls" as const, holds: false, measurements: [failed] }];
  const report = statusReport(status({ walls, probes }), 0, false);
  expect(report).toContain("✗ syscalls    Seccomp 0; 0 of 1 forbidden things refused from inside");
  expect(report).toContain("✗ Seccomp = 0 (wanted 2), read from /proc/1/status");
  expect(report).toContain("✗ trace a process: NOT refused, the kernel did it");
});

test("nothing in a report acts on a terminal, wherever an agent may have put it", () => {
  const hostile = "a\u001b[2J\r\u009b\u202eb";
  const bad = { what: hostile, value: hostile, wanted: hostile, source: hostile, holds: false };
  const report = statusReport(
    status({
      problems: [hostile],
      warnings: [hostile],
      walls: [{ wall: "files", holds: false, measurements: [bad] }],
      probes: [{ name: hostile, wall: "files", refused: false, detail: hostile }],
      exec: {
        same: false,
        compared: [hostile],
        differences: [{ field: hostile, agent: hostile, exec: hostile }],
      },
      allows: [{ id: "x", host: hostile, port: 443, binary: hostile, until: 1000 }],
      blocks: [{ host: hostile }],
      grants: [{ host: hostile, cidr: "10.0.0.1/32", port: 443 }],
    }),
    0,
    true,
  );
  expect(report.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(report.split("\\x1b[2J").length - 1).toBeGreaterThanOrEqual(15);
});
