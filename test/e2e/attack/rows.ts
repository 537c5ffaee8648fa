import type { Wall } from "../../../lib/host/launch-spec.ts";
import type { Attempt } from "./programs.ts";

/** What lies around outside. */
export interface Outside {
  /** A key in the home of the one who runs the daemon. */
  readonly key: string;
  /** A folder that anybody may write. */
  readonly open: string;
  /** A unix socket of the host. */
  readonly socket: string;
  /** A name in the abstract namespace where the daemon is. */
  readonly abstract: string;
  /** The host's own services, on every address. */
  readonly port: number;
  /** The state directory of the daemon. */
  readonly state: string;
  /** Names of programs of root's in the workspace that become root. Only root can plant them. */
  readonly planted: { readonly id: string; readonly bash: string } | undefined;
}

/** Where an attempt is made: inside, or beside the sandbox on the host. */
export interface At {
  readonly workspace: string;
  /** Inside init; beside, the daemon. */
  readonly process: number;
}

/** One forbidden thing, with the walls that stop it: while one of them stands it is refused. */
export interface Row {
  readonly what: string;
  readonly walls: readonly Wall[];
  readonly attempts: (outside: Outside, at: At) => readonly Attempt[];
  /** In what the program prints when it was done, and never otherwise. */
  readonly done: RegExp;
  /**
   * Who can do it without walls: the one who runs the daemon, where nothing is said. `nobody`: it is not tried there,
   * since it would change the machine that runs the tests.
   */
  readonly who?: "root" | "nobody";
  /** It sends packets when it is done. */
  readonly packets?: true;
}
