import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { expectError, listing, place, sleeper } from "./missing-run.ts";

const pods = sleeper("    walls: { files: best_effort, syscalls: best_effort }\n");

describe("nacre synth --target cluster", () => {
  test("writes one object a file, walls before what stands behind them, the same bytes each time", () => {
    const { nacre, project } = place(pods);
    expect(nacre(["synth", "--target", "cluster", "-o", "manifests"])).toMatchObject({ code: 3, out: "" });
    const names = readdirSync(join(project, "manifests")).filter((name) => name.endsWith(".yaml"));
    expect(names[0]).toBe("0-namespace-project-dev.yaml");
    expect(names.at(-1)).toBe("3-deployment-egress-assistant.yaml");
    const texts = names.map((name) => readFileSync(join(project, "manifests", name), "utf8"));
    for (const text of texts) expect(parse(text)).toMatchObject({ metadata: { name: expect.any(String) } });
    expect(nacre(["synth", "--target", "cluster", "-o", "manifests"]).code).toBe(3);
    expect(names.map((name) => readFileSync(join(project, "manifests", name), "utf8"))).toEqual(texts);
  });

  test("says what would keep up from running, and what does not stand", () => {
    const { err, code } = place(sleeper()).nacre(["synth", "--target", "cluster"]);
    expect(code).toBe(3);
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
    const { err } = nacre(["synth", "--target", "cluster", "-o", "."]);
    expect(err).toContain("removed 2-service-agent-assistant.yaml\n");
    expect(existsSync(join(project, "2-service-agent-assistant.yaml"))).toBe(false);
    expect(readFileSync(join(project, "mine.yaml"), "utf8")).toBe("a: 1\n");
  });

  test("as JSON says what was written and removed, and what a person would be told", () => {
    const { nacre, write } = place(`${pods}    ports: [8080]\n`);
    const all = JSON.parse(nacre(["synth", "--target", "cluster", "--json"]).out);
    expect(all).not.toHaveProperty("folder");
    expect(parse(all.files[0].text)).toMatchObject({ kind: "Namespace" });
    nacre(["synth", "--target", "cluster", "-o", "made"]);
    write("blueprint.yaml", pods);
    const { out, err, code } = nacre(["synth", "--target", "cluster", "-o", "made", "--json"]);
    expect([code, err]).toEqual([3, ""]);
    const said = JSON.parse(out);
    expect(said).toMatchObject({ stack: "dev", target: "cluster", folder: "made", hatches: [] });
    expect(said.files[0]).toEqual({ name: "0-namespace-project-dev.yaml" });
    expect(said.removed).toContain("2-service-agent-assistant.yaml");
    expect(said.obstacles).toContainEqual(
      expect.objectContaining({ subject: "dev", reason: "no image is configured for the egress" }),
    );
    expect(said.warnings).toContainEqual(expect.stringContaining("syscalls not enforced"));
  });

  test("an unknown target is bad use", () => {
    const { code, err } = place().nacre(["synth", "--target", "moon"]);
    expect(code).toBe(2);
    expect(err).toContain("host, gateway, cluster");
  });
});

