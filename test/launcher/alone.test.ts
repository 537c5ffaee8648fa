import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import dgram from "node:dgram";
import net from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Wall } from "../../lib/host/launch-spec.ts";
import { once } from "./launcher.ts";
import { everyone, place, type As, type Place } from "./place.ts";
import { sandboxSpec } from "./spec.ts";

/**
 * Each forbidden thing, with the walls that stop it: any one of them alone refuses it, and with all of them off it can
 * be done, so what refuses is that wall and nothing else. Only a test build has the switch.
 */
interface Forbidden {
  readonly what: string;
  /** `root`: for an ordinary user a further wall stands, which nobody can switch off. */
  readonly walls: (as: As) => readonly Wall[];
  /** Launched by another, it cannot be done though all of these are off. */
  readonly only?: As;
  /** Off throughout: they refuse it too, but not to everybody. */
  readonly without?: readonly Wall[];
  /** Python, run inside; ends without an exception when it was done. */
  readonly attempt: (outside: Outside) => string;
}

/** What lies around outside: reachable without walls. */
interface Outside {
  readonly secret: string;
  readonly open: string;
  readonly socket: string;
  readonly control: string;
  readonly abstract: string;
  readonly tcp: number;
  readonly udp: number;
  /** Of the agent's own outside id. */
  readonly sleeper: number;
  readonly link: string;
}

const call = (number: number, ...args: (number | string)[]): string => `
import ctypes
l = ctypes.CDLL(None, use_errno=True)
if l.syscall(${[number, ...args].join(", ")}) < 0: raise OSError(ctypes.get_errno(), "refused")`;
const rootToo = (as: As, ...walls: Wall[]): Wall[] => (as === "root" ? [...walls, "ids"] : walls);

