import type { HostObjects } from "./host.ts";
import { renderObject } from "./render.ts";

/**
 * The files of `nacre synth`: one object a file, the same bytes for the same tree. No secret value can be in them:
 * the objects hold none.
 */
export function renderHost(objects: HostObjects): ReadonlyMap<string, string> {
  const files = [
    ...objects.workspaces.map((workspace) => ({ kind: "Workspace", name: workspace.name, spec: workspace })),
    ...objects.sandboxes.map((sandbox) => ({ kind: "Sandbox", name: sandbox.name, spec: sandbox })),
  ].map(({ kind, name, spec }) => {
    const text = renderObject({ apiVersion: "host.nacre.dev/v1", kind, spec });
    return [`${kind.toLowerCase()}-${name}.yaml`, text] as const;
  });
  return new Map(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}
