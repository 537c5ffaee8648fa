/** Which requests a policy judges. */
export interface Judged {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly ("CREATE" | "UPDATE" | "DELETE" | "CONNECT")[];
  readonly resourceNames?: readonly string[];
}

/** What must hold, said for who is refused, and the same in CEL. */
export type Rule = readonly [message: string, expression: string];

/** One ValidatingAdmissionPolicy. */
export interface Rules {
  readonly resources: readonly Judged[];
  /** What is not so is not judged. */
  readonly conditions?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly validations: readonly Rule[];
}

export const changes = ["CREATE", "UPDATE"] as const;
