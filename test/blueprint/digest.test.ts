import fc from "fast-check";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isMap, isSeq, parse, parseDocument, visit, type Document } from "yaml";
import { blueprintDigest, environmentDigest, parseBlueprint, resolve } from "../../lib/blueprint/index.ts";
import { catalogue, reading } from "./fixtures.ts";
import { shuffle } from "./shuffle.ts";

const files = {
  "policies/assistant.yaml":
    "version: 1\nnetwork_policies:\n  x: { endpoints: [{ host: x.example, port: 443 }] }\n",
  "seccomp/worker.json": '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [] }',
};
const text = readFileSync("test/blueprint/full.yaml", "utf8").replace(
  "- { host: api.telegram.org, port: 443 }",
  "- { host: api.telegram.org, port: 443 }\n            - { host: core.telegram.org, port: 443 }",
);
const digestOfText = (yaml: string, read = files, from = catalogue): string =>
  blueprintDigest(
    resolve(parseBlueprint(yaml, { file: "b.yaml", read: reading(read), catalogue: from }), from),
  );
const digest = digestOfText(text);

/** Lists whose order says nothing. */
const UNORDERED = ["presets", "ports", "endpoints", "binaries", "read_write", "read_only", "persist"];

/** Another way to write the same: keys and unordered lists shuffled, comments and blank lines, block or flow style. */
function rewritten(random: () => number): string {
  const document = parseDocument(text);
  visit(document, {
    Map: (_key, map) => {
      shuffle(map.items, random);
      map.flow = random() < 0.5;
    },
    Pair: (_key, pair) => {
      const key = String((pair.key as { value: unknown }).value);
      if (isSeq(pair.value) && UNORDERED.includes(key)) shuffle(pair.value.items, random);
    },
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === "string" && random() < 0.3) scalar.type = "QUOTE_DOUBLE";
    },
  });
  comment(document, random);
  return document.toString({ indent: 2 + Math.floor(random() * 3), lineWidth: 0 });
}

function comment(document: Document, random: () => number): void {
  if (isMap(document.contents)) {
    for (const pair of document.contents.items) {
      const key = pair.key as { commentBefore?: string; spaceBefore?: boolean };
      if (random() < 0.5) key.commentBefore = ` restart: never # ${random()}`;
      if (random() < 0.5) key.spaceBefore = true;
    }
  }
}

test("order, comments, style and quotes do not change the digest", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (stream) => {
        const again = rewritten(() => stream.next().value as number);
        seen.add(again);
        expect(digestOfText(again)).toBe(digest);
      },
    ),
    { numRuns: 200 },
  );
  expect(seen.size).toBeGreaterThan(150);
});

test("defaults that are written out do not change it", () => {
  const explicit = text
    .replace(
      "    presets: [npm, github]",
      "    isolation: kernel\n    restart: always\n    persist: [/sandbox]\n    presets: [npm, github]",
    )
    .replace("{ syscalls: best_effort }", "{ files: required, syscalls: best_effort }")
    .replace("2Gi", "2048Mi")
    .replace("try: [nvidia] }", "try: [nvidia], timeout: 1m }")
    .replace("kind: nvidia,", "kind: nvidia, model: nvidia/nemotron-3-super-120b-a12b, trusted: false,")
    .replace("port: 443 }", 'ports: [443], protocol: "", enforcement: enforce }')
    .replace("api.telegram.org", "API.telegram.org");
  expect(explicit).not.toBe(text);
  expect(digestOfText(explicit)).toBe(digest);
});

test("labels, unused routes and the names of routes do not change it", () => {
  const relabelled = text
    .replace("name: assistant, version: 1.0.0", "name: other, version: 2.0.0")
    .replace("inference: default", "inference: main")
    .replace("    default: {", "    spare: { try: [ollama] }\n    main: {");
  expect(digestOfText(relabelled)).toBe(digest);
});

