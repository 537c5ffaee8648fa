import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ruleWriter } from "../../lib/cli/write-rule.ts";
import { loadBlueprint } from "../../lib/pulumi/blueprint-file.ts";
import { loadCatalogue } from "../../lib/pulumi/catalogue.ts";
import { temporaryFolder } from "../host/folder.ts";

const text = (policy = ""): string => `# A comment that stays.
apiVersion: nacre.dev/v1
kind: Blueprint
metadata: { name: small, version: 1.0.0 }
agents:
  other: { command: [sleep, infinity] }
  worker:
    command: [sleep, infinity] # so does this
${policy}`;

function blueprint(policy?: string) {
  const folder = temporaryFolder();
  const file = join(folder, "blueprint.yaml");
  writeFileSync(file, text(policy));
  return { folder, file, read: () => readFileSync(file, "utf8") };
}

const rulesOf = (file: string, agent: string) =>
  loadBlueprint(file, loadCatalogue()).agents[agent]?.policy.network_policies;

test("an allowed destination becomes a rule of that agent alone; comments, order and mode stay", async () => {
  const { folder, file, read } = blueprint();
  chmodSync(file, 0o640);
  const write = await ruleWriter(file, "dev/worker");
  expect(await write({ host: "api.example.com", port: 443, binary: "/usr/bin/curl" })).toBe(file);
  await write({ host: "other.example.com", port: 8443, binary: undefined });
  expect(read()).toContain("# A comment that stays.");
  expect(read()).toContain("# so does this");
  expect(Object.values(rulesOf(file, "worker") ?? {})).toMatchObject([
    { endpoints: [{ host: "api.example.com", port: 443 }], binaries: [{ path: "/usr/bin/curl" }] },
    { endpoints: [{ host: "other.example.com", port: 8443 }] },
  ]);
  expect(rulesOf(file, "other")).toBeUndefined();
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder)).toEqual(["blueprint.yaml"]);
});

test("one request becomes a rule on requests, and two that read alike two rules", async () => {
  const { file } = blueprint();
  const write = await ruleWriter(file, "dev/worker");
  const request = { host: "api.example.com", port: 443, method: "GET" };
  for (const path of ["/a-b", "/a/b", "/a/b"]) await write({ ...request, path });
  expect(rulesOf(file, "worker")).toEqual({
    "api-example-com-443-get-a-b": {
      endpoints: [
        {
          host: "api.example.com",
          port: 443,
          protocol: "rest",
          rules: [{ allow: { method: "GET", path: "/a-b" } }],
        },
      ],
    },
    "api-example-com-443-get-a-b-2": {
      endpoints: [
        {
          host: "api.example.com",
          port: 443,
          protocol: "rest",
          rules: [{ allow: { method: "GET", path: "/a/b" } }],
        },
      ],
    },
  });
});

test("a request with its query becomes a rule with those parameters, where a rule can say it", async () => {
  const { file, read } = blueprint();
  const write = await ruleWriter(file, "dev/worker");
  const request = { host: "api.example.com", port: 443, method: "GET", path: "/a" };
  await write({ ...request, query: "kind=a%20b&kind=c&q=" });
  expect(Object.values(rulesOf(file, "worker") ?? {})).toMatchObject([
    {
      endpoints: [
        { rules: [{ allow: { method: "GET", path: "/a", query: { kind: { any: ["a b", "c"] }, q: "" } } }] },
      ],
    },
  ]);
  const before = read();
  for (const query of ["", "kind=*"])
    await expect(write({ ...request, query })).rejects.toThrow("no rule can say it exactly");
  await expect(ruleWriter(file, "dev/worker", "kind=*")).rejects.toThrow("no rule can say it exactly");
  expect(read()).toBe(before);
});

test("rules that are there stay beside it", async () => {
  const { file } = blueprint(
    "    policy: { version: 1, network_policies: { mine: { endpoints: [{ host: a.example.com, port: 443 }] } } }\n",
  );
  await (
    await ruleWriter(file, "dev/worker")
  )({ host: "b.example.com", port: 443, binary: undefined });
  expect(Object.keys(rulesOf(file, "worker") ?? {})).toHaveLength(2);
});

test("what cannot be written is said before anything is allowed, and a bad rule leaves the file as it was", async () => {
  const elsewhere = blueprint("    policy: policy.yaml\n");
  await expect(ruleWriter(elsewhere.file, "dev/worker")).rejects.toThrow("in a file of its own");
  const { folder, file, read } = blueprint();
  await expect(ruleWriter(file, "dev/nobody")).rejects.toThrow("has no agent nobody");
  const before = read();
  const write = await ruleWriter(file, "dev/worker");
  await expect(write({ host: "not a host", port: 443, binary: undefined })).rejects.toThrow();
  expect(read()).toBe(before);
  expect(readdirSync(folder)).toEqual(["blueprint.yaml"]);
});
