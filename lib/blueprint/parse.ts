import type { NacreError } from "../error.ts";
import type { AgentSpec, Blueprint, CredentialSpec, RouteSpec, Runs, Sources } from "./blueprint.ts";
import { policyFaults } from "../policy/faults.ts";
import { checkDocument } from "./checks.ts";
import { credentialOf } from "./credentials.ts";
import { examineText } from "./described.ts";
import { providerOf, ROUTE_TIMEOUT, type ProviderDocument, type RouteDocument } from "./inference.ts";
import { policyDocumentSchema, type PolicyDocument } from "./policy-document.ts";
import { portsOf } from "./ports.ts";
import { problemsError, renderPath, type Path, type Problem } from "./problem.ts";
import { bytesOf, secondsOf } from "./quantities.ts";
import { mergeRules, ruleFindings, type NormalPresets } from "./rules.ts";
import { blueprintSchema, type AgentDocument, type BlueprintDocument } from "./schema.ts";
import { seccompFindings, seccompProfileSchema, type SeccompProfileDocument } from "./seccomp.ts";
import { warningsOf } from "./warnings.ts";
import type { YamlDocument } from "./yaml-document.ts";

export type ExaminedBlueprint =
  | { readonly blueprint: Blueprint; readonly problems: readonly [] }
  | { readonly blueprint?: undefined; readonly problems: readonly Problem[] };

/**
 * Reads a blueprint from YAML (or JSON), with the files that it names.
 * @throws NacreError `invalid_blueprint`: every problem with file, line, column, path, reason and the smallest fix.
 */
export function parseBlueprint(text: string, sources: Sources): Blueprint {
  const { blueprint, problems } = examineBlueprint(text, sources);
  if (blueprint === undefined) throw problemsError("invalid_blueprint", problems);
  return blueprint;
}

/** The same without throwing, for those who list the problems themselves. */
export function examineBlueprint(text: string, sources: Sources): ExaminedBlueprint {
  const { catalogue, file } = sources;
  const examined = examineText(blueprintSchema, text, file, (document) => checkDocument(document, catalogue));
  if (examined.document === undefined) return { problems: examined.problems };
  const reading = new Reading(sources, examined.document);
  const blueprint = reading.blueprint(examined.value);
  return reading.problems.length > 0 ? { problems: reading.problems } : { blueprint, problems: [] };
}

/** What all agents of a blueprint have in common. */
interface Shared {
  readonly routes: Readonly<Record<string, RouteSpec>>;
  readonly credentials: Readonly<Record<string, CredentialSpec>>;
}

/** One pass over a document that has the right shape: opens the files that it names and writes the defaults out. */
class Reading {
  readonly problems: Problem[] = [];
  readonly #sources: Sources;
  readonly #document: YamlDocument;
  readonly #normal: NormalPresets = new Map();

  constructor(sources: Sources, document: YamlDocument) {
    this.#sources = sources;
    this.#document = document;
  }

  blueprint(document: BlueprintDocument): Blueprint {
    const { routes: written = {}, providers = {} } = document.inference ?? {};
    const routes = mapped(written, (route) => routeOf(route, providers));
    const shared = { routes, credentials: mapped(document.credentials ?? {}, credentialOf) };
    const agents = mapped(document.agents, (agent, name) => this.#agent(agent, ["agents", name], shared));
    return { metadata: document.metadata, agents, routes, warnings: warningsOf(agents) };
  }

  #agent(agent: AgentDocument, path: Path, { routes, credentials }: Shared): AgentSpec {
    const policy = this.#policy(agent.policy, path);
    const presets = [...(agent.presets ?? [])].sort();
    this.#refuseConflicts(agent, policy, path);
    this.#refuseWeaker(agent, policy, path);
    const runs: Runs =
      agent.kit === undefined
        ? { kind: "command", command: agent.command ?? [], env: agent.env ?? {} }
        : { kind: "kit", kit: agent.kit };
    return {
      runs,
      policy,
      presets,
      inference: agent.inference === undefined ? null : (routes[agent.inference] ?? null),
      credentials,
      isolation: agent.isolation ?? "kernel",
      walls: { files: agent.walls?.files ?? "required", syscalls: agent.walls?.syscalls ?? "required" },
      seccomp: this.#seccomp(agent.seccomp, path),
      resources: {
        ...(agent.resources?.cpu === undefined ? {} : { cpu: agent.resources.cpu }),
        ...(agent.resources?.memory === undefined ? {} : { memoryBytes: bytesOf(agent.resources.memory) }),
        ...(agent.resources?.pids === undefined ? {} : { pids: agent.resources.pids }),
      },
      persist: agent.persist ?? ["/sandbox"],
      ports: portsOf(runs, agent.ports),
      restart: agent.restart ?? "always",
    };
  }

