import { readFileSync } from "node:fs";
import type { ExecSpec, SandboxSpec } from "../../lib/host/launch-spec.ts";
import type { Step } from "./guest.ts";

type User = Step["user"];

const profile = JSON.parse(
  readFileSync(new URL("../../policies/seccomp/agent.json", import.meta.url), "utf8"),
) as SandboxSpec["seccomp"]["profile"];

/** Where a sandbox of the guest keeps its things. */
const at = (name: string) => ({ directory: `/home/${name}/dir`, work: `/home/${name}/work` });

/** Whose ids are behind the agent: root takes free ones, a user has only their own. */
const outside = (user: User) => (user === "root" ? { uid: 700_000, gid: 700_000 } : { uid: 1000, gid: 1000 });

/** A sandbox over the guest's few programs, with every wall that the product asks for. */
export const sandbox = (name: string, user: User, parts: Partial<SandboxSpec> = {}): SandboxSpec => ({
  id: `guest/${name}`,
  generation: 1,
  hostname: name,
  directory: at(name).directory,
  identity: { inside: { uid: 1000, gid: 1000 }, outside: outside(user) },
  root: {
    tmpfs: [{ at: "/tmp", size_bytes: 1 << 20, mode: "1777" }],
    binds: [
      ...["/bin", "/lib", "/lib64"].map((path) => ({ from: path, to: path, mode: "ro" as const })),
      { from: at(name).work, to: "/sandbox", mode: "rw" },
    ],
  },
  landlock: {
    requirement: "required",
    rules: [
      ...["/bin", "/lib", "/lib64"].map((path) => ({ path, access: "execute" as const })),
      { path: "/proc", access: "read" },
      ...["/dev", "/tmp", "/sandbox"].map((path) => ({ path, access: "write" as const })),
    ],
  },
  seccomp: { requirement: "required", profile },
  network: { kind: "capture", address: "25.255.0.1", port: 15001 },
  limits: {},
  process: {
    argv: ["/bin/busybox", "sleep", "100000"],
    env: {},
    cwd: "/sandbox",
    restart: { policy: "always", initial_ms: 100, max_ms: 1000 },
  },
  ports: [],
  grace_ms: 1000,
  ...parts,
});

/** Starts the sandbox of `/nacre/NAME.json`; its folders are made as the daemon makes them. */
export const start = (name: string, user: User): string => {
  const { directory, work } = at(name);
  const { uid, gid } = outside(user);
  const own = user === "root" ? `chown ${uid}:${gid} ${work}` : "true";
  return `mkdir -p ${directory} ${work}; chmod 700 ${directory}; ${own}; nacre-launcher sandbox 3</nacre/${name}.json`;
};

/** Asks its init. */
export const ask = (name: string, op: string): string =>
  `perl /bin/ask.pl ${at(name).directory}/init.sock '${JSON.stringify({ op })}'`;

/** Runs a shell script inside, as `nacre exec` does. */
export const inside = (name: string, script: string): string => {
  const spec: ExecSpec = {
    control: `${at(name).directory}/init.sock`,
    argv: ["/bin/busybox", "sh", "-c", script],
    env: { PATH: "/bin" },
    cwd: "/sandbox",
    tty: false,
  };
  return `nacre-launcher exec 3<<'END'\n${JSON.stringify(spec)}\nEND`;
};

export const users = ["root", "user"] as const;

/** What a refused start must not leave: a process, a mount, an init that answers. Prints what it finds. */
export const traces = (name: string): string => {
  const { directory } = at(name);
  return `ps -o pid,args | grep -E 'nacre-launche[r]|busybox sleep 10000[0]'
    grep ' ${directory}' /proc/mounts
    perl /bin/ask.pl ${directory}/init.sock '{"op":"state"}' 2>/dev/null
    true`;
};

/** Control groups of version 2, as systemd mounts them. */
export const mountGroups = `mount -t cgroup2 none /sys/fs/cgroup
  echo "+cpu +memory +pids" > /sys/fs/cgroup/cgroup.subtree_control`;

/** A program that says whether it was connected. */
export const connectsTo = (address: string, port: number): string =>
  `perl -e '$SIG{ALRM} = sub { die "no answer" }; alarm 5; socket(S, 2, 1, 0);
    print connect(S, pack("S n C4 x8", 2, ${port}, ${address.replaceAll(".", ", ")})) ? "connected\\n" : "$!\\n"'`;
