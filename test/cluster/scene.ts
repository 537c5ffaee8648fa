import { resolve, type ClusterSettings } from "../../lib/blueprint/index.ts";
import type { Environment, KubernetesTarget } from "../../lib/constructs/index.ts";
import { synthesizeKubernetes, type Manifest } from "../../lib/synth/kubernetes.ts";
import { catalogue } from "../blueprint/fixtures.ts";
import { Bystanders } from "./bystanders.ts";

/** A pod of the cluster, and what it has to do with the environment. */
export interface Pod {
  /** `namespace/name`. */
  readonly id: string;
  readonly title: string;
  readonly part: "agent" | "egress" | "router" | "ours" | "elsewhere" | "dns" | "inward";
  /** Whose agent or egress it is. */
  readonly sandbox?: string;
}

/** An environment in a cluster that others live in too. */
export interface Scene {
  readonly settings: ClusterSettings;
  readonly manifests: readonly Manifest[];
  readonly pods: readonly Pod[];
  /** By its identity, what a sandbox has to do with the network. */
  readonly sandboxes: Readonly<Record<string, { readonly ports: readonly number[]; readonly asks: boolean }>>;
}

export function sceneOf(environment: Environment<KubernetesTarget>): Scene {
  const { objects, namespace } = synthesizeKubernetes(environment, { catalogue });
  const { agents } = resolve(environment.toBlueprint(), catalogue);
  const others = new Bystanders(environment, namespace);
  const deployments = objects.filter(({ manifest }) => manifest.kind === "Deployment");
  return {
    settings: environment.target.settings,
    manifests: [...objects.map(({ manifest }) => named(manifest)), ...others.manifests],
    pods: [
      ...deployments.flatMap(({ manifest }) => podsOf(manifest, namespace)),
      ...others.all.map(({ title, part, name, ...at }) => ({ id: `${at.namespace}/${name}`, title, part })),
    ],
    sandboxes: Object.fromEntries(
      environment.sandboxes.map(({ name, identity }) => {
        const agent = agents[name]!;
        return [identity, { ports: agent.ports, asks: agent.inference !== null }];
      }),
    ),
  };
}

/** A Deployment is known by its name: its labels are on trial. */
function podsOf({ metadata: { name } }: Manifest, namespace: string): Pod[] {
  const [, part, sandbox] = /^(agent|egress)-(.+)$/.exec(name) ?? ["", name];
  return [1, 2].map((number) => ({
    id: `${namespace}/${name}-${number}`,
    title: sandbox === undefined ? name : `${part} ${sandbox}`,
    part: part as Pod["part"],
    ...(sandbox !== undefined && { sandbox }),
  }));
}

/** Every namespace has this label: Kubernetes puts it there. */
function named(manifest: Manifest): Manifest {
  if (manifest.kind !== "Namespace") return manifest;
  const { metadata } = manifest;
  return {
    ...manifest,
    metadata: { ...metadata, labels: { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name } },
  };
}
