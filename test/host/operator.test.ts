import {
  chmodSync,
  chownSync,
  existsSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readOperator } from "../../lib/host/operator.ts";
import { addGrant, allowSecret, removeSecret, setSecret } from "../../lib/host/operator-edit.ts";
import { NacreError } from "../../lib/error.ts";
import { refuseAll, secretRefusals } from "../../lib/host/secret-use.ts";
import { resolveSecret } from "../../lib/host/secret-source.ts";
import { temporaryFolder } from "./folder.ts";
import { sandboxSpec, withCredential } from "./specs.ts";

function written(text: string, mode = 0o600): string {
  const path = join(temporaryFolder(), "host.yaml");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const mapped = (entry: string) => readOperator(written(`secrets:\n  key: ${entry}\n`));

test("a file that is not there maps nothing, and one of comments alone too", async () => {
  expect(await readOperator(join(temporaryFolder(), "host.yaml"))).toMatchObject({
    exists: false,
    secrets: {},
  });
  expect(await readOperator(written("# nothing yet\n"))).toMatchObject({ exists: true, secrets: {} });
});

test.each([
  ["secrets:\n  key: { fil: a, for: [a.example], use: [a/b] }", ":2:10", "unknown field"],
  ["secrets:\n  key:\n    for: [a.example]\n    use: [a/b]", ":2:3", "has no source"],
  ["secrets:\n  key: { env: A, file: b, for: [a.example], use: [a/b] }", ":2:8", "has 2 sources"],
  ["secrets:\n  key: { env: A, for: ['*.example'], use: [a/b] }", ":2:24", "without a wildcard"],
  ["secrets:\n  key: { env: A, for: [a.example] }", ":2:8", "is missing"],
  ["grants:\n  - { host: a.example, cidr: 10.0.0.1/8, port: 443 }", ":2:5", "not a block"],
  ["secrets: [\n", ":2:1", ""],
])("says line, column and reason of %j", async (text, position, reason) => {
  await expect(readOperator(written(text))).rejects.toMatchObject({
    code: "invalid_file",
    subject: expect.stringMatching(`host\\.yaml${position}$`),
    message: expect.stringContaining(reason),
    hint: expect.any(String),
  });
});

test("refuses a file that others may read or write", async () => {
  await expect(readOperator(written("secrets: {}\n", 0o640))).rejects.toMatchObject({
    code: "operator_open",
    hint: expect.stringContaining("chmod 600"),
  });
});

test.runIf(process.getuid?.() === 0)(
  "as root (nobody else can give a file away), refuses a file that is another user's, whatever its mode",
  async () => {
    const path = written("secrets: {}\n");
    chownSync(path, 4242, 4242);
    await expect(readOperator(path)).rejects.toMatchObject({
      code: "operator_open",
      message: expect.stringContaining("belongs to user id 4242"),
    });
  },
);

test.each([
  ["https://a.example/v1", "dev/assistant", undefined],
  ["https://A.EXAMPLE:443/v1", "dev/assistant", undefined],
  ["https://a.example:8443/v1", "dev/assistant", "secret_elsewhere"],
  ["https://b.example/v1", "dev/assistant", "secret_elsewhere"],
  ["https://a.example.evil.example/v1", "dev/assistant", "secret_elsewhere"],
  ["http://a.example:443/v1", "dev/assistant", "endpoint_invalid"],
  ["https://a.example/v1", "dev/*", undefined],
  ["https://a.example/v1", "*/*", undefined],
  ["https://a.example/v1", "prod/assistant", "secret_not_for_sandbox"],
])("endpoint %s, used by %s: %s", async (endpoint, use, code) => {
  const operator = await mapped(`{ env: KEY, for: [a.example], use: ["${use}"] }`);
  const found = secretRefusals(sandboxSpec({ inference: withCredential(endpoint) }), operator);
  expect(found.map((refusal) => refusal.code)).toEqual(code === undefined ? [] : [code]);
});

test("refuses an unmapped name, with the nearest that is mapped or with the command that maps it", async () => {
  const spec = sandboxSpec({ inference: withCredential("https://a.example/v1", "kye") });
  const [near] = secretRefusals(spec, await mapped("{ env: KEY, for: [a.example], use: [a/b] }"));
  expect(near).toMatchObject({
    code: "secret_unmapped",
    hint: "did you mean key? If not: nacre secret set kye --env VARIABLE --for a.example --use dev/assistant",
  });
  const [far] = secretRefusals(spec, await readOperator(join(temporaryFolder(), "host.yaml")));
  expect(far?.hint).toBe("nacre secret set kye --env VARIABLE --for a.example --use dev/assistant");
});

test("of several refusals each has its own fix behind it", () => {
  const refusal = (name: string) =>
    new NacreError({ code: "secret_unmapped", subject: `rule ${name}`, message: "no", hint: `map ${name}` });
  expect(() => refuseAll([refusal("one"), refusal("two")])).toThrow(
    expect.objectContaining({
      code: "secret_unmapped",
      subject: "rule one",
      message: "no\n  fix: map one\nrule two: no\n  fix: map two",
    }),
  );
  const alone = expect.objectContaining({ subject: "rule one", message: "no", hint: "map one" }) as Error;
  expect(() => refuseAll([refusal("one")])).toThrow(alone);
  expect(() => refuseAll([])).not.toThrow();
});

test("a port in `for` is that port alone", async () => {
  const operator = await mapped('{ env: KEY, for: ["a.example:8443"], use: ["*/*"] }');
  const codes = (endpoint: string) =>
    secretRefusals(sandboxSpec({ inference: withCredential(endpoint) }), operator).map(({ code }) => code);
  expect(codes("https://a.example:8443/v1")).toEqual([]);
  expect(codes("https://a.example/v1")).toEqual(["secret_elsewhere"]);
});

test("writes entries, keeps comments and order, mode 0600, also through a link", async () => {
  const path = written(
    "# mine\nsecrets:\n  # the first\n  one: { env: ONE, for: [a.example], use: [a/b] }\n",
  );
  const link = `${path}.link`;
  symlinkSync(path, link);
  await setSecret(link, "two", { file: "~/two", for: ["b.example"], use: ["*/*"] });
  await addGrant(link, { host: "r.example", cidr: "10.1.2.3/32", port: 443 });
  await addGrant(link, { host: "r.example", cidr: "10.1.2.3/32", port: 443 });
  expect(readFileSync(path, "utf8")).toBe(`# mine
secrets:
  # the first
  one: { env: ONE, for: [ a.example ], use: [ a/b ] }
  two: { file: ~/two, for: [ b.example ], use: [ "*/*" ] }
grants:
  - { host: r.example, cidr: 10.1.2.3/32, port: 443 }
`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await removeSecret(path, "one")).toBe(true);
  expect(await removeSecret(path, "one")).toBe(false);
  expect(Object.keys((await readOperator(path)).secrets)).toEqual(["two"]);
});

test("adds hosts and sandboxes to an entry; its source, what was allowed and comments stay", async () => {
  const path = written(
    "secrets:\n  key:\n    file: ~/key # of the bot\n    for: [a.example]\n    use:\n      - dev/one # mine\n",
  );
  const more = { for: ["a.example", "b.example:8443"], use: ["dev/two", "run/run"] };
  expect(await allowSecret(path, "key", more)).toEqual({
    file: "~/key",
    for: ["a.example", "b.example:8443"],
    use: ["dev/one", "dev/two", "run/run"],
  });
  const text = `secrets:
  key:
    file: ~/key # of the bot
    for: [ a.example, b.example:8443 ]
    use:
      - dev/one # mine
      - dev/two
      - run/run
`;
  expect(readFileSync(path, "utf8")).toBe(text);
  await expect(allowSecret(path, "other", more)).rejects.toMatchObject({ code: "secret_unmapped" });
  await expect(allowSecret(path, "key", { for: ["https://c.example"], use: [] })).rejects.toMatchObject({
    code: "usage_secret",
    message: expect.stringContaining("for[2]: must be a host without"),
  });
  expect(readFileSync(path, "utf8")).toBe(text);
});

test.each([
  ["bad name", { env: "A", for: ["a.example"], use: ["a/b"] }, "must be lower-case letters"],
  ["key", { env: "A", for: ["https://evil.example"], use: ["a/b"] }, "for[0]: must be a host without"],
  ["key", { env: "A", for: ["a.example"], use: ["assistant"] }, "use[0]: must be an environment"],
  ["key", { env: "A", file: "b", for: ["a.example"], use: ["a/b"] }, "has 2 sources"],
])("an entry that is wrong, %s %j, is an error before anything is written", async (name, entry, reason) => {
  const path = join(temporaryFolder(), "host.yaml");
  await expect(setSecret(path, name, entry)).rejects.toMatchObject({
    code: "usage_secret",
    subject: expect.stringContaining(name),
    message: expect.stringContaining(reason),
    hint: expect.any(String),
  });
  expect(existsSync(path)).toBe(false);
});

test("an entry that is wrong can be taken out or replaced; beside another one, the file stays as it is", async () => {
  const good = "good: { env: A, for: [ a.example ], use: [ a/b ] }";
  const path = written(`secrets:\n  bad name: { env: A }\n  ${good}\n`);
  expect(await removeSecret(path, "bad name")).toBe(true);
  expect(readFileSync(path, "utf8")).toBe(`secrets:\n  ${good}\n`);

  const replaced = written("secrets:\n  key: { fil: a }\n");
  await setSecret(replaced, "key", { env: "A", for: ["a.example"], use: ["a/b"] });
  expect((await readOperator(replaced)).secrets["key"]).toMatchObject({ env: "A" });

  const two = "secrets:\n  one two: { env: A }\n  three four: { env: A }\n";
  const broken = written(two);
  await expect(removeSecret(broken, "one two")).rejects.toMatchObject({
    subject: expect.stringMatching(/host\.yaml:2:3$/),
  });
  await expect(removeSecret(broken, "none")).rejects.toMatchObject({ code: "invalid_file" });
  expect(readFileSync(broken, "utf8")).toBe(two);
  const text = written("[\n");
  await expect(removeSecret(text, "none")).rejects.toMatchObject({ code: "invalid_file" });
});

test("makes the file, and its folder, where there is none", async () => {
  const path = join(temporaryFolder(), "a", "b", "host.yaml");
  await setSecret(path, "key", { env: "KEY", for: ["a.example"], use: ["dev/assistant"] });
  expect((await readOperator(path)).secrets["key"]).toMatchObject({ env: "KEY" });
  expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
});

test("reads sources: a private file, a command without a shell, a variable that was handed over", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "secret");
  writeFileSync(file, "s3cret\n", { mode: 0o600 });
  const scope = { for: ["a.example"], use: ["*/*"] };
  expect(await resolveSecret("key", { file, ...scope }, new Map())).toEqual({ value: "s3cret" });
  expect(await resolveSecret("key", { command: ["echo", "$HOME; x"], ...scope }, new Map())).toEqual({
    value: "$HOME; x",
  });
  expect(await resolveSecret("key", { env: "KEY", ...scope }, new Map([["key", "v"]]))).toEqual({
    value: "v",
  });
  expect(await resolveSecret("key", { env: "KEY", ...scope }, new Map())).toEqual({
    lacking: expect.stringContaining("KEY was not set"),
  });
  chmodSync(file, 0o644);
  expect(await resolveSecret("key", { file, ...scope }, new Map())).toEqual({
    lacking: expect.stringContaining("chmod 600"),
  });
  expect(await resolveSecret("key", { command: ["false"], ...scope }, new Map())).toEqual({
    lacking: expect.stringContaining("false ended with 1"),
  });
});

test.each(["a\r\nx-other: 1", "a\nb", "a\u0000b", "\u001b[2J", "a\u007fb"])(
  "a value that would be more than one header is none: %j",
  async (value) => {
    const file = join(temporaryFolder(), "secret");
    writeFileSync(file, value, { mode: 0o600 });
    const found = await resolveSecret("key", { file, for: ["a.example"], use: ["*/*"] }, new Map());
    expect(found).toEqual({ lacking: "secret key: it holds a control character" });
  },
);

test.each(["PLANTED", "{ env: nvapi-PLANTED }", "{ command: PLANTED }", "{ file: [PLANTED] }"])(
  "a secret itself, as in %s, is not repeated",
  async (entry) => {
    const error: unknown = await mapped(entry).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "invalid_file", message: expect.stringContaining("must be") });
    expect(JSON.stringify(error)).not.toMatch(/planted/i);
  },
);
