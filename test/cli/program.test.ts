import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { engineTimeout } from "../pulumi/stack.ts";
import { expectError, place } from "./missing-run.ts";

const constructs = JSON.stringify(new URL("../../lib/constructs/index.ts", import.meta.url).href);

/** A team's repository: its environment is a module, and there is no blueprint. */
function team() {
  const here = place();
  rmSync(join(here.project, "blueprint.yaml"));
  here.write("Pulumi.yaml", "name: acme\nruntime: nodejs\nmain: main.ts\n");
  here.write("Pulumi.dev.yaml", "config: { nacre:target: host }\n");
  here.write("Pulumi.prod.yaml", "config: { nacre:target: cluster, nacre:kubeconfig: absent.yaml }\n");
  here.write(
    "environment.ts",
    `import { AgentSandbox, Command, Environment, type StackProps } from ${constructs};
export function environment(stack: StackProps): Environment {
  const app = new Environment(stack.name, stack);
  const walls = { files: "best_effort", syscalls: "best_effort" } as const;
  new AgentSandbox(app, "helper", { agent: Command.of("sleep", "infinity"), walls });
  return app;
}
`,
  );
  return here;
}
const program = ["--program", "environment.ts"];

test(
  "an environment that is a program is previewed, made, read and taken down on a host",
  { timeout: engineTimeout },
  () => {
    const { nacre } = team();
    expect(nacre(["preview", ...program])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\+ sandbox +dev\/helper/m),
    });
    try {
      expect(nacre(["up", ...program])).toMatchObject({ code: 0 });
      expect(nacre(["preview", ...program, "--expect-no-changes"])).toMatchObject({ code: 0 });
      expect(nacre(["status", ...program, "--no-probe"])).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^dev\/helper {2}running/),
      });
    } finally {
      expect(nacre(["destroy", "--yes"])).toMatchObject({
        code: 0,
        out: expect.stringContaining("taken down"),
      });
    }
  },
);

test(
  "in a cluster a preview plans the program's objects, and status asks the cluster for them",
  { timeout: engineTimeout },
  () => {
    const { nacre, write } = team();
    const env = { PATH: `${join(import.meta.dirname, "../cluster/provider")}:${process.env["PATH"] ?? ""}` };
    const { code, out } = nacre(["preview", "-s", "prod", ...program], { env });
    expect([code, out]).toEqual([
      0,
      expect.stringContaining("+ Deployment prod/sandbox-helper/agent/workload"),
    ]);
    write("closed.yaml", kubeconfig);
    write("Pulumi.prod.yaml", "config: { nacre:target: cluster, nacre:kubeconfig: closed.yaml }\n");
    expectError(nacre(["status", "-s", "prod", ...program]), {
      code: 1,
      subject: /error: https:\/\/127\.0\.0\.1:1: /,
      reason: /does not tell its objects/,
      fix: /fix: /,
    });
  },
);

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: "https://127.0.0.1:1" } }]
users: [{ name: u, user: {} }]
contexts: [{ name: c, context: { cluster: c, user: u } }]
current-context: c
`;

test("without --program the error leads to it, and not to a new blueprint", () => {
  const { nacre, project } = team();
  for (const args of [
    ["preview"],
    ["up"],
    ["synth"],
    ["status", "-s", "prod"],
    ["gateway", "up", "--preview"],
  ]) {
    const ran = nacre(args);
    expectError(ran, {
      code: 1,
      subject: /^error: .*\/project: holds no blueprint\.yaml$/m,
      reason: /holds no blueprint\.yaml/,
      fix: /fix: .*--program environment\.ts, or use pulumi preview and pulumi up$/m,
    });
    expect(ran.err).not.toContain("nacre init");
  }
  rmSync(join(project, "environment.ts"));
  expect(nacre(["preview"]).err).toContain("--program FILE, or use pulumi preview");
});

test("a program and a blueprint at once are bad use", () => {
  for (const command of [["preview"], ["gateway", "up"]])
    expect(team().nacre([...command, ...program, "-b", "blueprint.yaml"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("cannot be used with"),
    });
});
