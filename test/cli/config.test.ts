import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectError, place, sleeper } from "./missing-run.ts";

const pods = sleeper("    walls: { files: best_effort, syscalls: best_effort }\n");

/** A stack on a cluster, with this below `nacre:cluster`. */
const stack = (...lines: readonly string[]): string =>
  ["config:", "  nacre:target: cluster", "  nacre:cluster:", ...lines.map((line) => `    ${line}`), ""].join(
    "\n",
  );

describe("a secret that stands where its name belongs is shown by no command", () => {
  const planted = "nvapi-PLANTED_0123456789abcdefghij";

  test("the fix says what belongs there, and what to do about a real one", () => {
    const { nacre, write } = place(pods);
    write("Pulumi.dev.yaml", stack(`secrets: { nvidia: ${planted} }`));
    expectError(nacre(["config", "check"]), {
      code: 1,
      subject: /Pulumi\.dev\.yaml:4:24: .*\.secrets\.nvidia: /,
      reason: /must be fields$/m,
      fix: /fix: write \{ secret: NAME, key: KEY \}: the Secret's name, never its value; if .*, revoke it/,
    });
  });

  test("whichever command reads it", () => {
    const { nacre, write } = place(pods);
    write("Pulumi.dev.yaml", stack(`secrets: { nvidia: ${planted} }`));
    for (const args of [
      ["config", "check"],
      ["config", "check", "--json"],
      ["synth"],
      ["preview"],
      ["status"],
    ]) {
      const { code, out, err } = nacre(args);
      expect({ code, said: (out + err).includes("secrets.nvidia") }).toEqual({ code: 1, said: true });
      expect((out + err).toLowerCase()).not.toContain("planted");
    }
  });
});

test("of several problems each has its own fix", () => {
  const { nacre, write } = place(pods);
  write("Pulumi.dev.yaml", stack("namespace: Team", "ranges: [10.0.0.1/8]"));
  expect(nacre(["config", "check"]).err).toMatch(
    /:4:16: .*namespace: .*\n +fix: write team\n +.*:5:14: .*ranges\[0\]: .*\n +fix: .*10\.42\.0\.0\/16$/m,
  );
});

describe("config check refuses what synth and up refuse", () => {
  const of = (target: string, line: string): string => `config:\n  nacre:target: ${target}\n  ${line}\n`;
  test.each([
    [
      "a blueprint that is not there",
      of("cluster", "nacre:blueprint: none.yaml"),
      /none\.yaml: there is no such file/,
      /nacre:blueprint, relative to Pulumi\.yaml/,
    ],
    [
      "a namespace of the cluster's",
      stack("namespace: kube-system"),
      /namespace kube-system/,
      /nothing else lives in/,
    ],
    [
      "an argument that a wall stands on",
      of("gateway", 'nacre:gateway: { apiArguments: { anonymous-auth: "true" } }'),
      /apiArguments\.anonymous-auth: a wall stands on it/,
      /remove it/,
    ],
  ])("%s", (_, text, reason, fix) => {
    const { nacre, write } = place(pods);
    write("Pulumi.dev.yaml", text);
    expectError(nacre(["config", "check"]), { code: 1, subject: /^error: /m, reason, fix });
    const { code, out } = nacre(["config", "check", "--json"]);
    expect([code, JSON.parse(out)]).toMatchObject([
      1,
      {
        valid: false,
        problems: [{ reason: expect.stringMatching(reason), fix: expect.stringMatching(fix) }],
      },
    ]);
  });

  test("and warns of what synth warns of: a name that nothing uses, with the one that was meant", () => {
    const { nacre, write } = place(pods);
    write("Pulumi.prod.yaml", stack(`images: { agents: { asistant: "a@sha256:${"a".repeat(64)}" } }`));
    const warning =
      "images.agents.asistant has no effect: no sandbox is called that (did you mean assistant?)";
    const { code, out, err } = nacre(["config", "check", "-s", "prod"]);
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringContaining("no error; the warnings are above"),
    });
    expect(err).toContain(`warning: ${warning}`);
    expect(err).toContain("up would be refused: prod/assistant: no image is configured for it");
    expect(JSON.parse(nacre(["config", "check", "Pulumi.prod.yaml", "--json"]).out)).toMatchObject({
      valid: true,
      warnings: expect.arrayContaining([`warning: ${warning}`]),
    });
  });

  test("and says where a program, which it does not run, makes the environment", () => {
    const { nacre, write, project } = place(pods);
    rmSync(join(project, "blueprint.yaml"));
    write("Pulumi.yaml", "name: team\nruntime: nodejs\n");
    write("Pulumi.dev.yaml", stack("namespace: kube-system"));
    const { code, err } = nacre(["config", "check"]);
    expect(code).toBe(0);
    expect(err).toMatch(/there is no blueprint in .*, so the file alone was checked/);
  });
});

test("the status of a gateway that was never made says what makes it", () => {
  const { nacre, write } = place(pods);
  write("Pulumi.staging.yaml", "config: { nacre:target: gateway }\n");
  expectError(nacre(["status", "-s", "staging"]), {
    code: 1,
    subject: /error: gateway nacre-staging/,
    reason: /there is no .*kubeconfig/,
    fix: /fix: nacre gateway up -s staging writes it/,
  });
});

test("a kubeconfig that KUBECONFIG names and that is not there is named; one that is there is taken", () => {
  const { nacre, write, project } = place(pods);
  write("Pulumi.prod.yaml", "config: { nacre:target: cluster }\n");
  expectError(nacre(["status", "-s", "prod"], { env: { KUBECONFIG: "/nope" } }), {
    code: 1,
    subject: /error: environment prod/,
    reason: /KUBECONFIG names \/nope, which is not there/,
    fix: /fix: correct or unset KUBECONFIG/,
  });
  write("config", readable("https://127.0.0.1:9"));
  expectError(nacre(["status", "-s", "prod"], { env: { KUBECONFIG: `/nope:${join(project, "config")}` } }), {
    code: 1,
    subject: /error: https:\/\/127\.0\.0\.1:9/,
    reason: /does not tell its objects: bad port/,
    fix: /start the cluster/,
  });
  write("config", readable("https://127.0.0.1:39999"));
  expect(nacre(["status", "-s", "prod"], { env: { KUBECONFIG: join(project, "config") } }).err).toContain(
    "does not tell its objects: ECONNREFUSED",
  );
});

const readable = (server: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "a", cluster: { server } }],
    users: [{ name: "a", user: {} }],
    contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
    "current-context": "a",
  });
