import type { ChartObject } from "../kubernetes.ts";
import { renderObject } from "../render.ts";
import type { Manifest } from "./manifest.ts";

/**
 * The files that `kubectl apply -f` and GitOps tools take: one object a file, the same bytes for the same tree. The
 * number in front says what has to be there first, and stays as it is when objects are added.
 */
export function renderKubernetes(objects: readonly ChartObject[]): ReadonlyMap<string, string> {
  const files = objects.map(({ manifest }): [string, string] => [
    `${stageOf(manifest)}-${manifest.kind.toLowerCase()}-${manifest.metadata.name}.yaml`,
    renderObject(manifest),
  ]);
  return new Map(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Walls before what stands behind them. */
function stageOf({ kind }: Manifest): number {
  if (kind === "Namespace") return 0;
  if (kind === "Deployment") return 3;
  return /Policy|Binding|Quota|LimitRange|PriorityClass/.test(kind) ? 1 : 2;
}
