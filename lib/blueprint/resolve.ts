import { NacreError } from "../error.ts";
import { policyFaults } from "../policy/faults.ts";
import type { NetworkPolicies } from "../policy/language.ts";
import type {
  AgentSpec,
  Blueprint,
  Catalogue,
  IsolationLevel,
  Overlay,
  PresetDocument,
  ResourcesSpec,
  Restart,
} from "./blueprint.ts";
import type { RouteSpec, Runs, Walls } from "./blueprint.ts";
import { CanonicalText, CanonicalTexts, digestOf } from "./canonical.ts";
import { bindCredentials, refuseUnbound, type ResolvedCredential } from "./credentials.ts";
import { nearest } from "./nearest.ts";
import { renderPath } from "./problem.ts";
import { mergeRules, type NormalPresets } from "./rules.ts";
import type { SeccompProfileDocument } from "./seccomp.ts";

/** A blueprint with nothing left to look up: the whole that runs. */
export interface ResolvedBlueprint {
  readonly agents: Readonly<Record<string, ResolvedAgent>>;
}

export interface ResolvedAgent {
  readonly runs: ResolvedRuns;
  /** Absolute paths inside the sandbox. */
  readonly files: Files;
  /** The user and group inside, where they are not `sandbox`. */
  readonly identity?: { readonly user: string; readonly group: string } | undefined;
  readonly network: NetworkPolicies;
  /** What its endpoints carry. */
  readonly credentials: Readonly<Record<string, ResolvedCredential>>;
  /** Rule id to the preset that brought it. Not part of what runs. */
  readonly presetOf: Readonly<Record<string, string>>;
  readonly inference: RouteSpec | null;
  readonly isolation: IsolationLevel;
  readonly walls: Walls;
  readonly seccomp: SeccompProfileDocument;
  readonly resources: ResourcesSpec;
  readonly persist: readonly string[];
  readonly ports: readonly number[];
  readonly restart: Restart;
}

export type ResolvedRuns =
  | { readonly kind: "kit"; readonly kit: string; readonly version: string; readonly lock: string }
  | Extract<Runs, { kind: "command" }>;

export interface Files {
  readonly readOnly: readonly string[];
  readonly readWrite: readonly string[];
}

/** Where the workspace is inside. */
export const WORKSPACE = "/sandbox";

