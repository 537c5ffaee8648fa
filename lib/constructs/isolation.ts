import type { IsolationLevel, Requirement, Walls } from "../blueprint/index.ts";

/** What separates the agent from the machine, besides the walls. What a target does not offer is refused there. */
export class Isolation<I extends IsolationLevel = IsolationLevel> {
  readonly level: I;

  private constructor(level: I) {
    this.level = level;
  }

  /** The machine's own kernel, behind Landlock, seccomp and namespaces. */
  static kernel(): Isolation<"kernel"> {
    return new Isolation("kernel");
  }

  /** gVisor's kernel in user space. It has no Landlock. */
  static gvisor(): Isolation<"gvisor"> {
    return new Isolation("gvisor");
  }

  /** A virtual machine of its own (Kata Containers). */
  static kata(): Isolation<"kata"> {
    return new Isolation("kata");
  }
}

/** Which walls may be asked for: gVisor has no Landlock, so it cannot promise the files wall. */
export type WallsOf<I extends IsolationLevel> = I extends "gvisor"
  ? { readonly files: "best_effort"; readonly syscalls?: Requirement }
  : Partial<Walls>;
