import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { buildTimeout, ControlPlane } from "../cluster/control-plane.ts";
import { kubernetesPluginFolder } from "../cluster/kubernetes-stack.ts";
import { FakeEngine } from "../docker/fake-engine.ts";
import { dockerPlugin } from "../docker/stack.ts";
import { application, environmentText, mistakes, platform, wrappedScope } from "./team-repositories.ts";

/**
 * Two repositories outside this one, from packed tarballs: a platform library that subclasses `AgentSandbox` and adds an
 * aspect, and an application that uses it on each target. Previews contact nobody but the control plane of the cluster.
 */
const repository = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "nacre-acme-"));
const [library, team, manifests] = [
  join(folder, "platform"),
  join(folder, "team"),
  join(folder, "manifests"),
];
const targets = ["host", "cluster", "gateway"] as const;
type TargetName = (typeof targets)[number];

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
let engine: string;
let plane: ControlPlane;
let docker: FakeEngine;

function run(program: string, args: readonly string[], cwd = team): Promise<Ran> {
  const env = {
    ...process.env,
    // The stand-in too: the engine that nacre runs reads no Pulumi.yaml of the team's.
    PATH: [dirname(process.execPath), kubernetesPluginFolder, process.env["PATH"] ?? ""].join(":"),
    PULUMI_HOME: join(folder, "home"),
    PULUMI_BACKEND_URL: pathToFileURL(join(folder, "backend")).href,
    PULUMI_CONFIG_PASSPHRASE: "team",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    NACRE_STATE_DIR: join(folder, "state"),
    DOCKER_HOST: `unix://${docker.socket}`,
    NO_COLOR: "1",
  };
  return new Promise((done) => {
    execFile(program, args, { cwd, env, maxBuffer: 64 * 2 ** 20 }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

async function succeeds(ran: Promise<Ran>): Promise<Ran> {
  const { code, out, err } = await ran;
  expect(code, `${out}${err}`).toBe(0);
  return { code, out, err };
}

const pulumi = (stack: TargetName, ...args: string[]): Promise<Ran> =>
  run(engine, [...args, "--stack", stack, "--non-interactive"]);
const nacre = (...args: string[]): Promise<Ran> => run(join(team, "node_modules/.bin/nacre"), args);
const tsc = (args: readonly string[], cwd: string): Promise<Ran> =>
  run(process.execPath, [join(repository, "node_modules/typescript/bin/tsc"), ...args], cwd);
const strict = ["--strict", "--exactOptionalPropertyTypes", "--module", "nodenext", "--target", "es2024"];
const check = ["--noEmit", "--allowImportingTsExtensions", ...strict];

/** What a preview would do: the step of each resource by its kind and name, and its inputs; with what it said beside. */
async function preview(stack: TargetName) {
  const { out } = await succeeds(pulumi(stack, "preview", "--json"));
  const { steps, diagnostics = [] } = JSON.parse(out);
  const byName = (valueOf: (step: any) => any): Record<string, any> =>
    Object.fromEntries(
      steps.map((step: any) => {
        const [type, name] = step.urn.split("::").slice(-2);
        return [`${type.split(":").at(-1)} ${name}`, valueOf(step)];
      }),
    );
  return {
    operations: byName(({ op }) => op),
    inputs: byName(({ newState }) => newState?.inputs),
    said: diagnostics.map(({ message }: any) => message).join("\n") as string,
  };
}

/** The files of `nacre synth` by name, and what it said. */
async function synth(stack: TargetName) {
  rmSync(manifests, { recursive: true, force: true });
  const { err } = await succeeds(nacre("synth", "--program", "environment.ts", "-s", stack, "-o", manifests));
  const below = readdirSync(manifests, { recursive: true, encoding: "utf8" });
  const names = below.filter((name) => name.endsWith(".yaml"));
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(manifests, name), "utf8")]));
  return { files, said: err };
}

const write = (at: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(at, name), text);
};

async function pack(from: string): Promise<string> {
  const { out } = await succeeds(run("npm", ["pack", "--json", "--pack-destination", folder], from));
  return join(folder, JSON.parse(out)[0].filename);
}

