import { changes, type Rule, type Rules } from "./rules.ts";
import { at, is, literal } from "./cel.ts";
import { podSecurity } from "../namespace.ts";
import type { Parts } from "../scope.ts";

/** What an environment has outside its namespace stays as it is: Pod Security, and that nobody is put out for its pods. */
export function namespaceRules({ namespace, priorities }: Parts): Rules {
  const kind = "request.resource.resource";
  return {
    resources: [
      { apiGroups: [""], resources: ["namespaces"], operations: changes, resourceNames: [namespace] },
      {
        apiGroups: ["scheduling.k8s.io"],
        resources: ["priorityclasses"],
        operations: changes,
        resourceNames: Object.values(priorities),
      },
    ],
    validations: [
      ...Object.entries(podSecurity).map(([label, value]): Rule => [
        `the label ${label} is ${value}`,
        `${kind} != "namespaces" || ${at("object", "metadata.labels")}.orValue({})[?${literal(label)}] == optional.of(${literal(value)})`,
      ]),
      [
        "a priority of this environment preempts nobody and is nobody's default",
        `${kind} != "priorityclasses" || ${is("object", "preemptionPolicy", "Never")} &&
${is("object", "globalDefault", false, false)}`,
      ],
    ],
  };
}
