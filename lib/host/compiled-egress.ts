import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { build, program } from "./build.ts";
import { egressNodeOptions } from "./egress-spec.ts";
import { inside } from "./inside.ts";
import { isCode } from "./state.ts";

/**
 * The egress' code, compiled once for all sandboxes: without it each egress would hold a TypeScript compiler in memory
 * (27 instead of 49 MB of its own, and ready in a third of the time, measured). Made by a run that ends at once, and shown
 * read-only: what an egress runs is never what an egress has written.
 * @returns a folder of Node's compile cache; undefined where it cannot be made, which costs only memory
 */
export async function compiledEgress(cache: string): Promise<string | undefined> {
  const all = join(cache, "egress-compiled");
  const folder = join(all, `${build()}-${process.version}`);
  await mkdir(all, { recursive: true, mode: 0o700 });
  const found = await readdir(all);
  if (found.includes(folder.slice(all.length + 1))) return folder;
  const made = await mkdtemp(join(all, "new-"));
  try {
    await compileInto(made);
    await rename(made, folder);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    if (!isCode(error, "EEXIST", "ENOTEMPTY")) return undefined;
  }
  await prune(all, found);
  return folder;
}

/** Another checkout's daemon may run from any of them: only what nobody has made for long goes. */
async function prune(all: string, names: readonly string[]): Promise<void> {
  const old = Date.now() - 30 * 24 * 3600 * 1000;
  for (const name of names) {
    const path = join(all, name);
    const made = await stat(path).catch(() => undefined);
    if (made !== undefined && made.mtimeMs < old) await rm(path, { recursive: true, force: true });
  }
}

/** An egress that is told nothing ends at once; by then Node has compiled all of it. */
async function compileInto(folder: string): Promise<void> {
  const child = spawn(process.execPath, [...egressNodeOptions, program("egress/main")], {
    stdio: "ignore",
    env: { NODE_COMPILE_CACHE: folder },
    cwd: "/",
    timeout: 20_000,
  });
  const [code] = (await once(child, "exit")) as [number | null];
  const [version] = await readdir(folder);
  if (code !== 0 || version === undefined) throw new Error(`the egress ended with ${code ?? "a signal"}`);
  // Node keeps the caches of different users apart by the end of this name, and inside the user is another.
  await rename(join(folder, version), join(folder, version.replace(/-\d+$/, `-${inside.ids.uid}`)));
  await open(folder);
}

/** For the user id of an egress, which is nobody's outside. */
async function open(path: string): Promise<void> {
  await chmod(path, 0o755);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await open(child);
    else await chmod(child, 0o444);
  }
}
