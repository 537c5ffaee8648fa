import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** Those whose command names the folder, and those in control groups below the one that is named like it. */
export function processesOf(folder: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.map(Number).filter((pid) => {
    const ours = /dockerd|containerd|docker-proxy|runc/.test(read(`/proc/${pid}/comm`));
    if (ours && read(`/proc/${pid}/cmdline`).includes(`${folder}/`)) return true;
    return read(`/proc/${pid}/cgroup`).includes(`/${basename(folder)}/`);
  });
}

export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended in between
  }
}

/** In each hierarchy, the deepest first. */
export function groupsOf(folder: string): string[] {
  const roots = ["", ...readdirSync("/sys/fs/cgroup")].map((name) =>
    join("/sys/fs/cgroup", name, basename(folder)),
  );
  return roots.filter((path) => existsSync(path)).flatMap((path) => [...foldersUnder(path), path]);
}

const foldersUnder = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [...foldersUnder(join(path, entry.name)), join(path, entry.name)]);

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** By the addresses that they have: `net` is the first two numbers. */
export const bridgesOf = (net: string): string[] => {
  const links = JSON.parse(execFileSync("ip", ["-json", "addr", "show", "type", "bridge"]).toString()) as {
    readonly ifname?: string;
    readonly addr_info?: readonly { readonly local: string }[];
  }[];
  return links.flatMap(({ ifname, addr_info = [] }) =>
    ifname !== undefined && addr_info.some(({ local }) => local.startsWith(`${net}.`)) ? [ifname] : [],
  );
};

/** The deepest first. */
export const mountsUnder = (folder: string): string[] =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`))
    .reverse();
