import { changes, type Rules } from "./rules.ts";
import { ofCluster } from "./askers.ts";
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
    {
      apiGroups: ["cilium.io"],
      resources: ["ciliumnetworkpolicies", "ciliumlocalredirectpolicies", "ciliumenvoyconfigs"],
      operations: changes,
    },
    {
      apiGroups: ["crd.projectcalico.org", "projectcalico.org"],
      resources: ["networkpolicies"],
      operations: changes,
    },
    { apiGroups: ["crd.antrea.io"], resources: ["networkpolicies"], operations: changes },
    { apiGroups: ["apps"], resources: ["deployments/scale", "replicasets/scale"], operations: changes },
    { apiGroups: [""], resources: ["endpoints"], operations: changes },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], operations: changes },
  ],
  variables: {
    scale: `request.resource.resource in ["deployments", "replicasets"]`,
    leads: `request.resource.resource in ["endpoints", "endpointslices"]`,
  },
  validations: [
    ["nothing of this kind belongs in an environment of Nacre", `variables.scale || variables.leads`],
    ["where a Service leads is the cluster's own controllers' to write", `!variables.leads || ${ofCluster}`],
    [
      "two generations of one sandbox do not run at once",
      `!variables.scale || object.spec.?replicas.orValue(0) <= 1 || request.name == "router" ||
request.resource.resource == "replicasets" && request.name.startsWith("router-")`,
    ],
  ],
});
