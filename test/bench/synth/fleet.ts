import { stringify } from "yaml";
import {
  AgentKit,
  AgentSandbox,
  Egress,
  Environment,
  Inference,
  Preset,
  Secret,
  Target,
  type ClusterTarget,
} from "../../../lib/constructs/index.ts";
import { parseBlueprint, type Catalogue } from "../../../lib/blueprint/index.ts";

/** An image that nobody has: a name and a digest. */
const image = (name: string): string => `registry.example/nacre/${name}@sha256:${"ab".repeat(32)}`;

const target = (): ClusterTarget =>
  Target.cluster({
    images: { egress: image("egress"), router: image("router"), agents: { openclaw: image("openclaw") } },
    secrets: {
      telegram: { secret: "bots", key: "telegram" },
      tracker: { secret: "tracker-token" },
      nvidia: { secret: "nvidia-key" },
    },
    inward: [{ namespace: { "kubernetes.io/metadata.name": "ingress" } }],
  });

const presets = ["github-read", "npm", "telegram"];
const walls = { files: "best_effort", syscalls: "best_effort" } as const;
const projectsOf = (index: number): string => `/projects/team-${index}/**`;
const named = (size: number): [string, number][] =>
  Array.from({ length: size }, (_, index) => [`assistant-${String(index).padStart(4, "0")}`, index]);

/**
 * A team's agents, `size` of them: the same kit, presets, credential, inference and port, and to each a rule of its own,
 * so that no two policies are the same. Here as a person writes it in a file.
 */
export function blueprintText(size: number): string {
  const agents = named(size).map(([name, index]) => [
    name,
    {
      kit: "openclaw",
      policy: {
        version: 1,
        network_policies: {
          tracker: {
            endpoints: [
              {
                host: "tracker.example.com",
                port: 443,
                protocol: "rest",
                rules: ["GET", "POST"].map((method) => ({ allow: { method, path: projectsOf(index) } })),
                credential_binding: { provider: "tracker" },
              },
            ],
          },
        },
      },
      presets,
      inference: "default",
      walls,
      resources: { cpu: 1, memory: "1Gi" },
      ports: [18_789],
    },
  ]);
  return stringify(
    {
      apiVersion: "nacre.dev/v1",
      kind: "Blueprint",
      metadata: { name: "fleet", version: "1.0.0" },
      credentials: { tracker: { as: "TRACKER_TOKEN", for: ["tracker.example.com"] } },
      agents: Object.fromEntries(agents) as object,
      inference: {
        routes: { default: { try: ["nvidia"] } },
        providers: { nvidia: { kind: "nvidia", credential: "nvidia" } },
      },
    },
    { aliasDuplicateObjects: false },
  );
}

/** The same, from the file's text. */
export function fromBlueprint(text: string, catalogue: Catalogue): Environment<ClusterTarget> {
  const nothing = (path: string): string => {
    throw new Error(`${path} is not part of it`);
  };
  const blueprint = parseBlueprint(text, { file: "fleet.yaml", read: nothing, catalogue });
  return Environment.fromBlueprint("prod", blueprint, { target: target() });
}

/** The same, in constructs. */
export function fromConstructs(size: number): Environment<ClusterTarget> {
  const app = new Environment("prod", {
    target: target(),
    metadata: { name: "fleet", version: "1.0.0" },
  });
  const inference = Inference.nvidia({ credential: Secret.named("nvidia") });
  for (const [name, index] of named(size)) {
    new AgentSandbox(app, name, {
      agent: AgentKit.openclaw(),
      egress: [
        ...presets.map((preset) => Preset.named(preset)),
        Egress.https("tracker.example.com")
          .methods("GET", "POST")
          .paths(projectsOf(index))
          .with(Secret.named("tracker"), { as: "TRACKER_TOKEN" })
          .named("tracker"),
      ],
      inference,
      walls,
      resources: { cpu: 1, memoryBytes: 2 ** 30 },
      ports: [18_789],
    });
  }
  return app;
}
