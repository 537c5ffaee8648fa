import { z } from "zod";
import {
  allowSchema,
  blockSchema,
  grantSchema,
  hasBothOrNeither,
  openedSchema,
  publishSchema,
} from "../egress/protocol.ts";
import { sandboxSchema, workspaceSchema } from "../synth/host-objects.ts";
import { ruleChangesSchema } from "./live-network.ts";
import { launchErrorSchema, type probesSchema } from "./launch-spec.ts";
import { policyMethods } from "./policy-api.ts";
import { sandboxIdSchema as id } from "./sandbox-id.ts";

/**
 * What the daemon is asked: `POST /<method>` over `daemon.sock` with a JSON body; the answer is NDJSON: any number of
 * `{"progress"}` lines, then one `{"result"}` or `{"error"}`. Whoever may open the state directory (mode 0700) may ask.
 */

const byId = z.strictObject({ id });
const done = z.strictObject({});

/**
 * Values of the operator's `env` secrets, by the secret's name, as the caller's environment has them. The daemon keeps
 * them in memory only, so each `create` and `update` hands them over again; `read` is told them to say what differs.
 */
const values = z.record(z.string(), z.string()).optional();

/** How a sandbox is, as this machine sees it now. */
export const sandboxReadingSchema = z.strictObject({
  /** What it was last made from. */
  spec: sandboxSchema,
  /** Its process tree exists. */
  running: z.boolean(),
  /** Counts the process trees that it has had. */
  generation: z.int().nonnegative(),
  /** Where its ports are on the host's loopback. */
  published: z.array(publishSchema),
  /** Why it is not what it should be; for one that is not running, how it ended. */
  problems: z.array(z.string()),
  /** What commands said over `spec`, a line each, with the command that takes it back. */
  live: z.array(z.string()),
  /** Rules that a command and the blueprint both changed: the command's are in force. */
  conflicts: z.array(z.string()),
});
export type SandboxReading = z.infer<typeof sandboxReadingSchema>;

/** One thing that was measured, and where: `NoNewPrivs: 1` of `/proc/4711/status`. */
export const measurementSchema = z.strictObject({
  what: z.string(),
  value: z.string(),
  source: z.string(),
  /** What it must be for the wall to hold; absent where any value will do. */
  wanted: z.string().optional(),
  holds: z.boolean(),
});
export type Measurement = z.infer<typeof measurementSchema>;

export const wallReadingSchema = z.strictObject({
  wall: z.enum(["files", "syscalls", "network", "credentials"]),
  /** Every measurement and every probe of this wall says so. */
  holds: z.boolean(),
  measurements: z.array(measurementSchema),
});
export type WallReading = z.infer<typeof wallReadingSchema>;

export const lastExitSchema = z.strictObject({
  code: z.int().optional(),
  signal: z.string().optional(),
  at: z.number(),
});

/** What is enforced on one sandbox right now, read from the kernel, from init and from inside. Never a claim. */
export const sandboxStatusSchema = z.strictObject({
  id,
  project: z.string(),
  generation: z.int(),
  phase: z.enum(["starting", "running", "backoff", "exited", "stopped", "gone"]),
  problems: z.array(z.string()),
  /** Walls that may lack (`best_effort`), hosts that anything can be sent to, limits that nobody keeps. */
  warnings: z.array(z.string()),
  /** Its first process. `pid` as the host counts. */
  agent: z
    .strictObject({
      pid: z.int(),
      startedAt: z.number().nullable(),
      restarts: z.int(),
      lastExit: lastExitSchema.nullable(),
    })
    .nullable(),
  init: z.strictObject({ pid: z.int() }).nullable(),
  published: z.array(publishSchema),
  egress: z.strictObject({
    state: z.enum(["running", "backoff", "stopped"]),
    pid: z.int().nullable(),
    /** What was last asked for, and what the egress said that it enforces. */
    revision: z.int(),
    loaded: z.strictObject({ revision: z.int(), hash: z.string() }).nullable(),
    restarts: z.int(),
  }),
  /** Rules that a command put in place of the blueprint's; null: the blueprint's are in force. */
  live: ruleChangesSchema
    .extend({ by: z.enum(["set", "rollback", "up"]), at: z.number(), conflicts: z.array(z.string()) })
    .nullable(),
  allows: z.array(allowSchema),
  blocks: z.array(blockSchema),
  grants: z.array(grantSchema),
  digests: z.strictObject({ blueprint: z.string(), environment: z.string() }),
  walls: z.array(wallReadingSchema),
  /** The forbidden things, tried from inside; null where no agent runs to try them beside. */
  probes: z
    .array(
      z.strictObject({
        name: z.string(),
        wall: z.enum(["files", "syscalls", "network", "credentials"]),
        refused: z.boolean(),
        detail: z.string(),
      }),
    )
    .nullable(),
  /** A command that `exec` started, against the agent, field by field. */
  exec: z
    .strictObject({
      same: z.boolean(),
      compared: z.array(z.string()),
      differences: z.array(z.strictObject({ field: z.string(), agent: z.string(), exec: z.string() })),
    })
    .nullable(),
});
export type SandboxStatus = z.infer<typeof sandboxStatusSchema>;

