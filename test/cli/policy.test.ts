import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectError, listing, place } from "./missing-run.ts";

const good = `version: 1
network_policies:
  github:
    endpoints:
      - host: api.github.com
        port: 443
        protocol: rest
        access: read-only
        deny_rules: [{ method: "*", path: /user/** }]
    binaries: [{ path: /usr/bin/gh }]
`;
const bad = good.replace("access: read-only", "access: write").replace("port: 443", "prot: 443");

/** A folder with two policies, where no daemon is ever asked. */
function policies() {
  const at = place();
  at.write("good.yaml", good);
  at.write("bad.yaml", bad);
  return { ...at, policy: (...args: string[]) => at.nacre(["policy", ...args]) };
}

test("lint says what is wrong, where, and the fix, and exits with 1 only then", () => {
  const { policy, state } = policies();
  expect(policy("lint", "good.yaml")).toMatchObject({ code: 0, out: "" });
  const ran = policy("lint", "good.yaml", "bad.yaml");
  expect(ran.code).toBe(1);
  expect(ran.out.trim().split("\n").sort()).toEqual([
    "bad.yaml:6:9: error: network_policies.github.endpoints[0].prot: unknown field (fix: write port)",
    'bad.yaml:8:17: error: network_policies.github.endpoints[0].access: must be read-only, read-write or full, is "write" (fix: write read-only, read-write or full)',
  ]);
  const json = JSON.parse(policy("lint", "--json", "bad.yaml").out) as object;
  expect(json).toMatchObject({ valid: false, warnings: [] });
  expect(json).toHaveProperty("errors[0].fix");
  expect(JSON.parse(policy("lint", "--json", "good.yaml").out)).toEqual({
    valid: true,
    files: [{ file: "good.yaml", valid: true }],
    errors: [],
    warnings: [],
  });
  expectError(policy("lint", "none.yaml"), {
    code: 1,
    subject: /none\.yaml/,
    reason: /cannot be read/,
    fix: /a file that is there/,
  });
  expect(listing(state)).toEqual([]);
});

