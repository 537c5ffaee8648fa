import type { SeccompProfile } from "../synth/host-objects.ts";
import type { Progress } from "./api.ts";
import type { Kit } from "./kit.ts";
import type { Wall } from "./launch-spec.ts";
import type { Operator } from "./operator.ts";
import type { RunThrowAway } from "./throwaway.ts";

/** What everything in the daemon shares. */
export interface HostContext {
  readonly state: string;
  readonly cache: string;
  readonly operator: () => Promise<Operator>;
  /** Values of `env` secrets that callers have handed over, by the secret's name. In memory alone. */
  readonly handed: Map<string, string>;
  readonly kit: (name: string, version: string) => Kit;
  readonly runThrowAway: RunThrowAway;
  /** The profiles that ship: of an egress, and of an agent for which nobody chose another. */
  readonly seccomp: { readonly egress: SeccompProfile; readonly agent: SeccompProfile };
  /** Walls to leave out: heeded by a launcher of a test build alone, an error to any other. */
  readonly wallsOff: readonly Wall[];
  /** The egress' compiled code, where it could be made. */
  readonly compiledEgress: string | undefined;
  /** User ids that stand behind throw-away sandboxes now. */
  readonly transientIds: Set<number>;
  /** For `daemon.log`. Never a secret, never an agent's text unescaped. */
  readonly log: (subject: string, message: string) => void;
}

export type ShowProgress = (progress: Progress) => void;