/** How a terminal enters: `launcher exec` with this on its descriptor 3. */
export const entrySchema = z.strictObject({
  launcher: z.string(),
  control: z.string(),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
});
export type Entry = z.infer<typeof entrySchema>;

/** One refused connection, from the audit. Every text of it that an agent chose has its control characters escaped. */
export const denialSchema = z.strictObject({
  id: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  host: z.string(),
  port: z.int().nullable(),
  binary: z.string().nullable(),
  rule: z.string().nullable(),
  layer: z.string(),
  reason: z.string(),
  /** As a person can carry it out: a command, or what to write where. */
  fix: z.string(),
  /** What an `allow` of it would open; null where a rule would not help. */
  allow: z
    .strictObject({
      host: z.string(),
      port: z.int(),
      binary: z.string().optional(),
      /** Of a refused request: both, or neither. */
      method: z.string().optional(),
      path: z.string().optional(),
      query: z.string().optional(),
    })
    .nullable(),
});
export type Denial = z.infer<typeof denialSchema>;

const kit = z.strictObject({ kit: z.enum(["openclaw"]), version: z.string().min(1) });

/** A folder of the host that is shown inside; `nacre run` never asks for `rw`. */
export const throwAwayBindSchema = z.strictObject({
  from: z.string().startsWith("/"),
  to: z.string().startsWith("/"),
  mode: z.enum(["ro", "rw"]),
});

/** One command behind the same four walls, gone afterwards: no stack, no workspace that outlives it. */
export const runSchema = z.strictObject({
  spec: sandboxSchema.omit({ agent: true, workspace: true, restart: true, ports: true }),
  /** Shown inside at the same path, writable over an overlay: nothing of it changes. */
  folder: z.string().startsWith("/").optional(),
  values,
});

/** How many seconds an `allow` may last: what is to last longer belongs into the blueprint. */
export const longestAllow = 30 * 86_400;

