import { authorityKey } from "./trust.ts";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Measurement, Probe, WallReading } from "./api.ts";
import type { LiveState } from "./generation.ts";
import { groupMeasurements } from "./group-limits.ts";
import {
  type namespaceNames,
  readInterfaces,
  readMounts,
  readProcess,
  type ProcessReading,
} from "./process-reading.ts";
import type { SandboxRecord } from "./record.ts";
import { isCode } from "./state.ts";

export interface PostureParts {
  readonly record: SandboxRecord;
  /** What init says of itself and of its agent, now. */
  readonly state: LiveState;
  readonly probes: readonly Probe[] | null;
  /** The egress process as the host counts; null: none runs. */
  readonly egress: number | null;
  readonly loaded: { readonly revision: number; readonly hash: string } | null;
  readonly revision: number;
  /** Values that must not be in the agent's environment. */
  readonly secrets: readonly string[];
  /** The folder of the sandbox' authority. */
  readonly trust: string;
}

/**
 * Per wall what is enforced on the agent now. The kernel is asked about the agent's own process from outside
 * (`/proc/PID`); what has no file there (Landlock, nftables) is what init read back when asked; and the probes are what
 * happened to the forbidden things. Nothing here is a constant.
 */
export function wallsOf(parts: PostureParts): WallReading[] {
  const pid = parts.state.main?.pid ?? 0;
  try {
    return measure(parts, pid, pid === 0 ? undefined : readProcess(pid));
  } catch (error) {
    // It ended while it was looked at: then there is no agent to measure.
    if (isCode(error, "ENOENT", "ESRCH")) return measure(parts, 0, undefined);
    throw error;
  }
}

function measure(parts: PostureParts, pid: number, agent: Agent): WallReading[] {
  const walls = {
    files: files(parts, pid, agent),
    syscalls: syscalls(parts, pid, agent),
    network: network(parts, pid, agent),
    credentials: credentials(parts, pid, agent),
  };
  return Object.entries(walls).map(([name, measurements]) => {
    const wall = name as WallReading["wall"];
    const refused = (parts.probes ?? [])
      .filter((probe) => probe.wall === wall)
      .every((probe) => probe.refused);
    return { wall, measurements, holds: measurements.every(({ holds }) => holds) && refused };
  });
}

type Agent = ProcessReading | undefined;

function files({ record, state }: PostureParts, pid: number, agent: Agent): Measurement[] {
  const { landlock } = state.posture;
  const optional = record.spec.walls.files === "best_effort";
  const enforced = reading("Landlock", landlock.enforced, "init, landlock(7)", {
    wanted: optional ? undefined : "full",
    holds: optional || landlock.enforced === "full",
  });
  const detail = [
    reading("Landlock ABI", `${landlock.abi}`, "init, landlock_create_ruleset(2)"),
    reading("file rights denied by default", `${landlock.rights.length}`, "init"),
    reading("scopes", landlock.scopes.join(" ") || "none", "init"),
  ];
  if (agent === undefined) return [enforced, ...detail];
  const mounts = readMounts(pid);
  const source = `/proc/${pid}/mountinfo`;
  const writable = mounts.filter(({ options }) => options.includes("rw")).map(({ at }) => at);
  const loose = mounts.filter(({ options }) => !options.includes("nosuid")).map(({ at }) => at);
  const unexpected = writable.filter((at) => !/^\/(sandbox|tmp|dev|proc)(\/|$)/.test(at));
  return [
    enforced,
    ...detail,
    own("mnt", pid, agent),
    reading("writable mounts", writable.join(" "), source, {
      wanted: "/sandbox, /tmp, /dev and /proc alone",
      holds: unexpected.length === 0,
    }),
    reading("mounts without nosuid", loose.join(" ") || "none", source, {
      wanted: "none",
      holds: loose.length === 0,
    }),
  ];
}

function syscalls(parts: PostureParts, pid: number, agent: Agent): Measurement[] {
  if (agent === undefined) return [absent];
  const source = `/proc/${pid}/status`;
  const field = (name: string): string => agent.status[name] ?? "";
  const optional = parts.record.spec.walls.syscalls === "best_effort";
  const filters = Number(field("Seccomp_filters")) - Number(ownFilters());
  const uid = field("Uid").split(" ");
  const isZero = (value: string): boolean => /^0+$/.test(value);
  return [
    reading("Seccomp", field("Seccomp"), source, {
      wanted: optional ? undefined : "2",
      holds: optional || field("Seccomp") === "2",
    }),
    reading("seccomp filters of its own", `${filters}`, source, {
      wanted: optional ? undefined : "1 or more",
      holds: optional || filters >= 1,
    }),
    reading("NoNewPrivs", field("NoNewPrivs"), source, { wanted: "1", holds: field("NoNewPrivs") === "1" }),
    ...["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"].map((name) =>
      reading(name, field(name).replace(/^0+(?=.)/, ""), source, { wanted: "0", holds: isZero(field(name)) }),
    ),
    reading("uid outside", uid[0] ?? "", source, { wanted: "not 0", holds: uid.every((id) => id !== "0") }),
    ...(["user", "pid", "ipc", "uts", "cgroup"] as const).map((name) => own(name, pid, agent)),
    ...limits(parts, pid, agent),
  ];
}

