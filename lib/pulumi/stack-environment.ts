import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Catalogue } from "../blueprint/index.ts";
import {
  environmentOf,
  Gateway,
  Target,
  type ClusterTarget,
  type Environment,
  type EnvironmentProps,
  type GatewayTarget,
  type KubernetesTarget,
} from "../constructs/index.ts";
import { loadBlueprint, loadOverlay } from "./blueprint-file.ts";
import { mustBeStack } from "./must-be-stack.ts";
import type { StackConfig } from "./stack-config.ts";

/** What a stack says of its environment, for `new Environment(stack.name, stack)`. */
export interface StackProps extends EnvironmentProps {
  /** The stack's name, which is the environment's. */
  readonly name: string;
  readonly project: string;
}

/** A construct tree in TypeScript, for whichever stack: what `deployStack` and `nacre synth --program` take. */
export type Program = (stack: StackProps) => Environment;

export interface StackPlace {
  /** The stack, which is the environment. */
  readonly environment: string;
  readonly project: string;
  /** Where Pulumi.yaml is: what the configuration names is relative to it. */
  readonly folder: string;
}

export interface BlueprintPlace extends StackPlace {
  /** The blueprint where the configuration names none. */
  readonly blueprint: string;
  readonly catalogue: Catalogue;
}

/** The construct tree that a stack's configuration states. Reads files; starts nothing. */
export function environmentOfStack(config: StackConfig, place: BlueprintPlace): Environment {
  const file = config.blueprint === undefined ? place.blueprint : resolve(place.folder, config.blueprint);
  const blueprint = loadBlueprint(file, place.catalogue);
  const { name: environment, ...props } = stackProps(config, place);
  return withGateway(environmentOf(blueprint, { environment, ...props }), config);
}

/**
 * The construct tree that a program makes for a stack.
 * @throws NacreError `stack_mismatch`
 */
export function environmentOfProgram(program: Program, config: StackConfig, place: StackPlace): Environment {
  const environment = program(stackProps(config, place));
  mustBeStack(environment, place.environment);
  return withGateway(environment, config);
}

function stackProps(config: StackConfig, { environment, project, folder }: StackPlace): StackProps {
  return {
    name: environment,
    project,
    target: targetOf(config),
    ...(config.overlay !== undefined && { overlay: loadOverlay(resolve(folder, config.overlay)) }),
  };
}

/** What the configuration says of the container, unless the tree says it itself. */
function withGateway(environment: Environment, { gateway }: StackConfig): Environment {
  if (environment.target.kind === "gateway" && environment.gateway === undefined)
    new Gateway(environment, "Gateway", gateway);
  return environment;
}

function targetOf({ target = "host", cluster }: StackConfig): Target {
  return target === "host" ? Target.host() : Target[target](cluster);
}

export const isInCluster = (environment: Environment): environment is Environment<ClusterTarget> =>
  environment.target.kind === "cluster";

export const isInGateway = (environment: Environment): environment is Environment<GatewayTarget> =>
  environment.target.kind === "gateway";

export const isInKubernetes = (environment: Environment): environment is Environment<KubernetesTarget> =>
  environment.target.kind !== "host";

/** `~/` is the user's home, as a shell would have it. */
export const kubeconfigOf = ({ kubeconfig }: StackConfig, folder: string): string | undefined => {
  if (kubeconfig === undefined) return undefined;
  return kubeconfig.startsWith("~/") ? join(homedir(), kubeconfig.slice(2)) : resolve(folder, kubeconfig);
};
