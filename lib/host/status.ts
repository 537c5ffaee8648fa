import { authorityKey as keyFile } from "./trust.ts";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openHosts } from "../policy/open-hosts.ts";
import type { HostSandbox } from "../synth/host-objects.ts";
import type { SandboxStatus } from "./api.ts";
import type { HostContext } from "./context.ts";
import { secretsFor } from "./egress-configure.ts";
import { escapeControls } from "./escape.ts";
import { execParity } from "./exec-parity.ts";
import type { LiveState } from "./generation.ts";
import { conflictLines } from "./live-lines.ts";
import { ruleChanges } from "./live-network.ts";
import { unexpired, type Overrides } from "./overrides.ts";
import { wallsOf } from "./posture.ts";
import { problemsOf } from "./reading.ts";
import type { Sandbox } from "./sandbox.ts";

/** What is enforced on one sandbox, measured when asked. `probe` also tries the forbidden things from inside. */
export async function statusOf(
  context: HostContext,
  sandbox: Sandbox,
  probe: boolean,
): Promise<SandboxStatus> {
  const { record, generation, network } = sandbox;
  await network.refresh().catch(() => undefined);
  const state = await generation?.state().catch(() => undefined);
  if (state?.main?.state === "running") await sandbox.lookWhetherReady();
  const agentPid = state?.main?.state === "running" ? state.main.pid : 0;
  const [probes, exec] =
    probe && agentPid !== 0 && generation !== undefined
      ? [await generation.probe(), await execParity(sandbox.entry(), agentPid)]
      : [null, null];
  const overrides = await network.policy.journal.overrides();
  const spec = await network.policy.journal.spec();
  const operator = await context.operator().catch(() => undefined);
  const secrets = operator === undefined ? undefined : await secretsFor(spec, operator, context.handed);
  const egress = network.state;
  return {
    id: record.id,
    project: record.spec.project,
    generation: record.generation,
    phase: phaseOf(sandbox, state),
    problems: [
      ...problemsOf(sandbox, state),
      ...network.lacking.map(({ why }) => why),
      ...conflictLines(record.id, overrides),
    ].map(escapeControls),
    warnings: [...warningsOf(spec), ...unkeptLimits(record.spec, state)],
    agent: agentOf(state),
    init: generation === undefined ? null : { pid: generation.init.pid },
    published: record.published,
    egress: { ...egress, revision: overrides.revision },
    live: liveOf(record.spec, overrides),
    allows: unexpired(overrides.allows),
    blocks: overrides.blocks,
    grants: [...(operator?.grants ?? [])],
    digests: record.spec.digests,
    walls:
      state === undefined
        ? []
        : wallsOf({
            record,
            state,
            probes,
            egress: egress.pid,
            loaded: egress.loaded,
            revision: overrides.revision,
            secrets: [...Object.values(secrets?.values ?? {}), authorityKey(sandbox)],
            trust: sandbox.paths.trust,
          }),
    probes,
    exec,
  };
}

/** One whose record is corrupt: all that can be said of it is that. */
export const unreadable = ([id, error]: readonly [string, unknown]): SandboxStatus => ({
  id,
  project: "",
  generation: 0,
  phase: "gone",
  problems: [escapeControls(String(error))],
  warnings: [],
  agent: null,
  init: null,
  published: [],
  egress: { state: "stopped", pid: null, revision: 0, loaded: null, restarts: 0 },
  live: null,
  allows: [],
  blocks: [],
  grants: [],
  digests: { blueprint: "", environment: "" },
  walls: [],
  probes: null,
  exec: null,
});

function liveOf({ network }: HostSandbox, { live }: Overrides): SandboxStatus["live"] {
  if (live === null) return null;
  const { by, at, conflicts } = live;
  return { ...ruleChanges(network, live.network), by, at, conflicts };
}

function phaseOf({ record, generation }: Sandbox, state: LiveState | undefined): SandboxStatus["phase"] {
  if (generation === undefined) {
    if (record.wanted === "stopped" || record.generation === 0) return "stopped";
    return record.init === null ? "starting" : "gone";
  }
  return state === undefined ? "gone" : (state.main?.state ?? "stopped");
}

function agentOf(state: LiveState | undefined): SandboxStatus["agent"] {
  const main = state?.main;
  if (main === undefined || main === null) return null;
  const exit = main.last_exit;
  return {
    pid: main.pid,
    startedAt: main.started_at_ms,
    restarts: main.restarts,
    lastExit: exit === null ? null : { code: exit.code, signal: exit.signal, at: exit.at_ms },
  };
}

function warningsOf({ walls, network }: HostSandbox): string[] {
  const loose = Object.entries(walls).flatMap(([wall, requirement]) =>
    requirement === "best_effort"
      ? [`wall ${wall} is best_effort: it is enforced only where the kernel can`]
      : [],
  );
  const open = openHosts(network);
  return [...loose, ...(open.length === 0 ? [] : [`anything can be sent to ${open.join(", ")}`])];
}

/** A limit that was asked for and that nothing keeps. The launcher refuses those; a group may go away later. */
function unkeptLimits({ resources }: HostSandbox, state: LiveState | undefined): string[] {
  if (state === undefined) return [];
  const { cgroup, pids_by: pidsBy } = state.posture.limits;
  return [
    ...(resources.cpu !== undefined && cgroup?.cpu == null ? ["nothing keeps the limit of cpu"] : []),
    ...(resources.memoryBytes !== undefined && cgroup?.memory_bytes == null
      ? ["nothing keeps the limit of memory"]
      : []),
    ...(resources.pids !== undefined && pidsBy === null ? ["nothing keeps the limit of pids"] : []),
  ];
}

/** The one secret that every sandbox has outside: looked for in its environment as any other. */
function authorityKey({ paths }: Sandbox): string {
  try {
    return readFileSync(join(paths.trust, keyFile), "utf8").trim();
  } catch {
    return "";
  }
}