async function install(...packages: string[]): Promise<void> {
  await succeeds(run("npm", ["install", "--prefer-offline", "--no-fund", "--no-audit", ...packages]));
}

beforeAll(async () => {
  engine = (await findEngine({ cache: cacheDirectory() })).path;
  plane = await ControlPlane.start();
  docker = await FakeEngine.start({
    "GET /version": { Version: "29.0.4", ApiVersion: "1.52", Components: [] },
    "GET /info": { ID: "fake", Name: "fake", OSType: "linux", Architecture: "x86_64", SecurityOptions: [] },
  });
  for (const path of [library, team, join(folder, "backend")]) mkdirSync(path);
  write(
    team,
    application({
      languageHost: fileURLToPath(new URL("language-host", import.meta.url)),
      kubernetes: kubernetesPluginFolder,
      docker: dockerPlugin,
      kubeconfig: plane.kubeconfig,
    }),
  );
  const { devDependencies } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  const sdks = ["@pulumi/kubernetes", "@pulumi/docker", "@kubernetes/client-node"];
  await install(await pack(repository), ...sdks.map((name) => `${name}@${devDependencies[name]}`));
  write(library, platform);
  symlinkSync(join(team, "node_modules"), join(library, "node_modules"));
  await succeeds(tsc([...strict, "--declaration", "--outDir", "dist", "index.ts"], library));
  await install(await pack(library));
  for (const stack of targets)
    await succeeds(pulumi(stack, "stack", "init", "--secrets-provider", "passphrase"));
}, buildTimeout);

