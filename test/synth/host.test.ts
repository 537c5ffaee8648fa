import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseBlueprint, type Overlay } from "../../lib/blueprint/index.ts";
import {
  AgentKit,
  AgentSandbox,
  Command,
  Egress,
  Environment,
  environmentOf,
  Inference,
  Isolation,
  LandlockProfile,
  Preset,
  Secret,
  Target,
} from "../../lib/constructs/index.ts";
import { NacreError } from "../../lib/error.ts";
import { sandboxSchema, workspaceSchema } from "../../lib/synth/host-objects.ts";
import { synthesizeHost, type HostObjects } from "../../lib/synth/host.ts";
import { renderHost } from "../../lib/synth/host-render.ts";
import { catalogue, reading } from "../blueprint/fixtures.ts";

const target = Target.host();
const files = {
  "policies/assistant.yaml":
    "version: 1\nnetwork_policies:\n  x: { endpoints: [{ host: x.example, port: 443 }] }\n",
  "seccomp/worker.json": '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [] }',
};

function fromFile(path: string, overlay: Overlay = {}): Environment {
  const text = readFileSync(path, "utf8");
  const blueprint = parseBlueprint(text, { file: path, read: reading(files), catalogue });
  return environmentOf(blueprint, { environment: "dev", target, project: "team", overlay });
}

function three(): Environment {
  const app = new Environment("prod", { target, project: "team" });
  for (const name of ["coder", "reviewer", "writer"]) {
    new AgentSandbox(app, name, {
      agent: AgentKit.openclaw(),
      egress: name === "writer" ? [] : [Preset.github()],
      inference: Inference.nvidia({ credential: Secret.named("nvidia") }),
    });
  }
  return app;
}

function minimal(): Environment {
  const app = new Environment("dev", { target });
  new AgentSandbox(app, "agent", { agent: Command.of("sleep", "infinity") });
  return app;
}

const goldens: Readonly<Record<string, () => Environment>> = {
  minimal,
  three,
  full: () =>
    fromFile("test/blueprint/full.yaml", {
      agents: { assistant: { ports: { 18789: 28789 }, resources: { memoryBytes: 2 ** 30 } } },
    }),
  example: () => fromFile("stacks/blueprint.yaml"),
  "example-nvidia": () => fromFile("stacks/blueprint.nvidia.yaml"),
};

describe("goldens", () => {
  test.for(Object.entries(goldens))("%s", async ([name, environment]) => {
    const rendered = [...renderHost(synthesizeHost(environment(), { catalogue }))];
    const text = rendered.map(([file, yaml]) => `# ${file}\n${yaml}`).join("---\n");
    await expect(text).toMatchFileSnapshot(`../../snapshots/goldens/host-${name}.yaml`);
  });

  test.for(Object.entries(goldens))("%s is what the provider takes", ([, environment]) => {
    const { workspaces, sandboxes } = synthesizeHost(environment(), { catalogue });
    for (const workspace of workspaces) expect(workspaceSchema.parse(workspace)).toEqual(workspace);
    for (const sandbox of sandboxes) expect(sandboxSchema.parse(sandbox)).toEqual(sandbox);
    expect(structuredClone(sandboxes)).toEqual(sandboxes);
  });
});

test("a sandbox that was recorded before its credentials named their hosts is read all the same", () => {
  const [recorded] = synthesizeHost(three(), { catalogue }).sandboxes;
  const { credentials } = sandboxSchema.parse({ ...recorded, credentials: { tracker: { as: "TOKEN" } } });
  expect(credentials).toEqual({ tracker: { as: "TOKEN", for: [] } });
});

test("the same tree renders to the same bytes, whatever the order it was made in", () => {
  const reversed = new Environment("prod", { target, project: "team" });
  for (const { name, props } of [...three().sandboxes].reverse()) new AgentSandbox(reversed, name, props);
  const [one, other] = [three(), reversed].map((app) => renderHost(synthesizeHost(app, { catalogue })));
  expect([...one!]).toEqual([...other!]);
});

test("the project is the environment's, else the caller's, else nacre", () => {
  const projectOf = (app: Environment, project?: string): string | undefined =>
    synthesizeHost(app, { catalogue, ...(project && { project }) }).workspaces[0]?.project;
  expect(projectOf(three(), "caller")).toBe("team");
  expect(projectOf(minimal(), "caller")).toBe("caller");
  expect(projectOf(minimal())).toBe("nacre");
});

test("host ports are free ones unless the overlay names them", () => {
  const app = fromFile("test/blueprint/full.yaml", { agents: { assistant: { ports: { 18789: 28789 } } } });
  expect(sandbox(synthesizeHost(app, { catalogue }), "assistant").ports).toEqual([
    { inside: 8080, outside: 0 },
    { inside: 18789, outside: 28789 },
  ]);
});

test("the overlay replaces limits one by one, and leaves the blueprint's digest", () => {
  const plain = synthesizeHost(fromFile("test/blueprint/full.yaml"), { catalogue });
  const overlay = { agents: { assistant: { resources: { memoryBytes: 1024 ** 3 } } } };
  const small = synthesizeHost(fromFile("test/blueprint/full.yaml", overlay), { catalogue });
  expect(sandbox(small, "assistant").resources).toEqual({ cpu: 2, memoryBytes: 1024 ** 3, pids: 512 });
  expect(small.digests.blueprint).toBe(plain.digests.blueprint);
  expect(small.digests.environment).not.toBe(plain.digests.environment);
});

