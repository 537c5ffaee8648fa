import { beforeAll, describe, expect, test } from "vitest";
import { debianKernel } from "./debian.ts";
import { boot } from "./guest.ts";
import { Readings } from "./readings.ts";
import { ask, sandbox, start, traces, users } from "./specs.ts";

/** The same kernel, booted with a list of security modules in which Landlock is not. */
let guest: Readings;

beforeAll(async () => {
  const required = (user: (typeof users)[number]) => sandbox(`required-${user}`, user);
  const best = (user: (typeof users)[number]) =>
    sandbox(`best-${user}`, user, {
      landlock: { ...required(user).landlock, requirement: "best_effort" },
    });
  guest = new Readings(
    await boot({
      kernel: debianKernel(),
      words: ["lsm=lockdown,yama"],
      modules: ["nft_tproxy"],
      specs: Object.fromEntries(
        users.flatMap((user) => [
          [`required-${user}`, required(user)],
          [`best-${user}`, best(user)],
        ]),
      ),
      steps: users.flatMap((user) => [
        { name: `check-${user}`, user, script: "nacre-launcher check" },
        { name: `required-${user}`, user, script: start(`required-${user}`, user) },
        { name: `traces-${user}`, user: "root" as const, script: traces(`required-${user}`) },
        { name: `best-${user}`, user, script: start(`best-${user}`, user) },
        { name: `probe-${user}`, user, script: ask(`best-${user}`, "probe") },
        { name: `stop-${user}`, user, script: ask(`best-${user}`, "stop") },
      ]),
    }),
  );
});

describe.each(users)("without Landlock, as %s", (user) => {
  test("a sandbox that requires it is refused with the way out, and leaves nothing", () => {
    expect(guest.refusal(`required-${user}`)).toMatchObject({
      exit: 1,
      code: "landlock_unavailable",
      subject: "file wall",
      message: "the kernel has Landlock, but it was not enabled at boot",
      hint: "boot with lsm=landlock,... or write walls: { files: best_effort }",
    });
    expect(guest.step(`traces-${user}`).out).toBe("");
  });

  test("best effort starts, and says that there is none", () => {
    expect(guest.posture(`best-${user}`).landlock).toMatchObject({
      abi: 0,
      enforced: "none",
      rights: [],
      reason: "the kernel has Landlock, but it was not enabled at boot",
    });
  });

  test("the other walls refuse all but the one thing that Landlock alone refuses", () => {
    expect(guest.reached(`probe-${user}`).reached).toEqual([
      expect.stringMatching(/^read a folder that no rule gives: /),
    ]);
  });

  test("doctor says what lacks, why, and the fix", () => {
    expect(guest.finding(`check-${user}`, "landlock")).toEqual({
      name: "landlock",
      found: "the kernel has Landlock, but it was not enabled at boot",
      verdict: "missing",
      fix: "Linux 5.13 or later, booted with lsm=landlock,…",
    });
  });
});
