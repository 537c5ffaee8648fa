import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Runs `work` while this process alone holds `file`. The kernel's own lock (flock) in a child that ends with our end of
 * its stdin: whoever is killed leaves no stale lock behind, which a lock of files and pids would.
 */
export async function exclusively<T>(file: string, work: () => Promise<T>): Promise<T> {
  const holder = spawn("flock", [file, "sh", "-c", "echo held; cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(holder, "close");
  try {
    const first = await Promise.race([once(holder.stdout, "data"), ended]);
    if (String(first[0]) !== "held\n") throw new Error(`${file} cannot be locked: ${String(first[0])}`);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
