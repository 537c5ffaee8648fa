import { changes, type Rules } from "./rules.ts";
import { at, Expression, isAbsent, literal } from "./cel.ts";
import { ROLE } from "../names.ts";
import { agentTraffic, egressTraffic, routerTraffic, type Traffic } from "../network.ts";
import type { Parts } from "../scope.ts";

/** In the place of a sandbox' name. */
const SOME = "some";

/**
 * NetworkPolicies add up, so one more would open what the others close: there are those that Nacre writes, by name, and
 * each rule in them is one that Nacre writes.
 */
export function networkRules(parts: Parts): Rules {
  const { settings } = parts;
  const agent = agentTraffic(SOME, [1], settings);
  const traffic = {
    agent,
    egress: egressTraffic(SOME, true, parts),
    router: routerTraffic(parts),
    none: { pods: {}, ingress: [], egress: [] } satisfies Traffic,
  };
  const each = (of: (traffic: Traffic) => unknown): string =>
    celOf(Object.fromEntries(Object.entries(traffic).map(([role, one]) => [role, of(one)])));
  return {
    resources: [{ apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], operations: changes }],
    variables: {
      role: `object.metadata.name == "default-deny" ? "none" : object.metadata.name.split("-")[0]`,
      sandbox: `object.metadata.name.split("-").size() < 2 ? "" : object.metadata.name.substring(variables.role.size() + 1)`,
      ingress: `${at("object", "spec.ingress")}.orValue([])`,
      egress: `${at("object", "spec.egress")}.orValue([])`,
      peers: celOf(agent.ingress.flatMap(({ from = [] }) => from)),
    },
    validations: [
      [
        "a NetworkPolicy here is default-deny, or called after a role and its sandbox",
        `object.metadata.name in ["default-deny", "router"] ||
variables.role in ["agent", "egress"] && variables.sandbox != ""`,
      ],
      [
        "it selects other pods than those that it is called after",
        `object.spec.podSelector == ${each(({ pods }) =>
          Object.keys(pods).length === 0 ? {} : { matchLabels: pods },
        )}[?variables.role].orValue({"matchLabels": dyn({${literal(ROLE)}: "none such"})})`,
      ],
      [
        "it has to say both directions",
        `"Ingress" in object.spec.policyTypes && "Egress" in object.spec.policyTypes`,
      ],
      [
        "an egress rule is none of those that Nacre writes for this role and these settings",
        `variables.egress.all(rule, rule in ${each(({ egress }) => egress)}[?variables.role].orValue([]))`,
      ],
      [
        "an ingress rule is none of those that Nacre writes for this role and these settings",
        `variables.role == "agent" || variables.ingress.all(rule, rule in ${each(({ ingress }) => ingress)}[?variables.role].orValue([]))`,
      ],
      [
        "an agent's ports are open to the peers that the settings name (inward), one by one",
        `variables.role != "agent" || variables.ingress.all(rule,
  size(rule.?from.orValue([])) > 0 && rule.from.all(peer, peer in variables.peers) &&
  size(rule.?ports.orValue([])) > 0 && rule.ports.all(p, p.protocol == "TCP" && ${isAbsent("p", "endPort")} &&
    type(p.?port.orValue("")) == int))`,
      ],
    ],
  };
}

/** As the API gives it back: without what is empty, and with the sandbox' name in the place of `SOME`. */
function celOf(value: unknown): string {
  return literal(prepared(value));
}

function prepared(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(prepared);
  if (value === SOME) return new Expression("variables.sandbox");
  if (typeof value !== "object" || value === null) return value;
  if ("value" in value && Object.keys(value).length === 1) return value.value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, entry]) =>
          entry !== undefined && !(["except", "matchLabels"].includes(key) && isNothing(entry)),
      )
      .map(([key, entry]) => [key, prepared(entry)]),
  );
}

const isNothing = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;
