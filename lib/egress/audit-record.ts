import { hash } from "node:crypto";
import { z } from "zod";

const fixSchema = z.object({
  text: z.string(),
  allow: z
    .object({
      host: z.string(),
      port: z.int(),
      binary: z.string().optional(),
      method: z.string().optional(),
      path: z.string().optional(),
      query: z.string().optional(),
    })
    .optional(),
  grant: z.object({ host: z.string(), cidr: z.string(), port: z.int() }).optional(),
  unblock: z.string().optional(),
});

/**
 * One line of an audit file. Names and paths come from an agent: whoever shows them to a person escapes them.
 * No bytes of a connection and no secret is ever in it; and of queries only one that a rule refused, for a person to allow
 * it: not where a parameter has the name of a credential.
 */
export const auditRecordSchema = z.object({
  /** ISO 8601, UTC. */
  time: z.string(),
  /** Records before it since this egress started, over all parts: a number that is missing was rotated away, or lost. */
  seq: z.int().optional(),
  /** `policy`: another policy came into force. `lost`: records that could not be written. */
  kind: z.enum(["dns", "connect", "request", "close", "inference", "publish", "policy", "lost"]),
  /** `failed`: allowed, but nothing answered. `audit`: went through, and would be refused where the rule enforced. */
  verdict: z.enum(["allow", "audit", "deny", "failed", "closed", "changed"]),
  /** Of a connection that was not made: the same for the same host, port, program, layer and request, so that repeats are one. */
  id: z.string().optional(),
  host: z.string().optional(),
  /** Absent for a name that was looked up: its port is not known then. */
  port: z.int().optional(),
  /** The program that owns the socket, where it was asked for. */
  binary: z.string().optional(),
  sha256: z.string().optional(),
  rule: z.string().optional(),
  /** Of `request`: what it asked for. The path is canonical, without the query. */
  method: z.string().optional(),
  path: z.string().optional(),
  layer: z.string().optional(),
  reason: z.string().optional(),
  fix: fixSchema.optional(),
  /** The address that was dialled. */
  address: z.string().optional(),
  /** Of `close`: bytes from and to the agent, and milliseconds. */
  sent: z.int().optional(),
  received: z.int().optional(),
  duration: z.int().optional(),
  /** Of `inference`: what answered, and how. */
  provider: z.string().optional(),
  model: z.string().optional(),
  status: z.int().optional(),
  /** How many times, where more than once. */
  count: z.int().optional(),
  /** The policy in force: SHA-256 and revision. */
  policy: z.string(),
  revision: z.int(),
  /** SHA-256 of the line before in the same part, without its line feed; 64 zeros in the very first. */
  prev: z.string(),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** What the decider says of an event; the audit adds the time, the number, the policy and the chain. */
export type AuditEvent = Omit<AuditRecord, "time" | "seq" | "policy" | "revision" | "prev" | "count">;

/** Eight hexadecimal digits that a person can type. */
export function denialId(
  event: Pick<AuditEvent, "host" | "port" | "binary" | "layer" | "method" | "path" | "fix">,
): string {
  const { host, port = null, binary = null, layer = null, method, path, fix } = event;
  const query = fix?.allow?.query;
  const request = method === undefined ? [] : [method, path, ...(query === undefined ? [] : [query])];
  const text = JSON.stringify([host, port, binary, layer, ...request]);
  return hash("sha256", text, "hex").slice(0, 8);
}
