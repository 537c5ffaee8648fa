import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Measurement } from "./api.ts";

export interface GroupLimits {
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly pids: number | null;
}

/** What the control groups of a process keep now (cgroups(7)): both hierarchies' files, by whichever folder has them. */
export function readGroupLimits(paths: readonly string[]): GroupLimits {
  const file = (name: string): string | undefined => {
    for (const path of paths) {
      try {
        return readFileSync(join(path, name), "utf8").trim();
      } catch {
        // Another controller's folder, or the other version's name.
      }
    }
    return undefined;
  };
  return {
    cpu: quota(file("cpu.max") ?? `${file("cpu.cfs_quota_us") ?? "max"} ${file("cpu.cfs_period_us") ?? ""}`),
    memoryBytes: limit(file("memory.max") ?? file("memory.limit_in_bytes")),
    pids: limit(file("pids.max")),
  };
}

/** The limits that were asked for, as the kernel has them; each only while the process is in that group. */
export function groupMeasurements(
  pid: number,
  paths: readonly string[],
  asked: {
    readonly cpu?: number | undefined;
    readonly memoryBytes?: number | undefined;
    readonly pids?: number | undefined;
  },
): Measurement[] {
  const membership = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const own = paths.filter((path) => membership.includes(`/${basename(path)}\n`));
  const limits = readGroupLimits(own);
  const one = (what: string, wanted: number | undefined, found: number | null): Measurement[] =>
    wanted === undefined
      ? []
      : [
          {
            what,
            value: found === null ? "none" : `${found}`,
            source: `/proc/${pid}/cgroup, ${own.join(" ") || "no group of its own"}`,
            wanted: `${wanted}`,
            // The kernel rounds memory down to pages, and a period to microseconds.
            holds: found !== null && found <= wanted * 1.001,
          },
        ];
  return [
    ...one("cpu limit", asked.cpu, limits.cpu),
    ...one("memory limit", asked.memoryBytes, limits.memoryBytes),
    ...one("pids limit", asked.pids, limits.pids),
  ];
}

/** `150000 100000` is one core and a half; `max` and `-1` are none. */
function quota(text: string): number | null {
  const [quota, period] = text.split(/\s+/).map(Number);
  return quota === undefined || period === undefined || !(quota > 0) || !(period > 0) ? null : quota / period;
}

const limit = (text: string | undefined): number | null =>
  text === undefined || !/^\d+$/.test(text) ? null : Number(text);