export const methods = {
  hello: {
    body: z.strictObject({}),
    result: z.strictObject({
      version: z.string(),
      build: z.string(),
      /** The folder of its code. */
      root: z.string().optional(),
      pid: z.int(),
      machine: z.string(),
    }),
  },
  "workspace.create": { body: z.strictObject({ spec: workspaceSchema }), result: done },
  "workspace.read": { body: byId, result: workspaceSchema.nullable() },
  "workspace.list": {
    body: z.strictObject({}),
    result: z.array(
      z.strictObject({ id: z.string(), project: z.string(), used: z.boolean(), data: z.string() }),
    ),
  },
  "workspace.delete": { body: byId, result: done },
  /** Finds what an interrupted create left, or starts it. Not becoming ready is a problem of the reading, no error. */
  "sandbox.create": { body: z.strictObject({ spec: sandboxSchema, values }), result: sandboxReadingSchema },
  "sandbox.read": { body: z.strictObject({ id, values }), result: sandboxReadingSchema.nullable() },
  /** Network: live. Anything else: the old process tree is stopped, then the new one starts over the same workspace. */
  "sandbox.update": { body: z.strictObject({ spec: sandboxSchema, values }), result: sandboxReadingSchema },
  /** The workspace stays. */
  "sandbox.delete": { body: byId, result: done },
  "sandbox.entry": { body: byId, result: entrySchema },
  status: {
    body: z.strictObject({
      id: id.optional(),
      /** Also tries the forbidden things from inside, and compares an exec'd process. */
      probe: z.boolean().optional(),
    }),
    result: z.array(sandboxStatusSchema),
  },
  logs: { body: byId, result: z.strictObject({ path: z.string() }) },
  denials: {
    body: z.strictObject({ id, since: z.number().optional() }),
    result: z.array(denialSchema),
  },
  /** Above the base policy, live, until it expires: `denial` is the id of one, else host and port. */
  allow: {
    body: z.strictObject({
      id,
      what: z.union([
        z.strictObject({ denial: z.string().min(1) }),
        openedSchema.refine(hasBothOrNeither, "method and path go together"),
      ]),
      seconds: z.number().positive().max(longestAllow).default(3600),
    }),
    result: z.strictObject({
      allow: allowSchema,
      revision: z.int(),
      enforcedMs: z.number(),
      /** A block lies over it, so nothing is open: why, and the command that ends the block. */
      blocked: z.strictObject({ reason: z.string(), fix: z.string() }).optional(),
    }),
  },
  /** Takes allows back before they expire: by their own id or their denial's, or all of a host (at one port). */
  disallow: {
    body: z.strictObject({
      id,
      what: z.union([
        z.strictObject({ id: z.string().min(1) }),
        z.strictObject({ host: z.string().min(1), port: z.int().min(1).max(65535).optional() }),
      ]),
    }),
    result: z.strictObject({ ended: z.array(allowSchema), revision: z.int(), enforcedMs: z.number() }),
  },
  block: {
    body: z.strictObject({ id, what: blockSchema }),
    result: z.strictObject({
      revision: z.int(),
      enforcedMs: z.number(),
      /** Its record cannot be read, so there is no policy to change: its processes were ended. */
      stopped: z.literal(true).optional(),
    }),
  },
  /** `blocks`: those that are left. */
  unblock: {
    body: z.strictObject({ id, what: blockSchema }),
    result: z.strictObject({
      ended: z.boolean(),
      blocks: z.array(blockSchema),
      revision: z.int(),
      enforcedMs: z.number(),
    }),
  },
  ...policyMethods,
  /** Installs what lacks; of what is installed, size, mode and change time are compared. */
  "kit.ensure": {
    body: kit,
    result: z.strictObject({ path: z.string(), digest: z.string() }),
  },
  /** Where the agent's own server answers on the host's loopback, and the token that it wants. */
  "agent.connection": {
    body: byId,
    result: z.strictObject({ url: z.string(), token: z.string() }),
  },
  /** One live call to the inference provider, from behind the egress' own walls. */
  "inference.check": {
    body: byId,
    result: z.strictObject({ error: launchErrorSchema.nullable() }),
  },
  /** Opens a throw-away sandbox: a progress line `{ entry }` says how to enter; it ends with the connection. */
  "run.open": { body: runSchema, result: done },
  /** What was refused so far to the command whose control socket it is; empty where none is under way. */
  "run.denials": { body: z.strictObject({ control: z.string() }), result: z.array(denialSchema) },
  /** Ends the daemon once the calls under way are answered. Sandboxes go on, without a network until it is back. */
  shutdown: { body: z.strictObject({}), result: done },
} as const;

export type Method = keyof typeof methods;
export type BodyOf<M extends Method> = z.input<(typeof methods)[M]["body"]>;
export type ParsedBodyOf<M extends Method> = z.output<(typeof methods)[M]["body"]>;
export type ResultOf<M extends Method> = z.output<(typeof methods)[M]["result"]>;

export const progressSchema = z.strictObject({
  message: z.string(),
  /** Of 1, where it is known. */
  fraction: z.number().min(0).max(1).optional(),
  entry: entrySchema.optional(),
});
export type Progress = z.infer<typeof progressSchema>;

export const lineSchema = z.union([
  z.strictObject({ progress: progressSchema }),
  z.strictObject({ result: z.unknown() }),
  z.strictObject({ error: launchErrorSchema }),
]);

export type Probe = Extract<z.infer<typeof probesSchema>, { ok: true }>["probes"][number];
