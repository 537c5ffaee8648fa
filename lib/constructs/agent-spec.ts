import { z } from "zod";
import {
  portsOf,
  agentSchema,
  checkAgent,
  findings,
  mergeRules,
  nameSchema,
  seccompFindings,
  seccompProfileSchema,
  type AgentDocument,
  type AgentSpec,
  credentialFindings,
  credentialOf,
  credentialSchema,
  type CredentialSpec,
  type Finding,
  type PolicyDocument,
  placeNames,
  type Runs,
} from "../blueprint/index.ts";
import type { AgentSandboxProps } from "./agent-sandbox-props.ts";
import type { Egress } from "./egress.ts";
import { messageOf } from "./message.ts";
import { Route } from "./route.ts";

/** What a blueprint would say about a sandbox with these properties. */
export function specOf(props: AgentSandboxProps): AgentSpec {
  const { agent, isolation, walls, seccomp, resources = {}, inference } = props;
  const { cpu, memoryBytes, pids } = resources;
  const runs: Runs =
    agent.kind === "kit"
      ? { kind: "kit", kit: agent.name }
      : { kind: "command", command: agent.command, env: agent.env };
  return {
    runs,
    policy: policyOf(props),
    presets: presetsOf(props).sort(),
    inference: inference === undefined ? null : routeOf(inference).spec,
    credentials: credentialsOf(props),
    isolation: isolation?.level ?? "kernel",
    walls: { files: walls?.files ?? "required", syscalls: walls?.syscalls ?? "required" },
    seccomp: seccomp?.document ?? null,
    resources: {
      ...(cpu === undefined ? {} : { cpu }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(pids === undefined ? {} : { pids }),
    },
    persist: props.persist ?? ["/sandbox"],
    ports: portsOf(runs, props.ports),
    restart: props.restart ?? "always",
  };
}

/** What is wrong with them: the sentences of a file's reader, so that both ways to write have one set of rules. */
export function problemsOf(name: string, props: AgentSandboxProps): string[] {
  const spec = specOf(props);
  const document = documentOf(props, spec);
  const shape = findings(agentSchema, document);
  const found = [
    ...nameProblems(name),
    ...(shape.length > 0 ? shape : checkAgent(document, [])),
    ...(props.inference === undefined ? [] : routeOf(props.inference).check(["inference"])),
    ...credentialProblems(props),
    ...profileProblems(props),
    ...conflicts(props),
    ...contradictions(props, spec),
  ];
  return found.map(messageOf);
}

const routeOf = (inference: NonNullable<AgentSandboxProps["inference"]>): Route =>
  "providers" in inference ? inference : Route.try(inference);

const presetsOf = ({ egress = [] }: AgentSandboxProps): string[] =>
  egress.flatMap((item) => (item.kind === "preset" ? [item.name] : []));

const rulesOf = ({ egress = [] }: AgentSandboxProps): Egress[] =>
  egress.flatMap((item) => (item.kind === "rule" ? [item] : []));

function policyOf(props: AgentSandboxProps): PolicyDocument {
  const { policy = { version: 1 }, landlock } = props;
  const files = landlock?.document ?? policy.filesystem_policy;
  const added = Object.fromEntries(rulesOf(props).map(({ id, rule }) => [id, rule]));
  const network = { ...policy.network_policies, ...added };
  return {
    ...policy,
    ...(files === undefined ? {} : { filesystem_policy: files }),
    ...(Object.keys(network).length === 0 ? {} : { network_policies: network }),
  };
}

/** What the rules say of their credentials, under what the sandbox says of them. */
function credentialsOf(props: AgentSandboxProps): AgentSpec["credentials"] {
  const found: Record<string, CredentialSpec> = {};
  for (const { credential, rule } of rulesOf(props)) {
    if (credential === undefined) continue;
    const hosts = rule.endpoints.flatMap((endpoint) => placeNames(endpoint));
    const known = found[credential.name];
    found[credential.name] = {
      ...known,
      ...(credential.as === undefined ? {} : { as: credential.as }),
      ...credentialOf({ for: [...(known?.for ?? []), ...hosts] }),
    };
  }
  for (const [name, written] of Object.entries(props.credentials ?? {})) found[name] = credentialOf(written);
  return found;
}

/** As a file would have it, for the checks that a file goes through. */
function documentOf(props: AgentSandboxProps, spec: AgentSpec): AgentDocument {
  const { agent } = props;
  const { policy, isolation, walls, resources, persist, ports, restart } = spec;
  const { cpu, memoryBytes: memory, pids } = resources;
  return {
    ...(agent.kind === "kit" ? { kit: agent.name } : { command: [...agent.command], env: { ...agent.env } }),
    policy,
    presets: presetsOf(props),
    isolation,
    walls,
    resources: { cpu, memory, pids },
    persist: [...persist],
    ports: [...ports],
    restart,
  };
}

function nameProblems(name: string): Finding[] {
  const read = nameSchema.safeParse(name);
  if (read.success) return [];
  const reason = `${JSON.stringify(name)} is not a name: ${read.error.issues[0]?.message ?? ""}`;
  return [{ path: [], reason, fix: "give it another id, or a name" }];
}

function credentialProblems({ credentials = {} }: AgentSandboxProps): Finding[] {
  const shape = findings(z.record(nameSchema, credentialSchema), credentials);
  if (shape.length > 0)
    return shape.map((finding) => ({ ...finding, path: ["credentials", ...finding.path] }));
  return credentialFindings(credentials, ["credentials"]);
}

function profileProblems({ seccomp }: AgentSandboxProps): Finding[] {
  const document = seccomp?.document ?? null;
  if (document === null) return [];
  const shape = findings(seccompProfileSchema, document);
  if (shape.length > 0) return shape.map((finding) => ({ ...finding, path: ["seccomp", ...finding.path] }));
  return seccompFindings(document, ["seccomp"]);
}

/** Two different rules under one id: the later would silently replace the first. */
function conflicts(props: AgentSandboxProps): Finding[] {
  const found: Finding[] = [];
  let rules = props.policy?.network_policies ?? {};
  for (const { id, rule } of rulesOf(props)) {
    const added = { name: id, description: "", network: { [id]: rule }, credentials: {}, reasons: {} };
    if (Object.hasOwn(rules, id) && mergeRules(rules, [added]).conflicts.length > 0) {
      const fix = 'name one of them: .named("other"), or give all programs to one .from(…)';
      found.push({ path: ["egress"], reason: `two different rules are called ${id}`, fix });
    }
    rules = { ...rules, [id]: rule };
  }
  return found;
}

function contradictions(props: AgentSandboxProps, { isolation, walls, policy }: AgentSpec): Finding[] {
  const found: Finding[] = [];
  if (props.landlock?.document !== undefined && props.policy?.filesystem_policy !== undefined) {
    const reason = "the policy has a filesystem_policy too";
    found.push({ path: ["landlock"], reason, fix: "keep one of the two" });
  }
  if (isolation === "gvisor" && walls.files === "required") {
    const reason = "gVisor has no Landlock, so the files wall cannot be required";
    found.push({
      path: ["walls", "files"],
      reason,
      fix: 'write files: "best_effort", or Isolation.kernel()',
    });
  }
  if (policy.landlock?.compatibility === "hard_requirement" && walls.files === "best_effort") {
    const reason = "the policy says landlock: hard_requirement, and this is less";
    found.push({ path: ["walls", "files"], reason, fix: 'write files: "required"' });
  }
  return found;
}
