import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { positionOf } from "../../lib/blueprint/index.ts";
import { NacreError } from "../../lib/error.ts";
import { configOf, examineStackFile } from "../../lib/pulumi/stack-config.ts";

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
    expect.stringMatching(/^Pulumi\.prod\.yaml:8:34: .*the name of an object/),
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
