import { policyWarnings } from "../policy/lint.ts";
import type { AgentSpec } from "./blueprint.ts";
import { renderPath } from "./problem.ts";

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
