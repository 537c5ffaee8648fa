import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { isCode } from "./state.ts";

/** A process for good: ids are used again, and never with the same start time (proc_pid_stat(5), field 22). */
export const processIdentitySchema = z.strictObject({ pid: z.int().positive(), startTime: z.int() });
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** Who has this id now; undefined: nobody, or one that ended and only waits to be reaped. */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    if (isCode(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
  // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  if (state === "Z" || state === "X") return undefined;
  return { pid, startTime: Number(fields[22 - 3]) };
}

export const isAlive = (process: ProcessIdentity): boolean =>
  identify(process.pid)?.startTime === process.startTime;

/** Sends `signal` to that very process, if it lives. (Between check and kill the id could only pass on by a full turn.) */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if (!isCode(error, "ESRCH")) throw error;
  }
}

/** Whether it ended within `milliseconds`. */
export async function ended(target: ProcessIdentity, milliseconds: number): Promise<boolean> {
  const end = Date.now() + milliseconds;
  while (isAlive(target)) {
    if (Date.now() > end) return false;
    await sleep(10);
  }
  return true;
}
