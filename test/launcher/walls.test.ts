import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, once, refusal } from "./launcher.ts";
import { everyone, place, type Place } from "./place.ts";
import { environment, node, sandboxSpec } from "./spec.ts";

const worker = `const { Worker } = require("worker_threads");
  new Worker("require('child_process').execSync('echo thread', { stdio: 'inherit' })", { eval: true });`;
const server = `const net = require("net");
  const s = net.createServer((c) => c.end("served")).listen(0, "127.0.0.1", () =>
    net.connect(s.address().port).on("data", (d) => { console.log(String(d)); process.exit(); }));`;
const lookup = `require("dns").lookup("localhost", { all: true }, (e, found) => console.log(found[0].address));`;
const python = `import multiprocessing, ssl, subprocess
print(subprocess.check_output(["echo", str(sum(multiprocessing.Pool(2).map(abs, [-1, -2])))]).decode().strip())`;
const commit = `git init -q r && cd r && git config user.email a@b && git config user.name n && echo x >f &&
  git add f && git commit -qm first && git log --format=%s`;
const fetched = `python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 & for i in 1 2 3 4 5 6 7 8 9; do
  curl -sf http://127.0.0.1:8000/ >/dev/null && break; sleep 0.3; done; curl -sI http://127.0.0.1:8000/ | grep -c "200 OK"`;

const programs: [string, string[], string][] = [
  ["node with threads and children", [node, "-e", worker], "thread"],
  ["node with sockets", [node, "-e", server], "served"],
  ["node with names", [node, "-e", lookup], "127.0.0.1"],
  ["python3", ["python3", "-c", python], "3"],
  ["git", ["bash", "-c", commit], "first"],
  ["curl", ["bash", "-c", fetched], "1"],
  ["bash", ["bash", "-c", "mkfifo p; cat <(echo one) p & echo two >p; wait"], "one\ntwo"],
  ["perl", ["perl", "-e", "print qq(perl\\n)"], "perl"],
];

