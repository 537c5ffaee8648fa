import fc from "fast-check";
import { expect, test } from "vitest";
import { compile } from "../../lib/policy/compile.ts";
import { decide } from "../../lib/policy/decide.ts";
import type { HttpRequest, Query } from "../../lib/policy/decision.ts";
import { denialBody } from "../../lib/policy/denial.ts";
import { readQuery } from "../../lib/policy/query.ts";
import { policyFaults } from "../../lib/policy/faults.ts";
import {
  type Endpoint,
  type NetworkPolicies,
  networkPoliciesSchema,
  type RequestMatcher,
} from "../../lib/policy/language.ts";

/** Slow and obvious: a glob is its first character and the rest. */
function globMatches(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (!pattern.startsWith("*")) return pattern[0] === text[0] && globMatches(pattern.slice(1), text.slice(1));
  const deep = pattern.startsWith("**");
  if (globMatches(pattern.slice(deep ? 2 : 1), text)) return true;
  return text !== "" && (deep || text[0] !== "/") && globMatches(pattern, text.slice(1));
}

interface Placed {
  readonly endpoint: Endpoint;
  readonly programs: readonly string[] | undefined;
}

/** Slow and obvious: every endpoint is looked at, in the order of the rules of the decision. */
function verdictOf(
  policies: NetworkPolicies,
  binary: string | undefined,
  host: string,
  { method, path, query }: HttpRequest,
): string {
  const all: Placed[] = Object.values(policies).flatMap(({ endpoints, binaries }) =>
    endpoints
      .filter(
        (endpoint) =>
          endpoint.host === host ||
          (endpoint.host === "*.example.com" && /^[a-z]+\.example\.com$/.test(host)),
      )
      .map((endpoint) => ({ endpoint, programs: binaries?.map((one) => one.path) })),
  );
  const isFor = ({ programs }: Placed): boolean =>
    programs === undefined ||
    (binary !== undefined && programs.some((program) => globMatches(program, binary)));
  const mayBeFor = (placed: Placed): boolean => binary === undefined || isFor(placed);
  const looked = all.some(
    (placed) =>
      (isFor(placed) && placed.endpoint.protocol === "rest") ||
      (mayBeFor(placed) && placed.endpoint.deny_rules !== undefined),
  );
  if (!all.some(isFor)) return "deny";
  if (!looked) return "allow";
  const takes = ({ endpoint }: Placed): boolean =>
    (path?.includes("%2F") !== true || endpoint.allow_encoded_slash === true) &&
    (endpoint.path === undefined || (path !== undefined && globMatches(endpoint.path, path)));
  const denies = ({ endpoint }: Placed): boolean =>
    [path?.toLowerCase(), path?.toLowerCase().replaceAll("%2f", "/")].some(
      (reading) =>
        (endpoint.path === undefined ||
          reading === undefined ||
          globMatches(endpoint.path.toLowerCase(), reading)) &&
        (endpoint.deny_rules ?? []).some(
          (rule) =>
            (method === undefined || methodIs(rule, method)) &&
            (reading === undefined || globMatches(rule.path.toLowerCase(), reading)) &&
            denied(rule, query),
        ),
    );
  if (all.some((one) => one.endpoint.enforcement !== "audit" && mayBeFor(one) && denies(one))) return "deny";
  if (all.some((one) => one.endpoint.enforcement === "audit" && isFor(one) && takes(one) && denies(one)))
    return "audit";
  const allows = ({ endpoint }: Placed): boolean => {
    if (endpoint.protocol !== "rest") return true;
    if (method === undefined || path === undefined) return false;
    if (endpoint.access === "full") return true;
    if (endpoint.access === "read-only") return ["GET", "HEAD", "OPTIONS"].includes(method);
    return (endpoint.rules ?? []).some(
      ({ allow }) => methodIs(allow, method) && globMatches(allow.path, path) && allowed(allow, query),
    );
  };
  if (all.some((one) => isFor(one) && takes(one) && allows(one))) return "allow";
  const audited = all.some(
    (one) =>
      one.endpoint.protocol === "rest" && one.endpoint.enforcement === "audit" && isFor(one) && takes(one),
  );
  return audited ? "audit" : "deny";
}

