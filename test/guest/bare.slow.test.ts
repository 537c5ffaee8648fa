import { beforeAll, describe, expect, test } from "vitest";
import { debianKernel } from "./debian.ts";
import { boot } from "./guest.ts";
import { Readings } from "./readings.ts";
import { ask, inside, sandbox, start, traces, users } from "./specs.ts";

/** A kernel without nf_tables at first, without control groups, and at the end without user namespaces. */
let guest: Readings;
const kernel = debianKernel();
const loaded = kernel.modules("nf_tables").map(fileName);
const later = kernel.modules("nft_tproxy").map(fileName);

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

const clone = (allowed: 0 | 1): string => `echo ${allowed} > /proc/sys/kernel/unprivileged_userns_clone`;
const max = `${clone(1)}; echo 0 > /proc/sys/user/max_user_namespaces`;

/** Loads those that a machine with the fix has. */
const load = (files: readonly string[]): string =>
  files.map((name) => `insmod /modules/${name}`).join(" && ");

beforeAll(async () => {
  const none = { network: { kind: "none" } } as const;
  const specs = users.flatMap((user) => [
    sandbox(`capture-${user}`, user),
    sandbox(`memory-${user}`, user, { ...none, limits: { memory_bytes: 64 << 20, pids: 12 } }),
    sandbox(`pids-${user}`, user, { ...none, limits: { pids: 12 } }),
    sandbox(`none-${user}`, user, none),
  ]);
  const steps = (each: (user: (typeof users)[number]) => readonly [string, string][]) =>
    users.flatMap((user) => each(user).map(([name, script]) => ({ name: `${name}-${user}`, user, script })));
  guest = new Readings(
    await boot({
      kernel,
      modules: [],
      loose: ["nft_tproxy"],
      specs: Object.fromEntries(specs.map((spec) => [spec.hostname, spec])),
      steps: [
        ...steps((user) => [
          ["check", "nacre-launcher check"],
          ["without", start(`capture-${user}`, user)],
        ]),
        {
          name: "traces-without",
          user: "root",
          script: users.map((user) => traces(`capture-${user}`)).join("\n"),
        },
        { name: "load-half", user: "root", script: load(loaded) },
        ...steps((user) => [["half", start(`capture-${user}`, user)]]),
        { name: "load", user: "root", script: load(later.filter((name) => !loaded.includes(name))) },
        ...steps((user) => [
          ["with", start(`capture-${user}`, user)],
          ["memory", start(`memory-${user}`, user)],
          ["pids", start(`pids-${user}`, user)],
          ["forks", inside(`pids-${user}`, "for i in $(seq 20); do sleep 1 & done; wait")],
          ["stop", `${ask(`capture-${user}`, "stop")}; ${ask(`pids-${user}`, "stop")}`],
        ]),
        { name: "clone-off", user: "root", script: clone(0) },
        { name: "unprivileged", user: "user", script: start("none-user", "user") },
        { name: "max-zero", user: "root", script: max },
        ...steps((user) => [
          ["namespaces", start(`none-${user}`, user)],
          ["check-namespaces", "nacre-launcher check"],
        ]),
        {
          name: "traces-namespaces",
          user: "root",
          script: users.map((user) => traces(`none-${user}`)).join("\n"),
        },
      ],
    }),
  );
});

describe.each(users)("as %s", (user) => {
  test("no nf_tables: capture is refused with the way out", () => {
    expect(guest.refusal(`without-${user}`)).toMatchObject({
      exit: 1,
      code: "nf_tables_unavailable",
      subject: "network wall",
      hint: expect.stringContaining("modprobe nf_tables nft_tproxy") as string,
    });
    expect(guest.finding(`check-${user}`, "nf_tables")).toMatchObject({
      verdict: "missing",
      found: expect.stringContaining("capture rules cannot be set") as string,
      fix: expect.stringContaining("modprobe nft_tproxy") as string,
    });
  });

  test("nf_tables without its tproxy: refused as well", () => {
    expect(guest.refusal(`half-${user}`)).toMatchObject({ code: "nf_tables_unavailable" });
  });

  test("with the modules that the hint names it starts", () => {
    expect(guest.posture(`with-${user}`).network).toMatchObject({ capture: true, interfaces: ["lo"] });
  });

  test("no control groups: a limit of memory is refused with the reason", () => {
    expect(guest.refusal(`memory-${user}`)).toMatchObject({
      exit: 1,
      code: "limit_unkept",
      subject: "limit memory, pids",
      message: "cannot be kept here: no control groups are mounted",
      hint: expect.stringContaining("remove the limit") as string,
    });
    expect(guest.finding(`check-${user}`, "cgroup")).toMatchObject({
      verdict: "warning",
      found: "no control groups are mounted",
    });
  });

  test("no control groups: the number of processes is kept all the same", () => {
    expect(guest.posture(`pids-${user}`).limits).toMatchObject({
      cgroup: null,
      processes: 12,
      pids_by: "rlimit",
    });
    expect(guest.step(`forks-${user}`).err).toContain("can't fork: Resource temporarily unavailable");
  });

  test("no user namespaces: refused with the setting to change", () => {
    expect(guest.refusal(`namespaces-${user}`)).toMatchObject({
      exit: 1,
      code: "namespaces_unavailable",
      message: "this system lets no more user namespaces be made (ENOSPC)",
      hint: expect.stringContaining("user.max_user_namespaces") as string,
    });
    expect(guest.finding(`check-namespaces-${user}`, "namespaces")).toMatchObject({
      verdict: "missing",
      fix: expect.stringContaining("user.max_user_namespaces") as string,
    });
  });
});

test("no user namespaces for ordinary users: refused with the setting to change", () => {
  expect(guest.refusal("unprivileged")).toMatchObject({
    code: "namespaces_unavailable",
    message: "this user may not make user namespaces (EPERM)",
    hint: expect.stringContaining("kernel.unprivileged_userns_clone=1") as string,
  });
});

test("what was refused leaves no process, no mount and no socket that somebody answers", () => {
  expect(guest.step("traces-without").out).toBe("");
  expect(guest.step("traces-namespaces").out).toBe("");
});
