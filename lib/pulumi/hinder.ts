import { log, runtime, RunError } from "@pulumi/pulumi";
import type { Hatch } from "../constructs/index.ts";
import { hatchLine } from "../synth/kubernetes/hatches.ts";
import { obstacleLine } from "../synth/kubernetes/refusal.ts";
import type { Refusal } from "../synth/kubernetes.ts";

/**
 * What stands in the way is a warning of a preview, and the end of an `up`, before it has changed anything.
 * @throws RunError with all of them
 */
export function hinder(obstacles: readonly Refusal[]): void {
  const lines = obstacles.map(({ subject, reason, fix }) => `${subject}: ${reason}\n  fix: ${fix}`);
  if (lines.length === 0) return;
  if (!runtime.isDryRun()) throw new RunError(`nothing was changed:\n${lines.join("\n")}`);
  for (const obstacle of obstacles) void log.warn(obstacleLine(obstacle));
}

/** What a person should know of an environment, at each run. */
export function tell(of: {
  readonly warnings: readonly string[];
  readonly hatches?: readonly Hatch[];
}): void {
  for (const warning of [...of.warnings, ...(of.hatches ?? []).map(hatchLine)]) void log.warn(warning);
}