const forbidden: readonly Forbidden[] = [
  {
    what: "read a secret of the one who launched it",
    walls: (as) => rootToo(as, "mounts", "files"),
    attempt: ({ secret }) => `open("${secret}").read()`,
  },
  {
    what: "follow a link in the workspace that points out",
    walls: (as) => rootToo(as, "mounts", "files"),
    attempt: ({ link }) => `open("${link}").read()`,
  },
  {
    what: "read the environment of process 1",
    // To an ordinary user the kernel refuses it besides: init was executed outside of the sandbox' user namespace.
    only: "root",
    walls: () => ["ids"],
    // Landlock lets who has CAP_PERFMON through.
    without: ["files"],
    attempt: () => `open("/proc/1/environ").read()`,
  },
  {
    what: "write outside the workspace, where anybody may",
    walls: () => ["mounts", "files"],
    attempt: ({ open }) => `open("${open}/written", "w").write("x")`,
  },
  {
    what: "reach a unix socket of the host",
    walls: () => ["mounts"],
    attempt: ({ socket }) => `import socket; socket.socket(socket.AF_UNIX).connect("${socket}")`,
  },
  {
    what: "reach the socket that commands init",
    walls: (as) => rootToo(as, "mounts"),
    attempt: ({ control }) => `import socket; socket.socket(socket.AF_UNIX).connect("${control}")`,
  },
  {
    what: "reach an abstract unix socket of the host",
    walls: () => ["network", "files"],
    attempt: ({ abstract }) => `import socket; socket.socket(socket.AF_UNIX).connect("\\0${abstract}")`,
  },
  {
    what: "reach a server on the host's loopback",
    walls: () => ["network"],
    attempt: ({ tcp }) => `import socket; assert socket.create_connection(("127.0.0.1", ${tcp}), 1).recv(9)`,
  },
  {
    what: "reach a datagram server on the host's loopback",
    walls: () => ["network"],
    attempt: ({ udp }) => `
import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
s.connect(("127.0.0.1", ${udp})); s.send(b"x"); assert s.recv(9)`,
  },
  {
    what: "signal a process of the host that has the same id",
    walls: () => ["pids", "files"],
    attempt: ({ sleeper }) => `import os; os.kill(${sleeper}, 0)`,
  },
  {
    what: "open a raw socket",
    walls: () => ["syscalls", "ids"],
    attempt: () => `import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)`,
  },
  {
    what: "mount a file system",
    walls: () => ["syscalls", "ids", "files"],
    attempt: () => `
import ctypes, os
os.makedirs("/tmp/here", exist_ok=True)
l = ctypes.CDLL(None, use_errno=True)
if l.mount(b"none", b"/tmp/here", b"tmpfs", 0, None) != 0: raise OSError(ctypes.get_errno(), "refused")`,
  },
  {
    what: "make a user namespace",
    walls: () => ["syscalls", "ids"],
    attempt: () => call(272, 0x10000000),
  },
  {
    what: "trace a process",
    walls: () => ["syscalls"],
    attempt: () => `
import os, time, ctypes
child = os.fork()
if child == 0: time.sleep(5); os._exit(0)
l = ctypes.CDLL(None, use_errno=True)
done = l.ptrace(16, child, None, None); number = ctypes.get_errno(); os.kill(child, 9)
if done != 0: raise OSError(number, "refused")`,
  },
  { what: "use a kernel keyring", walls: () => ["syscalls"], attempt: () => call(250, 0, -3, 1) },
  {
    what: "set up io_uring",
    walls: () => ["syscalls"],
    attempt: () => call(425, 1, "(ctypes.c_char * 120)()"),
  },
  { what: "handle page faults in user space", walls: () => ["syscalls"], attempt: () => call(323, 1) },
  {
    what: "read the memory of another process",
    walls: () => ["syscalls"],
    attempt: () => `
import ctypes, os
class V(ctypes.Structure): _fields_ = [("b", ctypes.c_void_p), ("n", ctypes.c_size_t)]
x = ctypes.create_string_buffer(8); y = ctypes.create_string_buffer(8)
a, b = V(ctypes.addressof(x), 8), V(ctypes.addressof(y), 8)
l = ctypes.CDLL(None, use_errno=True)
if l.process_vm_readv(os.getpid(), ctypes.byref(a), 1, ctypes.byref(b), 1, 0) != 8: raise OSError(ctypes.get_errno(), "refused")`,
  },
];