test("lint looks at every file, also where one before it cannot be read", () => {
  const { policy, write } = policies();
  write("latin1.yaml", Buffer.from([0x76, 0xe9]));
  const ran = policy("lint", "none.yaml", "bad.yaml", "latin1.yaml", "good.yaml");
  expect(ran).toMatchObject({ code: 1, err: "" });
  expect(ran.out.trim().split("\n")).toEqual([
    expect.stringMatching(/^none\.yaml:1:1: error: cannot be read: .*ENOENT.* \(fix: name a file/),
    expect.stringMatching(/^bad\.yaml:8:17: error: /),
    expect.stringMatching(/^bad\.yaml:6:9: error: /),
    "latin1.yaml:1:1: error: is not UTF-8 (fix: save it as UTF-8)",
  ]);
  const listed = policy("lint", "--json", "none.yaml", "good.yaml", "bad.yaml");
  expect(listed.code).toBe(1);
  expect(JSON.parse(listed.out)).toMatchObject({
    valid: false,
    files: [
      { file: "none.yaml", valid: false },
      { file: "good.yaml", valid: true },
      { file: "bad.yaml", valid: false },
    ],
    errors: [{ file: "none.yaml", line: 1 }, { file: "bad.yaml" }, { file: "bad.yaml" }],
  });
});

test("format writes one order and keeps comments; what it wrote it leaves alone", () => {
  const { policy, write, project } = policies();
  write(
    "f.yaml",
    `# head\nversion: 1\nnetwork_policies:\n  # b's\n  b: { endpoints: [{ port: 443, host: B.example.COM }] }\n  a:\n    endpoints:\n      - host: a.example.com # here\n        ports: [8443, 443]\n`,
  );
  const text = `# head
version: 1
network_policies:
  a:
    endpoints:
      - host: a.example.com # here
        ports: [ 443, 8443 ]
        enforcement: enforce
  # b's
  b: { endpoints: [ { host: b.example.com, port: 443, enforcement: enforce } ] }
`;
  expect(policy("format", "f.yaml")).toMatchObject({ code: 0, out: text });
  expect(policy("format", "--write", "f.yaml").err).toContain("f.yaml is formatted");
  expect(readFileSync(join(project, "f.yaml"), "utf8")).toBe(text);
  expect(policy("format", "--write", "f.yaml").err).toContain("was formatted already");
  expect(policy("format", "bad.yaml")).toMatchObject({ code: 1, out: "" });
});

test("decide answers each request on a line of its own, and names the line that is none", () => {
  const { policy, write } = policies();
  const asked = (method: string, path: string) =>
    JSON.stringify({ host: "API.github.com", port: 443, binary: "/usr/bin/gh", method, path, query: "" });
  write(
    "r.jsonl",
    `${asked("GET", "/repos//a")}\n\n${asked("post", "/a")}\n${asked("GET", "/x/../USER/a")}\n`,
  );
  const ran = policy("decide", "--policy", "good.yaml", "--requests", "r.jsonl");
  expect(ran.code).toBe(0);
  expect(
    ran.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object),
  ).toEqual([
    { decision: "allow", rule: "github", layer: null, reason: "rule github allows it" },
    {
      decision: "deny",
      rule: "github",
      layer: "http",
      reason: "rule github allows GET, HEAD, OPTIONS here, not POST",
    },
    {
      decision: "deny",
      rule: "github",
      layer: "http",
      reason: "rule github denies GET /USER/a of api.github.com",
    },
  ]);
  for (const [line, reason, fix] of [
    ["{", /is not JSON/, /one JSON object a line/],
    ["[1]", /must be fields/, /one JSON object a line/],
    ['{"host":"a.example","port":443,"sha":1}', /sha: unknown field/, /the fields here are host, port/],
    ['{"host":"a b","port":443}', /host: neither/, /write one alone/],
    ['{"host":"a.example","port":"443"}', /port: must be a number, is "443"/, /write 443/],
    ['{"host":"a.example","port":443,"method":"G T"}', /method: no method/, /write one, GET/],
    ['{"host":"a.example","port":443,"query":[1]}', /query/, /write/],
  ] as const) {
    write("r.jsonl", `${asked("GET", "/a")}\n${line}\n`);
    const failed = policy("decide", "--policy", "good.yaml", "--requests", "r.jsonl");
    expectError(failed, { code: 1, subject: /r\.jsonl:2/, reason, fix });
    expect(failed.out.trim().split("\n")).toHaveLength(1);
  }
});

test("why names the rule, the reason and the smallest change", () => {
  const { policy } = policies();
  const of = (...args: string[]) =>
    policy("why", ...args, "--policy", "good.yaml", "--binary", "/usr/bin/gh");
  const text = of("api.github.com/repos/a?x=1", "--method", "POST").out;
  expect(text).toContain("deny: rule github allows GET, HEAD, OPTIONS here, not POST");
  expect(text).toContain("rule: github  layer: http");
  expect(text).toContain("fix: allow POST /repos/a of api.github.com on port 443 for /usr/bin/gh");
  expect(JSON.parse(of("api.github.com/user/keys", "--json").out)).toMatchObject({
    decision: "deny",
    rule: "github",
    layer: "http",
    allow: null,
  });
  expect(of("api.github.com/").out).toMatch(/^allow: rule github allows it/);
  expect(of("api.github.com").out).toMatch(/^allow: .*each request is decided for itself/);
  expect(of("api.github.com:22").out).toContain("is allowed on port 443, not 22");
  expectError(policy("why", "api.github.com"), {
    code: 2,
    subject: /why/,
    reason: /--sandbox or --policy/,
    fix: /--policy FILE/,
  });
  expectError(of("http://api.github.com/"), { code: 2, subject: /http/, reason: /no host/, fix: /HOST/ });
  expectError(of("a.example", "--method", "FETCH"), {
    code: 2,
    subject: /FETCH/,
    reason: /is not a method/,
    fix: /GET/,
  });
});

