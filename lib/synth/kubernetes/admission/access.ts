import { changes, type Rules } from "./rules.ts";
import { at, Expression, is, isAbsent, literal } from "./cel.ts";
import type { Parts } from "../scope.ts";

/** An hour, as the pods' own tokens have it. */
const TOKEN_SECONDS = 3600;

/**
 * The API is for egresses, each for its own policy. People are bound to ClusterRoles, or from outside; their bindings here
 * are nobody's business but theirs.
 */
export function accessRules({ namespace }: Parts): Rules {
  const kind = "request.resource.resource";
  const sandbox = "object.metadata.name.substring(7)";
  const everyone = [
    "system:serviceaccounts",
    `system:serviceaccounts:${namespace}`,
    "system:authenticated",
    "system:unauthenticated",
  ];
  return {
    resources: [
      {
        apiGroups: ["rbac.authorization.k8s.io"],
        resources: ["roles", "rolebindings"],
        operations: changes,
      },
      { apiGroups: [""], resources: ["serviceaccounts", "serviceaccounts/token"], operations: changes },
    ],
    variables: {
      rules: `${kind} == "roles" ? ${at("object", "rules")}.orValue([]) : []`,
      subjects: `${kind} == "rolebindings" ? ${at("object", "subjects")}.orValue([]) : []`,
      token: `${kind} == "serviceaccounts" && request.?subResource.orValue("") == "token"`,
    },
    validations: [
      [
        "a Role here is an egress': it reads its own policy, one object, and nothing else",
        `${kind} != "roles" || object.metadata.name.startsWith("egress-") && size(variables.rules) <= 1 &&
variables.rules.all(rule, rule.verbs.all(verb, verb in ["get", "watch"]) && ${is("rule", "apiGroups", [""])} &&
  ${is("rule", "resources", ["configmaps"])} && ${is("rule", "resourceNames", [new Expression(`"policy-" + ${sandbox}`)])} &&
  ${isAbsent("rule", "nonResourceURLs")})`,
      ],
      [
        "an account of this namespace has the one Role of its own name, and shares it with nobody",
        `!variables.subjects.exists(s, s.kind == "ServiceAccount" && s.?namespace.orValue(${literal(namespace)}) == ${literal(namespace)} ||
  s.kind == "Group" && s.name in ${literal(everyone)} || s.kind == "User" &&
  (s.name == "system:anonymous" || s.name.startsWith(${literal(`system:serviceaccount:${namespace}:`)}))) ||
size(variables.subjects) == 1 && variables.subjects[0].kind == "ServiceAccount" &&
variables.subjects[0].name == object.metadata.name && object.roleRef.kind == "Role" &&
object.roleRef.name == object.metadata.name`,
      ],
      [
        "what is called after an egress binds that egress",
        `${kind} != "rolebindings" || !object.metadata.name.startsWith("egress-") ||
variables.subjects.all(s, s.kind == "ServiceAccount" && s.?namespace.orValue("") == ${literal(namespace)})`,
      ],
      [
        "no account here gives its token to pods by itself",
        `${kind} != "serviceaccounts" || variables.token || object.metadata.name == "default" ||
${is("object", "automountServiceAccountToken", false)}`,
      ],
      [
        "an account here holds no Secret",
        `${kind} != "serviceaccounts" || variables.token || size(${at("object", "secrets")}.orValue([])) == 0`,
      ],
      [
        `a token is bound to a pod, and lives ${TOKEN_SECONDS} seconds at most`,
        `!variables.token || ${is("object", "spec.boundObjectRef.kind", "Pod")} &&
${at("object", "spec.expirationSeconds")}.orValue(${TOKEN_SECONDS}) <= ${TOKEN_SECONDS}`,
      ],
    ],
  };
}
