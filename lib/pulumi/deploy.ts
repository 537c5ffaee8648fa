import {
  getProject,
  getStack,
  runtime,
  type ComponentResource,
  type ComponentResourceOptions,
} from "@pulumi/pulumi";
import type { Environment } from "../constructs/index.ts";
import { deployHost } from "./host.ts";
import type { Outputs } from "./outputs.ts";
import { readable } from "./readable.ts";
import { configOf, type StackConfig } from "./stack-config.ts";
import {
  environmentOfProgram,
  isInCluster,
  isInGateway,
  isInKubernetes,
  kubeconfigOf,
  type Program,
} from "./stack-environment.ts";

export interface DeployStackOptions extends ComponentResourceOptions {
  /** What the tree's tokens stand for. */
  readonly outputs?: Outputs;
}

/**
 * Makes real what a program says, on the target that the stack's configuration chooses (`nacre:target`, and what is
 * beside it).
 * @throws RunError that names what is wrong with the configuration or the tree
 */
export async function deployStack(
  program: Program,
  { outputs, ...options }: DeployStackOptions = {},
): Promise<ComponentResource> {
  const folder = runtime.getRootDirectory();
  const config = readable(() => configOf(runtime.allConfig()));
  const place = { environment: getStack(), project: getProject(), folder };
  const environment = readable(() => environmentOfProgram(program, config, place));
  return deploy(environment, { ...config, ...(outputs !== undefined && { outputs }) }, folder, options);
}

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