describe.each(everyone)("one wall alone, launched by %s", (as) => {
  let here: Place;
  let outside: Outside;
  const ends: (() => unknown)[] = [];

  // The first time, the test build of the launcher is made.
  beforeAll(async () => {
    here = place(as, true);
    // Not below /tmp: a rule lets an agent write there.
    const folder = mkdtempSync("/var/tmp/nacre-outside-");
    ends.push(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o755);
    const secret = join(folder, "secret");
    writeFileSync(secret, "key", { mode: 0o600 });
    chownSync(secret, here.caller.uid, here.caller.gid);
    const open = join(folder, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    const spec = sandboxSpec(here, "alone", ["true"]);
    const data = spec.root.binds.find(({ to }) => to === "/sandbox")?.from ?? "";
    symlinkSync(secret, join(data, "link"));
    await listening(
      net.createServer((c) => c.end()),
      { path: join(folder, "socket") },
      ends,
    );
    chmodSync(join(folder, "socket"), 0o777);
    const abstract = `nacre-test-${process.pid}-${as}`;
    await listening(
      net.createServer((c) => c.end()),
      { path: `\0${abstract}` },
      ends,
    );
    const tcp = await listening(
      net.createServer((c) => c.end("host")),
      { port: 0, host: "127.0.0.1" },
      ends,
    );
    const udp = dgram.createSocket("udp4", (_, from) => udp.send("host", from.port, from.address));
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    ends.push(() => udp.close());
    // The folder of a sandbox that runs: only its owner may enter it.
    const control = join(spec.directory, "init.sock");
    const { uid, gid } = here.outside;
    const self = process.getuid?.() === uid;
    const sleeper: ChildProcess = self
      ? spawn("sleep", ["600"])
      : spawn("setpriv", [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "sleep", "600"]);
    ends.push(() => sleeper.kill("SIGKILL"));
    outside = {
      secret,
      open,
      socket: join(folder, "socket"),
      control,
      abstract,
      tcp: (tcp.address() as net.AddressInfo).port,
      udp: udp.address().port,
      sleeper: sleeper.pid ?? 0,
      link: "link",
    };
  }, 600_000);
  afterAll(() => {
    for (const end of ends) end();
    here.dispose();
  });

  const attempt = async (script: string, off: readonly Wall[]): Promise<string> => {
    const spec = { ...sandboxSpec(here, "alone", ["python3", "-c", script]), off: [...off] };
    const ended = await once(here, spec);
    if (ended.code === 0) return "done";
    const last = ended.error.trim().split("\n").at(-1) ?? "";
    if (!/^\w*(Error|Refused)\b|^TimeoutError|^ConnectionRefusedError/.test(last))
      throw new Error(ended.error);
    return "refused";
  };

  const possible = forbidden.filter(({ only }) => only === undefined || only === as);
  test.each(possible)("$what", async ({ walls, without = [], attempt: script }) => {
    const standing = walls(as);
    const code = script(outside);
    const results: Record<string, string> = { all: await attempt(code, []) };
    for (const wall of standing)
      results[`only ${wall}`] = await attempt(code, [
        ...without,
        ...standing.filter((other) => other !== wall),
      ]);
    results["none"] = await attempt(code, [...without, ...standing]);
    const refusals = ["all", ...standing.map((wall) => `only ${wall}`)].map((name) => [name, "refused"]);
    expect(results).toEqual(Object.fromEntries([...refusals, ["none", "done"]]));
  });

  test("a key of whoever launched it is in no keyring that it has", async () => {
    const libc = "import ctypes, os, sys\nl = ctypes.CDLL(None, use_errno=True)\n";
    const wrapped = join(here.root, "with-key");
    const give = `l.syscall(250, 1, None); assert l.syscall(248, b"user", b"nacre-test", b"secret", 6, -3) > 0`;
    writeFileSync(
      wrapped,
      `#!/usr/bin/python3\n${libc}${give}\nos.execv("${here.launcher}", ["launcher", *sys.argv[1:]])\n`,
    );
    chmodSync(wrapped, 0o755);
    const search = `${libc}print("found" if l.syscall(250, 10, -3, b"user", b"nacre-test", 0) > 0 else ctypes.get_errno())`;
    const spec = { ...sandboxSpec(here, "keys", ["python3", "-c", search]), off: ["syscalls"] as Wall[] };
    const noSuchKey = 126;
    expect((await once({ ...here, launcher: wrapped }, spec)).out).toBe(`${noSuchKey}\n`);
  });

  test("the posture says which wall is off", async () => {
    const script = "cat /proc/self/status";
    for (const off of ["files", "syscalls", "network", "mounts", "pids", "ids"] as const) {
      const spec = { ...sandboxSpec(here, "says", ["bash", "-c", script]), off: [off] };
      const ended = await once(here, spec);
      expect(ended.code).toBe(0);
      const fields = Object.fromEntries(
        ended.out.split("\n").map((line) => line.split(":\t") as [string, string]),
      );
      expect(fields["Seccomp"]).toBe(off === "syscalls" ? "0" : "2");
      expect(fields["NoNewPrivs"]).toBe(off === "ids" ? "0" : "1");
      expect(/^0+$/.test(fields["CapEff"] ?? "")).toBe(off !== "ids");
      expect(fields["NSpid"] === "2").toBe(off !== "pids");
    }
  });
});

async function listening(
  server: net.Server,
  at: net.ListenOptions,
  ends: (() => unknown)[],
): Promise<net.Server> {
  await new Promise<void>((resolve) => server.listen(at, resolve));
  ends.push(() => server.close());
  return server;
}
