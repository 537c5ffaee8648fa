import type { KubernetesObject } from "@kubernetes/client-node";
import { walls, type Enforcement, type Wall } from "../constructs/index.ts";
import type { ChartObject, KubernetesObjects } from "../synth/kubernetes.ts";
import { answered, clientLibrary, kubeConfigOf, messageOf, type ClusterAccess } from "./api-server.ts";
import { differences } from "./differences.ts";
import { NacreError } from "../error.ts";

/** What was read of one wall: of the objects that it stands on, as the API server holds them. */
export interface ClusterWall {
  readonly wall: Wall;
  readonly status: Enforcement["status"];
  /** By what it stands; or why it does not, and what is there instead. */
  readonly detail: string;
  /** Fields of objects that are not as the blueprint asks: `NetworkPolicy/agent-a: spec.egress`. */
  readonly differs: readonly string[];
}

export interface ClusterStatus {
  readonly sandbox: string;
  readonly namespace: string;
  /** Pods that are ready, of those that should be. */
  readonly agent: string;
  readonly egress: string;
  readonly walls: readonly ClusterWall[];
}

/** Objects by `Kind/name`, as an API server holds them. */
export type Held = ReadonlyMap<string, unknown>;

/**
 * What stands of an environment in a cluster: each object that a wall is made of, read back and compared with what the
 * blueprint makes. Whether the cluster's network enforces NetworkPolicies is nothing that an object says.
 * @throws NacreError `cluster_unreachable`, `kubeconfig_unusable`
 */
export async function clusterStatus(
  objects: KubernetesObjects,
  access: ClusterAccess,
): Promise<ClusterStatus[]> {
  const config = await kubeConfigOf(access);
  const held = await read(objects, config).catch((error: unknown) => {
    throw new NacreError({
      code: "cluster_unreachable",
      subject: config.getCurrentCluster()?.server ?? access.kubeconfig,
      message: `does not tell its objects: ${messageOf(error)}`,
      hint: "start the cluster, or check nacre:kubeconfig and nacre:context",
    });
  });
  return statusOf(objects, held);
}

/** What stands of an environment where an API server holds this. */
export function statusOf(objects: KubernetesObjects, held: Held): ClusterStatus[] {
  const strange = strangers(objects, held);
  return objects.walls.map(({ sandbox, identity, walls: standing }) => ({
    sandbox,
    namespace: objects.namespace,
    agent: readiness(held.get(`Deployment/agent-${identity}`)),
    egress: readiness(held.get(`Deployment/egress-${identity}`)),
    walls: walls.map((wall) => {
      const of = standing[wall];
      const detail = of.status === "enforced" ? of.by : `${of.reason}; instead ${of.instead}`;
      const differs = [
        ...foundation(objects, wall, identity).flatMap((object) => differencesOf(object, held)),
        ...(wall === "network" ? strange : []),
      ];
      return { wall, status: of.status, detail, differs };
    }),
  }));
}

async function read(
  objects: KubernetesObjects,
  config: Awaited<ReturnType<typeof kubeConfigOf>>,
): Promise<Held> {
  const { KubernetesObjectApi } = await clientLibrary();
  const api = KubernetesObjectApi.makeApiClient(config);
  const kinds = new Map(
    objects.objects.map(({ manifest }) => [`${manifest.apiVersion} ${manifest.kind}`, manifest]),
  );
  const lists = await Promise.all(
    [...kinds.values()].map(async ({ apiVersion, kind, metadata }) => {
      const { items } = await answered<{ readonly items: readonly KubernetesObject[] }>(
        api.list(apiVersion, kind, metadata.namespace),
      );
      return items.map((item): [string, unknown] => [`${kind}/${item.metadata?.name ?? ""}`, item]);
    }),
  );
  return new Map(lists.flat());
}

/** What a wall is made of: for every sandbox, and for one. */
function foundation({ objects }: KubernetesObjects, wall: Wall, identity: string): ChartObject[] {
  const own = (path: string): boolean => path.startsWith(`sandbox-${identity}/`);
  return objects.filter(({ path, manifest: { kind } }) => {
    const common = !path.startsWith("sandbox-");
    if (wall === "network") {
      if (kind === "Namespace" || (own(path) && kind === "ConfigMap")) return true;
      return (own(path) || common) && /^(NetworkPolicy|Service)$/.test(kind);
    }
    if (wall === "credentials") {
      if (path.startsWith("router/")) return /^(Deployment|ServiceAccount|ConfigMap)$/.test(kind);
      return own(path) && /^(Deployment|ServiceAccount|Role|RoleBinding)$/.test(kind);
    }
    if (path.startsWith(`walls/${wall === "files" ? "landlock" : "seccomp"}-`)) return true;
    return (
      path === `sandbox-${identity}/agent/workload` || /^(Namespace|ValidatingAdmissionPolicy.*)$/.test(kind)
    );
  });
}

function differencesOf({ manifest }: ChartObject, held: Held): string[] {
  const name = `${manifest.kind}/${manifest.metadata.name}`;
  const live = held.get(name);
  if (live === undefined) return [`${name} is not there`];
  return differences(live, manifest)
    .filter((path) => path !== "apiVersion" && path !== "kind")
    .map((path) => `${name}: ${path}`);
}

/** NetworkPolicies add up, and so do roles: one more can only open. A workload of nobody's stands behind no wall. */
function strangers({ objects }: KubernetesObjects, held: Held): string[] {
  const own = new Set(objects.map(({ manifest }) => `${manifest.kind}/${manifest.metadata.name}`));
  return [...held.keys()]
    .filter((name) => /^(NetworkPolicy|Deployment|RoleBinding)\//.test(name) && !own.has(name))
    .map((name) => `${name} is not the blueprint's, and can only open more`);
}

interface Workload {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly readyReplicas?: number };
}

function readiness(workload: unknown): string {
  if (workload === undefined) return "absent";
  const { spec, status } = workload as Workload;
  return `${status?.readyReplicas ?? 0} of ${spec?.replicas ?? 1} ready`;
}

/** Everything runs, and nothing differs from what was asked for; a wall that no pod has yet is no fault of the cluster's. */
export const standing = ({ agent, egress, walls: read }: ClusterStatus): boolean =>
  [agent, egress].every((text) => /^(\d+) of \1 ready$/.test(text)) &&
  read.every(({ differs }) => differs.length === 0);
