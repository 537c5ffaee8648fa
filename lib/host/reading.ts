import type { HostSandbox } from "../synth/host-objects.ts";
import type { SandboxReading } from "./api.ts";
import { escapeControls } from "./escape.ts";
import type { LiveState } from "./generation.ts";
import { conflictLines, liveLines } from "./live-lines.ts";
import type { Sandbox } from "./sandbox.ts";
import { secretNames } from "./secret-use.ts";

/**
 * How a sandbox is, for the one who wants to know whether it is as it should be.
 * @param values the `env` secrets that the caller has: what lacks or differs is told to who can mend it, and to no other
 */
export async function readingOf(
  sandbox: Sandbox,
  handed: ReadonlyMap<string, string>,
  values: Readonly<Record<string, string>> = {},
): Promise<SandboxReading> {
  const { record, generation, network } = sandbox;
  // What the operator changed a moment ago is no problem any more. A file of theirs that cannot be read is, and is told by who reads it.
  await network.refresh().catch(() => undefined);
  const [spec, overrides] = [await network.policy.journal.spec(), await network.policy.journal.overrides()];
  const state = await generation?.state().catch(() => undefined);
  if (state?.main?.state === "running") await sandbox.lookWhetherReady();
  return {
    spec: record.spec,
    running: generation !== undefined && state !== undefined,
    generation: record.generation,
    published: record.published,
    problems: [...problemsOf(sandbox, state), ...secretProblems(sandbox, spec, handed, values)].map(
      escapeControls,
    ),
    live: liveLines(record.id, record.spec.network, overrides),
    conflicts: conflictLines(record.id, overrides),
  };
}

/** Why it is not what it should be. */
export function problemsOf(sandbox: Sandbox, state: LiveState | undefined): string[] {
  const { record, generation, network } = sandbox;
  if (generation === undefined) {
    if (record.failure !== null) return [record.failure];
    if (record.wanted !== "running") return ["it was stopped"];
    return [
      record.init === null
        ? "it is being started; a kit that is not installed yet comes first"
        : "its processes ended; it is being started again",
    ];
  }
  if (state === undefined) return ["its init does not answer"];
  const agent = agentProblem(state);
  const server = agent === undefined && sandbox.unready !== undefined ? [sandbox.unready] : [];
  return [...(agent === undefined ? [] : [agent]), ...server, ...network.problems];
}

function agentProblem({ main }: LiveState): string | undefined {
  if (main === null || main.state === "running") return undefined;
  const { last_exit: exit, restarts } = main;
  const how =
    exit === null
      ? "has not started"
      : exit.signal === undefined
        ? `ended with code ${exit.code ?? 0}`
        : `was ended by ${exit.signal}`;
  if (main.state === "backoff")
    return `the agent ${how}; it is started again (restart ${restarts + 1}): nacre logs`;
  return exit?.code === 0 ? undefined : `the agent ${how} and is not started again: nacre logs`;
}

function secretProblems(
  { network }: Sandbox,
  spec: HostSandbox,
  handed: ReadonlyMap<string, string>,
  values: Readonly<Record<string, string>>,
): string[] {
  const lacking = network.lacking.filter(
    ({ secret, variable }) => variable === undefined || Object.hasOwn(values, secret),
  );
  const differing = secretNames(spec).filter(
    (name) => Object.hasOwn(values, name) && handed.has(name) && handed.get(name) !== values[name],
  );
  return [
    ...lacking.map(({ why }) => why),
    ...differing.map(
      (name) =>
        `secret ${name}: your environment's value differs from the one in use; nacre up hands it over`,
    ),
  ];
}
