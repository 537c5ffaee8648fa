import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { examinePolicy, formatPolicy, readPolicy } from "../../lib/blueprint/index.ts";
import { NacreError } from "../../lib/error.ts";
import { compile } from "../../lib/policy/compile.ts";

const matcher = fc.record(
  {
    method: fc.constantFrom("GET", "post", "*", "FETCH", ""),
    path: fc.constantFrom("/a", "/**", "**", "a", "/a//b", "/%2f", "/[a]"),
    query: fc.constantFrom(
      {},
      { q: "x*" },
      { q: { any: ["a"] } },
      { q: {} },
      { q: { glob: "a", any: ["b"] } },
    ),
    tool: fc.constant("x"),
  },
  { requiredKeys: ["method", "path"] },
);
const endpoint = fc.record(
  {
    host: fc.constantFrom("a.example.com", "*.example.com", "A.example.com.", "*", "192.0.2.1", ""),
    port: fc.constantFrom(443, 80, 0),
    ports: fc.constantFrom([443], [443, 80], []),
    path: fc.constantFrom("", "/a/**", "a"),
    protocol: fc.constantFrom("", "tcp", "rest", "rest", "graphql"),
    tls: fc.constantFrom("", "skip"),
    enforcement: fc.constantFrom("enforce", "audit"),
    access: fc.constantFrom("read-only", "read-write", "full"),
    rules: fc.array(
      matcher.map((allow) => ({ allow })),
      { maxLength: 2 },
    ),
    deny_rules: fc.array(matcher, { maxLength: 2 }),
    allowed_ips: fc.constantFrom(["10.1.0.0/16"], ["127.0.0.1"], ["2001:db8::1"], []),
    allow_encoded_slash: fc.boolean(),
    credential_binding: fc.constantFrom(
      { provider: "x" },
      { provider: "y", in: { header: "authorization" } },
      { provider: "y", in: { path: "/bot{}/" } },
      { provider: "X" },
    ),
  },
  { requiredKeys: ["host", "port"] },
);
const rules = fc.dictionary(
  fc.constantFrom("r", "s"),
  fc.record(
    {
      endpoints: fc.array(fc.oneof(endpoint, fc.object({ maxDepth: 1 })), { maxLength: 2 }),
      binaries: fc.constantFrom(
        [{ path: "/usr/bin/curl" }],
        [{ path: "/usr/bin/*" }],
        [],
        [{ path: "curl" }],
      ),
    },
    { requiredKeys: ["endpoints"] },
  ),
);

test("what the linter accepts is compiled and formatted, and what it refuses has a place, a reason and a fix", () => {
  let [valid, refused] = [0, 0];
  fc.assert(
    fc.property(rules, (network_policies) => {
      const text = stringify({ version: 1, network_policies });
      const { policy, errors } = examinePolicy(text, "p.yaml");
      if (policy === undefined) {
        refused++;
        expect(errors.length).toBeGreaterThan(0);
        for (const { line, column, reason, fix } of errors) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(reason).not.toBe("");
          expect(fix).not.toBe("");
        }
        expect(() => readPolicy(text, "p.yaml")).toThrow(NacreError);
        return;
      }
      valid++;
      compile({ base: policy.network_policies ?? {}, allows: [], blocks: [] });
      const once = formatPolicy(text, "p.yaml");
      expect(formatPolicy(once, "p.yaml")).toBe(once);
    }),
    { numRuns: 3000 },
  );
  expect(valid).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(500);
});

test("a policy of thousands of endpoints is examined in seconds", () => {
  const endpoints = Array.from({ length: 4000 }, (_, index) => ({
    host: `h${index % 100}.example.com`,
    port: 443,
    protocol: "rest",
    rules: [{ allow: { method: "GET", path: `/a/${index}/**` } }],
  }));
  const begun = performance.now();
  const { errors } = examinePolicy(
    JSON.stringify({ version: 1, network_policies: { r: { endpoints } } }),
    "p.yaml",
  );
  expect(errors).toEqual([]);
  expect(performance.now() - begun).toBeLessThan(20_000);
});
