import { z } from "zod";
import { credentialPositionSchema } from "../policy/credential-position.ts";
import { networkPoliciesSchema } from "../policy/language.ts";
import { inferenceSchema } from "../router/config.ts";
export type { Inference } from "../router/config.ts";

/**
 * The control channel of one egress process: JSON lines, the daemon's on stdin, the egress' on stdout. The daemon
 * supervises and parses nothing that an agent sent: names that come from an agent stay in the audit file.
 * End of stdin ends the process, and with it every connection.
 */

const port = z.int().min(1).max(65535);

/** What an allow opens. */
export const openedSchema = z.strictObject({
  host: z.string().min(1),
  port,
  /** The executable's path; without it, any program of the sandbox. */
  binary: z.string().min(1).optional(),
  /** Of HTTP requests: exactly this method and canonical path. Both, or neither: then any bytes. */
  method: z
    .string()
    .regex(/^[A-Z][A-Z-]{0,31}$/, "a method in upper case: GET")
    .optional(),
  path: z.string().max(4096).startsWith("/").optional(),
  /** Of that request: exactly this query, `a=1&b=2`, empty for none. Left out: any. */
  query: z
    .string()
    .max(2048)
    .regex(/^[\x21-\x7e]*$/, "a query with escapes: a=1&b=2")
    .optional(),
});

/** A temporary rule above the base policy, as `nacre allow` makes it. Never lifts the address guard. */
export const allowSchema = openedSchema
  .extend({
    id: z.string().min(1),
    /** Milliseconds since the epoch. The egress drops the rule then, by itself. */
    until: z.number().positive(),
  })
  .refine(hasBothOrNeither, "method and path go together, and a query with them");
export type Allow = z.infer<typeof allowSchema>;

/** Of a rule for requests: a method without a path would open every path, and the other way round. */
export function hasBothOrNeither(open: {
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly query?: string | undefined;
}): boolean {
  if (open.query !== undefined && open.path === undefined) return false;
  return (open.method === undefined) === (open.path === undefined);
}

/** The emergency stop, above everything: a host (or a pattern of the policy language), or all, inference included. */
export const blockSchema = z.union([
  z.strictObject({ host: z.string().min(1) }),
  z.strictObject({ all: z.literal(true) }),
]);
export type Block = z.infer<typeof blockSchema>;

export const networkSchema = z.strictObject({
  /** Counts up with every change; reported back by `loaded` and `failed`. */
  revision: z.int().nonnegative(),
  base: networkPoliciesSchema,
  allows: z.array(allowSchema),
  blocks: z.array(blockSchema),
});
export type Network = z.infer<typeof networkSchema>;

/** The operator's word that a name may answer from addresses that are not public (`host.yaml`). */
export const grantSchema = z.strictObject({ host: z.string().min(1), cidr: z.string().min(1), port });
export type Grant = z.infer<typeof grantSchema>;

export const publishSchema = z.strictObject({ inside: port, outside: z.int().min(0).max(65535) });

/** A credential that endpoints are bound to, but for its value. */
export const wireCredentialSchema = z.strictObject({
  /** The variable inside that holds its placeholder. */
  as: z.string().min(1).optional(),
  in: credentialPositionSchema.optional(),
});
export type WireCredential = z.infer<typeof wireCredentialSchema>;

export const configureSchema = z.strictObject({
  type: z.literal("configure"),
  /** `environment/name`. */
  sandbox: z.string().min(1),
  network: networkSchema,
  grants: z.array(grantSchema),
  /** Synthetic addresses that stand for names; the first usable one is the DNS server's. */
  pool: z.strictObject({ prefix: z.string().min(1) }),
  inference: inferenceSchema.omit({ secrets: true }).nullable(),
  /** By name. */
  credentials: z.record(z.string(), wireCredentialSchema),
  /** Values by credential name, of inference and of endpoints alike, kept in memory only. */
  secrets: z.record(z.string(), z.string()),
  /** What the sandbox trusts, and the key that leaves are signed with, PEM. */
  authority: z.strictObject({ certificate: z.string().min(1), key: z.string().min(1) }),
  /** Published on 127.0.0.1; `outside: 0` takes a free port, reported by `ports`. */
  ports: z.array(publishSchema),
  /** Files and sockets as the egress sees them, inside its own root. */
  audit: z.string().min(1),
  poolFile: z.string().min(1),
  /** Null: no sandbox to ask (tests); binary rules then match nothing and no port is published. */
  egressSocket: z.string().min(1).nullable(),
});
export type Configure = z.infer<typeof configureSchema>;

/** What the daemon says. `configure` comes first, once. */
export const commandSchema = z.discriminatedUnion("type", [
  configureSchema,
  z.strictObject({ type: z.literal("network"), network: networkSchema }),
  z.strictObject({ type: z.literal("grants"), grants: z.array(grantSchema) }),
  z.strictObject({ type: z.literal("secrets"), secrets: z.record(z.string(), z.string()) }),
  /** One live call to the route's provider, from behind the egress' own walls; answered by `checked`. */
  z.strictObject({ type: z.literal("check"), id: z.int() }),
]);
export type Command = z.infer<typeof commandSchema>;

const errorSchema = z.object({
  code: z.string(),
  subject: z.string(),
  message: z.string(),
  hint: z.string().optional(),
});

/** What the egress says. */
export const reportSchema = z.discriminatedUnion("type", [
  /** The front doors are open. Comes after `loaded` or `failed` of the first policy, and after `ports`. */
  z.object({ type: z.literal("ready") }),
  /** In force now, tunnels that it denies are closed. `expired`: this is the reload that ended these allows. */
  z.object({
    type: z.literal("loaded"),
    revision: z.int(),
    hash: z.string(),
    expired: z.array(z.string()).optional(),
  }),
  /** Not taken: the policy before it stays in force (before the first: everything is denied). */
  z.object({ type: z.literal("failed"), revision: z.int(), error: errorSchema }),
  z.object({
    type: z.literal("ports"),
    ports: z.array(publishSchema.extend({ error: errorSchema.optional() })),
  }),
  z.object({ type: z.literal("checked"), id: z.int(), error: errorSchema.optional() }),
  z.object({ type: z.literal("log"), level: z.enum(["info", "warning", "error"]), message: z.string() }),
  /** The process ends after this, with exit code 1. */
  z.object({ type: z.literal("fatal"), error: errorSchema }),
]);
export type Report = z.infer<typeof reportSchema>;
