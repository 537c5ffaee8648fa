import { execFile, execFileSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../lib/host/client.ts";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { engineTimeout } from "./stack.ts";

/** A copy of the checkout, in which a plain `pulumi up` runs stacks/main.ts, and `nacre` works on the same state. */
const repository = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nacre-checkout-"));
const [checkout, state] = [join(folder, "checkout"), join(folder, "state")];
let engine: string;

const environment = {
  ...process.env,
  PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
  PULUMI_HOME: join(folder, "home"),
  PULUMI_CONFIG_PASSPHRASE: "checkout",
  PULUMI_SKIP_UPDATE_CHECK: "true",
  PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  NACRE_STATE_DIR: state,
  XDG_CONFIG_HOME: join(folder, "config"),
};

async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: checkout, env: environment });
  return stdout + stderr;
}
const pulumi = (...args: string[]): Promise<string> => run(engine, [...args, "--non-interactive"]);
const nacre = (...args: string[]): Promise<string> =>
  run(process.execPath, [join(checkout, "lib/cli/main.ts"), ...args]);

beforeAll(async () => {
  engine = (await findEngine({ cache: cacheDirectory() })).path;
  const files = execFileSync(
    "git",
    ["ls-files", "lib", "policies", "stacks", "package.json", "Pulumi.yaml"],
    {
      cwd: repository,
      encoding: "utf8",
    },
  );
  for (const file of files.trimEnd().split("\n")) cpSync(join(repository, file), join(checkout, file));
  symlinkSync(join(repository, "node_modules"), join(checkout, "node_modules"));
  symlinkSync(join(repository, "lib/launcher/target"), join(checkout, "lib/launcher/target"));
  mkdirSync(join(folder, "backend"));
  writeFileSync(
    join(checkout, "stacks/small.yaml"),
    `apiVersion: nacre.dev/v1
kind: Blueprint
metadata: { name: small, version: 1.0.0 }
agents: { sleeper: { command: [sleep, infinity], ports: [8080] } }
`,
  );
  writeFileSync(join(checkout, "stacks/overlay.yaml"), 'agents: { sleeper: { ports: { "8080": 18481 } } }\n');
  // The language host, which a Pulumi installation has, is the tests' stand-in.
  const project = readFileSync(join(checkout, "Pulumi.yaml"), "utf8");
  const host = fileURLToPath(new URL("language-host", import.meta.url));
  writeFileSync(
    join(checkout, "Pulumi.yaml"),
    project.replace("plugins:\n", `plugins:\n  languages: [{ name: nodejs, path: ${host} }]\n`),
  );
  appendFileSync(join(checkout, "Pulumi.yaml"), "backend: { url: file://../backend }\n");
}, engineTimeout);

afterAll(async () => {
  const client = await connect(state, { start: false });
  await client?.call("sandbox.delete", { id: "dev/sleeper" }).catch(() => undefined);
  await client?.call("shutdown", {});
  rmSync(folder, { recursive: true, force: true });
});

test("plain pulumi up and nacre work on one environment: what one made is nothing new to the other", async () => {
  await pulumi("stack", "init", "dev", "--secrets-provider", "passphrase");
  for (const [name, value] of [
    ["blueprint", "stacks/small.yaml"],
    ["overlay", "stacks/overlay.yaml"],
  ] as const)
    await pulumi("config", "set", `nacre:${name}`, value);
  expect(await pulumi("up", "--yes")).toMatch(/\+ \d+ created/);
  const client = await connect(state, { start: false });
  const [status] = (await client?.call("status", { id: "dev/sleeper", probe: false })) ?? [];
  expect(status).toMatchObject({ phase: "running", published: [{ inside: 8080, outside: 18481 }] });

  const same = ["-b", "stacks/small.yaml", "--overlay", "stacks/overlay.yaml"];
  expect(await nacre("preview", "--expect-no-changes", ...same)).toContain("nothing would change");
  // What the stack's file says need not be said again; what is said on the command line comes first.
  expect(await nacre("preview", "--expect-no-changes")).toContain("nothing would change");
  writeFileSync(join(checkout, "stacks/other.yaml"), 'agents: { sleeper: { ports: { "8080": 18482 } } }\n');
  const other = await nacre("preview", "--overlay", "stacks/other.yaml");
  expect(other).toContain("sleeper");
  expect(other).not.toContain("nothing would change");
  expect(await nacre("up", ...same)).toContain("nothing changed");
  expect(await pulumi("up", "--yes")).toMatch(/unchanged/);
  await nacre("destroy", "--yes");
  expect(await client?.call("sandbox.read", { id: "dev/sleeper" })).toBeNull();
}, 300_000);
