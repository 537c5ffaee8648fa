import fc from "fast-check";
import { expect, test } from "vitest";
import { isMap, isSeq, parseDocument, visit } from "yaml";
import {
  blueprintDigest,
  examinePolicy,
  formatPolicy,
  meaningOf,
  parseBlueprint,
  resolve,
} from "../../lib/blueprint/index.ts";
import { catalogue, header, reading } from "./fixtures.ts";
import { shuffle } from "./shuffle.ts";

const text = `# What the assistant may do.
version: 1
filesystem_policy: { include_workdir: true, read_only: [/usr, /etc], read_write: [/tmp, /sandbox] }
process: { run_as_user: sandbox }
network_policies:
  # code
  github:
    endpoints:
      # issues only
      - host: api.github.com
        port: 443
        protocol: rest
        path: /repos/**
        rules:
          - allow: { method: GET, path: /repos/*/*/issues, query: { state: { any: [open, closed] }, page: "*" } }
          - allow: { method: POST, path: /repos/*/*/issues }
        deny_rules: [{ method: "*", path: /repos/x/** }, { method: GET, path: /repos/y/z }]
        credential_binding: { provider: github, in: { header: authorization, prefix: "Bearer " } }
      - { host: db.example.com, ports: [80, 443], allowed_ips: [10.1.0.0/16, 10.2.3.4] } # inner
    binaries: [{ path: /usr/bin/gh }, { path: /usr/bin/curl }]
  npm: { endpoints: [{ host: registry.npmjs.org, port: 443 }] }
`;

const unordered = [
  "endpoints",
  "binaries",
  "rules",
  "deny_rules",
  "any",
  "ports",
  "allowed_ips",
  "read_only",
  "read_write",
];

/** Another way to write the same. */
function rewritten(random: () => number): string {
  const document = parseDocument(text);
  visit(document, {
    Map: (_key, map) => {
      shuffle(map.items, random);
      map.flow = random() < 0.4;
    },
    Pair: (_key, pair) => {
      const key = String((pair.key as { value: unknown }).value);
      if (isSeq(pair.value) && unordered.includes(key)) shuffle(pair.value.items, random);
      if (isSeq(pair.value)) pair.value.flow = random() < 0.4;
    },
    Scalar: (_key, scalar) => {
      if (scalar.value === "GET" && random() < 0.5) scalar.value = "get";
      if (scalar.value === "api.github.com" && random() < 0.5) scalar.value = "API.GitHub.com.";
      if (scalar.value === "10.2.3.4" && random() < 0.5) scalar.value = "10.2.3.4/32";
      if (scalar.value === "authorization" && random() < 0.5) scalar.value = "Authorization";
      if (typeof scalar.value === "string" && random() < 0.3) scalar.type = "QUOTE_DOUBLE";
    },
  });
  const npm = document.getIn(["network_policies", "npm", "endpoints", 0]);
  if (isMap(npm)) {
    const defaults = {
      tls: "",
      protocol: "",
      enforcement: "enforce",
      access: "full",
      path: "",
      allow_encoded_slash: false,
    };
    for (const [key, value] of Object.entries(defaults)) if (random() < 0.3) npm.set(key, value);
  }
  return document.toString({ lineWidth: 0 });
}

const digestOf = (policy: string): string => {
  const blueprint = `${header}agents: { a: { kit: openclaw, policy: p.yaml } }\n`;
  const sources = { file: "b.yaml", read: reading({ "p.yaml": policy }), catalogue };
  return blueprintDigest(resolve(parseBlueprint(blueprint, sources), catalogue));
};

test("however a policy is written, it has one meaning, one digest and one formatted text", () => {
  const digest = digestOf(text);
  const bare = (formatted: string): string =>
    JSON.stringify(parseDocument(formatted).toJS()).replaceAll(/"tls":""|"path":""/g, "");
  const formatted = bare(formatPolicy(text, "p.yaml"));
  fc.assert(
    fc.property(
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (stream) => {
        const again = rewritten(() => stream.next().value as number);
        expect(digestOf(again)).toBe(digest);
        const once = formatPolicy(again, "p.yaml");
        expect(formatPolicy(once, "p.yaml")).toBe(once);
        expect(bare(once)).toBe(formatted);
        expect(digestOf(once)).toBe(digest);
      },
    ),
    { numRuns: 150 },
  );
});

test("comments stay with what they stand at", () => {
  const lines = formatPolicy(text, "p.yaml").split("\n");
  const after = (comment: string): string =>
    lines[lines.findIndex((line) => line.trim() === comment) + 1] ?? "";
  expect(lines[0]).toBe("# What the assistant may do.");
  expect(after("# code")).toBe("  github:");
  expect(after("# issues only")).toContain("host: api.github.com");
  const before = lines.slice(0, lines.findIndex((line) => line.includes("# inner")) + 1).join(" ");
  expect(before).toContain("db.example.com");
  expect(before).not.toContain("api.github.com");
});

test("what means something else has another meaning", () => {
  const meaning = (policy: string): string => {
    const { policy: read } = examinePolicy(policy, "p.yaml");
    if (read === undefined) throw new Error(policy);
    return meaningOf(read);
  };
  const changes: [string, string][] = [
    ["method: POST", "method: PUT"],
    ["path: /repos/y/z", "path: /repos/Y/z"],
    ['page: "*"', 'page: "1"'],
    ["[open, closed]", "[open]"],
    ["path: /repos/**\n", "path: /repos/*/**\n"],
    ["allowed_ips: [10.1.0.0/16, 10.2.3.4]", "allowed_ips: [10.1.0.0/16]"],
    ["provider: github", "provider: other"],
    ['prefix: "Bearer "', 'prefix: "bearer "'],
    ["protocol: rest\n", "protocol: rest\n        enforcement: audit\n"],
    ["protocol: rest\n", "protocol: rest\n        allow_encoded_slash: true\n"],
    ["run_as_user: sandbox", 'run_as_user: "1000"'],
  ];
  const all = [text, ...changes.map(([from, to]) => text.replace(from, to))].map(meaning);
  expect(new Set(all).size).toBe(changes.length + 1);
});

test("a policy with errors is not formatted", () => {
  expect(() => formatPolicy("version: 1\nnetwork_polices: {}\n", "p.yaml")).toThrow("unknown field");
});

test("rules that hold each alone and not together are refused where presets are named", () => {
  const bound = (provider: string) => ({
    endpoints: [{ host: "api.example.com", port: 443, credential_binding: { provider } }],
  });
  const preset = {
    name: "npm",
    description: "x",
    network: { theirs: bound("one") },
    credentials: {},
    reasons: {},
  };
  const sources = {
    file: "b.yaml",
    read: reading(),
    catalogue: { ...catalogue, presets: { ...catalogue.presets, npm: preset } },
  };
  const policy = JSON.stringify({ version: 1, network_policies: { ours: bound("two") } });
  const blueprint = `${header}agents: { a: { kit: openclaw, presets: [npm], policy: ${policy} } }\n`;
  expect(() => parseBlueprint(blueprint, sources)).toThrow("binds another credential to the same requests");
});
