import { policyWarnings } from "../policy/lint.ts";
import { examineText } from "./described.ts";
import { policyDocumentSchema, type PolicyDocument } from "./policy-document.ts";
import type { Problem } from "./problem.ts";
import { ruleFindings } from "./rules.ts";

/** A policy file as its linter sees it. */
export interface ExaminedPolicy {
  /** Absent where there are errors. */
  readonly policy?: PolicyDocument | undefined;
  readonly errors: readonly Problem[];
  /** What holds, and is probably not what was meant. Only looked for where there is no error. */
  readonly warnings: readonly Problem[];
}

/** Everything about a policy's text, with positions. */
export function examinePolicy(text: string, file: string): ExaminedPolicy {
  const { value, document, problems } = examineText(policyDocumentSchema, text, file, (policy) =>
    ruleFindings(policy, []),
  );
  if (document === undefined) return { errors: problems, warnings: [] };
  const warnings = policyWarnings(value.network_policies ?? {}).map((warning) =>
    document.locate({ ...warning, path: ["network_policies", ...warning.path] }),
  );
  return { policy: value, errors: [], warnings };
}
