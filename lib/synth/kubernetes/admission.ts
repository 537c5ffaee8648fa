import type { Construct } from "constructs";
import { ApiObject } from "./k8s.ts";
import { ownLabels } from "./names.ts";
import { after, type Parts } from "./scope.ts";

/** A rule in CEL, and what it keeps. */
interface Rule {
  readonly expression: string;
  readonly message: string;
}

const pod = "variables.pod";

const podRules: readonly Rule[] = [
  {
    expression: `${pod}.automountServiceAccountToken == false`,
    message: "no pod here has a token by itself",
  },
];

/** Refuses what would weaken the pods of an environment, whoever asks: Pod Security lets more through than Nacre does. */
export function addAdmission(scope: Construct, parts: Parts, namespace: ApiObject): readonly ApiObject[] {
  const name = `${parts.namespace}-walls`;
  const policy = new ApiObject(scope, "admission", {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name, labels: ownLabels },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ["apps"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["deployments"],
          },
        ],
      },
      variables: [{ name: "pod", expression: "object.spec.template.spec" }],
      validations: podRules.map((rule) => ({ ...rule })),
    },
  });
  const binding = new ApiObject(scope, "admission-binding", {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name, labels: ownLabels },
    spec: {
      policyName: name,
      validationActions: ["Deny"],
      matchResources: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": parts.namespace } },
      },
    },
  });
  after(binding, policy, namespace);
  return [binding];
}
