import { changes, type Rule, type Rules } from "./rules.ts";
import { at, is, literal } from "./cel.ts";
import { ENVIRONMENT } from "../names.ts";
import { podSecurity } from "../namespace.ts";
import type { Parts } from "../scope.ts";

/** What an environment has outside its namespace stays as it is: Pod Security, and that nobody makes way for its pods. */
export function namespaceRules({ namespace, owner, priorities }: Parts): Rules {
  const kind = "request.resource.resource";
  return {
    resources: [
      {
        apiGroups: [""],
        resources: ["namespaces", "namespaces/status", "namespaces/finalize"],
        operations: changes,
        resourceNames: [namespace],
      },
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
        "it is another environment's",
        `${kind} != "namespaces" ||
${at("object", "metadata.annotations")}.orValue({})[?${literal(ENVIRONMENT)}] == optional.of(${literal(owner)})`,
      ],
      [
        "a priority of this environment is below that of everybody else, preempts nobody, and is nobody's default",
        `${kind} != "priorityclasses" || object.value < 0 && ${is("object", "preemptionPolicy", "Never")} &&
${is("object", "globalDefault", false, false)}`,
      ],
    ],
  };
}
