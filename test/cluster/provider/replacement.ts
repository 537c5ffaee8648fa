import type { Difference } from "../../../lib/provider/difference.ts";
import type { Settings } from "./settings.ts";
import { at, textAt, type Properties } from "./values.ts";

/** What makes an object another one, by kind, as the real provider has it (`force_new_properties.go`). */
const immutable: Readonly<Record<string, readonly string[]>> = {
  Deployment: ["spec.selector"],
  ReplicaSet: ["spec.selector"],
  DaemonSet: ["spec.selector"],
  StatefulSet: [
    "spec.selector",
    "spec.podManagementPolicy",
    "spec.revisionHistoryLimit",
    "spec.serviceName",
    "spec.volumeClaimTemplates",
  ],
  Job: ["spec.selector", "spec.template", "spec.completions", "spec.completionMode"],
  RoleBinding: ["roleRef"],
  ClusterRoleBinding: ["roleRef"],
  StorageClass: ["parameters", "provisioner"],
  PersistentVolumeClaim: ["spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"],
  Pod: ["spec.containers", "spec.initContainers", "spec.volumes", "spec.securityContext", "spec.hostNetwork"],
};
const everywhere = ["kind", "metadata.name", "metadata.namespace"];

/** The changed paths that need a new object. A Pod's images can be changed in place, and nothing else of its containers. */
export function replacing(
  changes: readonly Difference[],
  inputs: Properties,
  settings: Settings,
): ReadonlySet<string> {
  const kind = textAt(inputs, "kind") ?? "";
  const paths = [...everywhere, ...(immutable[kind] ?? [])];
  const frozen = at(inputs, "immutable") === true;
  if (kind === "ConfigMap" && (frozen || !settings.enableConfigMapMutable)) paths.push("data", "binaryData");
  if (kind === "Secret" && (frozen || !settings.enableSecretMutable)) paths.push("data", "stringData");
  if (kind === "Secret") paths.push("type");
  const found = changes.map(({ path }) => path).filter((path) => paths.some((root) => isUnder(path, root)));
  return new Set(kind === "Pod" ? found.filter((path) => !/ontainers\[\d+\]\.image$/.test(path)) : found);
}

const isUnder = (path: string, root: string): boolean =>
  path === root || path.startsWith(`${root}.`) || path.startsWith(`${root}[`);
