import { chmodSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * At most one daemon a state directory. The lock is the kernel's (POSIX record locks, through an empty SQLite database,
 * since Node has no flock): it ends with its holder, however that ends, so there is no stale lock to clear and no moment
 * in which two clear it. `undefined`: another daemon holds it.
 */
export function lockState(state: string): { readonly release: () => void } | undefined {
  const path = join(state, "daemon.lock");
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    chmodSync(path, 0o600);
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === busy) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

/** SQLITE_BUSY (https://sqlite.org/rescode.html#busy). */
const busy = 5;