describe.each(everyone)("walls, launched by %s", (as) => {
  let here: Place;
  beforeAll(() => {
    here = place(as);
  });
  afterAll(() => here.dispose());

  test("the posture is what the kernel says of the agent", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "posture", ["sleep", "infinity"]));
    const { posture, pid } = sandbox.launched;
    // Only root can take a caller's further groups away; inside, those that are not mapped have the number 65534.
    const kept = process.getuid?.() === 0 ? [] : (process.getgroups?.() ?? []);
    const groups = kept.map((group) => (group === here.outside.gid ? 1000 : 65_534));
    expect(posture).toMatchObject({
      landlock: { enforced: "full", rules: sandbox.spec.landlock.rules.length },
      seccomp: { mode: 2, filters: 1 },
      no_new_privs: true,
      capabilities: { effective: "0", permitted: "0", inheritable: "0", bounding: "0", ambient: "0" },
      ids: { inside: { uid: 1000, gid: 1000, groups }, outside: here.outside },
      limits: { core_bytes: 0, open_files: 4096 },
      network: { interfaces: ["lo"], capture: true, rules: 7 },
      mounts: { root: "tmpfs" },
      off: [],
    });
    expect(posture.namespaces.shared).toEqual([]);
    expect(posture.mounts.writable.sort()).toEqual(["/dev/shm", "/sandbox", "/tmp"]);
    // Seen from outside, by another reader.
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    const status = readFileSync(`/proc/${children[0] ?? ""}/status`, "utf8");
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(status).toMatch(new RegExp(`^Uid:\\t${here.outside.uid}\\t`, "m"));
    // One id and no more: a neighbour's number outside is nobody inside.
    for (const [map, id] of Object.entries({ uid_map: here.outside.uid, gid_map: here.outside.gid }))
      expect(readFileSync(`/proc/${pid}/${map}`, "utf8").trim().split(/\s+/)).toEqual(["1000", `${id}`, "1"]);
  });

  test("a launcher with groups and open descriptors of its own hands none of them on", async () => {
    const wrapped = join(here.root, "wrapper.sh");
    // Only root may take groups, and only root can take them away.
    const groups = as === "root" ? "setpriv --groups=4343,4344" : "";
    writeFileSync(
      wrapped,
      `#!/bin/bash\nexec 7</etc/passwd 9</ 200>/dev/null\nexec ${groups} ${here.launcher} "$@"\n`,
    );
    chmodSync(wrapped, 0o755);
    const there = { ...here, launcher: wrapped };
    const look = "id -G; ls /proc/self/fd | tr '\\n' ' '";
    const said = "1000\n0 1 2 3 ";
    expect((await once(there, sandboxSpec(here, "wrapped", ["bash", "-c", look]))).out).toBe(said);
    await using sandbox = await launch(there, sandboxSpec(here, "wrapped-init", ["sleep", "infinity"]));
    expect((await sandbox.shell(look)).out).toBe(said);
    // Init's own: /dev/null, its sockets, log, lock and signals; nothing of the caller's.
    const { pid } = sandbox.launched;
    const open = readdirSync(`/proc/${pid}/fd`).map((number) => readlinkSync(`/proc/${pid}/fd/${number}`));
    expect(open.filter((path) => path === "/" || path.endsWith("/passwd"))).toEqual([]);
  });

  test("no mount takes a set-user-id bit or a device from what it shows", async () => {
    const ended = await once(here, sandboxSpec(here, "mounts", ["cat", "/proc/self/mountinfo"]));
    const mounts = ended.out
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    const without = (option: string): string[] =>
      mounts
        .filter(([, , , , , options]) => options?.split(",").includes(option) !== true)
        .map(([, , , , at]) => at ?? "");
    expect(mounts.length).toBeGreaterThan(10);
    expect(without("nosuid")).toEqual([]);
    const devices = ["full", "null", "pts", "random", "tty", "urandom", "zero"].map((name) => `/dev/${name}`);
    // What is hidden by an empty file is hidden by /dev/null itself.
    expect(
      without("nodev")
        .filter((at) => !at.startsWith("/proc/"))
        .sort(),
    ).toEqual(devices);
  });

  test("a rule for files gives what it says, and no more", async () => {
    const fine = sandboxSpec(here, "rules", [
      "bash",
      "-c",
      "for f in read execute write; do " +
        "cat /own/$f/tool >/dev/null && echo $f: read; /own/$f/tool; touch /own/$f/new && echo $f: write; done 2>/dev/null",
    ]);
    const own = (["read", "execute", "write"] as const).map((access) => {
      const from = join(here.root, `own-${access}`);
      mkdirSync(from);
      writeFileSync(join(from, "tool"), `#!/bin/sh\necho ${access}: execute\n`, { mode: 0o755 });
      chmodSync(join(from, "tool"), 0o755);
      chownSync(from, here.outside.uid, here.outside.gid);
      return { access, bind: { from, to: `/own/${access}`, mode: "rw" as const } };
    });
    const ended = await once(here, {
      ...fine,
      root: { ...fine.root, binds: [...fine.root.binds, ...own.map(({ bind }) => bind)] },
      landlock: {
        ...fine.landlock,
        rules: [...fine.landlock.rules, ...own.map(({ access, bind }) => ({ path: bind.to, access }))],
      },
    });
    expect(ended.out.trim().split("\n")).toEqual([
      "read: read",
      "execute: read",
      "execute: execute",
      "write: read",
      "write: execute",
      "write: write",
    ]);
  });

  test("what /proc would say of the host is empty", async () => {
    const names = [
      "bus",
      "config.gz",
      "fs",
      "interrupts",
      "irq",
      "kallsyms",
      "kcore",
      "key-users",
      "keys",
      "kmsg",
      "modules",
      "sched_debug",
      "scsi",
      "sysrq-trigger",
      "timer_list",
      "vmallocinfo",
    ].filter((name) => existsSync(`/proc/${name}`));
    const look = `cd /proc; for n in ${names.join(" ")}; do
      if [ -d $n ]; then ls -A $n; else timeout 2 head -c 64 $n; fi >/tmp/said 2>/dev/null; [ -s /tmp/said ] && echo $n; done; echo looked`;
    expect(names.length).toBeGreaterThan(5);
    expect((await once(here, sandboxSpec(here, "proc", ["bash", "-c", look]))).out).toBe("looked\n");
  });

  test("a command that is executed later has the agent's posture, field by field", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "same", ["sleep", "infinity"]));
    const [{ posture: agent }] = await sandbox.ask({ op: "state" });
    const status = (await sandbox.exec(["cat", "/proc/self/status"])).out;
    const agents = (await sandbox.exec(["cat", "/proc/2/status"])).out;
    const fields = /^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp|Seccomp_filters|NStgid):/;
    const facts = (text: string): string[] =>
      text.split("\n").filter((line) => fields.test(line) && !line.startsWith("NStgid"));
    expect(facts(status)).toEqual(facts(agents));
    expect(facts(status).length).toBeGreaterThan(10);
    const links = (of: string): string =>
      `for n in user mnt pid net ipc uts cgroup; do readlink /proc/${of}/ns/$n; done`;
    const own = (await sandbox.shell(links("self"))).out;
    for (const [kind, inode] of Object.entries(agent.namespaces as Record<string, unknown>))
      if (kind !== "shared") expect(own).toContain(`${kind}:[${String(inode)}]`);
    const limits = async (of: string): Promise<string> =>
      (await sandbox.exec(["cat", `/proc/${of}/limits`])).out;
    expect(await limits("self")).toBe(await limits("2"));
  });

  test.each(programs)("%s works behind all the walls", async (name, argv, expected) => {
    const ended = await once(here, sandboxSpec(here, name.replaceAll(" ", "-"), argv));
    expect(ended).toEqual({ code: 0, signal: null, out: `${expected}\n`, error: "" });
  });

  test("nothing of the launcher's environment or descriptors is inside", async () => {
    process.env["NACRE_TEST_SECRET"] = "outside";
    const ended = await once(here, sandboxSpec(here, "clean", ["bash", "-c", "env; ls /proc/self/fd"]));
    delete process.env["NACRE_TEST_SECRET"];
    const lines = ended.out.trim().split("\n");
    const names = lines.filter((line) => line.includes("=")).map((line) => line.split("=")[0] ?? "");
    // The shell's own three and the listing's descriptor of the folder.
    expect(names.filter((name) => !["PWD", "SHLVL", "_", "OLDPWD"].includes(name)).sort()).toEqual(
      Object.keys(environment).sort(),
    );
    expect(lines.filter((line) => /^\d+$/.test(line))).toEqual(["0", "1", "2", "3"]);
  });

  test("a program that would run as root does not", async () => {
    const spec = sandboxSpec(here, "setuid", ["./id", "-u"]);
    const data = spec.root.binds.find(({ to }) => to === "/sandbox")?.from ?? "";
    copyFileSync("/usr/bin/id", join(data, "id"));
    // Root's own where the test can make it so; else the agent's.
    if (process.getuid?.() === 0) chownSync(join(data, "id"), 0, 0);
    chmodSync(join(data, "id"), 0o6755);
    expect(await once(here, spec)).toMatchObject({ code: 0, out: "1000\n" });
  });

  test("each thing that must be refused is refused, as the probes see it", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "probes", ["sleep", "infinity"]));
    const [{ probes }] = await sandbox.ask({ op: "probe" });
    expect(probes.filter((probe: { refused: boolean }) => !probe.refused)).toEqual([]);
    expect(probes.length).toBeGreaterThan(30);
  });

  test("what is missing or contradictory is refused before anything is built", async () => {
    const fine = sandboxSpec(here, "refused", ["true"]);
    const refusals = async (parts: object): Promise<string> =>
      (await refusal(here, { ...fine, ...parts })).code;
    const root = {
      ...fine.root,
      binds: [...fine.root.binds, { from: "/nonexistent", to: "/x", mode: "ro" as const }],
    };
    expect(await refusals({ root })).toBe("mount_failed");
    expect(await refusals({ unknown: 1 })).toBe("bad_spec");
    expect(await refusals({ off: ["files"] })).toBe("bad_spec");
    const identity = { ...fine.identity, outside: { uid: 0, gid: 0 } };
    expect(await refusals({ identity })).toBe("bad_spec");
    expect(await refusals({ process: { ...fine.process, argv: ["/nonexistent"] } })).toBe("start_failed");
    const rules = [...fine.landlock.rules, { path: "/nonexistent", access: "read" as const }];
    expect(await refusals({ landlock: { ...fine.landlock, rules } })).toBe("landlock_failed");
    const seccomp = { requirement: "required", profile: { defaultAction: "SCMP_ACT_LOG", syscalls: [] } };
    expect(await refusals({ seccomp })).toBe("bad_seccomp_profile");
    const dev = { ...fine.root, tmpfs: [{ at: "/dev/x", size_bytes: 1 }] };
    expect(await refusals({ root: dev })).toBe("bad_spec");
    const upward = { ...fine.root, tmpfs: [{ at: "/tmp/../usr", size_bytes: 1 }] };
    expect(await refusals({ root: upward })).toBe("bad_spec");
    expect(existsSync(join(fine.directory, "logs/agent.log"))).toBe(false);
  });

  test("an optional bind that is missing is left out, one inside a read-only tree covers what is there", async () => {
    const fine = sandboxSpec(here, "binds", [
      "bash",
      "-c",
      "cat /usr/share/dict/../../bin/env | head -c 6; ls /gone",
    ]);
    const binds = [
      ...fine.root.binds,
      { from: "/nonexistent", to: "/gone", mode: "ro" as const, optional: true },
    ];
    const files = [...(fine.root.files ?? []), { at: "/usr/bin/env", content: "mine!\n" }];
    const ended = await once(here, { ...fine, root: { ...fine.root, binds, files } });
    expect(ended.error).toContain("/gone");
    const covered = await once(here, {
      ...sandboxSpec(here, "covers", ["cat", "/usr/bin/env"]),
      root: { ...fine.root, binds, files },
    });
    expect(covered.out).toBe("mine!\n");
  });
});