test("every value that runs changes it", () => {
  const changed: [string, string][] = [
    ["  worker:", "  helper:"],
    ["[npm, github]", "[npm]"],
    ["syscalls: best_effort", "syscalls: required"],
    ["cpu: 2", "cpu: 2.5"],
    ["2Gi", "2G"],
    ["pids: 512", "pids: 513"],
    ["[18789, 8080]", "[18789]"],
    ["[node, server.js]", "[server.js, node]"],
    ['PORT: "8080"', 'PORT: "8081"'],
    ["on-failure", "never"],
    ["read_write: [/tmp]", "read_only: [/tmp]"],
    ["telegram:", "chat:"],
    ["api.telegram.org", "api.telegram.com"],
    ["5432, protocol: tcp", "5433, protocol: tcp"],
    [", protocol: tcp", ""],
    ["/usr/bin/curl", "/usr/bin/git"],
    ["90s", "91s"],
    ["credential: nvidia", "credential: other"],
    ["11434", "11435"],
    ["qwen3.6:35b", "qwen3.6:7b"],
    ["trusted: true", "trusted: false"],
    ["    inference: local\n", ""],
    ["    seccomp: seccomp/worker.json\n", ""],
  ];
  const digests = changed.map(([from, to]) => {
    expect(text).toContain(from);
    return digestOfText(text.replace(from, to));
  });
  expect(new Set([digest, ...digests]).size).toBe(changed.length + 1);
});

test("it covers the files that are named, the presets, the default profile and the kit's lock", () => {
  const policy = { ...files, "policies/assistant.yaml": "version: 1\n" };
  const profile = { ...files, "seccomp/worker.json": '{ "defaultAction": "SCMP_ACT_KILL", "syscalls": [] }' };
  const { npm } = catalogue.presets;
  const network = { npm: { endpoints: [{ host: "other.example", port: 443 }] } };
  const presets = { ...catalogue.presets, npm: { ...npm!, network } };
  const kits = { openclaw: { version: "2026.9.6", lock: "sha256:11" } };
  const seccomp = { ...catalogue.seccomp, defaultAction: "SCMP_ACT_KILL" };
  const digests = [
    digestOfText(text, policy),
    digestOfText(text, profile),
    digestOfText(text, files, { ...catalogue, presets }),
    digestOfText(text, files, { ...catalogue, kits }),
    digestOfText(text, files, { ...catalogue, seccomp }),
  ];
  expect(new Set([digest, ...digests]).size).toBe(6);
});

test("comments of files that are named, and reasons of presets, do not change it", () => {
  const policy = { ...files, "policies/assistant.yaml": `# why\n${files["policies/assistant.yaml"]}` };
  const { npm } = catalogue.presets;
  const presets = { ...catalogue.presets, npm: { ...npm!, description: "other", reasons: {} } };
  expect(digestOfText(text, policy, { ...catalogue, presets })).toBe(digest);
});

test("the environment's digest adds environment, target and overlay", () => {
  const base = { blueprint: digest, environment: "dev", target: { kind: "host" }, overlay: {} };
  const of = (change: object): string => environmentDigest({ ...base, ...change });
  const others = [
    of({ environment: "prod" }),
    of({ target: { kind: "cluster" } }),
    of({ overlay: { agents: { assistant: { ports: { "18789": 1 } } } } }),
    of({ blueprint: "sha256:00" }),
  ];
  expect(new Set([of({}), ...others]).size).toBe(5);
  expect(of({ overlay: { agents: {} } })).toBe(of({}));
});

test("the format of the digest is fixed", () => {
  expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  // A change of this value invalidates every plan, approval and record that was made before.
  expect(digestOfText(header("command: [sleep, infinity]"))).toBe(
    "sha256:a0c02cf4695d701ee83e461b26c779cf938d60637e720794738a49bb23a65d2a",
  );
});

function header(agent: string): string {
  return `apiVersion: nacre.dev/v1\nkind: Blueprint\nmetadata: { name: a, version: 1.0.0 }\nagents: { a: { ${agent} } }\n`;
}

test("JSON is read like YAML", () => {
  expect(digestOfText(JSON.stringify(parse(text), null, "\t"))).toBe(digest);
});
