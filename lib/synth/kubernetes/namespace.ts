import type { Construct } from "constructs";
import type { ResolvedAgent } from "../../blueprint/index.ts";
import type { Environment, KubernetesTarget } from "../../constructs/index.ts";
import { k8s, type ApiObject } from "./k8s.ts";
import { ENVIRONMENT, ownLabels } from "./names.ts";
import { nothing, policySpec } from "./network.ts";
import { amounts, bytes, limitsOfAgent, limitsOfService, quantities, type Limits } from "./resources.ts";
import { after, metadataOf, type Parts } from "./scope.ts";

/** The version of Pod Security's rules: the newest that the cluster knows. */
const RESTRICTED = { level: "restricted", version: "latest" } as const;

/** The labels of the namespace that Pod Security goes by. */
export const podSecurity: Readonly<Record<string, string>> = Object.fromEntries(
  ["enforce", "audit", "warn"].flatMap((mode) => [
    [`pod-security.kubernetes.io/${mode}`, RESTRICTED.level],
    [`pod-security.kubernetes.io/${mode}-version`, RESTRICTED.version],
  ]),
);

/** What an environment has before it has a pod. */
export interface Ground {
  readonly namespace: ApiObject;
  /** Nothing runs before these. */
  readonly first: readonly ApiObject[];
}

/** The namespace and what holds for every pod in it, whoever puts it there. */
export function addGround(
  scope: Construct,
  parts: Parts,
  environment: Environment<KubernetesTarget>,
  agents: readonly ResolvedAgent[],
): Ground {
  const namespace = new k8s.KubeNamespace(scope, "namespace", {
    metadata: {
      name: parts.namespace,
      labels: {
        ...environment.namespace?.props.labels,
        ...ownLabels,
        ...podSecurity,
      },
      annotations: { [ENVIRONMENT]: parts.owner },
    },
  });
  const priorities = [
    priority(scope, "agents", parts.priorities.agents, -2),
    priority(scope, "services", parts.priorities.services, -1),
  ];
  const closed = new k8s.KubeNetworkPolicy(scope, "closed", {
    metadata: metadataOf(parts, "default-deny"),
    spec: policySpec(nothing),
  });
  const quota = new k8s.KubeResourceQuota(scope, "quota", {
    metadata: metadataOf(parts, "environment"),
    spec: { hard: hardLimits(environment, agents) },
  });
  const limits = new k8s.KubeLimitRange(scope, "limits", {
    metadata: metadataOf(parts, "environment"),
    spec: {
      limits: [
        {
          type: "Container",
          default: quantities({ cpu: "1", memory: "256Mi", "ephemeral-storage": "256Mi" }),
          defaultRequest: quantities({ cpu: "50m", memory: "64Mi", "ephemeral-storage": "64Mi" }),
        },
      ],
    },
  });
  for (const object of [closed, quota, limits]) after(object, namespace);
  return { namespace, first: [namespace, ...priorities, closed, quota, limits] };
}

/**
 * Agents give way to what they need, and both to whoever says no priority (0): nobody is put out for them. No lower than
 * -10, from which on the cluster autoscaler takes pods for expendable (`--expendable-pods-priority-cutoff`).
 */
const priority = (scope: Construct, id: string, name: string, value: number): ApiObject =>
  new k8s.KubePriorityClass(scope, `${id}-priority`, {
    metadata: { name, labels: ownLabels },
    value,
    globalDefault: false,
    preemptionPolicy: "Never",
    description: `Nacre: the ${id} of one environment`,
  });

/** Twice what there is, for the moment in which old and new overlap; nothing that opens the cluster outward. */
function hardLimits(
  { target: { settings }, namespace }: Environment<KubernetesTarget>,
  agents: readonly ResolvedAgent[],
): Record<string, k8s.Quantity> {
  const pods = [
    ...agents.flatMap(({ resources }) => [limitsOfAgent(resources), limitsOfService("egress")]),
    ...Array.from({ length: settings.router.replicas.max }, () => limitsOfService("router")),
  ];
  const sum = (of: keyof Limits): number => pods.reduce((total, pod) => total + pod[of], 0) * 2;
  const limits = amounts({
    cpu: sum("cpu"),
    memoryBytes: sum("memoryBytes"),
    ephemeralBytes: sum("ephemeralBytes"),
  });
  return quantities({
    pods: String(namespace?.props.pods ?? pods.length * 2),
    ...Object.fromEntries(Object.entries(limits).map(([name, text]) => [`limits.${name}`, text])),
    persistentvolumeclaims: String(agents.length),
    "requests.storage": bytes(agents.length * settings.storage.bytes),
    "services.loadbalancers": "0",
    "services.nodeports": "0",
  });
}
