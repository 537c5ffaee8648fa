import { Provider } from "@pulumi/kubernetes";
import {
  ComponentResource,
  getProject,
  getStack,
  log,
  runtime,
  RunError,
  type ComponentResourceOptions,
  type Input,
} from "@pulumi/pulumi";
import type { Environment, KubernetesTarget } from "../constructs/index.ts";
import { hatchLine } from "../synth/kubernetes/hatches.ts";
import { obstacleLine } from "../synth/kubernetes/refusal.ts";
import { synthesizeKubernetes, type KubernetesObjects, type Refusal } from "../synth/kubernetes.ts";
import { ambientKubeconfig, readApiServer, type ClusterAccess } from "./api-server.ts";
import { loadCatalogue } from "./catalogue.ts";
import { ChartComponent } from "./chart.ts";
import { Outputs } from "./outputs.ts";
import { mustBeStack } from "./must-be-stack.ts";
import { readable } from "./readable.ts";

export interface ClusterOptions extends Partial<ClusterAccess> {
  /** What the tree's tokens stand for. */
  readonly outputs?: Outputs;
}

/** An environment in a cluster: the provider that leads there, and the chart. */
export class ClusterEnvironment extends ComponentResource {
  readonly chart: ChartComponent;

  constructor(
    name: string,
    objects: KubernetesObjects,
    access: {
      /** A path. */
      readonly kubeconfig?: Input<string> | undefined;
      readonly context?: string | undefined;
      readonly clusterIdentifier?: Input<string> | undefined;
    },
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

/**
 * Makes an environment real in a cluster, in any Pulumi program. A preview needs no cluster; `up` asks for it first, and
 * changes nothing where it does not answer, or where something that was asked for would not stand.
 * @throws RunError that names what is in the way
 */
export async function deployCluster(
  environment: Environment<KubernetesTarget>,
  { outputs = new Outputs(), context, kubeconfig = ambientKubeconfig() }: ClusterOptions = {},
  options?: ComponentResourceOptions,
): Promise<ClusterEnvironment> {
  const objects = await chartOf(environment, outputs);
  const reading =
    kubeconfig === undefined
      ? {
          reachable: false as const,
          clusterIdentifier: undefined,
          reason: "there is no kubeconfig",
          fix: "name one in nacre:kubeconfig",
        }
      : await readApiServer({ kubeconfig, context });
  hinder([
    ...objects.obstacles,
    ...(reading.reachable
      ? []
      : [{ subject: `environment ${environment.name}`, reason: reading.reason, fix: reading.fix }]),
  ]);
  const access = {
    kubeconfig,
    context,
    ...(reading.reachable && { clusterIdentifier: reading.clusterIdentifier }),
  };
  return new ClusterEnvironment(environment.name, objects, access, outputs, options);
}

/** What the environment becomes in Kubernetes. What holds and should be known all the same is said. */
export async function chartOf(
  environment: Environment<KubernetesTarget>,
  outputs?: Outputs,
): Promise<KubernetesObjects> {
  const objects = readable(() => {
    mustBeStack(environment, getStack());
    return synthesizeKubernetes(environment, { catalogue: loadCatalogue(), project: getProject() });
  });
  await outputs?.refuseSecrets();
  for (const warning of [...objects.warnings, ...objects.hatches.map(hatchLine)]) void log.warn(warning);
  return objects;
}

/** What stands in the way is a warning of a preview, and the end of an `up`, before it has changed anything. */
export function hinder(obstacles: readonly Refusal[]): void {
  const lines = obstacles.map(({ subject, reason, fix }) => `${subject}: ${reason}\n  fix: ${fix}`);
  if (lines.length === 0) return;
  if (!runtime.isDryRun()) throw new RunError(`nothing was changed:\n${lines.join("\n")}`);
  for (const obstacle of obstacles) void log.warn(obstacleLine(obstacle));
}
