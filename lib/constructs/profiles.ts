import type { PolicyDocument, SeccompProfileDocument } from "../blueprint/index.ts";

/** Which system calls the agent may make: an allow-list in OCI JSON. */
export class SeccompProfile {
  /** `null`: the profile that ships with Nacre. */
  readonly document: SeccompProfileDocument | null;

  private constructor(document: SeccompProfileDocument | null) {
    this.document = document;
  }

  /** The profile that ships with Nacre. */
  static default(): SeccompProfile {
    return new SeccompProfile(null);
  }

  /** An own allow-list. */
  static of(document: SeccompProfileDocument): SeccompProfile {
    return new SeccompProfile(document);
  }
}

export interface LandlockProps {
  /**
   * Paths inside the sandbox that may be read and executed, besides its private read-only system.
   * @default none
   */
  readonly readOnly?: readonly string[];
  /**
   * Paths inside the sandbox that may also be written.
   * @default none
   */
  readonly readWrite?: readonly string[];
  /**
   * Whether the workspace (`/sandbox`) is writable.
   * @default true
   */
  readonly workspace?: boolean;
}

/** Which files of its own root the agent may touch. Locked when the sandbox is created. */
export class LandlockProfile {
  /** `undefined`: that of the policy, or of `policies/base.yaml`. */
  readonly document: PolicyDocument["filesystem_policy"];

  private constructor(document: PolicyDocument["filesystem_policy"]) {
    this.document = document;
  }

  /** The workspace, `/tmp`, and a private read-only system. */
  static default(): LandlockProfile {
    return new LandlockProfile(undefined);
  }

  static of({ readOnly = [], readWrite = [], workspace = true }: LandlockProps): LandlockProfile {
    return new LandlockProfile({
      include_workdir: workspace,
      read_only: [...readOnly],
      read_write: [...readWrite],
    });
  }
}
