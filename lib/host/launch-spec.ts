import { z } from "zod";
import { seccompProfileSchema } from "../synth/host-objects.ts";

/**
 * What the daemon and the launcher (`lib/launcher`) say to each other. The launcher reads one spec from descriptor 3 to
 * its end and refuses fields that it does not know; names are in snake case, as its Rust structs have them.
 */

const absolute = z.string().startsWith("/", "an absolute path");
const id = z.int().min(0).max(0xfffffffe);
const requirement = z.enum(["required", "best_effort"]);
/** A tmpfs' or a file's permission bits, in octal: `"0755"`. */
const mode = z.string().regex(/^0?[0-7]{3,4}$/, 'permission bits in octal: "0755"');

/** Whom the processes are inside, and which ids of the host stand behind that. */
export const identitySchema = z.strictObject({
  inside: z.strictObject({ uid: id, gid: id }),
  /** Never 0. An ordinary user can only be themselves here; root takes any. */
  outside: z.strictObject({ uid: id.min(1), gid: id.min(1) }),
});
export type LaunchIdentity = z.infer<typeof identitySchema>;

/**
 * The private root. Everything is made in the order: tmpfs, binds, overlay, files, symlinks; parents are made as
 * needed. `/dev`, `/proc` and the root itself are the launcher's own and cannot be named.
 */
export const rootSchema = z.strictObject({
  /** `from` on the host (symbolic links followed), `to` inside. Always nosuid, nodev; `optional` skips a missing source. */
  binds: z.array(
    z.strictObject({
      from: absolute,
      to: absolute,
      mode: z.enum(["ro", "rw"]),
      optional: z.boolean().optional(),
    }),
  ),
  symlinks: z.array(z.strictObject({ at: absolute, to: z.string().min(1) })).optional(),
  /** Read-only files of known content, owned by the agent: `/etc/passwd`, `/etc/resolv.conf`. */
  files: z.array(z.strictObject({ at: absolute, content: z.string(), mode: mode.optional() })).optional(),
  tmpfs: z
    .array(z.strictObject({ at: absolute, size_bytes: z.int().positive(), mode: mode.optional() }))
    .optional(),
  /** A writable view of a folder; `upper` and `work` are folders of one file system that the agent's outside id owns. */
  overlay: z.strictObject({ at: absolute, lower: absolute, upper: absolute, work: absolute }).optional(),
});
export type LaunchRoot = z.infer<typeof rootSchema>;

/** `execute` is read and execute; `write` is everything. Paths are those inside; a missing one is an error. */
export const landlockSchema = z.strictObject({
  requirement,
  rules: z.array(
    z.strictObject({
      path: absolute,
      access: z.enum(["read", "execute", "write"]),
      optional: z.boolean().optional(),
    }),
  ),
});

export const seccompSchema = z.strictObject({ requirement, profile: seccompProfileSchema });

export const launchNetworkSchema = z.discriminatedUnion("kind", [
  /** Loopback only; TCP and DNS of every other address go to the listeners that `attach` hands over. */
  z.strictObject({ kind: z.literal("capture"), address: z.ipv4(), port: z.int().min(1).max(65535) }),
  /** Loopback only. */
  z.strictObject({ kind: z.literal("none") }),
  /** The host's own network: for the kit installer and the egress alone. */
  z.strictObject({ kind: z.literal("host") }),
]);

/** Absent means unlimited. A limit that cannot be kept here is an error that says why. */
export const launchLimitsSchema = z.strictObject({
  cpu: z.number().positive().optional(),
  memory_bytes: z.int().positive().optional(),
  pids: z.int().positive().optional(),
  open_files: z.int().positive().optional(),
  /** `auto` takes what the host offers; `none` makes no group: `pids` then falls back to RLIMIT_NPROC. */
  cgroup: z.enum(["auto", "none"]).optional(),
});

export const restartSchema = z.strictObject({
  policy: z.enum(["always", "on-failure", "never"]),
  initial_ms: z.int().positive(),
  max_ms: z.int().positive(),
});

export const commandSchema = z.strictObject({
  argv: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  cwd: absolute,
});

/** Walls that a test build of the launcher can leave out (cargo feature `switchable-walls`). */
export const wallSchema = z.enum(["files", "syscalls", "network", "mounts", "pids", "ids"]);
export type Wall = z.infer<typeof wallSchema>;

