import { beforeAll, describe, expect, test } from "vitest";
import { debianKernel } from "./debian.ts";
import { boot } from "./guest.ts";
import { Readings } from "./readings.ts";
import { ask, connectsTo, inside, mountGroups, sandbox, start, users } from "./specs.ts";

/** Debian 12's kernel as it ships: an old Landlock, no scopes of signals and sockets, control groups of version 2. */
let guest: Readings;

beforeAll(async () => {
  const limits = { memory_bytes: 48 << 20, pids: 12, cpu: 0.5 };
  guest = new Readings(
    await boot({
      kernel: debianKernel(),
      modules: ["nft_tproxy", "overlay"],
      specs: {
        ...Object.fromEntries(users.map((user) => [user, sandbox(user, user)])),
        limited: sandbox("limited", "root", { limits }),
        unkept: sandbox("unkept", "user", { limits }),
        delegated: sandbox("delegated", "user", { limits: { memory_bytes: 48 << 20 } }),
      },
      steps: [
        { name: "mount", user: "root", script: mountGroups },
        ...users.flatMap((user) => [
          { name: `check-${user}`, user, script: "nacre-launcher check" },
          { name: `start-${user}`, user, script: start(user, user) },
          { name: `probe-${user}`, user, script: ask(user, "probe") },
          { name: `tcp4-${user}`, user, script: inside(user, connectsTo("192.0.2.7", 6543)) },
          { name: `write-${user}`, user, script: inside(user, "echo kept > note; cat note; touch /bin/new") },
        ]),
        { name: "start-limited", user: "root", script: start("limited", "root") },
        { name: "memory", user: "root", script: inside("limited", `perl -e '$x = "x" x (96 << 20)'`) },
        { name: "memory-events", user: "root", script: "cat /sys/fs/cgroup/nacre-*/memory.events" },
        {
          name: "forks",
          user: "root",
          script: inside("limited", "for i in $(seq 20); do sleep 1 & done; wait"),
        },
        { name: "busy", user: "root", script: inside("limited", "timeout 3 sh -c 'while :; do :; done'") },
        { name: "cpu-stat", user: "root", script: "cat /sys/fs/cgroup/nacre-*/cpu.stat" },
        { name: "alive", user: "root", script: inside("limited", "echo still here") },
        { name: "start-unkept", user: "user", script: start("unkept", "user") },
        {
          name: "start-delegated",
          user: "root",
          // As `systemd-run --user --scope -p Delegate=yes` gives it to a session.
          script: `cd /sys/fs/cgroup; mkdir own own/session
            chown user:user own own/cgroup.procs own/cgroup.subtree_control own/session own/session/cgroup.procs
            echo $$ > own/session/cgroup.procs
            exec su user -c '${start("delegated", "user")}'`,
        },
        {
          name: "delegated-memory",
          user: "user",
          script: inside("delegated", `perl -e '$x = "x" x (96 << 20)'`),
        },
      ],
    }),
  );
});

describe.each(users)("on Linux 6.1, as %s", (user) => {
  test("every file right of Landlock's ABI 2 is enforced, and status can say that scopes are not there", () => {
    const { landlock } = guest.posture(`start-${user}`);
    expect(landlock).toMatchObject({ abi: 2, enforced: "full", scopes: [] });
    expect(landlock.rights).toContain("refer"); // new with ABI 2
    expect(landlock.rights).not.toContain("truncate"); // new with ABI 3
  });

  test("the other walls are whole", () => {
    const posture = guest.posture(`start-${user}`);
    expect(posture.seccomp).toMatchObject({ mode: 2, filters: 1 });
    expect(posture.no_new_privs).toBe(true);
    expect(new Set(Object.values(posture.capabilities))).toEqual(new Set(["0"]));
    expect(posture.namespaces.shared).toEqual([]);
    expect(posture.ids.outside.uid).toBe(user === "root" ? 700_000 : 1000);
    expect(posture.network).toMatchObject({ interfaces: ["lo"], capture: true });
  });

  test("every forbidden thing is refused from inside", () => {
    const { tried, reached } = guest.reached(`probe-${user}`);
    expect(reached).toEqual([]);
    expect(tried).toBeGreaterThan(25);
  });

  test("a connection to any address and port is captured", () => {
    expect(guest.step(`tcp4-${user}`)).toMatchObject({ code: 0, out: "connected\n" });
  });

  test("the workspace is writable, the programs are not", () => {
    const { code, out, err } = guest.step(`write-${user}`);
    expect({ code, out }).toEqual({ code: 1, out: "kept\n" });
    expect(err).toContain("/bin/new");
  });

  test("doctor warns of the old ABI alone", () => {
    expect(guest.finding(`check-${user}`, "landlock")).toMatchObject({
      found: expect.stringContaining("ABI 2: no scopes") as string,
      verdict: "warning",
      fix: expect.stringContaining("6.12") as string,
    });
    for (const what of ["seccomp", "namespaces", "nf_tables", "overlay"])
      expect(guest.finding(`check-${user}`, what)).toMatchObject({ verdict: "ok" });
    expect(guest.finding(`check-${user}`, "kernel")?.found).toMatch(/^6\.1\./);
  });
});

describe("limits by control groups of version 2", () => {
  test("the posture is what the group says", () => {
    expect(guest.posture("start-limited").limits).toMatchObject({
      cgroup: { version: 2, cpu: 0.5, memory_bytes: 48 << 20, pids: 12 },
      pids_by: "cgroup",
    });
    expect(guest.offer("check-root").cgroup).toMatchObject({
      version: 2,
      controllers: ["cpu", "memory", "pids"],
    });
  });

  test("a process that takes more memory is killed, and the sandbox lives on", () => {
    expect(guest.step("memory").code).toBe(137);
    expect(guest.step("memory-events").out).toMatch(/^oom_kill [1-9]/m);
    expect(guest.step("alive").out).toBe("still here\n");
  });

  test("a process too many is refused", () => {
    expect(guest.step("forks").err).toContain("can't fork: Resource temporarily unavailable");
  });

  test("processor time is what was given", () => {
    const stat = guest.step("cpu-stat").out;
    expect(Number(/^nr_throttled (\d+)/m.exec(stat)?.[1])).toBeGreaterThan(5);
  });

  test("an ordinary user without a group of their own is told so, and nothing starts", () => {
    expect(guest.refusal("start-unkept")).toMatchObject({
      exit: 1,
      code: "limit_unkept",
      subject: "limit cpu, memory, pids",
      message: expect.stringContaining("/sys/fs/cgroup") as string,
      hint: expect.stringContaining("Delegate=yes") as string,
    });
    expect(guest.finding("check-user", "cgroup")).toMatchObject({ verdict: "warning" });
  });

  test("an ordinary user keeps limits in a group that was delegated to them", () => {
    expect(guest.posture("start-delegated").limits.cgroup).toMatchObject({
      version: 2,
      memory_bytes: 48 << 20,
    });
    expect(guest.step("delegated-memory").code).toBe(137);
  });
});