test("why knows the address guard, which no rule lifts", () => {
  const { policy, write, base } = policies();
  const rule = (host: string) => `{ endpoints: [{ host: ${host}, port: 5432, protocol: tcp }] }`;
  write(
    "net.yaml",
    `version: 1\nnetwork_policies:\n  a: ${rule("10.0.0.7")}\n  b: ${rule("db.example.net")}\n  c: ${rule("169.254.169.254")}\n  d: { endpoints: [{ host: in.example.net, port: 443, allowed_ips: [8.8.8.0/24] }] }\n`,
  );
  const why = (...args: string[]) => policy("why", ...args, "--policy", "net.yaml");
  const json = (...args: string[]) => JSON.parse(why(...args, "--json").out) as object;
  const operator = join(base, "config/nacre/host.yaml");
  const grant = { host: "10.0.0.7", cidr: "10.0.0.7/32", port: 5432 };
  expect(json("10.0.0.7:5432")).toEqual({
    decision: "deny",
    rule: "a",
    layer: "address",
    reason: "10.0.0.7 is a private address",
    fix: `if that is your own network, add to ${operator}: grants: [{ host: 10.0.0.7, cidr: 10.0.0.7/32, port: 5432 }]`,
    allow: null,
    grant,
  });
  expect(why("10.0.0.7:5432").out).toMatch(
    /^deny: 10\.0\.0\.7 is a private address\n {2}rule: a {2}layer: address\n {2}fix: if that is your own network, add to .*host\.yaml: grants: /,
  );
  expect(json("10.0.0.8:80")).toMatchObject({
    decision: "deny",
    layer: "address",
    reason: "10.0.0.8 is a private address; besides, no rule names 10.0.0.8",
    allow: null,
  });
  expect(why("169.254.169.254:5432").out).toMatch(/^deny: .*\n.*layer: address\n {2}fix: none: a metadata/);
  expect(json("db.example.net:5432")).toMatchObject({ decision: "allow", grant: null });
  expect(json("db.example.net:5432", "--address", "8.8.8.8")).toMatchObject({ decision: "allow" });
  expect(json("db.example.net:5432", "--address", "8.8.8.8", "--address", "10.0.0.7")).toMatchObject({
    decision: "deny",
    rule: "b",
    layer: "address",
    reason: "db.example.net answers with 10.0.0.7, a private address",
    grant: { host: "db.example.net", cidr: "10.0.0.7/32", port: 5432 },
  });
  expect(json("in.example.net", "--address", "9.9.9.9")).toMatchObject({
    decision: "deny",
    layer: "address",
    reason: "in.example.net answers with 9.9.9.9, which allowed_ips of its rule does not have",
  });
  mkdirSync(join(base, "config/nacre"), { recursive: true });
  writeFileSync(operator, `grants: [${JSON.stringify(grant)}]\n`, { mode: 0o600 });
  expect(json("10.0.0.7:5432")).toMatchObject({ decision: "allow", rule: "a" });
  expectError(why("db.example.net:5432", "--address", "10.0.0"), {
    code: 2,
    subject: /--address/,
    reason: /no IPv4/,
    fix: /10\.0\.0\.7/,
  });
});

test("canonical, match and address answer piece by piece, in the order asked", () => {
  const { policy } = policies();
  const json = (...args: string[]): unknown => JSON.parse(policy(...args, "--json").out);
  expect(json("canonical", "/a/../b", "/..", "/a%2Fb")).toEqual([
    { input: "/a/../b", path: "/b" },
    { input: "/..", error: expect.stringContaining("above the root") },
    { input: "/a%2Fb", error: expect.stringContaining("%2F") },
  ]);
  expect(json("canonical", "--encoded-slash", "/a%2fb")).toEqual([{ input: "/a%2fb", path: "/a%2Fb" }]);
  expect(json("match", "*.example.com", "A.example.com", "example.com", "no host")).toEqual([
    { host: "A.example.com", matches: true },
    { host: "example.com", matches: false },
    { host: "no host", matches: false },
  ]);
  expect(json("address", "8.8.8.8", "10.0.0.1", "010.0.0.1")).toEqual([
    { address: "8.8.8.8", class: "public", allowed: true },
    { address: "10.0.0.1", class: "private", allowed: false },
    { address: "010.0.0.1", class: null, allowed: false },
  ]);
  expectError(policy("match", "*.com", "a.com"), {
    code: 2,
    subject: /\*\.com/,
    reason: /top-level/,
    fix: /two labels/,
  });
});

