import { getProject, type ComponentResourceOptions } from "@pulumi/pulumi";
import type { Environment, GatewayTarget } from "../constructs/index.ts";
import { synthesizeGateway } from "../synth/gateway.ts";
import { chartOf, ClusterEnvironment, hinder } from "./cluster.ts";
import { GatewayContainer } from "./gateway.ts";
import type { Outputs } from "./outputs.ts";
import { readable } from "./readable.ts";

/**
 * Makes an environment real in a container of this machine: K3s first, then the chart in it, by the kubeconfig that is
 * written once its API server is ready.
 * @throws RunError that names what is in the way
 */
export async function deployGateway(
  environment: Environment<GatewayTarget>,
  outputs?: Outputs,
  options?: ComponentResourceOptions,
): Promise<ClusterEnvironment> {
  const objects = await chartOf(environment, outputs);
  const container = readable(() => synthesizeGateway(environment, { project: getProject() }));
  hinder(objects.obstacles);
  const gateway = readable(() => new GatewayContainer(environment.name, container));
  const { kubeconfig, clusterIdentifier } = gateway;
  return new ClusterEnvironment(
    environment.name,
    objects,
    { kubeconfig, clusterIdentifier },
    outputs,
    options,
  );
}
