import type { Rules } from "./rules.ts";
import { ofCluster } from "./askers.ts";
import { literal } from "./cel.ts";
import type { Parts } from "../scope.ts";

/** The verb and the resource of RBAC (no such kind exists) that let somebody change an environment's own objects. */
export const MANAGE = { group: "nacre.dev", resource: "environments", verb: "manage" } as const;

const writes = ["CREATE", "UPDATE", "DELETE"] as const;

/**
 * What an environment is made of is changed by who manages it, and by the cluster's own programs. Kubernetes' roles `edit`
 * and `admin` of a namespace are meant for workloads of one's own: with them one could take default-deny away, make a
 * second sandbox, or move a key to another egress, each by an object that is as it should be.
 */
export function ownerRules({ namespace }: Parts): Rules {
  const mine = (pattern: string): string => `request.name.matches(${literal(pattern)})`;
  return {
    resources: [
      {
        apiGroups: ["apps"],
        resources: ["deployments", "replicasets", "deployments/scale", "replicasets/scale"],
        operations: writes,
      },
      // Its deletion starts it anew; its making is judged by who asks for it.
      { apiGroups: [""], resources: ["pods"], operations: ["UPDATE"] },
      { apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], operations: writes },
      {
        apiGroups: [""],
        resources: ["configmaps", "services", "serviceaccounts", "resourcequotas", "limitranges"],
        operations: writes,
      },
      { apiGroups: [""], resources: ["persistentvolumeclaims"], operations: ["CREATE", "DELETE"] },
      { apiGroups: [""], resources: ["serviceaccounts/token"], operations: ["CREATE"] },
      { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles"], operations: writes },
      { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], operations: writes },
      { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], operations: writes },
    ],
    conditions: {
      // ConfigMaps of other names are nobody's here: no pod of an environment has them.
      own: `request.resource.resource != "configmaps" || request.name == "" ||
${mine("^(landlock|seccomp|policy|egress)-|^(router|environment)$")}`,
      "not-of-cluster": `!(${ofCluster} || "system:nodes" in request.userInfo.?groups.orValue([]))`,
    },
    validations: [
      [
        `changes of an environment are for who may ${MANAGE.verb} ${MANAGE.resource}.${MANAGE.group} in its namespace`,
        `authorizer.group(${literal(MANAGE.group)}).resource(${literal(MANAGE.resource)}).namespace(${literal(namespace)}).check(${literal(MANAGE.verb)}).allowed()`,
      ],
    ],
  };
}
