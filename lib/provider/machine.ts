import type { HostSandbox, HostWorkspace } from "../synth/host-objects.ts";
import type { Call } from "./kind.ts";

/** How a sandbox is, as its machine sees it now. */
export interface SandboxReading {
  /** What it was last made from. */
  readonly spec: HostSandbox;
  /** Its process tree exists. */
  readonly running: boolean;
  /** Counts the process trees that this sandbox has had. */
  readonly generation: number;
  /** Where its ports are on the host's loopback. */
  readonly published: readonly { readonly inside: number; readonly outside: number }[];
  /** Why it is not what it should be; for one that is not running, how it ended. */
  readonly problems: readonly string[];
  /** What commands said over `spec`, a line each, with the command that takes it back. */
  readonly live: readonly string[];
  /** Rules that a command and the blueprint both changed: the command's are in force. */
  readonly conflicts: readonly string[];
}

/** What a real run would meet, as far as can be told without starting anything. */
export interface Foreseen {
  /** Why it would refuse. */
  readonly refusals: readonly string[];
  /** Where a command's word would stand against the blueprint's. */
  readonly conflicts: readonly string[];
}

/**
 * The machine that the provider runs on. Whoever reads (`identity`, `find…`) starts nothing and writes nothing: previews
 * read. All of it may be asked again after an interruption: ids are deterministic.
 */
export interface Machine {
  /** The random id that the state directory keeps; undefined in one that was never used. */
  identity(): Promise<string | undefined>;
  /** The same, made if there is none. */
  claim(call: Call): Promise<string>;

  findWorkspace(id: string, call: Call): Promise<HostWorkspace | undefined>;
  createWorkspace(spec: HostWorkspace, call: Call): Promise<void>;
  deleteWorkspace(id: string, call: Call): Promise<void>;

  findSandbox(id: string, call: Call): Promise<SandboxReading | undefined>;
  /** Finds one that an interrupted create left, or starts it. Not becoming ready is a problem of the reading, no error. */
  createSandbox(spec: HostSandbox, call: Call): Promise<SandboxReading>;
  updateSandbox(spec: HostSandbox, call: Call): Promise<SandboxReading>;
  deleteSandbox(id: string, call: Call): Promise<void>;

  /** Of `createSandbox` and `updateSandbox`. */
  foresee(spec: HostSandbox): Promise<Foreseen>;
}
