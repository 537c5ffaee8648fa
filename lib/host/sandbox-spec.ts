import type { HostSandbox } from "../synth/host-objects.ts";
import { inside, pool, sandboxEnvironment } from "./inside.ts";
import type { InstalledKit, KitAgent } from "./kit.ts";
import type { SandboxSpec, Wall } from "./launch-spec.ts";
import type { SandboxRecord } from "./record.ts";
import type { Trust } from "./trust.ts";
import { sandboxRoot } from "./sandbox-root.ts";

/** Where the capture rule brings connections; any port would do, and the agent's loopback servers keep all others. */
export const capture = { kind: "capture", address: pool.own, port: 15_001 } as const;

/** How an agent that ended is started again. */
const backoff = { initial_ms: 500, max_ms: 30_000 } as const;

export const stopGrace = 10_000;

export interface Parts {
  readonly record: SandboxRecord;
  /** The sandbox' folder of the state directory. */
  readonly directory: string;
  /** The workspace's files, on the host. */
  readonly data: string;
  /** What the sandbox trusts, on the host. */
  readonly trust: Trust;
  readonly kit: StartedKit | undefined;
  /** For tests of what a missing wall looks like. */
  readonly wallsOff: readonly Wall[];
}

export interface StartedKit {
  readonly installed: InstalledKit;
  readonly agent: KitAgent;
}

/** The launcher's spec of one generation of a sandbox. */
export function sandboxSpecOf({ record, directory, data, trust, kit, wallsOff }: Parts): SandboxSpec {
  const { spec, identity } = record;
  const files = kit?.agent.files.map((file) => ({ ...file }));
  const { root, rules } = sandboxRoot(spec.files, spec.name, {
    data,
    trust,
    kit: kit?.installed.path,
    files,
  });
  return {
    id: record.id,
    generation: record.generation,
    hostname: spec.name,
    directory,
    identity: { inside: inside.ids, outside: identity.agent },
    root,
    landlock: { requirement: spec.walls.files, rules },
    seccomp: { requirement: spec.walls.syscalls, profile: spec.seccomp },
    network: capture,
    limits: limitsOf(spec.resources),
    process: {
      ...processOf(spec, kit),
      cwd: inside.workspace,
      restart: { policy: spec.restart, ...backoff },
    },
    ports: [...new Set(spec.ports.map((port) => port.inside))],
    grace_ms: stopGrace,
    ...(wallsOff.length === 0 ? {} : { off: [...wallsOff] }),
  };
}

export const limitsOf = ({ cpu, memoryBytes, pids }: HostSandbox["resources"]): SandboxSpec["limits"] => ({
  ...(cpu === undefined ? {} : { cpu }),
  ...(memoryBytes === undefined ? {} : { memory_bytes: memoryBytes }),
  ...(pids === undefined ? {} : { pids }),
  open_files: 65_536,
  cgroup: "auto",
});

function processOf({ agent, credentials }: HostSandbox, kit: StartedKit | undefined) {
  const env = sandboxEnvironment(credentials);
  if (agent.kind === "command") return { argv: [...agent.command], env: { ...env, ...agent.env } };
  if (kit === undefined) throw new TypeError(`kit ${agent.kit} was not prepared`);
  return { argv: [...kit.agent.argv], env: { ...env, ...kit.agent.env } };
}
