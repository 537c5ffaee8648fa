import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { blueprintDigest, environmentDigest, parseBlueprint, resolve } from "../../lib/blueprint/index.ts";
import { catalogue, header, reading } from "./fixtures.ts";

const profile = (entry: object, more: object = {}): string =>
  JSON.stringify({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: ["socket"], ...entry }], ...more });
const digestOf = (seccomp: string): string => {
  const text = `${header}agents:\n  a: { command: [node], seccomp: s.json }\n`;
  const sources = { file: "b.yaml", read: reading({ "s.json": seccomp }), catalogue };
  return blueprintDigest(resolve(parseBlueprint(text, sources), catalogue));
};

test("each field of a seccomp profile that the kernel is told changes the digest; a comment does not", () => {
  const allow = { action: "SCMP_ACT_ALLOW" };
  const only = (value: number, op = "SCMP_CMP_EQ", index = 0) => ({ ...allow, args: [{ index, value, op }] });
  const profiles = [
    profile(allow),
    profile({ ...allow, names: ["socket", "socketpair"] }),
    profile({ action: "SCMP_ACT_ERRNO", errnoRet: 38 }),
    profile({ action: "SCMP_ACT_ERRNO", errnoRet: 1 }),
    profile(only(1)),
    profile(only(2)),
    profile(only(1, "SCMP_CMP_NE")),
    profile(only(1, "SCMP_CMP_EQ", 1)),
    profile({ ...allow, args: [{ index: 0, value: 1, valueTwo: 1, op: "SCMP_CMP_MASKED_EQ" }] }),
    profile({ ...allow, args: [{ index: 0, value: 1, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }] }),
    profile(allow, { defaultErrnoRet: 38 }),
    profile(allow, { architectures: ["SCMP_ARCH_X86_64"] }),
  ];
  expect(new Set(profiles.map(digestOf)).size).toBe(profiles.length);
  expect(digestOf(profile({ ...allow, comment: "why" }))).toBe(digestOf(profile(allow)));
});

test("an environment's own sizes change its digest, limit by limit", () => {
  const base = { blueprint: "sha256:00", environment: "dev", target: { kind: "host" } };
  const sizes = [{}, { cpu: 1 }, { cpu: 2 }, { memoryBytes: 2 ** 30 }, { pids: 100 }];
  const digests = sizes.map((resources) =>
    environmentDigest({ ...base, overlay: { agents: { assistant: { resources } } } }),
  );
  expect(new Set(digests).size).toBe(sizes.length);
});

test("no object of a blueprint takes a field that nobody knows", () => {
  const full = readFileSync("test/blueprint/full.yaml", "utf8");
  const read = reading({
    "policies/assistant.yaml": "version: 1\n",
    "seccomp/worker.json": profile({ action: "SCMP_ACT_ALLOW" }),
  });
  const parse = (text: string) => parseBlueprint(text, { file: "b.yaml", read, catalogue });
  parse(full);
  const places: [string, string][] = [
    ["apiVersion:", "zzz: 1\napiVersion:"],
    ["metadata: {", "metadata: { zzz: 1,"],
    ["    kit: openclaw", "    zzz: 1\n    kit: openclaw"],
    ["walls: {", "walls: { zzz: 1,"],
    ["resources: {", "resources: { zzz: 1,"],
    ["      version: 1\n", "      version: 1\n      zzz: 1\n"],
    ["filesystem_policy: {", "filesystem_policy: { zzz: 1,"],
    ["        telegram:\n", "        telegram:\n          zzz: 1\n"],
    ["- { host: api", "- { zzz: 1, host: api"],
    ["{ path: /usr/bin/curl", "{ zzz: 1, path: /usr/bin/curl"],
    ["inference:\n  routes", "inference:\n  zzz: 1\n  routes"],
    ["default: {", "default: { zzz: 1,"],
    ["nvidia: {", "nvidia: { zzz: 1,"],
  ];
  for (const [from, to] of places) {
    expect(full).toContain(from);
    expect(() => parse(full.replace(from, to)), to).toThrow(/unknown field|zzz/);
  }
});

test.each([
  "API_KEY",
  "GITHUB_TOKEN",
  "DB_PASSWORD",
  "DB_PASSWD",
  "CLIENT_SECRET",
  "MY_CREDENTIALS",
  "CREDENTIAL",
  "OPENAI_APIKEY",
  "password",
])("a variable called %s is refused, since it looks like a secret", (name) => {
  const text = `${header}agents:\n  a: { command: [node], env: { ${name}: value-of-it } }\n`;
  const parse = () => parseBlueprint(text, { file: "b.yaml", read: reading(), catalogue });
  expect(parse).toThrow("looks like a secret");
  expect(parse).not.toThrow("value-of-it");
});
