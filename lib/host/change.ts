import { canonicalJson } from "../blueprint/index.ts";
import { liveInputs, type HostSandbox } from "../synth/host-objects.ts";

/** What another description of a sandbox comes to: nothing, a push to its egress, or another process tree. */
export function changeOf(before: HostSandbox, after: HostSandbox): "none" | "live" | "restart" {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof HostSandbox>;
  const changed = [...names].filter((name) => canonicalJson(before[name]) !== canonicalJson(after[name]));
  if (changed.length === 0) return "none";
  return changed.every((name) => (liveInputs as readonly string[]).includes(name)) ? "live" : "restart";
}
