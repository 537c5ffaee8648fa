import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Loaded into an egress before its program (`--import`), in tests alone: at SIGUSR2 it throws away what nothing holds,
 * and writes what is left to the file that the query names.
 */
const file = new URL(import.meta.url).searchParams.get("to") ?? "";

process.on("SIGUSR2", () => void tell());

async function tell(): Promise<void> {
  // Finalizers run between collections, and let go of more.
  for (let time = 0; time < 4; time++) {
    globalThis.gc?.();
    await sleep(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  fs.writeFileSync(`${file}.new`, JSON.stringify({ heap: heapUsed + external, resident: rss }));
  fs.renameSync(`${file}.new`, file);
}
