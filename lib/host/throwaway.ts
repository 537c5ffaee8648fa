import type { Grant } from "../egress/protocol.ts";
import type { NetworkPolicies } from "../policy/language.ts";

/** One command behind the walls, with an egress of its own, gone afterwards. */
export interface ThrowAwaySpec {
  /** For messages: `kit openclaw@2026.9.6`. */
  readonly subject: string;
  /** As inside. Node is `/opt/nacre/node/bin/node`. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /**
   * Written into the writable home `/sandbox`, which is fresh and where the command starts; it is owned by the
   * sandbox' own user id and survives the command as `ThrowAwayEnd.home`.
   */
  readonly files: readonly { readonly name: string; readonly content: string }[];
  /** Folders of the host, shown read-only. */
  readonly binds: readonly { readonly from: string; readonly to: string }[];
  readonly network: NetworkPolicies;
  /** Names that may answer from addresses that are not public (decision 19), beside the operator's. */
  readonly grants: readonly Grant[];
  readonly limits: { readonly memoryBytes?: number; readonly pids?: number };
  /** Milliseconds; killed then. */
  readonly timeout: number;
  /** Each piece of stdout and stderr as it comes: an agent's text, escape it before a person reads it. */
  readonly output: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface ThrowAwayEnd {
  /** 128 + n for a signal. */
  readonly code: number;
  /** The last 16 KiB of what it said. */
  readonly tail: string;
  /** Where connections were refused: `host:port reason`. */
  readonly refused: readonly string[];
  /**
   * The folder that was `/sandbox`, on the host, owned by the daemon's user now, no symbolic link followed; hostile
   * all the same. Take what is wanted by renaming; the rest goes with `dispose`.
   */
  readonly home: string;
  readonly dispose: () => Promise<void>;
}

export type RunThrowAway = (spec: ThrowAwaySpec) => Promise<ThrowAwayEnd>;
