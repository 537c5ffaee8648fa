import { stringify } from "yaml";
import type { GatewayObjects } from "./gateway.ts";
import type { HostObjects } from "./host.ts";

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

/** A gateway's container, network and volumes, named as files. */
export function renderGateway(objects: GatewayObjects): ReadonlyMap<string, string> {
  const { container, network, volumes } = objects;
  const files = [
    ["Container", container],
    ["Network", network],
    ...volumes.map((volume) => ["Volume", volume] as const),
  ] as const;
  return new Map(
    files.map(([kind, spec]) => [
      `gateway-${kind.toLowerCase()}-${spec.name}.yaml`,
      renderObject({ apiVersion: "docker.nacre.dev/v1", kind, spec }),
    ]),
  );
}

/** One object as YAML, in block style, keys in the order of the object. */
export function renderObject(object: unknown): string {
  return stringify(object, { lineWidth: 110, aliasDuplicateObjects: false });
}