/** `nacre-launcher sandbox`. */
export const sandboxSpecSchema = z.strictObject({
  id: z.string().min(1),
  generation: z.int().nonnegative(),
  hostname: z.string().min(1).max(63),
  /** The sandbox's folder of the state directory: sockets, lock and logs are made here. */
  directory: absolute,
  identity: identitySchema,
  root: rootSchema,
  landlock: landlockSchema,
  seccomp: seccompSchema,
  network: launchNetworkSchema,
  limits: launchLimitsSchema,
  /** `null`: init alone; commands come by `exec`. */
  process: commandSchema.extend({ restart: restartSchema }).nullable(),
  /** Ports inside that `dial` may reach. */
  ports: z.array(z.int().min(1).max(65535)),
  grace_ms: z.int().nonnegative(),
  /**
   * One shot: the launcher stays in the foreground, hands its own stdin, stdout and stderr to the agent, prints no
   * answer, and ends with the agent's exit code (128 + n for a signal) when everything inside has ended.
   * The end of the launcher is the end of the sandbox. Errors are a JSON line on stderr and exit code 125.
   */
  wait: z.boolean().optional(),
  off: z.array(wallSchema).optional(),
});
export type SandboxSpec = z.infer<typeof sandboxSpecSchema>;

/** `nacre-launcher egress`: the host's network, listeners on descriptors 10 tcp4, 11 tcp6, 12 dns4, 13 dns6. */
export const egressSpecSchema = z.strictObject({
  id: z.string().min(1).optional(),
  directory: absolute,
  /** The sandbox's `egress.sock`; `null` starts it without listeners. */
  egress_socket: absolute.nullable(),
  identity: identitySchema,
  root: rootSchema,
  landlock: landlockSchema,
  seccomp: seccompSchema,
  limits: launchLimitsSchema,
  process: commandSchema,
  off: z.array(wallSchema).optional(),
});
export type EgressSpec = z.infer<typeof egressSpecSchema>;

/** `nacre-launcher exec`: the launcher's own stdio is the command's; the exit code too. */
export const execSpecSchema = commandSchema.extend({ control: absolute, tty: z.boolean() }).strict();
export type ExecSpec = z.infer<typeof execSpecSchema>;

/** `nacre-launcher changes`: what was changed in the folder that a throw-away sandbox sees; its commands are ended first. */
export const changesSpecSchema = z.strictObject({ control: absolute });
export type ChangesSpec = z.infer<typeof changesSpecSchema>;
/** `nacre-launcher apply`: makes these changes in the folder. */
export const applySpecSchema = changesSpecSchema.extend({ folder: absolute });
export type ApplySpec = z.infer<typeof applySpecSchema>;

/** How an error travels: the parts of a `NacreError`. */
export const launchErrorSchema = z.object({
  code: z.string(),
  subject: z.string(),
  message: z.string(),
  hint: z.string().optional(),
});
const failure = z.object({ ok: z.literal(false), error: launchErrorSchema });

/** What is enforced on a process inside, as read back from the kernel (`/proc/PID/…`), never as asked. */
export const launchPostureSchema = z.object({
  landlock: z.object({
    /** The running kernel's ABI; 0 where there is none. */
    abi: z.int(),
    enforced: z.enum(["full", "partial", "none"]),
    /** File system rights that are handled, so denied but where a rule gives them. */
    rights: z.array(z.string()),
    scopes: z.array(z.string()),
    rules: z.int(),
    reason: z.string().optional(),
  }),
  seccomp: z.object({ mode: z.int(), filters: z.int(), reason: z.string().optional() }),
  no_new_privs: z.boolean(),
  /** Hexadecimal sets as `/proc/PID/status` has them, without leading zeros. */
  capabilities: z.object({
    effective: z.string(),
    permitted: z.string(),
    inheritable: z.string(),
    bounding: z.string(),
    ambient: z.string(),
  }),
  /** Inode numbers; a namespace equal to the host's is listed in `shared`. */
  namespaces: z.object({
    user: z.int(),
    mnt: z.int(),
    pid: z.int(),
    net: z.int(),
    ipc: z.int(),
    uts: z.int(),
    cgroup: z.int(),
    shared: z.array(z.string()),
  }),
  ids: z.object({
    inside: z.object({ uid: z.int(), gid: z.int(), groups: z.array(z.int()) }),
    outside: z.object({ uid: z.int(), gid: z.int() }),
  }),
  limits: z.object({
    open_files: z.int().nullable(),
    processes: z.int().nullable(),
    core_bytes: z.int().nullable(),
    cgroup: z
      .object({
        version: z.union([z.literal(1), z.literal(2)]),
        paths: z.array(z.string()),
        cpu: z.number().nullable(),
        memory_bytes: z.int().nullable(),
        pids: z.int().nullable(),
      })
      .nullable(),
    /** What keeps `pids`: the group, or RLIMIT_NPROC of the sandbox's own user namespace. */
    pids_by: z.enum(["cgroup", "rlimit"]).nullable(),
  }),
  network: z.object({
    /** Interfaces inside: `["lo"]`. */
    interfaces: z.array(z.string()),
    capture: z.boolean(),
    /** nftables rules counted in the sandbox's own network namespace. */
    rules: z.int(),
  }),
  /** Mounts inside by their point, and the pid namespace's own view. */
  mounts: z.object({ count: z.int(), writable: z.array(z.string()), root: z.string() }),
  off: z.array(wallSchema),
});
export type LaunchPosture = z.infer<typeof launchPostureSchema>;

