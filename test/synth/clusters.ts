import {
  AgentKit,
  AgentSandbox,
  Command,
  Egress,
  Environment,
  EscapeHatch,
  Inference,
  Isolation,
  LandlockProfile,
  Namespace,
  Preset,
  SeccompProfile,
  Secret,
  Target,
  type ClusterTarget,
} from "../../lib/constructs/index.ts";

/** An image that nobody has: a name and a digest. */
export const image = (name: string): string => {
  const digest = Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64);
  return `registry.example/nacre/${name}@sha256:${digest}`;
};

export const bestEffort = { files: "best_effort", syscalls: "best_effort" } as const;
const images = {
  egress: image("egress"),
  router: image("router"),
  agents: { agent: image("agent"), openclaw: image("openclaw"), worker: image("worker") },
};
const secrets = { nvidia: { secret: "nvidia-key" } };
type Settings = NonNullable<Parameters<typeof Target.cluster>[0]>;

/** Where the environments of these tests run: all images there, the key of the inference mapped. */
export const cluster = (settings: Settings = {}): ClusterTarget =>
  Target.cluster({ images, secrets, ...settings });

const nvidia = Inference.nvidia({ credential: Secret.named("nvidia") });

export function minimal(): Environment<ClusterTarget> {
  const app = new Environment("dev", { target: cluster() });
  new AgentSandbox(app, "agent", { agent: Command.of("sleep", "infinity"), walls: bestEffort });
  return app;
}

/** Every setting of the target, and every property of a sandbox that a cluster has an answer to. */
export function full(): Environment<ClusterTarget> {
  const target = cluster({
    secrets: {
      ...secrets,
      telegram: { secret: "bots", key: "telegram" },
      github: { secret: "github-token", key: "token" },
    },
    storage: { class: "fast", size: "10Gi", keep: true },
    seccomp: "localhost",
    userNamespaces: true,
    api: { cidr: "10.43.0.1/32" },
    ranges: ["203.0.113.0/24"],
    dns: { namespace: { "kubernetes.io/metadata.name": "dns" }, pods: { app: "coredns" } },
    grants: [{ host: "models.corp.example", cidr: "10.1.2.3/32", port: 8000 }],
    inward: [
      { namespace: { "kubernetes.io/metadata.name": "ingress" }, pods: { app: "gateway" } },
      { pods: { app: "monitor" } },
    ],
    router: {
      replicas: { min: 2, max: 6 },
      budgets: { store: "valkey", secret: "ledger", cidr: "10.9.0.7/32", port: 6379 },
    },
  });
  const app = new Environment("prod", {
    target,
    project: "team",
    overlay: { agents: { worker: { resources: { memoryBytes: 512 * 2 ** 20 } } } },
  });
  new Namespace(app, "namespace", { name: "team-agents", labels: { "example.com/team": "blue" }, pods: 40 });
  const assistant = new AgentSandbox(app, "assistant", {
    agent: AgentKit.openclaw(),
    egress: [Preset.githubRead(), Preset.npm(), Preset.telegram()],
    inference: nvidia,
    walls: bestEffort,
    landlock: LandlockProfile.of({ readWrite: ["/tmp", "/var/cache"] }),
    resources: { cpu: 1.5, memoryBytes: 2 ** 30, pids: 256 },
    persist: ["/sandbox", "/data/models"],
    ports: [18789, 8080],
  });
  EscapeHatch.of(assistant).patch({
    object: "Deployment/agent-assistant",
    patch: [{ op: "add", path: "/spec/template/spec/nodeSelector", value: { pool: "agents" } }],
    reason: "agents have nodes of their own",
  });
  new AgentSandbox(app, "worker", {
    agent: Command.of("node", "server.js").withEnv({ PORT: "8080" }),
    egress: [
      Egress.https("api.github.com")
        .methods("GET", "POST")
        .paths("/repos/acme/**")
        .with(Secret.named("github"), { as: "GITHUB_TOKEN" }),
    ],
    inference: Inference.compatible("https://models.corp.example:8000/v1", { name: "corp", model: "m" }),
    seccomp: SeccompProfile.of({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [{ names: ["read", "write"], action: "SCMP_ACT_ALLOW" }],
    }),
    walls: bestEffort,
    policy: {
      version: 1,
      process: { run_as_user: "2000", run_as_group: "2001" },
      network_policies: { db: { endpoints: [{ host: "db.example.com", port: 5432, protocol: "tcp" }] } },
    },
    persist: [],
  });
  return app;
}

const three = {
  coder: { egress: [Preset.githubRead()], inference: nvidia },
  reviewer: { egress: [Preset.githubRead()], inference: nvidia },
  writer: { inference: nvidia },
} as const;

/** Three sandboxes in the order of `names`, each in the scope that `around` makes for it. */
export function sandboxes(
  names: readonly (keyof typeof three)[] = ["coder", "reviewer", "writer"],
  around: (app: Environment<ClusterTarget>, name: string) => ConstructorParameters<typeof AgentSandbox>[0] = (
    app,
  ) => app,
): Environment<ClusterTarget> {
  const app = new Environment("prod", { target: cluster(), project: "team" });
  for (const name of names) {
    new AgentSandbox(around(app, name), name, {
      agent: AgentKit.openclaw(),
      walls: bestEffort,
      ...three[name],
    });
  }
  return app;
}

function isolated(isolation: Isolation<"gvisor"> | Isolation<"kata">): Environment<ClusterTarget> {
  const app = new Environment("dev", { target: cluster({ runtimeClasses: { kata: "kata-qemu" } }) });
  new AgentSandbox(app, "agent", {
    agent: Command.of("sleep", "infinity"),
    isolation,
    walls: bestEffort,
  });
  return app;
}

/** The environments of the goldens, by the golden's name. */
export const clusters: Readonly<Record<string, () => Environment<ClusterTarget>>> = {
  "cluster-minimal": minimal,
  "cluster-full": full,
  "cluster-three": () => sandboxes(),
  "cluster-gvisor": () => isolated(Isolation.gvisor()),
  "cluster-kata": () => isolated(Isolation.kata()),
};
