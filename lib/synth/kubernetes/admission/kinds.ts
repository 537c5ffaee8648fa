import { changes, type Rules } from "./rules.ts";
import type { Parts } from "../scope.ts";

/** What has no place in an environment's namespace: other ways to run something, and other ways to open its network. */
export const kindRules = (_parts: Parts): Rules => ({
  resources: [
    {
      apiGroups: ["apps"],
      resources: ["daemonsets", "statefulsets"],
      operations: changes,
    },
    { apiGroups: ["batch"], resources: ["jobs", "cronjobs"], operations: changes },
    { apiGroups: [""], resources: ["replicationcontrollers"], operations: changes },
    // Policies add up: what one of these opens, no NetworkPolicy closes.
    { apiGroups: ["cilium.io"], resources: ["ciliumnetworkpolicies"], operations: changes },
    {
      apiGroups: ["crd.projectcalico.org", "projectcalico.org"],
      resources: ["networkpolicies"],
      operations: changes,
    },
    { apiGroups: ["crd.antrea.io"], resources: ["networkpolicies"], operations: changes },
    { apiGroups: ["apps"], resources: ["deployments/scale"], operations: changes },
  ],
  validations: [
    ["nothing of this kind belongs in an environment of Nacre", `request.resource.resource == "deployments"`],
    [
      "two generations of one sandbox do not run at once",
      `request.resource.resource != "deployments" || request.name == "router" || object.spec.?replicas.orValue(0) <= 1`,
    ],
  ],
});
