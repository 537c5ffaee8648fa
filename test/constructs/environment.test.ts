import { Construct, type IConstruct, RootConstruct } from "constructs";
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { blueprintDigest, parseBlueprint, resolve } from "../../lib/blueprint/index.ts";
import {
  AgentKit,
  AgentSandbox,
  type AgentSandboxProps,
  Aspects,
  Binary,
  Command,
  Egress,
  Environment,
  environmentOf,
  Inference,
  Isolation,
  LandlockProfile,
  Preset,
  PrivacyRouter,
  Resources,
  Route,
  SeccompProfile,
  Secret,
  Target,
  type Aspect,
} from "../../lib/constructs/index.ts";
import { NacreError } from "../../lib/error.ts";
import { synthesizeHost } from "../../lib/synth/host.ts";
import { catalogue, reading } from "../blueprint/fixtures.ts";

const target = Target.host();

/** What `test/blueprint/full.yaml` states, in TypeScript. */
function full(): Environment {
  const app = new Environment("dev", { target });
  new AgentSandbox(app, "assistant", {
    agent: AgentKit.openclaw(),
    egress: [Preset.github(), Preset.npm(), Egress.https("x.example").named("x")],
    inference: Inference.nvidia({ credential: Secret.named("nvidia") }),
    walls: { syscalls: "best_effort" },
    resources: Resources.of({ cpu: 2, memory: "2Gi", pids: 512 }),
    ports: [8080, 18789],
  });
  new AgentSandbox(app, "worker", {
    agent: Command.of("node", "server.js").withEnv({ PORT: "8080" }),
    egress: [
      Egress.https("api.telegram.org")
        .named("telegram")
        .from(Binary.at("/usr/bin/python3*"), Binary.at("/usr/bin/curl")),
      Egress.tcp("db.corp.example", 5432),
    ],
    landlock: LandlockProfile.of({ readWrite: ["/tmp"] }),
    seccomp: SeccompProfile.of({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [] }),
    inference: Route.try(Inference.ollama("qwen3.6:35b")).withTimeout("90s"),
    restart: "on-failure",
  });
  return app;
}

const files = {
  "policies/assistant.yaml":
    "version: 1\nnetwork_policies:\n  x: { endpoints: [{ host: x.example, port: 443 }] }\n",
  "seccomp/worker.json": '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [] }',
};
const fromFile = (): Environment => {
  const text = readFileSync("test/blueprint/full.yaml", "utf8");
  const blueprint = parseBlueprint(text, { file: "full.yaml", read: reading(files), catalogue });
  return environmentOf(blueprint, { environment: "dev", target });
};

test("a file and the same thing in TypeScript have one digest and become the same objects", () => {
  const [typed, written] = [full(), fromFile()].map((app) => synthesizeHost(app, { catalogue }));
  expect(typed!.digests).toEqual(written!.digests);
  expect(typed!.sandboxes).toEqual(written!.sandboxes);
  expect(typed!.workspaces).toEqual(written!.workspaces);
});

test("a file gives the same tree", () => {
  const paths = (app: Environment): string[] => app.sandboxes.map((sandbox) => sandbox.node.path);
  expect(paths(fromFile())).toEqual(["dev/assistant", "dev/worker"]);
  expect(paths(full())).toEqual(["dev/assistant", "dev/worker"]);
  const router = fromFile().node.findChild("PrivacyRouter");
  expect(PrivacyRouter.isInstance(router) && Object.keys(router.routes)).toEqual(["default", "local"]);
});

test("a tree that was made from a blueprint states that blueprint again", () => {
  const text = readFileSync("test/blueprint/full.yaml", "utf8");
  const blueprint = parseBlueprint(text, { file: "full.yaml", read: reading(files), catalogue });
  const again = environmentOf(blueprint, { environment: "dev", target }).toBlueprint();
  expect(blueprintDigest(resolve(again, catalogue))).toBe(blueprintDigest(resolve(blueprint, catalogue)));
  expect(again.metadata).toEqual(blueprint.metadata);
  expect(again.warnings).toEqual(blueprint.warnings);
  expect(again.routes).toEqual(blueprint.routes);
});

const minimal = { agent: Command.of("sleep", "infinity") };

/** A platform team's own construct: what it wraps keeps its name, so its workspace, whatever it is wrapped in. */
class TeamAgent extends Construct {
  readonly sandbox: AgentSandbox;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.sandbox = new AgentSandbox(this, "Default", {
      ...minimal,
      resources: Resources.of({ memory: "1Gi" }),
    });
  }
}