/** The one line that `nacre-launcher sandbox` prints. */
export const launchedSchema = z.discriminatedUnion("ok", [
  z.object({
    ok: z.literal(true),
    /** Process id of init outside. */
    pid: z.int(),
    /** Field 22 of `/proc/PID/stat`: with `pid`, the identity of init. */
    start_time: z.int(),
    posture: launchPostureSchema,
  }),
  failure,
]);
export type Launched = z.infer<typeof launchedSchema>;

const lastExit = z.object({ code: z.int().optional(), signal: z.string().optional(), at_ms: z.int() });

/** Answer to `{"op":"state"}`. */
export const stateSchema = z.discriminatedUnion("ok", [
  z.object({
    ok: z.literal(true),
    id: z.string(),
    generation: z.int(),
    /** `null`: the spec had no process. */
    main: z
      .object({
        /** Outside, as the init sees it; 0 while none runs. */
        pid: z.int(),
        inside_pid: z.int(),
        state: z.enum(["running", "backoff", "exited", "stopped"]),
        started_at_ms: z.int().nullable(),
        restarts: z.int(),
        next_start_at_ms: z.int().nullable(),
        last_exit: lastExit.nullable(),
      })
      .nullable(),
    /** That of the agent, read when asked; of a child with the agent's walls where no agent runs. */
    posture: launchPostureSchema,
  }),
  failure,
]);
export type SandboxState = z.infer<typeof stateSchema>;

/** Answer to `{"op":"probe"}`: the forbidden things, tried from inside with the agent's walls. */
export const probesSchema = z.discriminatedUnion("ok", [
  z.object({
    ok: z.literal(true),
    probes: z.array(
      z.object({
        name: z.string(),
        wall: z.enum(["files", "syscalls", "network", "credentials"]),
        refused: z.boolean(),
        /** What the kernel said: `EACCES`, or what was reached. */
        detail: z.string(),
      }),
    ),
  }),
  failure,
]);
export type Probes = z.infer<typeof probesSchema>;

const count = z.int().nonnegative();
const relativePath = z.string().min(1);

/** One line of what `nacre-launcher changes` prints; `old` and then `new` bytes of content follow it. */
export const changeRecordSchema = z.discriminatedUnion("record", [
  z.strictObject({
    record: z.literal("change"),
    path: relativePath,
    /** In the folder; `null`: nothing. */
    before: z
      .strictObject({
        kind: z.enum(["file", "symlink", "folder"]),
        inode: count,
        changed: z.tuple([z.int(), count]),
        mode: count,
        size: count,
      })
      .nullable(),
    /** In the agent's view; `null`: nothing. */
    after: z
      .strictObject({ kind: z.enum(["file", "symlink"]), executable: z.boolean(), size: count })
      .nullable(),
    /** `null`: its content is not told. */
    old: count.nullable(),
    new: count.nullable(),
  }),
  /** Never applied. */
  z.strictObject({ record: z.literal("left"), path: z.string(), reason: z.string() }),
  /** Somebody changed it outside in the meantime. */
  z.strictObject({ record: z.literal("conflict"), path: z.string(), reason: z.string() }),
  z.strictObject({ record: z.literal("done"), folder: count }),
]);
export type ChangeRecord = z.infer<typeof changeRecordSchema>;

/** Answer to `{"op":"processes"}`. */
export const processesSchema = z.discriminatedUnion("ok", [
  z.object({
    ok: z.literal(true),
    processes: z.array(
      z.object({ inside_pid: z.int(), parent: z.int(), path: z.string(), state: z.string() }),
    ),
  }),
  failure,
]);

/** Answer to `{"op":"owner"}`: the executable of the process that holds the socket, path as inside. */
export const ownerSchema = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true), pid: z.int(), path: z.string(), sha256: z.string() }),
  failure,
]);
export type Owner = z.infer<typeof ownerSchema>;

/** Answer to `stop`, `start`, `restart`, `dial` and of `attach` (the descriptors come with it). */
export const doneSchema = z.discriminatedUnion("ok", [z.object({ ok: z.literal(true) }), failure]);

const found = z.object({ available: z.boolean(), reason: z.string().optional() });

/** What `nacre-launcher check` prints: what this kernel offers, with the reason where it does not. */
export const checkSchema = z.object({
  ok: z.literal(true),
  kernel: z.string(),
  landlock: found.extend({ abi: z.int(), scopes: z.boolean() }),
  namespaces: found,
  nf_tables: found,
  seccomp: found,
  overlay: found,
  cgroup: found.extend({
    version: z.union([z.literal(1), z.literal(2)]).nullable(),
    /** Controllers that this user can set limits with. */
    controllers: z.array(z.string()),
  }),
});
export type KernelOffer = z.infer<typeof checkSchema>;
