import { changes, type Rules } from "./rules.ts";
import { at, literal } from "./cel.ts";
import { podSecurity } from "../namespace.ts";
import type { Parts } from "../scope.ts";

/** Pod Security stays as it is. */
export const namespaceRules = ({ namespace }: Parts): Rules => ({
  resources: [
    { apiGroups: [""], resources: ["namespaces"], operations: changes, resourceNames: [namespace] },
  ],
  validations: Object.entries(podSecurity).map(([label, value]) => [
    `the label ${label} is ${value}`,
    `${at("object", "metadata.labels")}.orValue({})[?${literal(label)}] == optional.of(${literal(value)})`,
  ]),
});