/** A team's own kind of sandbox. */
class Hardened extends AgentSandbox {
  constructor(scope: Construct, id: string, props: ConstructorParameters<typeof AgentSandbox>[2]) {
    super(scope, id, { ...props, resources: Resources.cap(props.resources, { pids: 64 }) });
  }
}

test("a wrapped and a subclassed sandbox are found, named by the id that a person gave", () => {
  const app = new Environment("dev", { target });
  new TeamAgent(new Construct(app, "platform"), "reviewer");
  new Hardened(app, "coder", minimal);
  const { sandboxes } = synthesizeHost(app, { catalogue });
  expect(sandboxes.map(({ name, resources }) => ({ name, resources }))).toEqual([
    { name: "coder", resources: { pids: 64 } },
    { name: "reviewer", resources: { memoryBytes: 2 ** 30 } },
  ]);
});

test("a construct's environment is the root of its tree", () => {
  const app = new Environment("dev", { target });
  expect(Environment.of(new Construct(new Construct(app, "platform"), "team"))).toBe(app);
  const stray = new RootConstruct("stray");
  expect(thrown(() => Environment.of(stray)).message).toContain("it stands in no environment");
});

class MemoryCap implements Aspect {
  visits = 0;

  visit(node: IConstruct): void {
    if (!AgentSandbox.isInstance(node)) return;
    this.visits++;
    node.override({ resources: Resources.cap(node.props.resources, { memoryBytes: 2 ** 29 }) });
  }
}

test("an aspect tightens a whole tree, once, and what it does is in the digest", () => {
  const app = new Environment("dev", { target });
  new TeamAgent(app, "reviewer");
  new AgentSandbox(app, "coder", minimal);
  const loose = new Environment("dev", { target });
  new TeamAgent(loose, "reviewer");
  new AgentSandbox(loose, "coder", minimal);
  const cap = new MemoryCap();
  Aspects.of(app).add(cap);
  const first = synthesizeHost(app, { catalogue });
  const second = synthesizeHost(app, { catalogue });
  expect(first.sandboxes.map(({ resources }) => resources)).toEqual([
    { memoryBytes: 2 ** 29 },
    { memoryBytes: 2 ** 29 },
  ]);
  expect(second).toEqual(first);
  expect(cap.visits).toBe(2);
  expect(first.digests).not.toEqual(synthesizeHost(loose, { catalogue }).digests);
});

test("an aspect of an inner scope reaches only what is in it; one that adds a sandbox has it visited too", () => {
  const app = new Environment("dev", { target });
  const inner = new Construct(app, "inner");
  new AgentSandbox(inner, "a", minimal);
  new AgentSandbox(app, "b", minimal);
  Aspects.of(inner).add({
    visit: (node) => {
      if (node !== inner) return;
      new AgentSandbox(inner, "c", minimal);
    },
  });
  Aspects.of(inner).add(new MemoryCap());
  const { sandboxes } = synthesizeHost(app, { catalogue });
  expect(sandboxes.map(({ name, resources }) => [name, resources.memoryBytes])).toEqual([
    ["a", 2 ** 29],
    ["b", undefined],
    ["c", 2 ** 29],
  ]);
});

test("every problem of a tree is said, with its construct path and fix", () => {
  const app = new Environment("dev", {
    target,
    overlay: { agents: { coder: { ports: { "9": 9 } }, codr: {} } },
  });
  const team = new Construct(app, "team");
  new AgentSandbox(team, "coder", {
    agent: Command.of("node").withEnv({ API_TOKEN: "x" }),
    ports: [70_000],
    persist: ["data"],
  });
  new AgentSandbox(app, "Wrong_Name", {
    agent: AgentKit.openclaw(),
    inference: Route.try(Inference.nvidia({ credential: Secret.named("nvidia") }), Inference.demo()),
    egress: [Egress.https("x.example"), Egress.https("x.example").from(Binary.curl()), Egress.https("*.com")],
  });
  new AgentSandbox(app, "twice", minimal);
  new TeamAgent(team, "twice");
  const error = thrown(() => app.toBlueprint());
  expect(error.code).toBe("invalid_environment");
  expect(error.subject).toBe("environment dev");
  expect(error.message.split("\n").sort()).toMatchInlineSnapshot(`
    [
      "dev/Wrong_Name: "Wrong_Name" is not a name: lower-case letters, digits and single dashes, a letter first: my-agent (give it another id, or a name)",
      "dev/Wrong_Name: egress: two different rules are called x.example:443 (name one of them: .named("other"), or give all programs to one .from(…))",
      "dev/Wrong_Name: inference.try[1]: not enforced yet: a route falls back to no second provider (keep one: try: [nvidia])",
      "dev/Wrong_Name: policy.network_policies["*.com:443"].endpoints[0].host: "*.com" is a whole top-level domain or more (name at least two labels behind the wildcard: *.example.com)",
      "dev/team/coder: persist[0]: must be an absolute path inside the sandbox, is "data" (write /sandbox/data)",
      "dev/team/coder: ports[0]: must be a port, 1 to 65535, is 70000 (write, for example, 8080)",
      "dev: dev/team/twice/Default and dev/twice are both called twice (give one of them a name)",
      "dev: overlay: agent coder publishes no port 9 (add it to the agent's ports, or remove it here)",
      "dev: overlay: there is no agent codr (write coder)",
    ]
  `);
});