afterEach(() => write(team, { "environment.ts": environmentText() }));
afterAll(async () => {
  await docker.stop();
  await plane.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("types", () => {
  test("the application is checked against the types of both packages", async () => {
    await succeeds(tsc([...check, "main.ts"], team));
  });

  test("what cannot be is an error of the line that says it", async () => {
    write(team, { "mistakes.ts": mistakes });
    const { out } = await tsc([...check, "mistakes.ts"], team);
    const lines = [...out.matchAll(/^mistakes\.ts\((\d+),/gm)].map(([, line]) => Number(line));
    expect(lines, out).toEqual([5, 6, 7, 8, 9]);
  });
});

describe("the aspect of the library changes what the application wrote", () => {
  test("on a host: limits, and reviewed presets alone", async () => {
    const { operations, inputs } = await preview("host");
    expect(Object.keys(operations).sort()).toEqual([
      "Environment host",
      "Machine host",
      "Sandbox host/assistant",
      "Stack acme-host",
      "Workspace host/assistant",
    ]);
    const { resources, network } = inputs["Sandbox host/assistant"];
    expect(resources).toEqual({ cpu: 2, memoryBytes: 2 ** 30, pids: 64 });
    expect(JSON.stringify(network)).toContain("api.github.com");
    expect(JSON.stringify(network)).not.toContain("telegram");
    const { files } = await synth("host");
    expect(parse(files["sandbox-assistant.yaml"]!).spec).toMatchObject({ resources, network });
  });

  test.for(["cluster", "gateway"] as const)(
    "on a %s: a kernel of its own too, and a label",
    async (stack) => {
      const { operations, inputs, said } = await preview(stack);
      expect(new Set(Object.values(operations))).toEqual(new Set(["create"]));
      const workload = inputs[`Deployment ${stack}/sandbox-assistant/agent/workload`];
      expect(workload.metadata.labels["acme.example/cost-center"]).toBe("agents");
      expect(workload.spec.template.spec).toMatchObject({
        runtimeClassName: "gvisor",
        containers: [{ resources: { limits: { cpu: "2000m" } } }],
      });
      const hatch = `escape hatch of ${stack}/assistant on Deployment/agent-assistant: Acme's bills are by this label`;
      expect(said).toContain(hatch);
      const synthesized = await synth(stack);
      expect(synthesized.said).toContain(hatch);
      const { metadata, spec } = parse(synthesized.files["3-deployment-agent-assistant.yaml"]!);
      expect({ metadata, spec }).toEqual({ metadata: workload.metadata, spec: workload.spec });
    },
  );

  test("a gateway is the container, and the chart in it", async () => {
    const { inputs } = await preview("gateway");
    expect(inputs["Container nacre-gateway"]).toMatchObject({
      privileged: true,
      ports: [{ external: 16443, ip: "127.0.0.1" }],
    });
    expect(inputs).toHaveProperty(["kubernetes gateway"]);
    expect(Object.keys((await synth("gateway")).files)).toContain("gateway/container-nacre-gateway.yaml");
  });
});

test.for(targets)(
  "a validation of the library stops preview and synth on a %s, with the construct's path",
  async (stack) => {
    const sandbox = 'new TeamSandbox(scope, "assistant", { ...props, owner: "mallory@example.com" })';
    write(team, { "environment.ts": environmentText({ sandbox, scope: wrappedScope }) });
    const sentence = `${stack}/division/team/assistant: owner mallory@example.com: nobody of Acme's`;
    const planned = await pulumi(stack, "preview");
    expect(planned.code).not.toBe(0);
    expect(planned.out).toContain(sentence);
    expect(planned.out).not.toContain("node_modules/nacre/dist"); // no stack trace
    const synthesized = await nacre("synth", "--program", "environment.ts", "-s", stack);
    expect([synthesized.code, synthesized.err]).toEqual([1, expect.stringContaining(sentence)]);
  },
);

test("wrapping a sandbox in other constructs changes no file of any target", async () => {
  for (const stack of targets) {
    write(team, { "environment.ts": environmentText() });
    const before = await synth(stack);
    write(team, { "environment.ts": environmentText({ scope: wrappedScope }) });
    expect((await synth(stack)).files).toEqual(before.files);
  }
});

test("in a cluster, wrapping changes nothing, and a rename with moved() replaces nothing", async () => {
  await succeeds(pulumi("cluster", "up", "--yes"));
  await succeeds(pulumi("cluster", "preview", "--expect-no-changes"));
  const program = ["--program", "environment.ts", "-s", "cluster"];
  const planned = await succeeds(nacre("preview", ...program, "--expect-no-changes"));
  expect(planned.out).toContain("nothing would change");
  const status = await nacre("status", ...program);
  expect(status.out).toMatch(/^cluster\/assistant {2}in acme-agents: /);
  write(team, { "environment.ts": environmentText({ scope: wrappedScope }) });
  await succeeds(pulumi("cluster", "preview", "--expect-no-changes"));

  const renamed = 'new TeamSandbox(scope, "helper", props)';
  write(team, { "environment.ts": environmentText({ sandbox: `${renamed}.moved("assistant")` }) });
  const moved = (await preview("cluster")).operations;
  // The egress is told the new name; the agent and its workspace are as they were.
  expect(moved).toEqual({
    "Stack acme-cluster": "same",
    "ConfigMap cluster/environment": "update",
    "ConfigMap cluster/sandbox-assistant/egress/config": "update",
    "Deployment cluster/sandbox-assistant/egress/workload": "update",
  });
  write(team, { "environment.ts": environmentText({ sandbox: renamed }) });
  expect((await preview("cluster")).operations).toMatchObject({
    "Deployment cluster/sandbox-assistant/agent/workload": "delete",
    "Deployment cluster/sandbox-helper/agent/workload": "create",
  });
  write(team, { "environment.ts": environmentText() });
  await succeeds(pulumi("cluster", "destroy", "--yes"));
});

test("the library works on another copy of nacre than the application's", async () => {
  const alone = new Map<TargetName, object>();
  for (const stack of targets) alone.set(stack, (await synth(stack)).files);
  const own = join(team, "node_modules/@acme/agents/node_modules/nacre");
  cpSync(join(team, "node_modules/nacre"), own, { recursive: true });
  try {
    await succeeds(tsc([...check, "main.ts"], team));
    for (const stack of targets) expect((await synth(stack)).files).toEqual(alone.get(stack));
    const sandbox = 'new TeamSandbox(scope, "assistant", { ...props, owner: "mallory@example.com" })';
    write(team, { "environment.ts": environmentText({ sandbox }) });
    expect((await pulumi("host", "preview")).out).toContain("host/assistant: owner mallory@example.com");
  } finally {
    rmSync(dirname(own), { recursive: true });
  }
});
