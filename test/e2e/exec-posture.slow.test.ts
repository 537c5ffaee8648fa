import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import type { Writable } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { statusOf } from "../../lib/host/process-reading.ts";
import { eventually, machine, users } from "../host/machine.ts";
import { agentSpec } from "../host/specs.ts";

const id = "dev/assistant";

/**
 * Says under `name` in the workspace what it may do: among it what nothing but Landlock refuses, to list the root, and
 * to signal another process of its own user id and to reach its abstract socket. Each is in a domain of its own, so both
 * are refused both ways; one without Landlock's scopes would reach the other.
 */
const program = (name: string, other: string): string[] => [
  "/usr/bin/python3",
  "-c",
  `import json, os, socket, time
def outcome(act):
    try: act(); return "done"
    except OSError as error: return type(error).__name__
def tell(what, said):
    with open(what + ".new", "w") as file: json.dump(said, file)
    os.rename(what + ".new", what)
def wait(what):
    while not os.path.exists(what): time.sleep(0.05)
    with open(what) as file: return json.load(file)
listener = socket.socket(socket.AF_UNIX); listener.bind("\\0${name}"); listener.listen()
alone = {
    "write a setting of its own": outcome(lambda: open("/proc/self/comm", "w").write("x")),
    "write into /tmp": outcome(lambda: open("/tmp/${name}", "w").write("x")),
    "list the root": outcome(lambda: os.listdir("/")),
    "truncate a program": outcome(lambda: os.truncate("/usr/bin/env", 0)),
}
tell("${name}-there", {"pid": os.getpid()})
there = wait("${other}-there")
alone["signal the other"] = outcome(lambda: os.kill(there["pid"], 0))
alone["reach the other's abstract socket"] = outcome(lambda: socket.socket(socket.AF_UNIX).connect("\\0${other}"))
tell("${name}-said", alone)
time.sleep(100000)`,
];

/** Everything that `/proc` says of how a process is confined, read from outside. */
function confinement(pid: number): Record<string, unknown> {
  const text = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
  const status = statusOf(text("status"));
  const names = ["NoNewPrivs", "Seccomp", "Seccomp_filters", "Uid", "Gid", "Groups", "Umask"];
  const capabilities = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
  const namespaces = readdirSync(`/proc/${pid}/ns`);
  return {
    ...Object.fromEntries([...names, ...capabilities].map((name) => [name, status[name] ?? "unknown"])),
    depth: (status["NSpid"] ?? "").split(" ").length,
    namespaces: Object.fromEntries(namespaces.map((name) => [name, readlinkSync(`/proc/${pid}/ns/${name}`)])),
    root: [statSync(`/proc/${pid}/root`).dev, statSync(`/proc/${pid}/root`).ino],
    mounts: text("mountinfo"),
    cgroup: text("cgroup"),
    limits: text("limits"),
    oom: text("oom_score_adj"),
    personality: text("personality"),
    ids: [text("uid_map"), text("gid_map"), text("setgroups")],
    descriptors: readdirSync(`/proc/${pid}/fd`).filter(
      (number) => Number(number) > 2 && isForeign(pid, number),
    ),
    environment: text("environ").split("\0").sort(),
  };
}

/** Its own listener is no descriptor that it was given. */
const isForeign = (pid: number, number: string): boolean => {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${number}`)) ?? [];
  const own = readFileSync(`/proc/${pid}/net/unix`, "utf8")
    .split("\n")
    .some((line) => line.includes(` ${inode ?? "none"} @`));
  return !own;
};

/** The process with that argument, as the host counts. */
const processWith = (argument: string): number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(argument);
      } catch {
        return false;
      }
    });

describe.each(users)("as %s", (user) => {
  test("an exec'ed process is confined as the agent is, in every field that the kernel tells outside", async () => {
    const host = machine(user);
    const command = program("agent", "other");
    await host.create(agentSpec({ agent: { kind: "command", command, env: {} }, resources: { pids: 100 } }));
    const entry = await host.call("sandbox.entry", { id });
    const argv = program("other", "agent");
    const spec = { control: entry.control, env: entry.env, cwd: entry.cwd, argv, tty: false };
    const ids = process.getuid?.() === 0 ? { uid: host.uid, gid: host.uid } : {};
    const child = spawn(entry.launcher, ["exec"], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      ...ids,
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    (child.stdio[3] as Writable).end(JSON.stringify(spec));

    const said = async (name: string): Promise<unknown> => {
      const { stdout } = await eventually(
        () => host.run(id, ["cat", `${name}-said`]),
        ({ code }) => code === 0,
      );
      return JSON.parse(stdout);
    };
    const [agent, other] = [await said("agent"), await said("other")];
    expect(other).toEqual(agent);
    expect(agent).toEqual({
      "write a setting of its own": "OSError",
      "write into /tmp": "done",
      "list the root": "PermissionError",
      "truncate a program": "PermissionError",
      "signal the other": "PermissionError",
      "reach the other's abstract socket": "PermissionError",
    });

    const [status] = await host.call("status", { id });
    const [pid] = processWith(argv[2] ?? "");
    const [inside, execed] = [confinement(status?.agent?.pid ?? 0), confinement(pid ?? 0)];
    expect(execed).toEqual(inside);
    const nothing = "0000000000000000";
    expect(inside).toMatchObject({
      NoNewPrivs: "1",
      Seccomp: "2",
      CapInh: nothing,
      CapPrm: nothing,
      CapEff: nothing,
      CapBnd: nothing,
      CapAmb: nothing,
      Groups: user === "root" ? "" : expect.any(String),
      depth: 2,
      descriptors: [],
    });
    const own = host.record(id).identity.agent;
    expect(inside["Uid"]).toBe(Array(4).fill(own.uid).join(" "));
    expect(inside["Gid"]).toBe(Array(4).fill(own.gid).join(" "));
    // Not one namespace is this test's own, but those for children that nobody asked for.
    const mine = readdirSync("/proc/self/ns").filter(
      (name) =>
        readlinkSync(`/proc/self/ns/${name}`) === (inside["namespaces"] as Record<string, string>)[name],
    );
    expect(mine.filter((name) => !name.startsWith("time"))).toEqual([]);
  });
});
