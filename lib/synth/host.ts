import {
  type Blueprint,
  blueprintDigest,
  type Catalogue,
  credentialWarnings,
  environmentDigest,
  type Files,
  isWithin,
  resolve,
  type ResolvedAgent,
  type ResolvedBlueprint,
  type RouteSpec,
  WORKSPACE,
} from "../blueprint/index.ts";
import type { Environment } from "../constructs/index.ts";
import { faultsError } from "../error.ts";
import { openHosts } from "../policy/open-hosts.ts";
import { refusals, type Refusal } from "./host-refusals.ts";
import type { HostSandbox, HostWorkspace } from "./host-objects.ts";

/** What an environment becomes on a host. */
export interface HostObjects {
  readonly workspaces: readonly HostWorkspace[];
  readonly sandboxes: readonly HostSandbox[];
  readonly digests: { readonly blueprint: string; readonly environment: string };
  /** What holds and yet should be known: said by `preview`, `up` and `status`. */
  readonly warnings: readonly string[];
}

export interface SynthesisOptions {
  readonly catalogue: Catalogue;
  /**
   * The project that owns the environment, where the environment names none.
   * @default "nacre"
   */
  readonly project?: string;
}

/**
 * Lowers a construct tree to the host's objects: a workspace and a sandbox for each `AgentSandbox`, in order of name.
 * @throws NacreError `invalid_environment`, `unenforceable`, `unknown_preset`, `unknown_kit`, `rule_conflict`
 */
export function synthesizeHost(environment: Environment, options: SynthesisOptions): HostObjects {
  const blueprint = environment.toBlueprint();
  const resolved = resolve(blueprint, options.catalogue);
  refuse(environment, resolved);
  const project = environment.project ?? options.project ?? "nacre";
  const digests = digestsOf(environment, resolved);
  const owned = Object.keys(resolved.agents).map((name) => ({
    project,
    environment: environment.name,
    name,
  }));
  const sandboxes = owned.map((identity) => {
    const agent = resolved.agents[identity.name];
    if (agent === undefined) throw new RangeError(`no agent ${identity.name}`);
    return sandboxOf(identity, agent, environment, digests);
  });
  return {
    workspaces: owned,
    sandboxes,
    digests,
    warnings: [
      ...warnings(blueprint, resolved, options.catalogue),
      ...credentialWarnings(blueprint.agents, resolved),
      ...environment.hatches.map(
        ({ by, object }) => `${by}: its escape hatch on ${object} means nothing on a host`,
      ),
    ],
  };
}

/** The two digests of an environment: of what runs, and of that together with where. */
export function digestsOf(environment: Environment, resolved: ResolvedBlueprint): HostObjects["digests"] {
  const blueprint = blueprintDigest(resolved);
  const { name, target, overlay } = environment;
  return { blueprint, environment: environmentDigest({ blueprint, environment: name, target, overlay }) };
}

function sandboxOf(
  identity: HostWorkspace,
  agent: ResolvedAgent,
  environment: Environment,
  digests: HostObjects["digests"],
): HostSandbox {
  const overlay = environment.overlay.agents?.[identity.name] ?? {};
  const { cpu, memoryBytes, pids } = { ...agent.resources, ...overlay.resources };
  return {
    ...identity,
    workspace: `${identity.environment}/${identity.name}`,
    agent: agentOf(agent),
    walls: { ...agent.walls },
    files: ownFiles(agent.files),
    seccomp: agent.seccomp,
    network: agent.network,
    inference: agent.inference === null ? null : inferenceOf(agent.inference),
    credentials: Object.fromEntries(
      Object.entries(agent.credentials).map(([name, { for: hosts, ...rest }]) => [
        name,
        { ...rest, for: [...hosts] },
      ]),
    ),
    resources: {
      ...(cpu === undefined ? {} : { cpu }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(pids === undefined ? {} : { pids }),
    },
    ports: agent.ports.map((inside) => ({ inside, outside: overlay.ports?.[inside] ?? 0 })),
    restart: agent.restart,
    digests,
  };
}

function agentOf({ runs }: ResolvedAgent): HostSandbox["agent"] {
  if (runs.kind === "kit") return { kind: "kit", kit: "openclaw", version: runs.version };
  return { kind: "command", command: [...runs.command], env: { ...runs.env } };
}

function inferenceOf({ try: specs, timeoutSeconds }: RouteSpec): NonNullable<HostSandbox["inference"]> {
  return {
    route: { try: specs.map(({ name }) => name), timeoutSeconds },
    providers: Object.fromEntries(specs.map(({ name, ...provider }) => [name, provider])),
  };
}

/** Folders of the sandbox's private system: always there, read-only, and never the host's own /etc or /home. */
const SYSTEM = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev"];
/** What can be read inside besides the system; a rule for anything else would be a rule about nothing. */
const OWN = [WORKSPACE, "/tmp"];

/** The host's objects name only what is beside the system, which every sandbox has. */
export function ownFiles({ readOnly, readWrite }: Files): HostSandbox["files"] {
  return {
    readOnly: readOnly.filter(
      (path) => !SYSTEM.some((folder) => isWithin(path, folder)) && OWN.some((own) => isWithin(path, own)),
    ),
    readWrite: readWrite.filter((path) => OWN.some((own) => isWithin(path, own))),
  };
}

function refuse(environment: Environment, resolved: ResolvedBlueprint): void {
  const paths = new Map(environment.sandboxes.map((sandbox) => [sandbox.name, sandbox.node.path]));
  const moved = environment.sandboxes
    .filter(({ name, identity }) => name !== identity)
    .map(({ node, identity }) => ({
      subject: node.path,
      reason: `it was moved from ${identity}, and a host keeps a workspace by its sandbox' name`,
      fix: `give it the name ${identity}`,
    }));
  const found = Object.entries(resolved.agents)
    .flatMap(([name, agent]): (Refusal & { subject: string })[] =>
      refusals(agent).map((refusal) => ({ ...refusal, subject: paths.get(name) ?? name })),
    )
    .concat(moved);
  const [first, ...others] = found;
  if (first === undefined) return;
  throw faultsError("unenforceable", [first, ...others]);
}

function warnings(blueprint: Blueprint, { agents }: ResolvedBlueprint, catalogue: Catalogue): string[] {
  const open = Object.entries(agents).flatMap(([name, agent]) => {
    const hosts = openHosts(agent.network);
    return hosts.length === 0 ? [] : [`agent ${name}: anything can be sent to ${hosts.join(", ")}`];
  });
  const nothing = Object.entries(agents).flatMap(([name, { files }]) => {
    const base = catalogue.base.filesystem_policy?.read_only ?? [];
    const paths = files.readOnly.filter(
      (path) => ![...SYSTEM, ...OWN, ...base].some((folder) => isWithin(path, folder)),
    );
    return paths.length === 0
      ? []
      : [`agent ${name}: ${paths.join(", ")} of its policy is not in a host's sandbox`];
  });
  return [...blueprint.warnings, ...open, ...nothing];
}
