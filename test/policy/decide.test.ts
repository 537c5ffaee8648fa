import fs from "node:fs";
import { describe, expect, test } from "vitest";
import { compile, type Layers } from "../../lib/policy/compile.ts";
import { blockOf, decide, dependsOnProgram, resolvable } from "../../lib/policy/decide.ts";
import { networkPoliciesSchema } from "../../lib/policy/language.ts";
import { policyHash } from "../../lib/policy/hash.ts";

interface Case {
  host: string;
  port: number;
  binary?: string;
  expect: "allow" | "deny";
  rule?: string;
  layer?: string;
  inspect?: string;
  why: string;
}
const file = JSON.parse(fs.readFileSync(new URL("decisions.json", import.meta.url), "utf8")) as {
  layers: Layers;
  cases: Case[];
};
const layers = { ...file.layers, base: networkPoliciesSchema.parse(file.layers.base) };
const policy = compile(layers);
const rule = (endpoint: object, more: object = {}): object => ({ r: { endpoints: [endpoint], ...more } });

describe("the decision", () => {
  test.each(file.cases)(
    "$expect $host:$port from $binary: $why",
    ({ host, port, binary, why: _, ...expected }) => {
      const decision = decide(policy, { binary }, { host, port });
      expect({
        expect: decision.verdict,
        ...("rule" in decision && decision.rule !== undefined && { rule: decision.rule }),
        ...("layer" in decision && { layer: decision.layer }),
        ...("inspect" in decision && { inspect: decision.inspect }),
      }).toEqual(expected);
    },
  );
});

test("a denial says what was asked, why not, and the smallest fix", () => {
  expect(decide(policy, { binary: "/bin/nc" }, { host: "evil.example", port: 8443 })).toEqual({
    verdict: "deny",
    layer: "network",
    reason: "no rule names evil.example",
    fix: {
      text: "allow evil.example on port 8443: a person can, with nacre allow",
      allow: { host: "evil.example", port: 8443, binary: undefined },
    },
  });
  expect(decide(policy, {}, { host: "github.com", port: 80 })).toMatchObject({
    reason: "github.com is allowed on port 22, 443, not 80",
  });
});

test("a name resolves where any rule names it, whatever its port and program", () => {
  expect(resolvable(policy, "github.com")).toBeUndefined();
  expect(resolvable(policy, "db.example.net")).toBeUndefined();
  expect(resolvable(policy, "evil.example")).toMatchObject({ layer: "network" });
  expect(resolvable(policy, "blocked.example.net")).toMatchObject({ layer: "block" });
});

test("the socket's owner is asked for only where it matters", () => {
  expect(dependsOnProgram(policy, { host: "github.com", port: 443 })).toBe(true);
  expect(dependsOnProgram(policy, { host: "db.example.net", port: 5432 })).toBe(false);
});

test("block --all is over everything, what the egress serves itself included", () => {
  const stopped = compile({ ...layers, blocks: [{ all: true }] });
  expect(decide(stopped, { binary: "/usr/bin/git" }, { host: "github.com", port: 443 })).toMatchObject({
    layer: "block",
  });
  expect(resolvable(stopped, "github.com")).toMatchObject({ layer: "block" });
  expect(blockOf(stopped, "inference.local")).toMatchObject({ fix: { unblock: "all" } });
  expect(blockOf(policy, "inference.local")).toBeUndefined();
});

test("the hash is of the meaning's text, not of the order of its keys", () => {
  const turned = Object.fromEntries(Object.entries(layers.base).reverse());
  expect(policyHash({ ...layers, base: turned })).toBe(policyHash(layers));
  expect(policyHash({ ...layers, blocks: [] })).not.toBe(policyHash(layers));
});

describe("a policy is refused with the reason and the fix", () => {
  test.each([
    [{ host: "*", port: 443 }, "top-level domain"],
    [{ host: "*.com", port: 443 }, "top-level domain"],
    [{ host: "**", port: 443 }, "top-level domain"],
    [{ host: "*foo.com", port: 443 }, "top-level domain"],
    [{ host: "a.*.example.com", port: 443 }, "behind the first label"],
    [{ host: "**a.example.com", port: 443 }, "not a host name"],
    [{ host: "bücher.example", port: 443 }, "punycode"],
    [{ host: "https://example.com", port: 443 }, "more than a host"],
    [{ host: "example.com:443", port: 443 }, "more than a host"],
    [{ host: "user@example.com", port: 443 }, "more than a host"],
    [{ host: "127.1", port: 443 }, "neither a name nor an address"],
    [{ host: "0x7f000001", port: 443 }, "neither a name nor an address"],
    [{ host: "010.0.0.1", port: 443 }, "neither a name nor an address"],
    [{ host: "exa mple.com", port: 443 }, "more than a host"],
    [{ host: "-a.example.com", port: 443 }, "not a host name"],
    [{ host: "a..example.com", port: 443 }, "not a host name"],
    [{ host: "example.com", port: 443, enforcement: "log" }, "enforcement"],
    [{ host: "example.com", port: 443, access: "read-only" }, "access: needs protocol: rest"],
    [{ host: "example.com", port: 443, rules: [] }, "rules"],
    [{ host: "example.com", port: 443, protocol: "rest" }, "allows nothing"],
    [{ host: "example.com", port: 443, protocol: "graphql" }, "tcp"],
    [{ host: "example.com", port: 443, allowed_ips: ["127.0.0.1"] }, "loopback"],
    [{ port: 443 }, "host: is missing"],
    [{ host: "example.com", port: 0 }, "1"],
    [{ host: "example.com" }, "port: is missing"],
    [{ host: "example.com", port: 443, ports: [443] }, "both port and ports"],
  ])("%o", (endpoint, reason) => {
    expect(() =>
      compile({ base: networkPoliciesSchema.parse(rule(endpoint)), allows: [], blocks: [] }),
    ).toThrow(reason);
  });

  test.each([
    ["usr/bin/git", "not absolute"],
    ["/usr/bin/[a-z]*", "no glob here"],
    ["/usr/../bin/git", "shortest form"],
    ["/usr//git", "shortest form"],
    ["/usr/***/git", "three stars"],
  ])("program %s", (path, reason) => {
    const base = rule({ host: "example.com", port: 443 }, { binaries: [{ path }] });
    expect(() => networkPoliciesSchema.parse(base)).toThrow(reason);
  });

  test("an empty list of programs", () => {
    const base = networkPoliciesSchema.parse(rule({ host: "example.com", port: 443 }, { binaries: [] }));
    expect(() => compile({ base, allows: [], blocks: [] })).toThrow("empty list");
  });
});

test("upper case and a dot at the end name the same host", () => {
  const base = networkPoliciesSchema.parse(rule({ host: "API.Example.COM.", port: 443 }));
  expect(
    decide(compile({ base, allows: [], blocks: [] }), {}, { host: "api.example.com", port: 443 }),
  ).toMatchObject({
    verdict: "allow",
  });
});
