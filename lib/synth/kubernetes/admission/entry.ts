import type { Rules } from "./rules.ts";
import { literal } from "./cel.ts";
import type { Parts } from "../scope.ts";

/** What enters an agent's pod, so that whatever it starts has the agent's walls. */
export const ENTER = "/nacre/launcher";

/**
 * A bare `kubectl exec` has the container's walls and none of the launcher's, and in an egress it reads keys. The launcher
 * alone is let into an agent's pod. Ports of an agent can be forwarded to whoever may do that in Kubernetes; those of an
 * egress or of the router cannot, since a forwarded connection comes past the NetworkPolicies.
 */
export const entryRules = (_parts: Parts): Rules => ({
  resources: [
    {
      apiGroups: [""],
      resources: ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy"],
      operations: ["CONNECT"],
    },
  ],
  validations: [
    [
      "only the launcher is run in an agent's pod, and nothing in any other",
      `request.subResource != "exec" || request.name.startsWith("agent-") &&
object.?command.orValue([""])[0] == ${literal(ENTER)}`,
    ],
    ["nobody is attached to a pod", `request.subResource != "attach"`],
    [
      "the ports of an egress and of the router are for this environment's pods alone",
      `!(request.subResource in ["portforward", "proxy"]) || request.name.startsWith("agent-")`,
    ],
  ],
});
