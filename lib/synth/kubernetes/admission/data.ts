import { changes, type Rules } from "./rules.ts";
import { at, is, isAbsent, literal } from "./cel.ts";
import type { Parts } from "../scope.ts";
import { HOSTS_KEY } from "../secrets.ts";

/**
 * What pods are given. Where a Secret may go changes with a new Secret alone: whoever may write Secrets and not read them
 * could otherwise have a key sent to a host of his own, and who makes one anew has to know its value.
 */
export function dataRules(_parts: Parts): Rules {
  const kind = "request.resource.resource";
  return {
    resources: [
      {
        apiGroups: [""],
        resources: ["configmaps", "secrets", "persistentvolumeclaims", "resourcequotas"],
        operations: changes,
      },
    ],
    validations: [
      [
        "a wall's rules cannot change: immutable",
        `${kind} != "configmaps" || !object.metadata.name.matches("^(landlock|seccomp)-") || ${is("object", "immutable", true)}`,
      ],
      [
        `${HOSTS_KEY} of a Secret does not change: delete the Secret, and make it anew with its value`,
        `${kind} != "secrets" || request.operation == "CREATE" ||
${at("object", "data")}.orValue({})[?${literal(HOSTS_KEY)}] == ${at("oldObject", "data")}.orValue({})[?${literal(HOSTS_KEY)}]`,
      ],
      [
        "no token that never ends: an account's token is asked for, not stored",
        `${kind} != "secrets" || object.type != "kubernetes.io/service-account-token"`,
      ],
      [
        "a claim is a file system of one pod, and nobody else's data",
        `${kind} != "persistentvolumeclaims" || ${is("object", "spec.volumeMode", "Filesystem", "Filesystem")} &&
object.spec.accessModes.all(mode, mode in ["ReadWriteOnce", "ReadWriteOncePod"]) &&
${isAbsent("object", "spec.dataSource")} && ${isAbsent("object", "spec.dataSourceRef")}`,
      ],
      [
        "the quota lets no Service out of the cluster, and bounds what the pods may take",
        `${kind} != "resourcequotas" || object.metadata.name != "environment" ||
["services.nodeports", "services.loadbalancers"].all(what, string(${at("object", "spec.hard")}.orValue({})[?what].orValue("")) == "0") &&
["limits.cpu", "limits.memory", "limits.ephemeral-storage", "requests.storage"].all(what, ${at("object", "spec.hard")}.orValue({})[?what].hasValue())`,
      ],
    ],
  };
}
