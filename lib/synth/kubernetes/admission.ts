import type { Construct } from "constructs";
import { accessRules } from "./admission/access.ts";
import { dataRules } from "./admission/data.ts";
import { entryRules } from "./admission/entry.ts";
import { kindRules } from "./admission/kinds.ts";
import { namespaceRules } from "./admission/namespace.ts";
import { networkRules } from "./admission/network.ts";
import { podRules } from "./admission/pods.ts";
import { ownerRules } from "./admission/owner.ts";
import type { Rules } from "./admission/rules.ts";
import { serviceRules } from "./admission/services.ts";
import { ApiObject } from "./k8s.ts";
import { ownLabels } from "./names.ts";
import { after, type Parts } from "./scope.ts";

/** One policy each, by the end of its name. What they say depends on the target's settings, and on no sandbox. */
const policies: Readonly<Record<string, (parts: Parts) => Rules>> = {
  owner: ownerRules,
  pods: podRules,
  kinds: kindRules,
  network: networkRules,
  services: serviceRules,
  access: accessRules,
  data: dataRules,
  entry: entryRules,
  namespace: namespaceRules,
};

/**
 * Refuses what would weaken an environment, whoever asks: Pod Security lets more through than Nacre does, and knows
 * nothing of networks and roles. Kubernetes exempts these policies themselves from admission: that is drift's to find.
 * @returns the bindings: what they judge comes after them
 */
export function addAdmission(scope: Construct, parts: Parts, namespace: ApiObject): readonly ApiObject[] {
  return Object.entries(policies).map(([id, rulesOf]) => {
    const name = `${parts.namespace}-${id}`;
    const { resources, conditions = {}, variables = {}, validations } = rulesOf(parts);
    const policy = new ApiObject(scope, `admission-${id}`, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name, labels: ownLabels },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          matchPolicy: "Equivalent",
          namespaceSelector: {},
          objectSelector: {},
          resourceRules: resources.map((resource) => ({ apiVersions: ["*"], scope: "*", ...resource })),
          // What is not written is taken for the server's own by whoever compares.
          excludeResourceRules: [],
        },
        matchConditions: named(conditions),
        variables: named(variables),
        auditAnnotations: [],
        validations: validations.map(([message, expression]) => ({
          message,
          expression,
          reason: "Forbidden",
        })),
      },
    });
    const binding = new ApiObject(scope, `admission-${id}-binding`, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name, labels: ownLabels },
      spec: {
        policyName: name,
        validationActions: ["Deny"],
        matchResources: {
          matchPolicy: "Equivalent",
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": parts.namespace } },
          objectSelector: {},
          resourceRules: [],
          excludeResourceRules: [],
        },
      },
    });
    after(binding, policy, namespace);
    return binding;
  });
}

const named = (
  expressions: Readonly<Record<string, string>>,
): readonly { readonly name: string; readonly expression: string }[] =>
  Object.entries(expressions).map(([name, expression]) => ({ name, expression }));
