import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { hostBundle } from "./trust.ts";
import { readText, writeAtomic } from "./state.ts";

/**
 * What the host says of names and authorities, as files that an egress sees through a bound folder. Copies: the files
 * themselves are replaced by rename whenever the network changes, and a bound file would stay the old one.
 */
export async function makeHostView(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await chmod(folder, 0o755);
  // Read by an egress when it starts, so it need not be fresher than that.
  await write(folder, { "ca-bundle.crt": hostBundle() });
  await refreshHostView(folder);
}

/** What changes while an egress runs: name servers and names. */
export async function refreshHostView(folder: string): Promise<void> {
  await write(folder, { "resolv.conf": await textOf("/etc/resolv.conf"), hosts: await textOf("/etc/hosts") });
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    if ((await readText(path)) === content) continue;
    await writeAtomic(path, content);
    await chmod(path, 0o444);
  }
}

const textOf = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");