const methodIs = (rule: RequestMatcher, method: string): boolean =>
  rule.method === "*" || rule.method === method || (rule.method === "GET" && method === "HEAD");

const terms = (rule: RequestMatcher): [string, string][] =>
  Object.entries(rule.query ?? {}).map(([name, value]) => [name, value as string]);

const allowed = (rule: RequestMatcher, query: Query | undefined): boolean =>
  terms(rule).every(([name, value]) => {
    if (query === undefined || query === "unreadable") return false;
    return (
      query.has(name) && alike(query, name).every((one) => globMatches(value.replaceAll("*", "**"), one))
    );
  });

const alike = (query: Exclude<Query, string>, name: string): string[] =>
  [...query].flatMap(([written, values]) => (written === name || written === `${name}[]` ? values : []));

const denied = (rule: RequestMatcher, query: Query | undefined): boolean =>
  terms(rule).every(([name, value]) => {
    if (query === undefined || query === "unreadable") return true;
    return alike(query, name).some((one) => globMatches(value.replaceAll("*", "**"), one));
  });

const pattern = fc.constantFrom("/**", "/a/*", "/a/**", "/a/b", "/*/b", "/a*", "/A/b", "/a%2Fb", "/a/*/c");
const matcher = fc.record(
  {
    method: fc.constantFrom("GET", "POST", "HEAD", "*"),
    path: pattern,
    query: fc.dictionary(fc.constantFrom("q", "r"), fc.constantFrom("1", "x*", "*"), { maxKeys: 2 }),
  },
  { requiredKeys: ["method", "path"] },
);
const rest = fc
  .record(
    {
      host: fc.constantFrom("a.example.com", "*.example.com", "b.example.com"),
      path: pattern,
      enforcement: fc.constantFrom("enforce" as const, "audit" as const),
      allow_encoded_slash: fc.boolean(),
      deny_rules: fc.array(matcher, { minLength: 1, maxLength: 2 }),
      given: fc.oneof(
        fc.constantFrom({ access: "read-only" as const }, { access: "full" as const }),
        fc
          .array(matcher, { minLength: 1, maxLength: 3 })
          .map((rules) => ({ rules: rules.map((allow) => ({ allow })) })),
      ),
    },
    { requiredKeys: ["host", "given"] },
  )
  .map(({ given, ...endpoint }) => ({ ...endpoint, ...given, port: 443, protocol: "rest" as const }));
const plain = fc
  .constantFrom("a.example.com", "*.example.com")
  .map((host) => ({ host, port: 443 }) satisfies Endpoint);
const endpoint: fc.Arbitrary<Endpoint> = fc.oneof(
  { weight: 4, arbitrary: rest },
  { weight: 1, arbitrary: plain },
);
const policies = fc.dictionary(
  fc.constantFrom("r", "s", "t"),
  fc.record(
    {
      endpoints: fc.array(endpoint, { minLength: 1, maxLength: 3 }),
      binaries: fc.array(fc.constantFrom({ path: "/bin/x" }, { path: "/bin/*" }), {
        minLength: 1,
        maxLength: 2,
      }),
    },
    { requiredKeys: ["endpoints"] },
  ),
  { minKeys: 1 },
);
const request = fc.record({
  method: fc.option(fc.constantFrom("GET", "POST", "HEAD", "DELETE"), { nil: undefined, freq: 8 }),
  path: fc.option(
    fc.constantFrom(
      "/",
      "/a",
      "/a/",
      "/a/b",
      "/A/B",
      "/A/b",
      "/a/b/c",
      "/b",
      "/a%2Fb",
      "/x%2Fa/b",
      "/a/x%2Fy",
    ),
    { nil: undefined, freq: 8 },
  ),
  query: fc.option(
    fc.oneof(
      fc.constant("unreadable" as const),
      fc
        .dictionary(
          fc.constantFrom("q", "r", "q[]"),
          fc.array(fc.constantFrom("1", "x", "xy", "z"), { minLength: 1, maxLength: 2 }),
        )
        .map((record) => new Map(Object.entries(record))),
    ),
    { nil: undefined },
  ),
});

