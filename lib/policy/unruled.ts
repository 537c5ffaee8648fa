import { classOf } from "./address-class.ts";
import { inferenceHost } from "./decide.ts";
import { parseHostPattern } from "./host-pattern.ts";
import type { Problem } from "./problem.ts";

/** Why no rule is asked about a host: what is dialled there never leaves the sandbox, or the egress answers it itself. */
export function unruled(host: string): Problem | undefined {
  const pattern = parseHostPattern(host);
  if (!("kind" in pattern)) return undefined;
  const { text } = pattern;
  if (text === inferenceHost)
    return {
      reason: `${host} is answered by the agent's route, and no rule is asked about it`,
      fix: "name a route in the blueprint: inference",
    };
  const isLoopback =
    pattern.kind === "address"
      ? classOf(text) === "loopback"
      : text === "localhost" || text.endsWith(".localhost");
  if (!isLoopback) return undefined;
  return {
    reason: `${host} is the sandbox' own loopback, which no rule is asked about`,
    fix: "write another name or address of the host that is meant",
  };
}
