import type { Progress } from "./api.ts";
import type { RunThrowAway } from "./throwaway.ts";

/** An agent that Nacre knows how to install, configure, start and speak to. One file under `kits/` implements it. */
export interface Kit {
  readonly name: string;
  readonly version: string;

  /** Installs what lacks in `cache`, or finds it there unchanged (size, mode and change time of each file). */
  ensure(context: KitContext): Promise<InstalledKit>;

  /** The process that the sandbox runs, for this sandbox. Pure. */
  agent(installed: InstalledKit, sandbox: KitSandbox): KitAgent;
}

export interface KitContext {
  /** `<cache>/kits`, 0700. What is under it is the kit's own; install beside and rename. */
  readonly cache: string;
  readonly runThrowAway: RunThrowAway;
  readonly progress: (progress: Progress) => void;
  readonly signal: AbortSignal;
  /**
   * How an installed kit is compared with its record: by size, mode and change time of each file, or by every byte.
   * @default attributes
   */
  readonly check?: KitCheck | undefined;
}

export type KitCheck = "attributes" | "content";

export interface InstalledKit {
  /** A folder of the host, readable by every user id of the sandboxes; read-only at `/opt/nacre/kit` inside. */
  readonly path: string;
  /** SHA-256 over the whole tree, as recorded at install. */
  readonly digest: string;
}

export interface KitSandbox {
  readonly id: string;
  readonly name: string;
  /** As the blueprint has them. */
  readonly ports: readonly { readonly inside: number; readonly outside: number }[];
  /** The first model of the route; null without inference. Reached at `https://inference.local/v1`. */
  readonly model: string | null;
  /** 32 random bytes in hex, made once per sandbox, kept 0600 in its folder outside. */
  readonly token: string;
}

export interface KitAgent {
  /** Paths as inside: Node is `/opt/nacre/node/bin/node`, the kit `/opt/nacre/kit`, home and workspace `/sandbox`. */
  readonly argv: readonly string[];
  /** Beside the sandbox's own allow-list (PATH, HOME, LANG, TERM, certificate bundle). No secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** Read-only files of known content, visible to the agent: its configuration. */
  readonly files: readonly { readonly at: string; readonly content: string; readonly mode?: string }[];
  /** Where its server listens, inside. */
  readonly port: number;
  /** Asks the published port whether the agent serves; resolves to the reason why not yet, or to undefined. */
  ready(outside: number, signal: AbortSignal): Promise<string | undefined>;
  /** How long `ready` may take before it is a problem of the sandbox. */
  readonly readySeconds: number;
  /** Where the agent's server is, for `nacre ask`. */
  connection(outside: number): { readonly url: string; readonly token: string };
}
