import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { endDaemon, expectError, listing, place, sleeper } from "./missing-run.ts";

/** The namespaces that follow are the test's own; whoever runs inside them is an ordinary user there. */
const ordinary = ["/usr/bin/unshare", "--user", "--map-user=54321", "--map-group=54321"];
const inNamespace = (flags: readonly string[], script: string): string[] => [
  ...["/usr/bin/unshare", "--user", "--map-root-user", ...flags],
  ...["/bin/sh", "-c", `${script}\nexec "$@"`, "sh", ...ordinary],
];

interface Record {
  readonly init: unknown;
  readonly wanted: string;
}
const recordOf = (state: string): Record =>
  JSON.parse(readFileSync(join(state, "sandboxes/dev--assistant/sandbox.json"), "utf8")) as Record;

const needsKey = `inference:
  routes:
    default: { try: [model] }
  providers:
    model: { kind: openai, endpoint: https://api.example.com/v1, model: m, credential: example }
`;

test("no user namespaces: up says which setting, nothing runs, and with them the next up converges", async () => {
  const { state, nacre } = place();
  const none = inNamespace([], "echo 1 > /proc/sys/user/max_user_namespaces"); // one, for `ordinary` itself
  expectError(nacre(["up"], { wrapper: none }), {
    code: 1,
    subject: /sandbox dev\/assistant +FAILED/,
    reason: /namespaces: this system lets no more user namespaces be made \(ENOSPC\)/,
    fix: /sysctl user\.max_user_namespaces=/,
  });
  expect(recordOf(state)).toMatchObject({ init: null, wanted: "stopped" });
  expectError(nacre(["status"], { wrapper: none }), {
    code: 1,
    subject: /dev\/assistant/,
    reason: /user namespaces/,
    fix: /sysctl/,
  });
  await endDaemon(state);
  const allowed = inNamespace([], "true");
  expect(nacre(["up"], { wrapper: allowed })).toMatchObject({ code: 0 });
  expect(recordOf(state)).toMatchObject({ wanted: "running" });
  expect(nacre(["destroy", "--yes"], { wrapper: allowed })).toMatchObject({ code: 0 });
});

test("a secret that is not mapped: up says which, and the command that maps it; no sandbox is made", () => {
  const { state, nacre } = place(sleeper(`    inference: default\n${needsKey}`));
  expectError(nacre(["up"]), {
    code: 1,
    subject: /secret example/,
    reason: /dev\/assistant/,
    fix: /nacre secret set example .*--for api\.example\.com/,
  });
  expect(listing(join(state, "sandboxes"))).toEqual([]);
});

test("a name that another project has: up says whose it is; that one runs on untouched", async () => {
  const first = place();
  expect(first.nacre(["up"])).toMatchObject({ code: 0 });
  try {
    const before = recordOf(first.state);
    const second = place();
    const elsewhere = { env: { NACRE_STATE_DIR: first.state } };
    const files = { "Pulumi.yaml": "name: other\nruntime: nodejs\n" };
    for (const [name, text] of Object.entries(files)) second.write(name, text);
    expectError(second.nacre(["up"], elsewhere), {
      code: 1,
      subject: /dev\/assistant/,
      reason: /belongs to project project on this machine/,
      fix: /choose another environment or agent name/,
    });
    await sleep(200);
    expect(recordOf(first.state)).toEqual(before);
  } finally {
    expect(first.nacre(["destroy", "--yes"])).toMatchObject({ code: 0 });
  }
});

/** Where the disk ends differs: in the engine's state, in a record, in a certificate. */
test.each(["16k", "128k", "300k"])("a disk of %s that fills up: up says so, and nothing runs", (size) => {
  const { base, state, nacre } = place();
  const seen = join(base, "seen");
  const script = `mkdir -p ${state}; mount -t tmpfs -o size=${size},mode=0700 none ${state}
    "$@"; code=$?
    (cd ${state}; find . -name '.*' -type f -size 0; find . -name '*.json' -size 0) > ${seen}
    kill $(sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p' ${state}/daemon.json) 2>/dev/null
    exit $code`;
  const ran = nacre(["up"], {
    wrapper: [
      "/usr/bin/unshare",
      "--user",
      "--map-root-user",
      "--mount",
      "/bin/sh",
      "-c",
      script,
      "sh",
      ...ordinary,
    ],
  });
  expectError(ran, {
    code: 1,
    subject: /Pulumi state|\/state\//,
    reason: /no space (is )?left/,
    fix: /free some disk space/,
  });
  expect(readFileSync(seen, "utf8")).toBe(""); // no empty or half-written record
  expect(statSync(state).size).toBeGreaterThan(0);
});