test("a host's objects name no file of the system, and none that is not inside", () => {
  const app = new Environment("dev", { target });
  new AgentSandbox(app, "a", {
    agent: Command.of("true"),
    landlock: LandlockProfile.of({
      readOnly: ["/usr", "/etc/ssl", "/app", "/var/log", "/home/me/.ssh", "/sandbox/docs"],
      readWrite: ["/tmp", "/dev/null", "/tmp/cache"],
      workspace: false,
    }),
  });
  const objects = synthesizeHost(app, { catalogue });
  expect(sandbox(objects, "a").files).toEqual({
    readOnly: ["/sandbox/docs"],
    readWrite: ["/tmp", "/tmp/cache"],
  });
  expect(objects.warnings).toEqual([
    "agent a: /app, /home/me/.ssh, /var/log of its policy is not in a host's sandbox",
  ]);
});

test("says which hosts anything can be sent to", () => {
  const { warnings } = synthesizeHost(fromFile("test/blueprint/full.yaml"), { catalogue });
  expect(warnings).toContain("agent worker: anything can be sent to api.telegram.org, db.corp.example:5432");
});

test("a host whose requests are decided by rules is not one that anything can be sent to", () => {
  const app = new Environment("dev", { target });
  const rest = { host: "rest.example.com", port: 443, protocol: "rest" } as const;
  const endpoints = [
    { ...rest, access: "read-only" as const },
    { ...rest, host: "full.example.com", access: "full" as const },
    { port: 8443, allowed_ips: ["198.51.100.0/24"] },
  ];
  const policy = { version: 1 as const, network_policies: { r: { endpoints } } };
  new AgentSandbox(app, "a", { agent: Command.of("true"), policy });
  const { warnings } = synthesizeHost(app, { catalogue });
  expect(warnings).toContain("agent a: anything can be sent to 198.51.100.0/24:8443, full.example.com");
});

const mixed = { readOnly: ["/sandbox/.openclaw"], readWrite: ["/sandbox"] };
const refused: readonly [string, Partial<ConstructorParameters<typeof AgentSandbox>[2]>, string, string][] = [
  [
    "gVisor",
    { isolation: Isolation.gvisor(), walls: { files: "best_effort" } },
    "isolation gvisor",
    "Isolation.kernel()",
  ],
  [
    "another user",
    { policy: { version: 1, process: { run_as_user: "1000" } } },
    "not enforced yet: run_as 1000:sandbox",
    "write sandbox",
  ],
  ["Kata", { isolation: Isolation.kata() }, "isolation kata", "Isolation.kernel()"],
  ["nothing that persists", { persist: [] }, "persist is empty", "persist: [/sandbox]"],
  ["a folder outside that persists", { persist: ["/data"] }, "/data cannot persist", "/sandbox/data"],
  [
    "a writable system",
    { landlock: LandlockProfile.of({ readWrite: ["/usr"] }) },
    "/usr cannot be writable",
    "/sandbox/usr",
  ],
  [
    "read-only in writable",
    { landlock: LandlockProfile.of(mixed) },
    "/sandbox/.openclaw cannot be read-only",
    "beside",
  ],
];
test.for(refused)("refuses %s with the reason and the way out", ([, props, reason, fix]) => {
  const app = new Environment("dev", { target });
  new AgentSandbox(app, "a", { agent: Command.of("true"), ...props });
  const error = thrown(() => synthesizeHost(app, { catalogue }));
  expect(error).toMatchObject({ code: "unenforceable", subject: "dev/a" });
  expect(error.message).toContain(reason);
  expect(error.hint).toContain(fix);
});

test("an unknown preset, or two rules of one name, are errors of the agent", () => {
  const app = new Environment("dev", { target });
  new AgentSandbox(app, "a", { agent: Command.of("true"), egress: [Preset.named("gihtub")] });
  expect(thrown(() => synthesizeHost(app, { catalogue }))).toMatchObject({
    code: "unknown_preset",
    subject: "agent a",
    hint: "write github",
  });
  const two = new Environment("dev", { target });
  const egress = [Preset.npm(), Egress.https("npm.corp.example").named("npm")];
  new AgentSandbox(two, "a", { agent: Command.of("true"), egress });
  expect(thrown(() => synthesizeHost(two, { catalogue }))).toMatchObject({ code: "rule_conflict" });
});

test("no object holds a path of this machine or a secret's value", () => {
  const text = [
    ...renderHost(synthesizeHost(fromFile("test/blueprint/full.yaml"), { catalogue })).values(),
  ].join();
  expect(text).toContain("credential: nvidia");
  expect(text).not.toContain(process.cwd());
});

function sandbox(objects: HostObjects, name: string): HostObjects["sandboxes"][number] {
  const found = objects.sandboxes.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no sandbox ${name}`);
  return found;
}

function thrown(action: () => unknown): NacreError {
  try {
    action();
  } catch (error) {
    if (error instanceof NacreError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