/** Limits that were asked for, as the control group or the process has them. */
function limits({ record, state }: PostureParts, pid: number, agent: ProcessReading): Measurement[] {
  const source = `/proc/${pid}/limits`;
  const { cgroup, pids_by: pidsBy } = state.posture.limits;
  const { pids, ...others } = record.spec.resources;
  const processes = agent.limits["Max processes"] ?? "";
  return [
    reading("open files", agent.limits["Max open files"] ?? "", source),
    reading("core files", agent.limits["Max core file size"] ?? "", source, {
      wanted: "0",
      holds: agent.limits["Max core file size"] === "0",
    }),
    ...groupMeasurements(pid, cgroup?.paths ?? [], pidsBy === "cgroup" ? record.spec.resources : others),
    ...(pids === undefined || pidsBy === "cgroup"
      ? []
      : [
          reading("processes", processes, source, {
            wanted: `${pids}`,
            holds: Number(processes) <= pids,
          }),
        ]),
  ];
}

function network(
  { state, egress, loaded, revision }: PostureParts,
  pid: number,
  agent: Agent,
): Measurement[] {
  const { capture, rules } = state.posture.network;
  // Without an egress nothing answers the sandbox: the wall holds, and nothing is let through it.
  const inForce = reading(
    "policy in force",
    loaded === null ? "none: the network is closed" : `revision ${loaded.revision}`,
    "egress",
    { wanted: `revision ${revision}`, holds: loaded === null || loaded.revision >= revision },
  );
  const captured = reading("capture rules", `${rules}`, "init, nf_tables over netlink", {
    wanted: "1 or more",
    holds: capture && rules > 0,
  });
  const around = egress === null ? [] : egressWalls(egress);
  if (agent === undefined) return [captured, inForce, ...around];
  const interfaces = readInterfaces(pid);
  return [
    own("net", pid, agent),
    reading("interfaces", interfaces.join(" "), `/proc/${pid}/net/dev`, {
      wanted: "lo",
      holds: interfaces.join(" ") === "lo",
    }),
    captured,
    inForce,
    ...around,
  ];
}

/** The egress parses what an agent sends: it stands behind walls itself. */
function egressWalls(pid: number): Measurement[] {
  let status: ProcessReading["status"];
  try {
    ({ status } = readProcess(pid));
  } catch {
    return [];
  }
  const source = `/proc/${pid}/status`;
  return [
    reading("egress Seccomp", status["Seccomp"] ?? "", source, {
      wanted: "2",
      holds: status["Seccomp"] === "2",
    }),
    reading("egress NoNewPrivs", status["NoNewPrivs"] ?? "", source, {
      wanted: "1",
      holds: status["NoNewPrivs"] === "1",
    }),
    reading("egress CapEff", (status["CapEff"] ?? "").replace(/^0+(?=.)/, ""), source, {
      wanted: "0",
      holds: /^0+$/.test(status["CapEff"] ?? ""),
    }),
  ];
}

function credentials({ record, secrets, trust }: PostureParts, pid: number, agent: Agent): Measurement[] {
  const key = join(trust, authorityKey);
  const mode = (statSync(key, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
  const kept = reading("authority's key", `mode ${mode.toString(8)}`, key, {
    wanted: "mode 600",
    holds: mode === 0o600,
  });
  const separate = record.identity.agent.uid !== record.identity.egress.uid;
  const ids = reading(
    "ids outside",
    separate ? "agent and egress differ" : "agent and egress are the user's",
    "sandbox.json",
  );
  if (agent === undefined) return [kept, ids];
  const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
  const found = secrets.filter((secret) => secret !== "" && environment.includes(secret)).length;
  return [
    reading("secrets in its environment", `${found} of ${secrets.length}`, `/proc/${pid}/environ`, {
      wanted: "0",
      holds: found === 0,
    }),
    kept,
    ids,
  ];
}

/** A namespace that is not this daemon's. */
function own(name: (typeof namespaceNames)[number], pid: number, agent: ProcessReading): Measurement {
  const here = readProcess(process.pid).namespaces[name];
  const there = agent.namespaces[name] ?? "";
  return reading(`${name} namespace`, there, `/proc/${pid}/ns/${name}`, {
    wanted: `not ${here ?? "the host's"}`,
    holds: there !== "" && there !== here,
  });
}

const ownFilters = (): string => readProcess(process.pid).status["Seccomp_filters"] ?? "0";

const reading = (
  what: string,
  value: string,
  source: string,
  { wanted, holds }: { readonly wanted?: string | undefined; readonly holds: boolean } = { holds: true },
): Measurement => ({ what, value, source, ...(wanted === undefined ? {} : { wanted }), holds });

const absent = reading("agent", "none runs", "init", { wanted: "one that can be looked at", holds: false });
