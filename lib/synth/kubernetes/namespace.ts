import type { Construct } from "constructs";
import type { Environment, KubernetesTarget } from "../../constructs/index.ts";
import { k8s, type ApiObject } from "./k8s.ts";
import { ownLabels } from "./names.ts";
import { nothing, policySpec } from "./network.ts";
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
): Ground {
  const namespace = new k8s.KubeNamespace(scope, "namespace", {
    metadata: {
      name: parts.namespace,
      labels: {
        ...environment.namespace?.props.labels,
        ...ownLabels,
        ...podSecurity,
      },
    },
  });
  const priorities = [
    priority(scope, "agents", parts.priorities.agents, 1000),
    priority(scope, "services", parts.priorities.services, 2000),
  ];
  const closed = new k8s.KubeNetworkPolicy(scope, "closed", {
    metadata: metadataOf(parts, "default-deny"),
    spec: policySpec(nothing),
  });
  const quota = new k8s.KubeResourceQuota(scope, "quota", {
    metadata: metadataOf(parts, "environment"),
    spec: { hard: hardLimits(environment) },
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

/** Agents give way to what they need; nobody is put out for either. */
const priority = (scope: Construct, id: string, name: string, value: number): ApiObject =>
  new k8s.KubePriorityClass(scope, `${id}-priority`, {
    metadata: { name, labels: ownLabels },
    value,
    globalDefault: false,
    preemptionPolicy: "Never",
    description: `Nacre: the ${id} of one environment`,
  });

/** Twice the pods that there are, for the moment in which old and new overlap; nothing that opens the cluster outward. */
function hardLimits(environment: Environment<KubernetesTarget>): Record<string, k8s.Quantity> {
  const { sandboxes, target, namespace } = environment;
  const pods = sandboxes.length * 2 + target.settings.router.replicas.max;
  return quantities({
    pods: String(namespace?.props.pods ?? pods * 2),
    persistentvolumeclaims: String(sandboxes.length),
    "services.loadbalancers": "0",
    "services.nodeports": "0",
  });
}

const quantities = (written: Readonly<Record<string, string>>): Record<string, k8s.Quantity> =>
  Object.fromEntries(Object.entries(written).map(([name, text]) => [name, k8s.Quantity.fromString(text)]));
