const BRAND = Symbol.for("nacre.dev/NacreError");

/** The one error class. Every error names the thing, the reason and the smallest fix. */
export class NacreError extends Error {
  /** Stable, machine-readable: `snake_case`. */
  readonly code: string;
  /** The thing that it is about: `sandbox assistant`, `blueprint.yaml:12:7`. */
  readonly subject: string;
  /** The smallest fix, as a sentence that a person can follow. */
  readonly hint: string | undefined;

  constructor(parts: ErrorParts, options?: ErrorOptions) {
    super(parts.message, options);
    this.name = "NacreError";
    this.code = parts.code;
    this.subject = parts.subject;
    this.hint = parts.hint;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** An error of ours, of this copy of the package or of another: a team's libraries may each bring one. */
  static isInstance(value: unknown): value is NacreError {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** `subject: message (hint)`, on one line. */
  override toString(): string {
    return `${this.subject}: ${this.message}${this.hint === undefined ? "" : ` (${this.hint})`}`;
  }

  toJSON(): ErrorParts {
    return { code: this.code, subject: this.subject, message: this.message, hint: this.hint };
  }
}

/** One of the things that an error is about. */
export interface Fault {
  readonly subject: string;
  readonly reason: string;
  readonly fix: string;
}

/** All that was found as one error: the first is its subject, the others lines of its message, each with its own fix. */
export function faultsError(code: string, [first, ...others]: readonly [Fault, ...Fault[]]): NacreError {
  const { subject, reason, fix } = first;
  if (others.length === 0) return new NacreError({ code, subject, message: reason, hint: fix });
  const lines = others.map((other) => `${other.subject}: ${other.reason}\n  fix: ${other.fix}`);
  return new NacreError({ code, subject, message: [`${reason}\n  fix: ${fix}`, ...lines].join("\n") });
}

export interface ErrorParts {
  readonly code: string;
  readonly subject: string;
  readonly message: string;
  readonly hint?: string | undefined;
}