  #policy(written: AgentDocument["policy"], path: Path): PolicyDocument {
    if (typeof written === "object") return written;
    if (written === undefined) return { version: 1 };
    const text = this.#open(written, [...path, "policy"]);
    if (text === undefined) return { version: 1 };
    const { value, problems } = examineText(policyDocumentSchema, text, written, (policy) =>
      ruleFindings(policy, []),
    );
    this.problems.push(...problems);
    return value ?? { version: 1 };
  }

  #seccomp(written: string | undefined, path: Path): SeccompProfileDocument | null {
    const text = written === undefined ? undefined : this.#open(written, [...path, "seccomp"]);
    if (written === undefined || text === undefined) return null;
    const { value, problems } = examineText(seccompProfileSchema, text, written, (profile) =>
      seccompFindings(profile, []),
    );
    this.problems.push(...problems);
    return value ?? null;
  }

  /** A file's text, or a problem where it is named. An absolute path would make a blueprint read any file here. */
  #open(name: string, path: Path): string | undefined {
    const problem = (reason: string, fix: string): void => {
      this.problems.push(this.#document.locate({ path, reason, fix }));
    };
    if (/^([/\\~]|[A-Za-z]:)/.test(name)) {
      problem("a path outside the repository", "write a path relative to the blueprint");
      return undefined;
    }
    try {
      return this.#sources.read(name);
    } catch (error) {
      const { message, hint } = error as Partial<NacreError>;
      problem(
        `cannot be read: ${message ?? "no such file"}`,
        hint ?? "write a path relative to the blueprint",
      );
      return undefined;
    }
  }

  #refuseConflicts(agent: AgentDocument, policy: PolicyDocument, path: Path): void {
    const { presets } = this.#sources.catalogue;
    const documents = (agent.presets ?? []).flatMap((name) => presets[name] ?? []);
    const own = policy.network_policies ?? {};
    const merged = mergeRules(own, documents, this.#normal);
    for (const { rule, preset, other } of merged.conflicts) {
      const reason = `it and ${other} both have a rule ${rule}, and they differ`;
      const here = [...path, "presets", agent.presets?.indexOf(preset) ?? 0];
      this.problems.push(
        this.#document.locate({ path: here, reason, fix: `give the rule in ${other} another name` }),
      );
    }
    // What holds of each alone may not hold of all: two credentials for the same requests.
    if (merged.conflicts.length > 0 || policyFaults(own).length > 0) return;
    for (const { path: at, reason, fix } of policyFaults(merged.rules)) {
      this.problems.push(
        this.#document.locate({ path: [...path, "presets"], reason: `${renderPath(at)}: ${reason}`, fix }),
      );
    }
  }

  /** A policy may ask for more than `walls`, and `walls` may not quietly give less than the policy asks for. */
  #refuseWeaker(agent: AgentDocument, policy: PolicyDocument, path: Path): void {
    if (policy.landlock?.compatibility !== "hard_requirement" || agent.walls?.files !== "best_effort") return;
    const reason = "the policy says landlock: hard_requirement, and this is less";
    const here = [...path, "walls", "files"];
    this.problems.push(this.#document.locate({ path: here, reason, fix: "write files: required" }));
  }
}

function routeOf(route: RouteDocument, providers: Readonly<Record<string, ProviderDocument>>): RouteSpec {
  const tried = route.try.flatMap((name) => {
    const provider = providers[name];
    return provider === undefined ? [] : [providerOf(name, provider)];
  });
  return { try: tried, timeoutSeconds: secondsOf(route.timeout ?? ROUTE_TIMEOUT) ?? 0 };
}

/** The same keys in order, other values. */
function mapped<V, W>(
  from: Readonly<Record<string, V>>,
  to: (value: V, key: string) => W,
): Record<string, W> {
  const entries = Object.entries(from).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, value]) => [key, to(value, key)]));
}
