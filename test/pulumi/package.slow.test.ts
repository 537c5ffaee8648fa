import { execFile, execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as ClientModule from "../../lib/host/client.ts";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { engineTimeout } from "./stack.ts";

/** `npm pack`, installed in an empty folder outside the repository: ten lines of TypeScript bring a sandbox up. */
const repository = fileURLToPath(new URL("../..", import.meta.url));
const languageHost = fileURLToPath(new URL("language-host", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nacre-team-"));
const team = join(folder, "team");
const state = join(folder, "state");

/** What it printed; failing, with what it printed. */
async function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, options);
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(" ")}\n${stdout}${stderr}`, { cause: error });
  }
}

let engine: string;

const program = `import { AgentSandbox, Command, Environment, Target } from "nacre";
import { deployHost } from "nacre/pulumi";

const app = new Environment("dev", { target: Target.host() });
new AgentSandbox(app, "greeter", {
  agent: Command.of("sh", "-c", "while :; do date > /sandbox/seen; sleep 1; done"),
});
deployHost(app);
`;

/** The provider is the package's; the language host, which a Pulumi installation has, is the tests' stand-in. */
const project = `name: team
runtime: { name: nodejs, options: { typescript: false } }
main: main.ts
plugins:
  providers: [{ name: nacre, path: node_modules/nacre/dist/provider/bin }]
  languages: [{ name: nodejs, path: ${languageHost} }]
`;

const pulumi = (...args: string[]): Promise<string> => {
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    PULUMI_HOME: join(folder, "home"),
    PULUMI_BACKEND_URL: pathToFileURL(join(folder, "backend")).href,
    PULUMI_CONFIG_PASSPHRASE: "team",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    NACRE_STATE_DIR: state,
  };
  return run(engine, [...args, "--non-interactive"], { cwd: team, env });
};

/** The daemon's client, of the package itself. */
async function daemon() {
  const path = join(team, "node_modules/nacre/dist/host/client.js");
  if (!existsSync(path)) return undefined;
  const { connect } = (await import(pathToFileURL(path).href)) as typeof ClientModule;
  return connect(state, { start: false });
}

beforeAll(async () => {
  engine = (await findEngine({ cache: cacheDirectory() })).path;
  for (const path of [team, join(folder, "backend")]) mkdirSync(path);
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: repository });
  const [{ filename }] = JSON.parse(packed.toString());
  writeFileSync(join(team, "package.json"), JSON.stringify({ name: "team", private: true, type: "module" }));
  execFileSync("npm", ["install", "--no-fund", "--no-audit", join(folder, filename)], { cwd: team });
  writeFileSync(join(team, "main.ts"), program);
  writeFileSync(join(team, "Pulumi.yaml"), project);
}, engineTimeout);

afterAll(async () => {
  const client = await daemon();
  await client?.call("sandbox.delete", { id: "dev/greeter" }).catch(() => undefined);
  await client?.call("shutdown", {});
  rmSync(folder, { recursive: true, force: true });
});

test("the tree holds no other resource plugin", () => {
  const files = readdirSync(join(team, "node_modules"), { recursive: true, encoding: "utf8" });
  const plugins = files.filter((file) => /^pulumi-resource-(?!pulumi-nodejs)/.test(basename(file)));
  expect(plugins).toEqual(["nacre/dist/provider/bin/pulumi-resource-nacre"]);
  const claims = files
    .filter((file) => basename(file) === "package.json")
    .filter(
      (file) => JSON.parse(readFileSync(join(team, "node_modules", file), "utf8")).pulumi?.resource === true,
    );
  expect(claims).toEqual([]);
});

test("the program is checked against the package's own types", async () => {
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024"];
  await run(process.execPath, [tsc, ...flags, "main.ts"], { cwd: team });
}, 180_000);

test("an older Node is told what it lacks", async () => {
  const old = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } });
await import("nacre").catch(({ message, hint }) => console.log(message, hint));`;
  const said = await run(process.execPath, ["--input-type=module", "-e", old], { cwd: team });
  expect(said).toContain("needs 24");
  expect(said).toContain("PATH=$PWD/node_modules/.bin:$PATH");
});

test("pulumi up brings the sandbox up, is then a no-op, and destroy takes it down", async () => {
  await pulumi("stack", "init", "dev", "--secrets-provider", "passphrase");
  expect(await pulumi("preview")).toMatch(/\+ 5 to create/);
  expect(await pulumi("up", "--yes")).toMatch(/\+ 5 created/);

  const client = await daemon();
  const [status] = (await client?.call("status", { id: "dev/greeter", probe: true })) ?? [];
  expect(status?.phase).toBe("running");
  expect(status?.walls.map(({ wall, holds }) => [wall, holds])).toEqual(
    ["files", "syscalls", "network", "credentials"].map((wall) => [wall, true]),
  );

  expect(await pulumi("up", "--yes")).toMatch(/5 unchanged/);
  expect(await pulumi("destroy", "--yes")).toMatch(/- \d deleted/);
  expect(await client?.call("sandbox.read", { id: "dev/greeter" })).toBeNull();
  expect(await client?.call("workspace.read", { id: "dev/greeter" })).not.toBeNull();
}, 300_000);

test("the program of the README gives a plan, with the agent's server published", async () => {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const [, example = ""] = /```ts\n\/\/ main\.ts\n(.*?)```/s.exec(readme) ?? [];
  writeFileSync(join(team, "main.ts"), example);
  // Where prompts go is the operator's to say; a preview only warns.
  const plan = await pulumi("preview", "--diff");
  expect(plan).toMatch(/\+ 5 to create/);
  expect(plan).toMatch(/inside *: 18789/);
}, 180_000);
