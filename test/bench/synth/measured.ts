import { readFileSync } from "node:fs";
import { GCProfiler } from "node:v8";

/** What a piece of work took. */
export interface Taken {
  /** Objects that it made. */
  readonly objects: number;
  readonly milliseconds: number;
  /** Of all threads of this process, the collector's too. */
  readonly cpu: number;
  /** Of the processes that it started. */
  readonly others: number;
  /** The most that lay in the heap at once, in bytes. */
  readonly heap: number;
  /** The most that the process had in memory, in bytes. */
  readonly resident: number;
}

/** @param count looks at what was made, when the clock has stopped */
export async function measured<T>(work: () => T | Promise<T>, count: (made: T) => number): Promise<Taken> {
  const collector = new GCProfiler();
  collector.start();
  const began = { at: performance.now(), cpu: process.cpuUsage(), others: othersCpu() };
  const made = await work();
  const milliseconds = performance.now() - began.at;
  const { user, system } = process.cpuUsage(began.cpu);
  const others = othersCpu() - began.others;
  const left = process.memoryUsage().heapUsed;
  const resident = process.resourceUsage().maxRSS * 1024;
  const before = collector.stop().statistics.map(({ beforeGC }) => beforeGC.heapStatistics.usedHeapSize);
  const heap = before.reduce((most, used) => Math.max(most, used), left);
  return { milliseconds, cpu: (user + system) / 1000, others, heap, resident, objects: count(made) };
}

/** CPU of the children that have ended, in milliseconds (proc_pid_stat(5): `cutime`, `cstime`, in ticks of 10 ms). */
function othersCpu(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
