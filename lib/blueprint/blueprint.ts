import type { CredentialPosition } from "../policy/decision.ts";
import type { NetworkPolicies } from "../policy/language.ts";
import type { PolicyDocument } from "./policy-document.ts";
import type { SeccompProfileDocument } from "./seccomp.ts";

/**
 * A blueprint after reading: every file that it names is in it, every default is written out, quantities are numbers.
 * Presets and kits are still names; `resolve` looks them up in a `Catalogue`. A construct tree gives the same value.
 */
export interface Blueprint {
  readonly metadata: BlueprintMetadata;
  /** By name, in order of name. */
  readonly agents: Readonly<Record<string, AgentSpec>>;
  /** Every route that is defined, also those that no agent uses. */
  readonly routes: Readonly<Record<string, RouteSpec>>;
  /** What holds and yet should be known: said by `preview`, `up` and `status`. */
  readonly warnings: readonly string[];
}

/** Labels. They say nothing about what runs, so no digest covers them. */
export interface BlueprintMetadata {
  readonly name: string;
  readonly version: string;
}

/** One agent: what runs, what it may reach, which walls must hold. */
export interface AgentSpec {
  readonly runs: Runs;
  readonly policy: PolicyDocument;
  /** Names of presets, in order of name, each once. */
  readonly presets: readonly string[];
  readonly inference: RouteSpec | null;
  /** By name; an agent that reaches none of a credential's hosts has nothing of it. */
  readonly credentials: Readonly<Record<string, CredentialSpec>>;
  readonly isolation: IsolationLevel;
  readonly walls: Walls;
  /** `null` is the default profile of the catalogue. */
  readonly seccomp: SeccompProfileDocument | null;
  readonly resources: ResourcesSpec;
  /** Folders that outlive the sandbox. */
  readonly persist: readonly string[];
  /** Ports inside that are published. */
  readonly ports: readonly number[];
  readonly restart: Restart;
}

/** What runs inside: a known agent kit, or a command. */
export type Runs =
  | { readonly kind: "kit"; readonly kit: string }
  | {
      readonly kind: "command";
      readonly command: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    };

export type IsolationLevel = "kernel" | "gvisor" | "kata";
export type Requirement = "required" | "best_effort";
export type Restart = "always" | "on-failure" | "never";

/** Which walls stop the sandbox when they cannot be built. `best_effort` is a warning in every status. */
export interface Walls {
  readonly files: Requirement;
  readonly syscalls: Requirement;
}

/** Absent means unlimited. */
export interface ResourcesSpec {
  /** Cores. */
  readonly cpu?: number;
  readonly memoryBytes?: number;
  /** Processes and threads. */
  readonly pids?: number;
}

/** Who answers prompts: providers in order of trial. */
export interface RouteSpec {
  readonly try: readonly ProviderSpec[];
  /** Until the provider's first byte. */
  readonly timeoutSeconds: number;
}

/** One inference provider. `credential` is a name that the operator maps to a source; never a value. */
export interface ProviderSpec {
  readonly name: string;
  readonly kind: "nvidia" | "openai" | "demo";
  readonly model: string;
  readonly endpoint?: string;
  readonly credential?: string;
  /** Prompts may go there as they are (a model on the operator's own machine). */
  readonly trusted: boolean;
}

/** A secret that the egress puts on at the wire. Its name is the operator's to map; no value is anywhere here. */
export interface CredentialSpec {
  /** The variable inside that holds the placeholder. */
  readonly as?: string;
  /** `host`, or `host:port`. */
  readonly for: readonly string[];
  readonly in?: CredentialPosition;
}

/** What differs between environments that run one blueprint. */
export interface Overlay {
  readonly agents?: Readonly<Record<string, AgentOverlay>>;
}

export interface AgentOverlay {
  /** Host ports by port inside; a port that is not named takes a free one, which is then kept. */
  readonly ports?: Readonly<Record<string, number>>;
  /** Replaces the blueprint's, limit by limit. */
  readonly resources?: ResourcesSpec;
}

/** What ships with Nacre and is looked up by name. Loaded by whoever may read files; this folder may not. */
export interface Catalogue {
  readonly presets: Readonly<Record<string, PresetDocument>>;
  /** `policies/base.yaml`: what a sandbox may touch when its policy says nothing about files. */
  readonly base: PolicyDocument;
  /** `policies/seccomp/agent.json`. */
  readonly seccomp: SeccompProfileDocument;
  readonly kits: Readonly<Record<string, KitEntry>>;
}

/** A named, reviewed piece of network policy. */
export interface PresetDocument {
  readonly name: string;
  readonly description: string;
  readonly network: NetworkPolicies;
  /** What its endpoints are bound to, where the blueprint says nothing else of it. */
  readonly credentials: Readonly<Record<string, CredentialSpec>>;
  /** Why each endpoint is in it, by `host:port`. */
  readonly reasons: Readonly<Record<string, string>>;
}

/** One agent kit: the exact version that is installed, and the digest of the lock of its whole tree. */
export interface KitEntry {
  readonly version: string;
  /** `sha256:…` of the kit's lock file. */
  readonly lock: string;
}

/** Where `parseBlueprint` takes what the text names. */
export interface Sources {
  /** The blueprint's file name, as errors shall show it. */
  readonly file: string;
  /**
   * The text of a file that the blueprint names (policy, seccomp profile), by its path as written, relative to the
   * blueprint. Throws when there is none, or when it lies outside what the caller allows.
   */
  readonly read: (path: string) => string;
  readonly catalogue: Catalogue;
}
