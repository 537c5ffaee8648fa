import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import type { machine } from "./machine.ts";
import { shell } from "./programs.ts";

/** The ways that a secret could be written down. */
export const encodings = {
  raw: (text: string) => text,
  base64: (text: string) => Buffer.from(text).toString("base64").replace(/=+$/, "").slice(0, -2),
  hex: (text: string) => Buffer.from(text).toString("hex"),
  url: (text: string) => encodeURIComponent(text),
  sha256: (text: string) => createHash("sha256").update(text).digest("hex"),
};

export interface Place {
  readonly where: string;
  readonly content: Buffer;
}

export const found = (places: readonly Place[], text: string): string[] =>
  places.flatMap(({ where, content }) => (content.includes(text) ? [where] : []));

/** Files under the home (state, cache, logs, audit, workspace), and what the kernel shows of the processes. */
export async function everything(
  host: ReturnType<typeof machine>,
  id: string,
  source: string,
): Promise<Place[]> {
  const files = readdirSync(host.home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== source && !path.includes("/cache/"));
  const [status] = await host.call("status", { id });
  const daemon = await host.daemonPid();
  const processes = [daemon, status?.init?.pid, status?.agent?.pid, status?.egress.pid].flatMap(
    (pid) => pid ?? [],
  );
  const shown = processes.flatMap((pid) => ["cmdline", "environ"].map((name) => `/proc/${pid}/${name}`));
  const inside = await host.run(
    id,
    shell(
      "cat /proc/*/environ /proc/*/cmdline; find / -xdev -type f -readable -size -1M ! -path '/proc/*' ! -path '/usr/*' -exec cat {} +; env",
    ),
  );
  return [
    ...[...files, ...shown].map((where) => ({ where, content: read(where) })),
    { where: "inside", content: Buffer.from(inside.stdout) },
    { where: "status", content: Buffer.from(JSON.stringify(status)) },
  ];
}

/** The memory of a process, as root reads it from outside: what is mapped and can be read. */
export function memoryOf(pid: number): Buffer {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    const parts = maps.flatMap((line) => {
      const [, from = "", to = "", rights = ""] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
      if (!rights.startsWith("rw") || line.includes("[v")) return [];
      const size = Number(BigInt(`0x${to}`) - BigInt(`0x${from}`));
      const bytes = Buffer.alloc(Math.min(size, 256 * 1024 * 1024));
      try {
        return [bytes.subarray(0, readSync(memory, bytes, 0, bytes.length, BigInt(`0x${from}`)))];
      } catch {
        return [];
      }
    });
    return Buffer.concat(parts);
  } finally {
    closeSync(memory);
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