test("a request is decided as the definition of the language says", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      policies,
      fc.constantFrom("a.example.com", "b.example.com"),
      fc.constantFrom(undefined, "/bin/x", "/bin/y", "/usr/bin/z"),
      request,
      (written, host, binary, what) => {
        const base = networkPoliciesSchema.parse(written);
        fc.pre(policyFaults(base).length === 0);
        const decision = decide(
          compile({ base, allows: [], blocks: [] }),
          { binary },
          { host, port: 443 },
          what,
        );
        const verdict = verdictOf(base, binary, host, what);
        seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
        expect(decision.verdict).toBe(verdict);
      },
    ),
    { numRuns: 20_000 },
  );
  // The search meets every outcome often enough to mean something.
  for (const verdict of ["allow", "deny", "audit"]) expect(seen.get(verdict)).toBeGreaterThan(500);
});

test("a refused request names what is allowed nearest, and the one request that a person could allow", () => {
  const base = networkPoliciesSchema.parse({
    github: { endpoints: [{ host: "api.github.com", port: 443, protocol: "rest", access: "read-only" }] },
  });
  const where = { host: "api.github.com", port: 443 };
  const what = { method: "POST", path: "/repos/a/b/issues", query: new Map() };
  const denied = decide(compile({ base, allows: [], blocks: [] }), { binary: "/usr/bin/gh" }, where, what);
  expect(denied).toEqual({
    verdict: "deny",
    rule: "github",
    layer: "http",
    reason: "rule github allows GET, HEAD, OPTIONS here, not POST",
    fix: {
      text: "allow POST /repos/a/b/issues of api.github.com on port 443 for /usr/bin/gh: a person can, with nacre allow",
      allow: { ...where, binary: "/usr/bin/gh", method: "POST", path: "/repos/a/b/issues" },
    },
  });
  if (denied.verdict !== "deny" || denied.fix.allow === undefined) throw new Error("not denied");
  expect(denialBody(denied, where).rule_missing).toEqual({
    type: "rest_allow",
    layer: "http",
    ...where,
    binary: "/usr/bin/gh",
    method: "POST",
    path: "/repos/a/b/issues",
  });
  // What the fix offers is what is then allowed, and no more.
  const allowed = compile({ base, allows: [{ id: "x", ...denied.fix.allow }], blocks: [] });
  expect(decide(allowed, { binary: "/usr/bin/gh" }, where, what)).toMatchObject({
    verdict: "allow",
    rule: "allow:x",
  });
  expect(
    decide(allowed, { binary: "/usr/bin/gh" }, where, { ...what, path: "/repos/a/b/pulls" }),
  ).toMatchObject({
    verdict: "deny",
  });
});

test("a request that is refused for its query is allowed with that very query, and with no other", () => {
  const matcher = { method: "GET", path: "/search", query: { kind: "issue" } };
  const endpoint = { host: "a.example.com", port: 443, protocol: "rest", rules: [{ allow: matcher }] };
  const base = networkPoliciesSchema.parse({ r: { endpoints: [endpoint] } });
  const where = { host: "a.example.com", port: 443 };
  const asked = (text: string) => ({ method: "GET", path: "/search", query: readQuery(text) });
  const policy = compile({ base, allows: [], blocks: [] });
  for (const refused of ["kind=user&q=a%26b%20c", "kind=user&kind=issue", "kind=*", ""]) {
    const denied = decide(policy, {}, where, asked(refused));
    if (denied.verdict !== "deny" || denied.fix.allow === undefined) throw new Error("not allowable");
    const allows = [{ id: "x", ...denied.fix.allow }];
    const opened = (text: string) =>
      decide(compile({ base, allows, blocks: [] }), {}, where, asked(text)).verdict;
    expect(opened(refused), refused).toBe("allow");
    for (const other of ["kind=repo", `${refused}&more=1`, `${refused}&kind=user`, "kind=user", "q=", "%ff"])
      expect(opened(other), `${other} beside ${refused}`).toBe("deny");
  }
  expect(decide(policy, {}, where, asked(`kind=user&q=${"a".repeat(3000)}`))).toMatchObject({
    fix: { text: expect.stringContaining("a rule that has that query") as string },
  });
  // Refused for its path, it is allowed with whatever query: no rule decides by it.
  const elsewhere = decide(policy, {}, where, { ...asked("a=1"), path: "/other" });
  expect(elsewhere).toMatchObject({ fix: { allow: { path: "/other" } } });
  expect(elsewhere).not.toHaveProperty("fix.allow.query");
});

