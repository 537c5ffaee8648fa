import { Provider } from "@pulumi/kubernetes";
import {
  ComponentResource,
  getProject,
  getStack,
  type ComponentResourceOptions,
  type Input,
} from "@pulumi/pulumi";
import type { ClusterTarget, Environment, GatewayTarget, KubernetesTarget } from "../constructs/index.ts";
import { synthesizeGateway } from "../synth/gateway.ts";
import { synthesizeKubernetes, type KubernetesObjects } from "../synth/kubernetes.ts";
import { ambientKubeconfig, noKubeconfig, readApiServer, type ClusterAccess } from "../cluster/api-server.ts";
import { loadCatalogue } from "./catalogue.ts";
import { inTheWay, type InTheWay } from "../cluster/in-the-way.ts";
import { ChartComponent } from "./chart.ts";
import { GatewayContainer, type GatewayContainerOptions } from "./gateway.ts";
import { hinder, tell } from "./hinder.ts";
import { Outputs } from "./outputs.ts";
import { mustBeStack } from "./must-be-stack.ts";
import { readable } from "./readable.ts";

export interface ClusterOptions extends Partial<ClusterAccess> {
  /** What the tree's tokens stand for. */
  readonly outputs?: Outputs;
}

/** The way to a cluster. */
interface Access {
  readonly kubeconfig?: Input<string> | undefined;
  readonly context?: string | undefined;
  readonly clusterIdentifier?: Input<string> | undefined;
}

/** An environment in a cluster: the provider that leads there, and the chart. */
export class ClusterEnvironment extends ComponentResource {
  readonly chart: ChartComponent;

  constructor(
    name: string,
    objects: KubernetesObjects,
    access: Access,
    outputs = new Outputs(),
    options: ComponentResourceOptions = {},
  ) {
    super("nacre:kubernetes:Environment", name, {}, options);
    const provider = new Provider(
      name,
      {
        ...(access.kubeconfig !== undefined && { kubeconfig: access.kubeconfig }),
        ...(access.context !== undefined && { context: access.context }),
        ...(access.clusterIdentifier !== undefined && { clusterIdentifier: access.clusterIdentifier }),
        enableServerSideApply: true,
        // What a killed run made and did not note, and what an earlier destroy kept, whoever wrote to it since. The
        // namespace is the environment's own, and so is each field that its blueprint says.
        upsertExistingObjects: true,
        enablePatchForce: true,
        // Else a changed policy would be a new object, and an old one that its egress still watches.
        enableConfigMapMutable: true,
        enableSecretMutable: true,
      },
      {
        parent: this,
        // Where no kubeconfig can be read it is the same cluster as before: a plan that replaced everything would be wrong.
        ...(access.clusterIdentifier === undefined && {
          ignoreChanges: ["kubeconfig", "context", "clusterIdentifier"],
        }),
      },
    );
    this.chart = new ChartComponent(name, objects, outputs, {
      parent: this,
      providers: { kubernetes: provider },
    });
    this.registerOutputs({});
  }
}

/** The environment's objects, and what is wrong with the tree, before anything is registered. */
async function readied(
  environment: Environment<KubernetesTarget>,
  outputs: Outputs,
): Promise<KubernetesObjects> {
  const objects = readable(() => {
    mustBeStack(environment, getStack());
    return synthesizeKubernetes(environment, { catalogue: loadCatalogue(), project: getProject() });
  });
  await outputs.refuseSecrets();
  tell(objects);
  return objects;
}

/**
 * Makes an environment real in a cluster, in any Pulumi program. A preview needs no cluster; `up` asks for it first, and
 * changes nothing where it does not answer, or where something that was asked for would not stand.
 * @throws RunError that names what is in the way
 */
export async function deployCluster(
  environment: Environment<ClusterTarget>,
  { outputs = new Outputs(), context, kubeconfig = ambientKubeconfig() }: ClusterOptions = {},
  options?: ComponentResourceOptions,
): Promise<ClusterEnvironment> {
  const objects = await readied(environment, outputs);
  const { clusterIdentifier, obstacle } =
    kubeconfig === undefined
      ? { clusterIdentifier: undefined, obstacle: noKubeconfig() }
      : await asked({ kubeconfig, context }, objects);
  hinder([
    ...objects.obstacles,
    ...(obstacle === undefined ? [] : [{ subject: `environment ${environment.name}`, ...obstacle }]),
  ]);
  const access = { kubeconfig, context, clusterIdentifier };
  return new ClusterEnvironment(environment.name, objects, access, outputs, options);
}

/** What a cluster says before anything is put there. */
async function asked(
  access: ClusterAccess,
  objects: KubernetesObjects,
): Promise<{
  readonly clusterIdentifier: string | undefined;
  readonly obstacle: InTheWay | undefined;
}> {
  const reading = await readApiServer(access);
  const { clusterIdentifier } = reading;
  if (reading.reachable) return { clusterIdentifier, obstacle: await inTheWay(access, objects) };
  const { reason, fix } = reading;
  return { clusterIdentifier, obstacle: { reason, fix } };
}

export interface GatewayOptions extends GatewayContainerOptions {
  /** What the tree's tokens stand for. */
  readonly outputs?: Outputs;
}

/**
 * Makes an environment real in a K3s of its own: the container, then its API server's readiness, then the chart, all in
 * one `up`. A preview needs neither Docker nor the cluster.
 * @throws RunError that names what is in the way
 */
export async function deployGateway(
  environment: Environment<GatewayTarget>,
  { outputs = new Outputs(), ...container }: GatewayOptions = {},
  options?: ComponentResourceOptions,
): Promise<ClusterEnvironment> {
  const objects = await readied(environment, outputs);
  const made = readable(() => synthesizeGateway(environment, { project: getProject() }));
  tell(made);
  hinder([...objects.obstacles, ...made.obstacles]);
  const told = { ...made, obstacles: [] };
  const { kubeconfig, clusterIdentifier, ready } = new GatewayContainer(environment.name, told, container);
  return new ClusterEnvironment(environment.name, objects, { kubeconfig, clusterIdentifier }, outputs, {
    ...options,
    dependsOn: ready,
  });
}
