import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Catalogue } from "../blueprint/index.ts";
import {
  environmentOf,
  Gateway,
  Target,
  type ClusterTarget,
  type Environment,
  type GatewayTarget,
  type KubernetesTarget,
} from "../constructs/index.ts";
import { loadBlueprint, loadOverlay } from "./blueprint-file.ts";
import type { StackConfig } from "./stack-config.ts";

export interface StackPlace {
  /** The stack, which is the environment. */
  readonly environment: string;
  readonly project: string;
  /** Where Pulumi.yaml is: what the configuration names is relative to it. */
  readonly folder: string;
  /** The blueprint where the configuration names none. */
  readonly blueprint: string;
  readonly catalogue: Catalogue;
}

/** The construct tree that a stack's configuration states. Reads files; starts nothing. */
export function environmentOfStack(config: StackConfig, place: StackPlace): Environment {
  const file = (name: string): string => resolve(place.folder, name);
  const blueprint = loadBlueprint(
    config.blueprint === undefined ? place.blueprint : file(config.blueprint),
    place.catalogue,
  );
  const environment = environmentOf(blueprint, {
    environment: place.environment,
    project: place.project,
    target: targetOf(config),
    ...(config.overlay !== undefined && { overlay: loadOverlay(file(config.overlay)) }),
  });
  if (config.target === "gateway") new Gateway(environment, "Gateway", config.gateway);
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
