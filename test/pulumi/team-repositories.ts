/** The texts of a team's two repositories: a platform library, and an application that uses it. */

const packageJson = (content: object): string =>
  JSON.stringify({ version: "1.0.0", type: "module", ...content });

/** `@acme/agents`: a sandbox as Acme's teams have it, and what holds for every sandbox of Acme's. */
export const platform: Readonly<Record<string, string>> = {
  "package.json": packageJson({
    name: "@acme/agents",
    exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
    files: ["dist"],
    peerDependencies: { constructs: "^10.8.0", nacre: "*" },
  }),
  "index.ts": `import { type Construct, type IConstruct } from "constructs";
import {
  AgentSandbox, Environment, EscapeHatch, Isolation, offerOf, Resources,
  type AgentSandboxProps, type Aspect, type IsolationLevel,
} from "nacre";

export interface TeamSandboxProps<I extends IsolationLevel = IsolationLevel> extends AgentSandboxProps<I> {
  /** Who answers for the agent. */
  readonly owner: string;
}

/** A sandbox with an owner. */
export class TeamSandbox<I extends IsolationLevel = IsolationLevel> extends AgentSandbox<I> {
  readonly owner: string;

  constructor(scope: Construct, id: string, { owner, ...props }: TeamSandboxProps<I>) {
    super(scope, id, { ...props, persist: ["/sandbox"] });
    this.owner = owner;
    this.node.addValidation({
      validate: () => (owner.endsWith("@acme.example") ? [] : [\`owner \${owner}: nobody of Acme's (write NAME@acme.example)\`]),
    });
  }
}

const reviewed: readonly string[] = ["github-read", "npm"];

/** Limits, reviewed presets alone, and a kernel of the agent's own where the target has one. */
export class Guardrails implements Aspect {
  visit(node: IConstruct): void {
    if (!AgentSandbox.isInstance(node)) return;
    const { egress = [], resources } = node.props;
    node.override({
      resources: Resources.cap(resources, { cpu: 2, memoryBytes: 2 ** 30, pids: 256 }),
      egress: egress.filter((item) => item.kind === "rule" || reviewed.includes(item.name)),
    });
    if ("refused" in offerOf(Environment.of(node).target.kind, "gvisor")) return;
    node.override({ isolation: Isolation.gvisor(), walls: { files: "best_effort", syscalls: "best_effort" } });
    EscapeHatch.of(node).patch({
      object: \`Deployment/agent-\${node.identity}\`,
      patch: [{ op: "add", path: "/metadata/labels/acme.example~1cost-center", value: "agents" }],
      reason: "Acme's bills are by this label",
    });
  }
}
`,
};

export interface Written {
  /** The constructor's call. */
  readonly sandbox: string;
  readonly scope: string;
}

/** The application's construct tree, for any of its stacks. */
export const environmentText = (changes: Partial<Written> = {}): string => {
  const { sandbox = 'new TeamSandbox(scope, "assistant", props)', scope = "app" } = changes;
  return `import { Guardrails, TeamSandbox, type TeamSandboxProps } from "@acme/agents";
import { Construct } from "constructs";
import { Aspects, Command, Environment, Preset, Resources, type StackProps } from "nacre";

export class Division extends Construct {}

const props: TeamSandboxProps = {
  owner: "alice@acme.example",
  agent: Command.of("sleep", "infinity"),
  egress: [Preset.githubRead(), Preset.telegram()],
  resources: Resources.of({ cpu: 8, pids: 64 }),
};

export function environment(stack: StackProps): Environment {
  const app = new Environment(stack.name, stack);
  Aspects.of(app).add(new Guardrails());
  const scope: Construct = ${scope};
  ${sandbox};
  return app;
}
`;
};

export const wrappedScope = 'new Division(new Division(app, "division"), "team")';

/** What types refuse, one mistake a line. */
export const mistakes = `import { TeamSandbox } from "@acme/agents";
import { AgentSandbox, Command, Environment, Isolation, Target } from "nacre";
const app = new Environment("dev", { target: Target.cluster() });
const agent = Command.of("true");
new AgentSandbox(app, "a", { agent, isolation: Isolation.gvisor(), walls: { files: "required" } });
new TeamSandbox(app, "b", { agent, owner: "o", isolation: Isolation.gvisor(), walls: { files: "required" } });
new TeamSandbox(app, "c", { agent });
new AgentSandbox(app, "d", { agent: "sleep infinity" });
new Environment("dev", { target: Target.host({ namespace: "agents" }) });
new AgentSandbox(app, "fine", { agent, isolation: Isolation.gvisor(), walls: { files: "best_effort" } });
`;

const digest = `sha256:${"ab".repeat(32)}`;
const clusterConfig = `  nacre:cluster:
    namespace: acme-agents
    images:
      egress: registry.example/egress@${digest}
      agents: { assistant: registry.example/agent@${digest}, helper: registry.example/agent@${digest} }
`;

export interface Places {
  readonly languageHost: string;
  readonly kubernetes: string;
  readonly docker: string;
  readonly kubeconfig: string;
}

/** The application: one program, three stacks. The plugins, which a Pulumi installation has, are the tests' stand-ins. */
export const application = (places: Places): Readonly<Record<string, string>> => ({
  "package.json": packageJson({ name: "assistant", private: true }),
  "environment.ts": environmentText(),
  "main.ts": `import { deployStack } from "nacre/pulumi";
import { environment } from "./environment.ts";

await deployStack(environment);
`,
  "Pulumi.yaml": `name: acme
runtime: { name: nodejs, options: { typescript: false } }
main: main.ts
plugins:
  providers:
    - { name: nacre, path: node_modules/nacre/dist/provider/bin }
    - { name: kubernetes, path: ${places.kubernetes} }
    - { name: docker, path: ${places.docker} }
  languages: [{ name: nodejs, path: ${places.languageHost} }]
`,
  "Pulumi.host.yaml": "config: { nacre:target: host }\n",
  "Pulumi.cluster.yaml": `config:\n  nacre:target: cluster\n  nacre:kubeconfig: ${places.kubeconfig}\n${clusterConfig}`,
  "Pulumi.gateway.yaml": `config:\n  nacre:target: gateway\n  nacre:gateway: { port: 16443, image: rancher/k3s@${digest} }\n${clusterConfig}`,
});
