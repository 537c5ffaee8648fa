import { strictEqual } from "node:assert";
import * as kubernetes from "@pulumi/kubernetes";
import type { CustomResource, CustomResourceOptions } from "@pulumi/pulumi";
import type { Catalogue } from "../../../lib/blueprint/index.ts";
import type { Environment, KubernetesTarget } from "../../../lib/constructs/index.ts";
import { ClusterEnvironment } from "../../../lib/pulumi/cluster.ts";
import { synthesizeKubernetes, type Manifest } from "../../../lib/synth/kubernetes.ts";
import { KubernetesStack } from "../../cluster/kubernetes-stack.ts";
import { measured, type Taken } from "./measured.ts";

/** The first preview of a stack, whole: the program, the engine, and the stand-in for the provider, which asks no cluster. */
export async function previewed(program: () => void, objects: number): Promise<Taken> {
  const stack = await KubernetesStack.open(() => {
    program();
    return Promise.resolve();
  });
  try {
    return await measured(stack.preview, ({ steps }) => {
      const made = steps.filter((step) => !/^create (kubernetes|Chart|Environment) /.test(step));
      strictEqual(made.length, objects);
      return made.length;
    });
  } finally {
    await stack.remove();
  }
}

/** What `deployCluster` does where there is no cluster to ask. */
export function registered(environment: Environment<KubernetesTarget>, catalogue: Catalogue): void {
  new ClusterEnvironment(environment.name, synthesizeKubernetes(environment, { catalogue }), {});
}

type ResourceClass = new (name: string, args: object, options: CustomResourceOptions) => CustomResource;
type Groups = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, ResourceClass>>>>>>;

/** The same objects by `@pulumi/kubernetes` alone: typed classes and one provider, no component, no order. */
export function registeredPlainly(manifests: readonly Manifest[]): void {
  const provider = new kubernetes.Provider("prod", { enableServerSideApply: true });
  for (const manifest of manifests) {
    const { apiVersion, kind, metadata } = manifest;
    const [version = "", group = "core"] = apiVersion.split("/").reverse();
    const typed = (kubernetes as unknown as Groups)[group.split(".")[0] ?? ""]?.[version]?.[kind];
    if (typed === undefined) throw new Error(`@pulumi/kubernetes has no ${apiVersion} ${kind}`);
    new typed(`${kind}/${metadata.name}`, manifest, { provider });
  }
}