describe("the folder of nacre synth", () => {
  /** Each file below with its text. */
  const contents = (folder: string): Record<string, string> =>
    Object.fromEntries(
      listing(folder)
        .filter((name) => statSync(join(folder, name)).isFile())
        .map((name) => [name, readFileSync(join(folder, name), "utf8")]),
    );

  test.for([
    [
      "another stack",
      ["-s", "prod", "--target", "cluster"],
      /stack dev of project project on target cluster/,
    ],
    ["another target", ["--target", "host"], /not stack dev of project project on target host/],
  ] as const)("is not given to %s", ([, args, reason]) => {
    const { nacre, project } = place(pods);
    nacre(["synth", "--target", "cluster", "-o", "made"]);
    const before = contents(join(project, "made"));
    expectError(nacre(["synth", ...args, "-o", "made"]), {
      code: 1,
      subject: /error: made: holds stack dev/,
      reason,
      fix: /fix: name another folder with -o, or remove this one/,
    });
    expect(contents(join(project, "made"))).toEqual(before);
  });

  test("keeps a file of the same name that is somebody's, and gets none beside it", () => {
    const { nacre, project, write } = place();
    mkdirSync(join(project, "made"));
    write("made/sandbox-assistant.yaml", "mine: 1\n");
    expectError(nacre(["synth", "-o", "made"]), {
      code: 1,
      subject: /made\/sandbox-assistant\.yaml/,
      reason: /is no file that nacre synth wrote/,
      fix: /fix: name another folder with -o, or move the file away/,
    });
    expect(contents(join(project, "made"))).toEqual({ "sandbox-assistant.yaml": "mine: 1\n" });
  });

  test("that cannot be written is an error that names it", () => {
    const { nacre, project, write } = place();
    write("file", "");
    const fix = /fix: name another folder with -o/;
    expectError(nacre(["synth", "-o", "file"]), { code: 1, subject: /file/, reason: /it is no folder/, fix });
    mkdirSync(join(project, "closed"), { mode: 0o555 });
    const asUser = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];
    expectError(nacre(["synth", "-o", "closed/made"], { wrapper: process.getuid?.() === 0 ? asUser : [] }), {
      code: 1,
      subject: /closed\/made/,
      reason: /you may not write there/,
      fix,
    });
  });

  test("has a gateway's Docker objects below gateway/, and Kubernetes' alone above", () => {
    const { nacre, project } = place(pods);
    nacre(["synth", "--target", "gateway", "-o", "made"]);
    const kubernetes = Object.entries(contents(join(project, "made"))).filter(([name]) =>
      /^[^/]*\.yaml$/.test(name),
    );
    expect(kubernetes.length).toBeGreaterThan(10);
    for (const [, text] of kubernetes) expect(text).not.toContain("docker.nacre.dev");
    expect(listing(join(project, "made/gateway"))).toEqual([
      "container-nacre-dev.yaml",
      "network-nacre-dev.yaml",
      "volume-nacre-dev-node.yaml",
      "volume-nacre-dev.yaml",
    ]);
    expect(nacre(["synth", "--target", "gateway", "-o", "made"]).code).toBe(3);
  });
});

describe("a stack that is named", () => {
  test.for([["synth"], ["preview"], ["up"]])("and has no file beside others is refused by %s", (args) => {
    const { nacre, write } = place(pods);
    write("Pulumi.prod.yaml", "config: { nacre:target: cluster }\n");
    for (const run of [nacre([...args, "-s", "prd"]), nacre(args, { env: { NACRE_STACK: "prd" } })]) {
      expectError(run, {
        code: 1,
        subject: /stack prd/,
        reason: /has no file Pulumi\.prd\.yaml/,
        fix: /fix: -s prod; there are: prod/,
      });
    }
  });

  test("needs no file where no stack has one, nor does the usual stack", () => {
    const { nacre, write } = place();
    expect(nacre(["synth", "-s", "prd"]).code).toBe(0);
    write("Pulumi.prod.yaml", "config: { nacre:target: cluster }\n");
    expect(nacre(["synth"], { env: { NACRE_STACK: undefined } }).code).toBe(0);
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
    expect(out).toContain("# gateway/container-nacre-dev.yaml");
    expect(out).toContain("external: 16443");
    expect(out).toContain("# 3-deployment-agent-helper.yaml");
    expect(err).toMatch(/up would be refused: dev\/Gateway: no image of K3s/);
  });

  test.for([
    ["absent.ts", undefined, /there is no such file/],
    ["other.ts", "export const app = 1;", /exports no function `environment`/],
    ["nothing.ts", module("return 1;"), /returns no Environment/],
    ["name.ts", module(tree.replace("stack.name", '"prod"')), /deployed as stack dev/],
    ["throws.ts", "\nnull.x;", /throws\.ts:2:6: TypeError: Cannot read properties of null/],
    ["function.ts", module('\nthrow new Error("no owner");'), /function\.ts:3:7: Error: no owner/],
    ["syntax.ts", "\nexport const environment = (stack: => 1;", /syntax\.ts:2: SyntaxError: /],
    ["missing.ts", 'import "nowhere";', /missing\.ts: Error: Cannot find package 'nowhere'/],
    [
      "validation.ts",
      module(tree.replace("return app;", "app.node.addValidation({ validate: () => null.x });\nreturn app;")),
      /validation\.ts:4:\d+: TypeError/,
    ],
  ] as const)("%s is an error that says the fix", ([file, text, reason]) => {
    const { nacre, write } = place();
    if (text !== undefined) write(file, text);
    expectError(nacre(["synth", "--program", file]), { code: 1, subject: /./, reason, fix: /fix: / });
  });
});
