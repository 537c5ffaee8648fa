import { readFileSync, readlinkSync } from "node:fs";

/** What the kernel says of one process' confinement; each field as `/proc` words it. */
export interface ProcessReading {
  /** Fields of `/proc/PID/status`. */
  readonly status: Readonly<Record<string, string>>;
  /** `/proc/PID/ns/*`: `net` to `net:[4026532008]`. */
  readonly namespaces: Readonly<Record<string, string>>;
  /** Soft limits of `/proc/PID/limits`. */
  readonly limits: Readonly<Record<string, string>>;
}

export const statusFields = [
  "NoNewPrivs",
  "Seccomp",
  "Seccomp_filters",
  "CapInh",
  "CapPrm",
  "CapEff",
  "CapBnd",
  "CapAmb",
  "Uid",
  "Gid",
] as const;

export const namespaceNames = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] as const;
export const limitNames = ["Max open files", "Max processes", "Max core file size"] as const;

/** Reads `/proc/PID` from outside. Throws when the process is gone. */
export function readProcess(pid: number): ProcessReading {
  return {
    status: statusOf(readFileSync(`/proc/${pid}/status`, "utf8")),
    namespaces: Object.fromEntries(
      namespaceNames.map((name) => [name, readlinkSync(`/proc/${pid}/ns/${name}`)]),
    ),
    limits: limitsOf(readFileSync(`/proc/${pid}/limits`, "utf8")),
  };
}

/** `Name:\tvalue` lines (proc_pid_status(5)). */
export function statusOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const match = /^(\w+):\s*(.*?)\s*$/.exec(line);
      return match?.[1] === undefined ? [] : [[match[1], (match[2] ?? "").replace(/\s+/g, " ")]];
    }),
  );
}

/** `Max open files  1024  4096  files` lines (proc_pid_limits(5)). */
export function limitsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    limitNames.flatMap((name) => {
      const match = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(text);
      return match?.[1] === undefined ? [] : [[name, match[1]]];
    }),
  );
}

/** Mounts of a process' own tree (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly at: string;
  readonly options: readonly string[];
}

export function readMounts(pid: number): Mount[] {
  return readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const fields = line.split(" ");
      const [at, options] = [fields[4], fields[5]];
      return at === undefined || options === undefined ? [] : [{ at, options: options.split(",") }];
    });
}

/** Interfaces of a process' network namespace (proc_pid_net(5)). */
export function readInterfaces(pid: number): string[] {
  return readFileSync(`/proc/${pid}/net/dev`, "utf8")
    .split("\n")
    .flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
}