test("variables that look like secrets are refused in TypeScript too", () => {
  const app = new Environment("dev", { target });
  new AgentSandbox(app, "a", { agent: Command.of("node").withEnv({ API_TOKEN: "hunter2" }) });
  const error = thrown(() => app.toBlueprint());
  expect(error.message).toContain("dev/a: env.API_TOKEN: looks like a secret");
  expect(error.message).not.toContain("hunter2");
});

test("a team's own validation stops synthesis, with its construct path", () => {
  const app = new Environment("dev", { target });
  const { sandbox } = new TeamAgent(app, "reviewer");
  sandbox.node.addValidation({ validate: () => ["needs an owner"] });
  expect(thrown(() => synthesizeHost(app, { catalogue })).message).toBe(
    "dev/reviewer/Default: needs an owner",
  );
});

test("an environment without a sandbox, or with a bad name, is refused", () => {
  expect(thrown(() => new Environment("dev", { target }).toBlueprint()).message).toContain("no sandbox");
  const app = new Environment("Dev", { target });
  new AgentSandbox(app, "a", minimal);
  expect(thrown(() => app.toBlueprint()).message).toContain("Dev: not a name: lower-case letters");
});

test("gVisor cannot promise the files wall: a type error, and refused all the same", () => {
  const app = new Environment("dev", { target });
  // @ts-expect-error gVisor has no Landlock
  new AgentSandbox(app, "a", { ...minimal, isolation: Isolation.gvisor(), walls: { files: "required" } });
  new AgentSandbox(app, "b", { ...minimal, isolation: Isolation.gvisor(), walls: { files: "best_effort" } });
  const { message } = thrown(() => app.toBlueprint());
  expect(message).toContain("dev/a: walls.files: gVisor has no Landlock");
  expect(message).not.toContain("dev/b");
});

test("a rule in TypeScript is the rule that a file has", () => {
  const telegram = Secret.named("telegram");
  const rule = Egress.https("api.telegram.org")
    .methods("GET", "POST")
    .paths("/bot*/**")
    .except("*", "/bot*/setWebhook")
    .with(telegram, { as: "TELEGRAM_BOT_TOKEN", in: { path: "/bot{}/" } })
    .from(Binary.node());
  expect(rule.id).toBe("api.telegram.org:443");
  expect(rule.credential).toMatchObject({ name: "telegram", as: "TELEGRAM_BOT_TOKEN" });
  expect(rule.rule.endpoints).toEqual([
    {
      host: "api.telegram.org",
      port: 443,
      protocol: "rest",
      rules: [
        { allow: { method: "GET", path: "/bot*/**" } },
        { allow: { method: "POST", path: "/bot*/**" } },
      ],
      deny_rules: [{ method: "*", path: "/bot*/setWebhook" }],
      credential_binding: { provider: "telegram", in: { path: "/bot{}/" } },
    },
  ]);
  expect(Egress.https("x.example").readOnly().rule.endpoints).toEqual([
    { host: "x.example", port: 443, protocol: "rest", access: "read-only" },
  ]);
});

test("credentials of a file and of TypeScript resolve to the same", () => {
  const text = `apiVersion: nacre.dev/v1
kind: Blueprint
metadata: { name: a, version: 1.0.0 }
agents:
  a:
    command: [node]
    policy:
      version: 1
      network_policies:
        "api.telegram.org:443":
          endpoints: [{ host: api.telegram.org, port: 443, protocol: rest, rules: [{ allow: { method: POST, path: "/bot*/*" } }] }]
        other: { endpoints: [{ host: api.example.com, port: 443 }] }
credentials:
  telegram: { as: TELEGRAM_BOT_TOKEN, for: [api.telegram.org], in: { path: "/bot{}/" } }
  unused: { as: UNUSED, for: [api.example.org] }
`;
  const fromFile = parseBlueprint(text, { file: "b.yaml", read: () => "", catalogue });
  const app = new Environment("dev", { target });
  new AgentSandbox(app, "a", {
    agent: Command.of("node"),
    egress: [
      Egress.https("api.telegram.org").methods("POST").paths("/bot*/*").with(Secret.named("telegram")),
      Egress.https("api.example.com").named("other"),
    ],
    credentials: {
      telegram: { as: "TELEGRAM_BOT_TOKEN", for: ["api.telegram.org"], in: { path: "/bot{}/" } },
    },
  });
  const resolved = resolve(fromFile, catalogue);
  expect(resolved.agents["a"]?.credentials).toEqual({
    telegram: { as: "TELEGRAM_BOT_TOKEN", for: ["api.telegram.org"], in: { path: "/bot{}/" } },
  });
  expect(resolved.agents["a"]?.network["other"]?.endpoints[0]).not.toHaveProperty("credential_binding");
  expect(blueprintDigest(resolve(app.toBlueprint(), catalogue))).toBe(blueprintDigest(resolved));
});

