import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { modelServer } from "../host/model-server.ts";

/** An empty folder, an operator's file that grants what the test's own service needs, and `nacre init` there. */
async function place() {
  const base = mkdtempSync(join(tmpdir(), "nacre-init-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const [folder, config] = [join(base, "folder"), join(base, "config")];
  for (const path of [folder, join(config, "nacre")]) mkdirSync(path, { recursive: true });
  const operator = join(config, "nacre/host.yaml");
  const server = await modelServer(base);
  const port = new URL(server.endpoint).port;
  writeFileSync(operator, `grants: [{ host: localhost, cidr: 127.0.0.1/32, port: ${port} }]\n`, {
    mode: 0o600,
  });
  const init = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    new Promise<{ code: number; err: string }>((resolve) => {
      const env = {
        ...{ PATH: process.env["PATH"], HOME: base, XDG_CONFIG_HOME: config },
        ...{ NACRE_STATE_DIR: join(base, "state"), SSL_CERT_FILE: server.bundle, ...more },
      };
      const main = join(import.meta.dirname, "../../lib/cli/main.ts");
      execFile(process.execPath, [main, "init", ...args], { env, cwd: folder }, (error, _, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), err }),
      );
    });
  const asked = ["--provider", "openai", "--endpoint", server.endpoint, "--model", "m"];
  return { folder, operator, server, init, asked, read: () => readFileSync(operator, "utf8") };
}

test("the provider is called with the key before anything is written; then a blueprint and an entry are there", async () => {
  const { folder, server, operator, init, asked, read } = await place();
  const done = await init([...asked, "--key-env", "MY_KEY"], { MY_KEY: "the-key" });
  expect(done).toMatchObject({ code: 0 });
  expect(server.authorizations).toEqual(["Bearer the-key"]);
  expect(done.err).toContain("openai answers as m");
  expect(readFileSync(join(folder, "blueprint.yaml"), "utf8")).toContain(
    `openai: { kind: openai, endpoint: "${server.endpoint}", model: "m", credential: openai }`,
  );
  expect(read()).toContain(`openai: { env: MY_KEY, for: [ ${server.destination} ], use: [ dev/assistant ] }`);
  expect(read() + done.err).not.toContain("the-key");
  expect(statSync(operator).mode & 0o777).toBe(0o600);
});

test("a service that wants no key gets none", async () => {
  const { server, init, asked, read } = await place();
  expect(await init(asked)).toMatchObject({ code: 0 });
  expect(server.authorizations).toEqual([undefined]);
  expect(read()).not.toContain("secrets");
});

test.each<[string, (here: Awaited<ReturnType<typeof place>>) => string[], RegExp]>([
  [
    "does not answer",
    () => ["--provider", "openai", "--endpoint", "http://127.0.0.1:1/v1", "--model", "m"],
    /127\.0\.0\.1/,
  ],
  ["lacks its key", ({ asked }) => [...asked, "--key-env", "NOT_SET"], /NOT_SET: is not set here/],
  [
    "answers from an address that no grant covers",
    ({ asked, operator }) => {
      writeFileSync(operator, "", { mode: 0o600 });
      return asked;
    },
    /grants:|host\.yaml/,
  ],
  ["is no kind that there is", () => ["--provider", "oracle"], /one of demo, nvidia, openai/],
  [
    "has an address with a secret in it",
    () => ["--provider", "openai", "--endpoint", "https://a:b@x.example/v1", "--model", "m"],
    /secret never stands/,
  ],
])("a provider that %s: an error, and nothing is written", async (_, args, reason) => {
  const here = await place();
  const before = () => [readdirSync(here.folder), here.read()];
  const given = args(here);
  const was = before();
  const done = await here.init(given);
  expect(done.err).toMatch(reason);
  expect([1, 2]).toContain(done.code);
  expect(before()).toEqual(was);
});

test("a second agent with the same key takes it from nobody; another key says what it replaces", async () => {
  const { folder, server, init, asked, read } = await place();
  const again = async (...key: readonly string[]): Promise<string> => {
    rmSync(join(folder, "blueprint.yaml"), { force: true });
    const done = await init([...asked, "--no-check", ...key]);
    expect(done).toMatchObject({ code: 0 });
    return done.err;
  };
  await again("--key-env", "MY_KEY");
  await again("--key-env", "MY_KEY", "--name", "reviewer");
  const both = `openai: { env: MY_KEY, for: [ ${server.destination} ], use: [ dev/assistant, dev/reviewer ] }`;
  expect(read()).toContain(both);
  expect(await again("--key-env", "OTHER")).toContain(
    `it was env MY_KEY, for ${server.destination}, used by dev/assistant, dev/reviewer`,
  );
  expect(read()).toContain("openai: { env: OTHER,");
});

test("what is there is not overwritten, and --no-check calls nobody", async () => {
  const { server, init, asked } = await place();
  expect(await init([...asked, "--no-check"])).toMatchObject({ code: 0 });
  expect(server.authorizations).toEqual([]);
  const again = await init(asked);
  expect(again.code).toBe(1);
  expect(again.err).toContain("is already there");
});
