import { positionWarning } from "../policy/binding.ts";
import { policyWarnings } from "../policy/lint.ts";
import type { AgentSpec } from "./blueprint.ts";
import { renderPath } from "./problem.ts";
import type { ResolvedBlueprint } from "./resolve.ts";

/** What holds and yet should be known before it runs. */
export function warningsOf(agents: Readonly<Record<string, AgentSpec>>): string[] {
  return Object.entries(agents).flatMap(([name, agent]) => [
    ...Object.entries(agent.walls)
      .filter(([, requirement]) => requirement === "best_effort")
      .map(([wall]) => `agent ${name}: the ${wall} wall is best effort, so the agent also starts without it`),
    ...(agent.policy.landlock?.compatibility === "best_effort" && agent.walls.files === "required"
      ? [
          `agent ${name}: its policy asks for Landlock as best effort; it is required all the same (walls.files)`,
        ]
      : []),
    ...policyWarnings(agent.policy.network_policies ?? {}).map(
      ({ path, reason }) => `agent ${name}: rule ${renderPath(path)}: ${reason}`,
    ),
  ]);
}

/** What holds of the agents' credentials and was probably not meant: a name that no rule of any agent carries. */
export function credentialWarnings(
  agents: Readonly<Record<string, AgentSpec>>,
  resolved: ResolvedBlueprint,
): string[] {
  const carried = new Set(Object.values(resolved.agents).flatMap((agent) => Object.keys(agent.credentials)));
  const written = Object.values(agents).flatMap((agent) => Object.entries(agent.credentials));
  return [...new Map(written)].flatMap(([name, { for: hosts, in: position }]) => {
    const prefix = position && positionWarning(position);
    const places = hosts.join(", ");
    return [
      ...(carried.has(name)
        ? []
        : [`credential ${name}: no rule carries it: none is for ${places}, or it names another credential`]),
      ...(prefix === undefined ? [] : [`credential ${name}: ${prefix.reason}`]),
    ];
  });
}