test("a rule's credential is for its host, however that is written", () => {
  const app = new Environment("dev", { target });
  const egress = [
    Egress.https("API.example.com.").with(Secret.named("api")),
    Egress.https("api.example.com").named("other"),
  ];
  new AgentSandbox(app, "a", { ...minimal, egress });
  const resolved = resolve(app.toBlueprint(), catalogue).agents["a"];
  expect(resolved?.credentials).toEqual({ api: { for: ["api.example.com"] } });
  expect(resolved?.network["other"]?.endpoints[0]?.credential_binding).toEqual({ provider: "api" });
});

test("a credential that is for what is never looked into, or two for one host, are refused", () => {
  const build = (credentials: AgentSandboxProps["credentials"], egress: Egress): (() => unknown) => {
    const app = new Environment("dev", { target });
    new AgentSandbox(app, "a", { ...minimal, egress: [egress], ...(credentials && { credentials }) });
    return () => resolve(app.toBlueprint(), catalogue);
  };
  const one = { one: { for: ["db.example.com:5432"] } };
  expect(build(one, Egress.tcp("db.example.com", 5432))).toThrow("never looked into");
  const two = { one: { for: ["api.example.com"] }, two: { for: ["api.example.com:443"] } };
  expect(build(two, Egress.https("api.example.com"))).toThrow("both for api.example.com");
  expect(build({ one: { for: ["*.example.com"] } }, Egress.https("api.example.com"))).toThrow("is a pattern");
});

test("a seccomp profile that is no allow-list is refused", () => {
  const app = new Environment("dev", { target });
  const seccomp = SeccompProfile.of({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [] });
  new AgentSandbox(app, "a", { ...minimal, seccomp });
  expect(thrown(() => app.toBlueprint()).message).toContain("dev/a: seccomp.defaultAction: no allow-list");
});

test("what is unenforceable in a policy object is refused by the rules of a file", () => {
  const app = new Environment("dev", { target });
  const endpoints = [{ host: "x.example", port: 443, persisted_queries: "deny" }];
  new AgentSandbox(app, "a", { ...minimal, policy: { version: 1, network_policies: { x: { endpoints } } } });
  expect(thrown(() => app.toBlueprint()).message).toContain(
    "dev/a: policy.network_policies.x.endpoints[0].persisted_queries: not enforced yet",
  );
});

test("two copies of the package work on one tree", async () => {
  vi.resetModules();
  const other = await import("../../lib/constructs/index.ts");
  expect(other.AgentSandbox).not.toBe(AgentSandbox);
  const app = new other.Environment("dev", { target: other.Target.host() });
  new AgentSandbox(app, "mine", {
    ...minimal,
    egress: [other.Egress.https("x.example"), other.Preset.npm()],
  });
  new other.AgentSandbox(app, "theirs", { agent: AgentKit.openclaw(), inference: Inference.demo() });
  other.Aspects.of(app).add(new MemoryCap());
  expect(Environment.isInstance(app)).toBe(true);
  const { NacreError: Other } = await import("../../lib/error.ts");
  const error = thrown(() => new other.Environment("dev", { target }).toBlueprint(), Other);
  expect([error instanceof NacreError, NacreError.isInstance(error)]).toEqual([false, true]);
  expect(Environment.isInstance({})).toBe(false);
  expect(Environment.isInstance(null)).toBe(false);
  const { sandboxes } = synthesizeHost(app, { catalogue });
  expect(sandboxes.map(({ name }) => name)).toEqual(["mine", "theirs"]);
  expect(sandboxes.map(({ resources }) => resources.memoryBytes)).toEqual([2 ** 29, 2 ** 29]);
});

function thrown(action: () => unknown, kind = NacreError): NacreError {
  try {
    action();
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
