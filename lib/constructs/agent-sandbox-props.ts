import type {
  CredentialSpec,
  IsolationLevel,
  PolicyDocument,
  ResourcesSpec,
  Restart,
} from "../blueprint/index.ts";
import type { AgentKit } from "./agent-kit.ts";
import type { Command } from "./command.ts";
import type { Egress } from "./egress.ts";
import type { Inference } from "./inference.ts";
import type { Isolation, WallsOf } from "./isolation.ts";
import type { Preset } from "./preset.ts";
import type { LandlockProfile, SeccompProfile } from "./profiles.ts";
import type { Route } from "./route.ts";

export interface AgentSandboxProps<I extends IsolationLevel = IsolationLevel> {
  /** What runs inside. */
  readonly agent: AgentKit | Command;

  /**
   * The sandbox's name in its environment. Never the whole construct path: wrapping a sandbox in another construct
   * keeps its identity, and with it the workspace.
   * @default the construct's id (of an id `Default` or `Resource`, the id around it)
   */
  readonly name?: string;

  /**
   * Where it may connect. Everything else is refused before a name is looked up.
   * @default none
   */
  readonly egress?: readonly (Egress | Preset)[];

  /**
   * A whole policy, as a file of OpenShell's `version: 1` has it; `egress` adds to it.
   * @default the base policy, which reaches nothing
   */
  readonly policy?: PolicyDocument;

  /**
   * Who answers `https://inference.local/v1`.
   * @default nobody: the name is refused
   */
  readonly inference?: Route | Inference;

  /**
   * Secrets that the egress puts on at the wire, by the names that the operator maps: for which hosts, at which place, and
   * under which variable the agent holds a placeholder. Endpoints that are bound by `.with(…)` need no entry.
   * @default none
   */
  readonly credentials?: Readonly<Record<string, CredentialSpec>>;

  /**
   * What separates it from the machine, besides the walls.
   * @default Isolation.kernel()
   */
  readonly isolation?: Isolation<I>;

  /**
   * Which walls stop the sandbox when they cannot be built. `best_effort` also starts the agent without them, and is a
   * warning in every status.
   * @default all required
   */
  readonly walls?: WallsOf<I>;

  /**
   * Which files of its own root it may touch.
   * @default the policy's, or LandlockProfile.default()
   */
  readonly landlock?: LandlockProfile;

  /**
   * Which system calls it may make.
   * @default SeccompProfile.default()
   */
  readonly seccomp?: SeccompProfile;

  /**
   * Limits, which protect the machine and the other sandboxes.
   * @default unlimited
   */
  readonly resources?: ResourcesSpec;

  /**
   * Folders that outlive the sandbox.
   * @default ["/sandbox"]
   */
  readonly persist?: readonly string[];

  /**
   * Ports inside that are published on loopback. The port outside is the environment's.
   * @default none; of a kit, its server's (openclaw: 18789)
   */
  readonly ports?: readonly number[];

  /**
   * What the end of the agent's process means.
   * @default "always"
   */
  readonly restart?: Restart;
}
