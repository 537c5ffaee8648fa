import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { expectError, place, sleeper } from "./missing-run.ts";

const pods = sleeper("    walls: { files: best_effort, syscalls: best_effort }\n");

describe("nacre synth --target cluster", () => {
  test("writes one object a file, walls before what stands behind them, the same bytes each time", () => {
    const { nacre, project } = place(pods);
    expect(nacre(["synth", "--target", "cluster", "-o", "manifests"])).toMatchObject({ code: 0, out: "" });
    const names = readdirSync(join(project, "manifests")).filter((name) => name.endsWith(".yaml"));
    expect(names[0]).toBe("0-namespace-project-dev.yaml");
    expect(names.at(-1)).toBe("3-deployment-egress-assistant.yaml");
    const texts = names.map((name) => readFileSync(join(project, "manifests", name), "utf8"));
    for (const text of texts) expect(parse(text)).toMatchObject({ metadata: { name: expect.any(String) } });
    expect(nacre(["synth", "--target", "cluster", "-o", "manifests"]).code).toBe(0);
    expect(names.map((name) => readFileSync(join(project, "manifests", name), "utf8"))).toEqual(texts);
  });

  test("says what would keep up from running, and what does not stand", () => {
    const { err, code } = place(sleeper()).nacre(["synth", "--target", "cluster"]);
    expect(code).toBe(0);
    expect(err).toMatch(
      /up would be refused: dev\/assistant: the wall files is required and not enforced: .*\n {2}fix: /,
    );
    expect(err).toMatch(/up would be refused: dev: no image is configured for the egress/);
    expect(err).toMatch(/warning: agent assistant: syscalls not enforced: .*; instead the runtime's default/);
  });

  test("takes a file of an object that is gone away, and no file that it has not written", () => {
    const { nacre, project, write } = place(`${pods}    ports: [8080]\n`);
    nacre(["synth", "--target", "cluster", "-o", "."]);
    write("mine.yaml", "a: 1\n");
    expect(existsSync(join(project, "2-service-agent-assistant.yaml"))).toBe(true);
    write("blueprint.yaml", pods);
    nacre(["synth", "--target", "cluster", "-o", "."]);
    expect(existsSync(join(project, "2-service-agent-assistant.yaml"))).toBe(false);
    expect(readFileSync(join(project, "mine.yaml"), "utf8")).toBe("a: 1\n");
  });

  test("an unknown target is bad use", () => {
    const { code, err } = place().nacre(["synth", "--target", "moon"]);
    expect(code).toBe(2);
    expect(err).toContain("host, gateway, cluster");
  });
});

describe("a stack's file", () => {
  const file = (target: string): string =>
    `config:\n  nacre:target: ${target}\n  nacre:cluster: { namespace: agents, storage: { size: 5Gi } }\n`;

  test("chooses the target and what it is like; --target comes first", () => {
    const { nacre, project, write } = place(pods);
    write("Pulumi.dev.yaml", file("cluster"));
    nacre(["synth", "-o", "made"]);
    const claim = readFileSync(
      join(project, "made/2-persistentvolumeclaim-workspace-assistant.yaml"),
      "utf8",
    );
    expect(claim).toMatch(/namespace: agents/);
    expect(claim).toContain("storage: 5Gi");
    expect(nacre(["synth", "--target", "host"]).out).toContain("host.nacre.dev/v1");
  });

  test("that is wrong is an error of every command that reads it, with its place", () => {
    const { nacre, write } = place(pods);
    write("Pulumi.dev.yaml", file("cluster").replace("5Gi", "much"));
    for (const args of [["synth"], ["preview"], ["config", "check"]]) {
      expectError(nacre(args), {
        code: 1,
        subject: /Pulumi\.dev\.yaml:3:\d+/,
        reason: /an amount of bytes/,
        fix: /fix: /,
      });
    }
    const { out, code } = nacre(["config", "check", "--json"]);
    expect([code, JSON.parse(out)]).toMatchObject([1, { valid: false, problems: [{ line: 3 }] }]);
    write("Pulumi.dev.yaml", file("cluster"));
    expect(nacre(["config", "check"])).toMatchObject({ code: 0 });
  });
});

describe("nacre synth --program", () => {
  const module = (body: string): string => `import { AgentSandbox, Command, Environment } from ${index};
export const environment = (stack) => { ${body} };
`;
  const index = JSON.stringify(new URL("../../lib/constructs/index.ts", import.meta.url).href);
  const tree = `const app = new Environment(stack.name, stack);
new AgentSandbox(app, "helper", { agent: Command.of("sleep", "infinity") });
return app;`;

  test("writes what a module's construct tree becomes, on the target of the stack or of the command", () => {
    const { nacre, write } = place();
    write("environment.ts", module(tree));
    expect(nacre(["synth", "--program", "environment.ts"]).out).toContain("# sandbox-helper.yaml");
    write("Pulumi.dev.yaml", "config: { nacre:target: gateway, nacre:gateway: { port: 16443 } }\n");
    const { out, err } = nacre(["synth", "--program", "environment.ts"]);
    expect(out).toContain("# gateway-container-nacre-dev.yaml");
    expect(out).toContain("external: 16443");
    expect(out).toContain("# 3-deployment-agent-helper.yaml");
    expect(err).toMatch(/up would be refused: dev\/Gateway: no image of K3s/);
  });

  test.for([
    ["absent.ts", undefined, /there is no such file/],
    ["other.ts", "export const app = 1;", /exports no function `environment`/],
    ["nothing.ts", module("return 1;"), /returns no Environment/],
    ["name.ts", module(tree.replace("stack.name", '"prod"')), /deployed as stack dev/],
  ] as const)("%s is an error that says the fix", ([file, text, reason]) => {
    const { nacre, write } = place();
    if (text !== undefined) write(file, text);
    expectError(nacre(["synth", "--program", file]), { code: 1, subject: /./, reason, fix: /fix: / });
  });
});
