import type { ComponentResource, ComponentResourceOptions } from "@pulumi/pulumi";
import type { Environment } from "../constructs/index.ts";
import { deployHost } from "./host.ts";
import type { Outputs } from "./outputs.ts";
import type { StackConfig } from "./stack-config.ts";
import { isInCluster, isInGateway, isInKubernetes, kubeconfigOf } from "./stack-environment.ts";

/**
 * Makes an environment real on its target. What a target needs is loaded there: a host has no use for the packages of
 * Kubernetes.
 */
export async function deploy(
  environment: Environment,
  config: StackConfig & { readonly outputs?: Outputs } = {},
  folder = process.cwd(),
  options?: ComponentResourceOptions,
): Promise<ComponentResource> {
  if (!isInKubernetes(environment)) return deployHost(environment, options);
  const { deployCluster, deployGateway } = await import("./cluster.ts");
  const { outputs, context } = config;
  if (isInGateway(environment)) {
    return deployGateway(environment, outputs === undefined ? {} : { outputs }, options);
  }
  if (!isInCluster(environment)) throw new RangeError("there is no other target");
  const kubeconfig = kubeconfigOf(config, folder);
  return deployCluster(
    environment,
    {
      ...(outputs !== undefined && { outputs }),
      ...(context !== undefined && { context }),
      ...(kubeconfig !== undefined && { kubeconfig }),
    },
    options,
  );
}
