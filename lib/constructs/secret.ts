/** The name of a secret. The operator says what it is and where it may go; no construct takes a value. */
export class Secret {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** A secret by the name that the operator's file (or, in a cluster, the stack's configuration) maps. */
  static named(name: string): Secret {
    return new Secret(name);
  }
}