test("every command of it shows an example", () => {
  const { policy } = policies();
  for (const name of ["", "lint", "format", "decide", "why", "canonical", "match", "address"])
    expect(policy(...(name === "" ? [] : [name]), "--help").out).toContain("$ ");
});

test("why says that no rule is asked about the sandbox' own loopback, nor about inference.local", () => {
  const { policy } = policies();
  const why = (what: string) => policy("why", what, "--policy", "good.yaml").out;
  for (const what of ["localhost:8080", "127.0.0.1:8080/x", "[::1]:80"])
    expect(why(what)).toMatch(
      /^deny: .* own loopback, which no rule is asked about\n.*\n.*fix: write another name/,
    );
  expect(why("inference.local/v1/models")).toMatch(/route.*\n.*\n.*fix: name a route/);
});

test("why names what was meant by a URL", () => {
  const ran = policies().policy("why", "https://api.github.com/user", "--policy", "good.yaml");
  expect(ran).toMatchObject({ code: 2, err: expect.stringContaining("fix: write api.github.com/user\n") });
});

test("a wait of no time is bad use", () => {
  const ran = policies().policy("set", "assistant", "--policy", "good.yaml", "--wait", "--timeout", "0");
  expectError(ran, { code: 2, subject: /--timeout 0/, reason: /leaves no time/, fix: /at least 1/ });
});

test("lint says the smallest change of what is often mistaken", () => {
  const { policy, write } = policies();
  const fixes: readonly (readonly [string, string])[] = [
    ["host: *.example.com, port: 443", 'put it in quotes: "*.example.com"'],
    ["host: 1234, port: 443", "write, for example, api.example.com"],
    ["host: 10.0.0.0/8, port: 443", "write it in allowed_ips"],
    ["host: a.example.com, port: 443, protocol: rest, access: full, allow_encoded_slash: no", "write false"],
    ["host: a.example.com, port: 443, credential_binding: github", "write fields: { provider: github }"],
    ["host: a.example.com, port: 443, allowed_ips: [10.0.0.0/33]", "write 10.1.2.0/24, or one address"],
    [rule("GET", "repos/a"), "write /repos/a"],
    [rule("GET", '"/a?x=1"'), "name what the query may be as query: { NAME: GLOB }"],
    [rule('"GET,POST"', "/a"), "write a rule for each method, or * for all"],
    [rule("*", "/a"), 'put it in quotes: "*"'],
  ];
  const files = fixes.map(([endpoint], index) => {
    write(`${index}.yaml`, `version: 1\nnetwork_policies: { a: { endpoints: [{ ${endpoint} }] } }\n`);
    return `${index}.yaml`;
  });
  const { errors } = JSON.parse(policy("lint", "--json", ...files).out) as {
    errors: readonly { file: string; fix: string }[];
  };
  expect(errors.map(({ file, fix }) => [file, fix])).toEqual(
    fixes.map(([, fix], index) => [`${index}.yaml`, fix]),
  );
});

function rule(method: string, path: string): string {
  return `host: a.example.com, port: 443, protocol: rest, rules: [{ allow: { method: ${method}, path: ${path} } }]`;
}

test("what stands where a credential's name belongs is not repeated: it may be the secret", () => {
  const { policy, write } = policies();
  const secret = "ghp_000000000000000000000000000000000000";
  const binding = `credential_binding: { provider: ${secret} }`;
  write(
    "one.yaml",
    `version: 1\nnetwork_policies: { a: { endpoints: [{ host: a.example.com, port: 443, ${binding} }] } }\n`,
  );
  const { out } = policy("lint", "one.yaml");
  expect(out).toContain("provider: must be lower-case letters");
  expect(out).not.toMatch(/ghp.?0000/);
});
