import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { examineBlueprint, positionOf } from "../../lib/blueprint/index.ts";
import { parseDocument } from "yaml";
import { NacreError } from "../../lib/error.ts";
import { configOf, examineStackFile } from "../../lib/pulumi/stack-config.ts";
import { catalogue } from "../blueprint/fixtures.ts";

const problemsOf = (yaml: string): string[] =>
  examineStackFile(yaml, "Pulumi.prod.yaml").problems.map(
    (problem) => `${positionOf(problem)}: ${problem.path}: ${problem.reason} (${problem.fix})`,
  );

test.each(["dev", "staging", "prod"])("the example %s is what the program reads of it", (stack) => {
  const file = `stacks/Pulumi.${stack}.yaml`;
  const { value, problems } = examineStackFile(readFileSync(file, "utf8"), file);
  expect(problems).toEqual([]);
  const asPulumiHasIt = Object.entries(value ?? {}).map(([key, each]) => [
    `nacre:${key}`,
    typeof each === "string" ? each : JSON.stringify(each),
  ]);
  expect(configOf(Object.fromEntries(asPulumiHasIt) as Record<string, string>)).toEqual(value);
});

test("a problem has its place, its reason and its fix", () => {
  const yaml = [
    "encryptionsalt: v1:abc",
    "config:",
    "  other:key: { anything: true }",
    "  nacre:target: cluster",
    "  nacre:clustre: {}",
    "  nacre:cluster:",
    "    images: { egress: registry.example/egress:latest }",
    "    secrets: { nvidia: { secret: Not_A_Name } }",
    "    ranges: [10.0.0.1/8]",
    "",
  ].join("\n");
  expect(problemsOf(yaml)).toEqual([
    expect.stringMatching(/^Pulumi\.prod\.yaml:7:23: .*an image by its digest/),
    expect.stringMatching(/^Pulumi\.prod\.yaml:8:34: .*an object's name/),
    expect.stringMatching(/^Pulumi\.prod\.yaml:9:14: .*a block of addresses/),
    'Pulumi.prod.yaml:5:3: config["nacre:clustre"]: unknown field (write cluster)',
  ]);
});

test("what a target does not look at is refused rather than believed", () => {
  const of = (target: string, key: string): string[] =>
    problemsOf(`config:\n  nacre:target: ${target}\n  nacre:${key}: {}\n`);
  expect(of("host", "cluster")).toEqual([expect.stringContaining("the target host has no use for it")]);
  expect(of("cluster", "gateway")).toEqual([expect.stringContaining("the target cluster has no use for it")]);
  expect(of("gateway", "gateway")).toEqual([]);
});

test("no field takes a secret, also one that Pulumi encrypts", () => {
  const yaml = "config:\n  nacre:target: cluster\n  nacre:kubeconfig: { secure: v1:aaaa }\n";
  expect(problemsOf(yaml)).toEqual([expect.stringMatching(/nacre:kubeconfig/)]);
});

test.each([
  ["api: { cidr: 0.0.0.0/0 }", /wider than a \/24/, /write those alone/],
  ["api: { cidr: 10.0.0.0/23 }", /wider than a \/24/, /write those alone/],
  ["api: { cidr: 'fd00::/119' }", /or a \/120 of IPv6/, /write those alone/],
  ["api: { cidr: 10.0.0.1/32, behind: { cidr: 10.0.0.0/8, port: 6443 } }", /wider/, /write those alone/],
  ["grants: [{ host: '*', cidr: 10.0.0.5/32, port: 443 }]", /"\*" is a pattern/, /each host whole/],
  ["grants: [{ host: '*.corp.example', cidr: 10.0.0.5/32, port: 443 }]", /is a pattern/, /each host whole/],
  ["grants: [{ host: a.example, cidr: 169.254.169.254/32, port: 80 }]", /metadata service/, /narrower block/],
  ["grants: [{ host: a.example, cidr: 0.0.0.0/0, port: 80 }]", /metadata service/, /narrower block/],
  ["grants: [{ host: a.example, cidr: 'fe80::1/128', port: 80 }]", /link-local/, /narrower block/],
  [
    "grants: [{ host: a.example, cidr: 'fd00:ec2::254/128', port: 80 }]",
    /metadata service/,
    /narrower block/,
  ],
  ["grants: [{ host: a.example, cidr: '::ffff:169.254.169.254/128', port: 80 }]", /metadata/, /narrower/],
  [
    "router: { replicas: { min: 3, max: 2 } }",
    /max \(2\) is less than min \(3\)/,
    /write { min: 3, max: 3 }/,
  ],
  ["storage: { class: Fast_1 }", /must be an object's name, .*, is "Fast_1"/, /write fast-1/],
])("refused: %s", (line, reason, fix) => {
  const [problem] = problemsOf(`config:\n  nacre:target: cluster\n  nacre:cluster: { ${line} }\n`);
  expect(problem).toMatch(reason);
  expect(problem).toMatch(fix);
});

test.each([
  "api: { cidr: 10.0.0.0/24, behind: { cidr: 'fd00::/120', port: 6443 } }",
  "grants: [{ host: a.corp.example, cidr: 10.0.0.0/8, port: 443 }]",
])("taken: %s", (line) => {
  expect(problemsOf(`config:\n  nacre:target: cluster\n  nacre:cluster: { ${line} }\n`)).toEqual([]);
});

test("a gateway's network is a private one, and its image K3s'", () => {
  const of = (line: string): string[] =>
    problemsOf(`config:\n  nacre:target: gateway\n  nacre:gateway: { ${line} }\n`);
  expect(of("subnet: 8.8.8.0/24")).toEqual([
    expect.stringMatching(/block of private addresses.*10\.44\.7\.0/),
  ]);
  for (const subnet of ["192.168.9.0/24", "100.64.3.0/24"]) expect(of(`subnet: ${subnet}`)).toEqual([]);
  expect(of("image: 'rancher/k3s:latest'")).toEqual([
    expect.stringMatching(/for example, rancher\/k3s@sha256:/),
  ]);
});

describe("a value that may be a secret is never repeated", () => {
  const planted = "nvapi-PLANTED_0123456789abcdefghij";
  const told = (action: () => unknown): string => {
    try {
      return JSON.stringify(action());
    } catch (error) {
      return JSON.stringify(error);
    }
  };
  test.each([
    ["for a mapping", `secrets: { nvidia: ${planted} }`],
    ["for all", `secrets: ${planted}`],
    ["in a list", `secrets: [${planted}]`],
    ["for the Secret's name", `secrets: { nvidia: { secret: ${planted} } }`],
    ["for its key", `secrets: { nvidia: { secret: a, key: "${planted}!" } }`],
    ["under a field that there is not", `secrets: { nvidia: { secret: a, value: ${planted} } }`],
    ["as a field", `secrets: { nvidia: { secret: a, ${planted}: a } }`],
    ["as a name", `secrets: { ${planted}: { secret: a } }`],
    ["as a name of nothing", `secrets: { ${planted}: {} }`],
    ["for where budgets are kept", `router: { budgets: { secret: ${planted} } }`],
    ["in what is no YAML", `secrets: { nvidia: ${planted}: a }`],
    ["behind what YAML quotes", `secrets: { nvidia: | ${planted} }`],
    ["as a tag", `secrets: { nvidia: !${planted} a }`],
  ])("%s of a stack", (_, line) => {
    const yaml = `config:\n  nacre:target: cluster\n  nacre:cluster:\n    ${line}\n`;
    const { problems } = examineStackFile(yaml, "Pulumi.prod.yaml");
    expect(problems).not.toEqual([]);
    expect(JSON.stringify(problems).toLowerCase()).not.toContain("planted");
    // A program gets the same as JSON.
    const document = parseDocument(line);
    if (document.errors.length > 0) return;
    const cluster = JSON.stringify(document.toJS());
    const read = () => configOf({ "nacre:target": "cluster", "nacre:cluster": cluster });
    expect(told(read)).not.toMatch(/planted/i);
  });

  test.each([
    ["a credential", `credentials: { nvidia: ${planted} }`],
    ["a credential's variable", `credentials: { nvidia: { as: ${planted}, for: [api.example.com] } }`],
    ["a variable", `agents: { a: { command: [sleep], env: { KEY=${planted}: a } } }`],
    ["variables", `agents: { a: { command: [sleep], env: ["KEY=${planted}"] } }`],
    ["a variable's value", `agents: { a: { command: [sleep], env: { KEY: [${planted}] } } }`],
    ["a provider's credential", `inference: { providers: { n: { kind: nvidia, credential: ${planted} } } }`],
  ])("%s of a blueprint", (_, line) => {
    const { problems } = examineBlueprint(line, { file: "blueprint.yaml", read: () => "", catalogue });
    const path = line.startsWith("agents") ? "agents.a.env" : line.slice(0, line.indexOf(":"));
    expect(problems.map((problem) => problem.path)).toContainEqual(expect.stringContaining(path));
    expect(JSON.stringify(problems).toLowerCase()).not.toContain("planted");
  });
});

test("a program is told the key, the reason and the fix of what it was configured with", () => {
  const read = (): unknown =>
    configOf({
      "nacre:target": "cluster",
      "nacre:cluster": '{"storage":{"size":"much"}}',
      "aws:region": "x",
    });
  expect(read).toThrow(NacreError);
  expect(read).toThrow(/nacre:cluster\.storage\.size: .*an amount of bytes.* \(.+\)/);
  expect(() => configOf({ "nacre:cluster": "{" })).toThrow(
    expect.objectContaining({ subject: "nacre:cluster", message: "is no object" }),
  );
  expect(() => configOf({ "nacre:target": "moon" })).toThrow(/nacre:target: .*host, gateway or cluster/);
});

test("an empty text is how Pulumi.yaml says that there is none", () => {
  expect(configOf({ "nacre:overlay": "", "nacre:target": "host" })).toEqual({ target: "host" });
});
