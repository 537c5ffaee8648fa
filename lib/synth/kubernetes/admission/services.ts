import { changes, type Rules } from "./rules.ts";
import { at, isAbsent, isEmpty, literal } from "./cel.ts";
import { ROLE, SANDBOX } from "../names.ts";
import type { Parts } from "../scope.ts";

/** Services lead to the pods that they are called after, within the cluster. */
export const serviceRules = (_parts: Parts): Rules => ({
  resources: [{ apiGroups: [""], resources: ["services"], operations: changes }],
  variables: {
    role: `object.metadata.name.split("-")[0]`,
    sandbox: `variables.role == object.metadata.name ? "" : object.metadata.name.substring(variables.role.size() + 1)`,
  },
  validations: [
    ["a Service is of the cluster alone: type ClusterIP", `object.spec.type == "ClusterIP"`],
    [
      "no address and no name outside the cluster",
      `${isEmpty("object", "spec.externalIPs")} && ${isAbsent("object", "spec.externalName")} &&
${isAbsent("object", "spec.loadBalancerIP")}`,
    ],
    [
      "it leads to the pods that it is called after",
      `variables.role in ["agent", "egress", "router"] && (variables.role == "router") == (variables.sandbox == "") &&
${at("object", "spec.selector")}.orValue({}) == (variables.role == "router"
  ? {${literal(ROLE)}: "router"}
  : {${literal(ROLE)}: variables.role, ${literal(SANDBOX)}: variables.sandbox})`,
    ],
    ["a port leads to the same port", `object.spec.ports.all(p, p.?targetPort.orValue(0) == p.port)`],
  ],
});
