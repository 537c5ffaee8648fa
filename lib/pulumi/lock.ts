import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Who holds a stack's lock, as the engine tells it. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
  readonly since: Date;
}

/**
 * The holders that a refusal of the engine names (pkg/backend/diy/lock.go): one line each,
 * `<url>: created by <user>@<host> (pid <pid>) at <time>`. Undefined when it is no such refusal.
 */
export function lockHoldersOf(message: string): readonly LockHolder[] | undefined {
  if (!message.includes("the stack is currently locked by")) return undefined;
  const lines = message.matchAll(/: created by \S*@(\S+) \(pid (\d+)\) at (\S+)/g);
  const once = new Map([...lines].map((line) => [line[0], line])); // the SDK repeats what the engine said
  return [...once.values()].map(([, host = "", pid = "", since = ""]) => ({
    host,
    pid: Number(pid),
    since: new Date(since),
  }));
}

/** A process of this host that has ended; a pid that was given to a younger process counts as ended. */
export function isDead({ host, pid, since }: LockHolder): boolean {
  if (host !== hostname()) return false;
  const started = startOf(pid);
  return started === undefined || started > since.getTime() + CLOCK_MS;
}

/** Boot time is told in whole seconds. */
const CLOCK_MS = 2_000;
/** `getconf CLK_TCK`: 100 on every Linux that Node runs on. */
const TICK_MS = 10;

/** When a process started, in milliseconds since the epoch; undefined when there is none. */
function startOf(pid: number): number | undefined {
  try {
    // Field 22; the second field is the name in parentheses, which may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    const boot = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]) * 1000;
    return boot + Number(fields[19]) * TICK_MS;
  } catch {
    return undefined;
  }
}