/** Looks presets and kits up and merges the rules. Throws `NacreError` where a name is unknown or two rules conflict. */
export function resolve(blueprint: Blueprint, catalogue: Catalogue): ResolvedBlueprint {
  const normal: NormalPresets = new Map();
  const agents = Object.entries(blueprint.agents).map(
    ([name, agent]) => [name, resolveAgent(name, agent, catalogue, normal)] as const,
  );
  return { agents: Object.fromEntries(agents.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function resolveAgent(
  name: string,
  agent: AgentSpec,
  catalogue: Catalogue,
  normal: NormalPresets,
): ResolvedAgent {
  const subject = `agent ${name}`;
  const presets = agent.presets.map((preset) => entry(catalogue.presets, preset, "preset", subject));
  const merged = mergeRules(agent.policy.network_policies ?? {}, presets, normal);
  const [conflict] = merged.conflicts;
  if (conflict !== undefined) {
    throw new NacreError({
      code: "rule_conflict",
      subject,
      message: `the preset ${conflict.preset} and ${conflict.other} both have a rule ${conflict.rule}, and they differ`,
      hint: `give the rule in ${conflict.other} another name`,
    });
  }
  const [fault] = policyFaults(merged.rules);
  if (fault !== undefined) {
    throw new NacreError({
      code: "rule_conflict",
      subject,
      message: `${renderPath(fault.path)}: ${fault.reason}`,
      hint: fault.fix,
    });
  }
  const credentials = credentialsOf(agent, presets);
  refuseUnbound(merged.rules, credentials, subject);
  return {
    runs: resolveRuns(agent.runs, catalogue, subject),
    files: filesOf(agent.policy.filesystem_policy ?? catalogue.base.filesystem_policy ?? {}),
    identity: identityOf(agent.policy.process ?? {}),
    ...bindCredentials(merged.rules, credentials, subject),
    presetOf: merged.presets,
    inference: agent.inference,
    isolation: agent.isolation,
    walls: agent.walls,
    seccomp: agent.seccomp ?? catalogue.seccomp,
    resources: agent.resources,
    persist: sorted(agent.persist),
    ports: [...new Set(agent.ports)].sort((a, b) => a - b),
    restart: agent.restart,
  };
}

/** A preset says what its credentials are like; the blueprint's own word comes first. */
function credentialsOf(agent: AgentSpec, presets: readonly PresetDocument[]): AgentSpec["credentials"] {
  return Object.assign(
    {},
    ...presets.map(({ credentials }) => credentials),
    agent.credentials,
  ) as AgentSpec["credentials"];
}

/** Absent where it is the usual one, so that digests of what says nothing and of what says so are one. */
function identityOf(process: NonNullable<AgentSpec["policy"]["process"]>): ResolvedAgent["identity"] {
  const { run_as_user: user = "sandbox", run_as_group: group = "sandbox" } = process;
  return user === "sandbox" && group === "sandbox" ? undefined : { user, group };
}

function resolveRuns(runs: Runs, catalogue: Catalogue, subject: string): ResolvedRuns {
  if (runs.kind === "command") return runs;
  const { version, lock } = entry(catalogue.kits, runs.kit, "kit", subject);
  return { kind: "kit", kit: runs.kit, version, lock };
}

function entry<T>(entries: Readonly<Record<string, T>>, name: string, what: string, subject: string): T {
  const found = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (found !== undefined) return found;
  const meant = nearest(name, Object.keys(entries));
  throw new NacreError({
    code: `unknown_${what}`,
    subject,
    message: `there is no ${what} ${name}`,
    hint: meant === undefined ? `the ${what}s are ${Object.keys(entries).join(", ")}` : `write ${meant}`,
  });
}

type FilesystemPolicy = NonNullable<AgentSpec["policy"]["filesystem_policy"]>;

export function filesOf(policy: FilesystemPolicy): Files {
  const readWrite = [...(policy.read_write ?? []), ...(policy.include_workdir === true ? [WORKSPACE] : [])];
  return { readOnly: sorted(policy.read_only ?? []), readWrite: sorted(readWrite) };
}

const sorted = (items: readonly string[]): string[] => [...new Set(items)].sort();

/**
 * The digest of what runs, wherever it runs: promotion carries it from environment to environment. Names and order of
 * writing, comments, labels, and defaults that are written out do not change it.
 */
export function blueprintDigest(resolved: ResolvedBlueprint): string {
  // Most agents have one profile, and the rules of the same presets.
  const seccomps = new Set(Object.values(resolved.agents).map((agent) => agent.seccomp));
  const profiles = new Map([...seccomps].map((one) => [one, new CanonicalText(normalProfile(one))]));
  const rules = new CanonicalTexts();
  const agents = Object.entries(resolved.agents).map(([name, agent]) => {
    const { presetOf: _presetOf, seccomp, credentials, network, ...runs } = agent;
    const carried = Object.keys(credentials).length === 0 ? {} : { credentials };
    const written = Object.entries(network).map(([id, rule]) => [id, rules.of(rule)]);
    const said = { network: Object.fromEntries(written) as unknown, seccomp: profiles.get(seccomp) };
    return [name, { ...runs, ...carried, ...said }];
  });
  return digestOf({ apiVersion: "nacre.dev/v1", agents: Object.fromEntries(agents) as unknown });
}

/** Comments go; the order of entries stays, the order of names within one does not. */
function normalProfile(profile: SeccompProfileDocument): SeccompProfileDocument {
  const syscalls = profile.syscalls.map(({ comment: _comment, names, ...rest }) => ({
    ...rest,
    names: sorted(names),
  }));
  return { ...profile, syscalls };
}

/** The digest that plans and approvals are bound to: the blueprint's, and what this environment adds to it. */
export function environmentDigest(of: {
  readonly blueprint: string;
  readonly environment: string;
  readonly target: unknown;
  readonly overlay: Overlay;
}): string {
  const agents = Object.entries(of.overlay.agents ?? {}).map(([name, { ports = {}, resources = {} }]) => [
    name,
    { ports, resources },
  ]);
  return digestOf({ ...of, overlay: { agents: Object.fromEntries(agents) as unknown } });
}