test("an allow above the base has method and path, or neither, in canonical form", () => {
  const above = { id: "x", host: "a.example.com", port: 443 };
  const compiled = (more: object) => () => compile({ base: {}, allows: [{ ...above, ...more }], blocks: [] });
  expect(compiled({ method: "GET" })).toThrow("without the other");
  expect(compiled({ path: "/a" })).toThrow("without the other");
  expect(compiled({ query: "a=1" })).toThrow("without the other");
  expect(compiled({ method: "GET", path: "/a", query: "a=1;b=2" })).toThrow("more than one way");
  expect(compiled({ method: "GET", path: "/a/../b" })).toThrow("not canonical");
  expect(compiled({ method: "*", path: "/a" })).toThrow("no method");
  expect(compiled({ method: "GET", path: "/a*" })).not.toThrow();
});

test("a query and a credential are in no reason", () => {
  const base = networkPoliciesSchema.parse({
    r: {
      endpoints: [
        {
          host: "a.example.com",
          port: 443,
          protocol: "rest",
          rules: [{ allow: { method: "GET", path: "/a", query: { q: "x" } } }],
        },
      ],
    },
  });
  const query = new Map([["q", ["s3cret"]]]);
  const policy = compile({ base, allows: [], blocks: [] });
  const decision = decide(
    policy,
    {},
    { host: "a.example.com", port: 443 },
    { method: "GET", path: "/a", query },
  );
  if (decision.verdict !== "deny") throw new Error("not denied");
  expect(decision).toMatchObject({ layer: "http" });
  expect(`${decision.reason} ${decision.fix.text}`).not.toContain("s3cret");
});

test.each(["rules", "endpoints", "hosts"])("10,000 %s are as fast as ten", (many) => {
  const of = (count: number) => {
    const numbers = Array.from({ length: count }, (_, index) => index);
    const allow = (n: number) => ({ allow: { method: "GET", path: `/repos/org/repo${n}/**` } });
    const rest = { port: 443, protocol: "rest" as const };
    const endpoints: Endpoint[] =
      many === "rules"
        ? [{ host: "a.example.com", ...rest, rules: numbers.map(allow) }]
        : numbers.map((n) => ({
            host: many === "hosts" ? `h${n}.example.com` : "a.example.com",
            ...rest,
            rules: [allow(n)],
          }));
    const policy = compile({ base: { r: { endpoints } }, allows: [], blocks: [] });
    const host = many === "hosts" ? `h${count - 1}.example.com` : "a.example.com";
    const what = { method: "GET", path: `/repos/org/repo${count - 1}/issues/1`, query: new Map() };
    const once = () => decide(policy, {}, { host, port: 443 }, what);
    expect(once()).toMatchObject({ verdict: "allow" });
    const timed = () => {
      const begun = performance.now();
      for (let round = 0; round < 200; round++) once();
      return (performance.now() - begun) * 5;
    };
    // Short ones, and many: on a busy machine some of them are not interrupted.
    return Math.min(...Array.from({ length: 50 }, timed));
  };
  const [few, most] = [of(10), of(10_000)];
  // In microseconds; the absolute bound is for a busy machine.
  expect(most).toBeLessThan(Math.max(20, few * 5));
});
