import type { AuditEvent } from "./audit-record.ts";

/**
 * What the audit keeps apart, each in files and a chain of its own, so that many records of one kind push none of
 * another out: an agent makes up what it is refused, and as much of it as it likes.
 *
 *     policy     which policy came into force
 *     passed     what was let through, and how it ended
 *     refused    what was not made (the same that has a `layer`), and names that were only looked up
 */
export const auditParts = ["policy", "passed", "refused"] as const;
export type AuditPart = (typeof auditParts)[number];

export function partOf({ kind, layer }: Pick<AuditEvent, "kind" | "layer">): AuditPart {
  if (kind === "policy") return "policy";
  return layer !== undefined || kind === "dns" ? "refused" : "passed";
}

/** @param audit the path of `passed`, `audit.jsonl`: the others lie beside it, `audit-refused.jsonl` */
export function auditFile(audit: string, part: AuditPart): string {
  return part === "passed" ? audit : audit.replace(/(\.jsonl)?$/, `-${part}$1`);
}
