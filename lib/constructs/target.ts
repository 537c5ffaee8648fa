import {
  clusterOf,
  clusterSchema,
  findings,
  type ClusterDocument,
  type ClusterSettings,
} from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { messageOf } from "./message.ts";

/** Where an environment runs. */
export type Target = HostTarget | GatewayTarget | ClusterTarget;

/** This Linux machine: no Docker, no Kubernetes. */
export interface HostTarget {
  readonly kind: "host";
}

/** K3s in a container of this machine. What is particular to the container is the tree's `Gateway`. */
export interface GatewayTarget {
  readonly kind: "gateway";
  readonly settings: ClusterSettings;
}

/** Any Kubernetes. */
export interface ClusterTarget {
  readonly kind: "cluster";
  readonly settings: ClusterSettings;
}

/** What ends in Kubernetes objects. */
export type KubernetesTarget = GatewayTarget | ClusterTarget;

export const Target = {
  /** This Linux machine: the embedded runtime. */
  host: (): HostTarget => ({ kind: "host" }),

  /** K3s in a container of this machine. Throws `NacreError` `invalid_target`. */
  gateway: (settings: ClusterDocument = {}): GatewayTarget => ({
    kind: "gateway",
    settings: settingsOf("gateway", settings),
  }),

  /** Any Kubernetes. Throws `NacreError` `invalid_target`. */
  cluster: (settings: ClusterDocument = {}): ClusterTarget => ({
    kind: "cluster",
    settings: settingsOf("cluster", settings),
  }),
} as const;

function settingsOf(target: string, written: ClusterDocument): ClusterSettings {
  const problems = findings(clusterSchema, written);
  if (problems.length === 0) return clusterOf(written);
  throw new NacreError({
    code: "invalid_target",
    subject: `target ${target}`,
    message: problems.map(messageOf).join("\n"),
  });
}
