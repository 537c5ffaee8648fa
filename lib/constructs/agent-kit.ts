/** A known agent: installed at its pinned version with a lock of its whole tree, configured for `inference.local`. */
export class AgentKit {
  readonly kind = "kit";
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** OpenClaw, its server always on. */
  static openclaw(): AgentKit {
    return new AgentKit("openclaw");
  }

  /** A kit by its name in the catalogue. */
  static named(name: string): AgentKit {
    return new AgentKit(name);
  }
}
