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
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  AgentSandbox,
  Command,
  Environment,
  Inference,
  Route,
  Secret,
  Target,
  type AgentSandboxProps,
} from "../../lib/constructs/index.ts";
import { connect } from "../../lib/host/client.ts";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { identify, type ProcessIdentity } from "../../lib/host/process-identity.ts";
import { EnvironmentStack } from "../../lib/pulumi/automation.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { deployHost } from "../../lib/pulumi/host.ts";
import { changed } from "../../lib/pulumi/outcome.ts";
import { engineTimeout, errorsOf, planOf } from "./stack.ts";

/** The whole line but the command: engine, provider, daemon, launcher, and a program as the agent. */
let folder: string;
let state: string;
const repairs: string[] = [];
const kept = { config: process.env["XDG_CONFIG_HOME"], state: process.env["NACRE_STATE_DIR"] };
const secret = "sk-vNq7/Xp+2Lm=9Rt";

beforeAll(() => findEngine({ cache: cacheDirectory() }), engineTimeout);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nacre-daemon-"));
  state = join(folder, "state");
  process.env["XDG_CONFIG_HOME"] = join(folder, "config");
  repairs.length = 0;
});
afterEach(async () => {
  const client = await connect(state, { start: false });
  await client?.call("sandbox.delete", { id: "dev/greeter" }).catch(() => undefined);
  await client?.call("shutdown", {});
  if (kept.config === undefined) delete process.env["XDG_CONFIG_HOME"];
  else process.env["XDG_CONFIG_HOME"] = kept.config;
  delete process.env["TEST_API_KEY"];
  rmSync(folder, { recursive: true, force: true });
});

async function open(props: Partial<AgentSandboxProps> = {}): Promise<EnvironmentStack> {
  return EnvironmentStack.open({
    engine: await findEngine({ cache: cacheDirectory() }),
    project: "nacre",
    environment: "dev",
    stateDirectory: state,
    cache: cacheDirectory(),
    onRepair: (line) => repairs.push(line),
    program: () => {
      const app = new Environment("dev", { target: Target.host() });
      const agent = Command.of("sh", "-c", "date > /sandbox/seen; exec sleep 600");
      new AgentSandbox(app, "greeter", { agent, ...props });
      return Promise.resolve({ environment: deployHost(app).urn });
    },
  });
}

const recordPath = () => join(state, "sandboxes/dev--greeter/sandbox.json");
const record = (): { generation: number; init: ProcessIdentity | null } =>
  JSON.parse(readFileSync(recordPath(), "utf8"));
const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** Processes of this state directory that are sandboxes' inits: at most one may live. */
const inits = () => {
  const { init } = record();
  return init !== null && identify(init.pid)?.startTime === init.startTime ? [init.pid] : [];
};

function pidOf(test: (command: readonly string[]) => boolean): number | undefined {
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      if (environment.includes(`NACRE_STATE_DIR=${state}\0`) && test(command)) return Number(name);
    } catch {
      // it ended in between
    }
  }
  return undefined;
}
const isEngine = ([program = "", verb]: readonly string[]) => program.endsWith("/pulumi") && verb === "up";
const isProvider = ([, script = ""]: readonly string[]) =>
  script.includes("/provider/") && /\/main\.(ts|js)$/.test(script);

test("up is unchanged the second time, live for the network, a new generation for a wall", async () => {
  expect(planOf(await (await open()).up())).toEqual(["machine create", "workspace create", "sandbox create"]);
  const first = record();
  expect(changed(await (await open()).up())).toEqual([]);
  expect(record()).toEqual(first);

  await (await open({ restart: "never" })).up();
  expect(record().generation).toBe(first.generation + 1);
  expect(inits()).toHaveLength(1);
});

for (const [victim, is] of [
  ["engine", isEngine],
  ["provider", isProvider],
] as const) {
  test(`kill -9 of the ${victim} in the middle of up: one agent, and the next up converges`, async () => {
    const run = (await open()).up();
    while (!existsSync(recordPath())) await wait(5);
    process.kill(pidOf(is)!, "SIGKILL");
    expect((await run).result).toBe("failed");

    const next = await (await open()).up();
    expect(errorsOf(next)).toBe("");
    expect(next.result).toBe("succeeded");
    expect(inits()).toHaveLength(1);
    expect(repairs.some((line) => line.includes("it is dead"))).toBe(victim === "engine");
    expect(changed(await (await open()).preview())).toEqual([]);
    expect((await (await open()).destroy()).result).toBe("succeeded");
    expect(existsSync(recordPath())).toBe(false);
    expect(pidOf(is)).toBeUndefined();
  });
}

const withKey = (): Partial<AgentSandboxProps> => ({
  inference: Route.try(
    Inference.compatible("https://api.example.com/v1", { model: "m", credential: Secret.named("key") }),
  ),
});

function mapKey(host: string): void {
  mkdirSync(join(folder, "config/nacre"), { recursive: true });
  const entry = `secrets:\n  key: { env: TEST_API_KEY, for: [${host}], use: [dev/greeter] }\n`;
  writeFileSync(join(folder, "config/nacre/host.yaml"), entry, { mode: 0o600 });
}

test("an unmapped secret, or one mapped for another host, is foretold by preview and refused by up", async () => {
  const unmapped = await (await open(withKey())).preview();
  expect(unmapped.notices.map(({ message }) => message)).toEqual([expect.stringContaining("up will refuse")]);
  expect(unmapped.result).toBe("succeeded");

  mapKey("elsewhere.example.com");
  const refused = await (await open(withKey())).up();
  expect(refused.result).toBe("failed");
  expect(errorsOf(refused)).toContain("api.example.com");
  expect(existsSync(recordPath())).toBe(false);
});

test("a secret reaches the egress and nothing that is written: state, plans, logs, records", async () => {
  mapKey("api.example.com");
  process.env["TEST_API_KEY"] = secret;
  const stack = await open(withKey());
  const said = JSON.stringify([await stack.preview(), await stack.up(), await stack.deployment()]);
  writeFileSync(join(state, "control"), Buffer.from(`x${secret}x`).toString("hex"));

  const spellings = [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString("hex"),
    ...base64Of(secret),
  ];
  const holding = filesUnder(folder).filter((path) => {
    const content = readFileSync(path, "latin1");
    return spellings.some((spelling) => content.includes(spelling));
  });
  expect(holding).toEqual([join(state, "control")]);
  expect(spellings.filter((spelling) => said.includes(spelling))).toEqual([]);

  // A daemon that came anew lacks what it kept in memory alone: shown, and handed over by the next up.
  await (await connect(state, { start: true })).call("shutdown", {});
  await connect(state, { start: true });
  expect(changed(await (await open(withKey())).preview())).toMatchObject([
    { kind: "sandbox", operation: "update" },
  ]);
  await (await open(withKey())).up();
  expect(changed(await (await open(withKey())).preview())).toEqual([]);
});

/** At each of the three offsets that a text may have within base64. */
const base64Of = (text: string): string[] =>
  [0, 1, 2].map((offset) => {
    const encoded = Buffer.from("x".repeat(offset) + text).toString("base64");
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });

const filesUnder = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
