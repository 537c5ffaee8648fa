import type { GatewayObjects } from "../gateway.ts";
import { renderObject } from "../render.ts";

/**
 * A gateway's container, network and volumes, as files of a folder of their own: `kubectl apply -f` and Argo CD, which
 * know no such objects, do not look below the one that they are given.
 */
export function renderGateway(objects: GatewayObjects): ReadonlyMap<string, string> {
  const { container, network, volumes } = objects;
  const files = [
    ["Container", container],
    ["Network", network],
    ...volumes.map((volume) => ["Volume", volume] as const),
  ] as const;
  return new Map(
    files.map(([kind, spec]) => [
      `gateway/${kind.toLowerCase()}-${spec.name}.yaml`,
      renderObject({ apiVersion: "docker.nacre.dev/v1", kind, spec }),
    ]),
  );
}
