import type { ClusterSettings, Peer } from "../../blueprint/index.ts";
import { publicBlocks } from "../../policy/address-class.ts";
import { k8s } from "./k8s.ts";
import { ROLE, selectorOf, type Role } from "./names.ts";
import { ports } from "./ports.ts";

type Ingress = k8s.NetworkPolicyIngressRule;
type Egress = k8s.NetworkPolicyEgressRule;

const port = (number: number, protocol: "TCP" | "UDP" = "TCP"): k8s.NetworkPolicyPort => ({
  protocol,
  port: k8s.IntOrString.fromNumber(number),
});

const podsOf = (role: Role, sandbox?: string): k8s.NetworkPolicyPeer => ({
  podSelector: { matchLabels: selectorOf(role, sandbox) },
});

const peerOf = ({ namespace, pods }: Peer): k8s.NetworkPolicyPeer => ({
  namespaceSelector: { matchLabels: { ...namespace } },
  podSelector: { matchLabels: { ...pods } },
});

/** What concerns one set of pods: both directions are said, and what is not said is refused. */
export interface Traffic {
  readonly pods: Record<string, string>;
  readonly ingress: Ingress[];
  readonly egress: Egress[];
}

export const policySpec = ({ pods, ingress, egress }: Traffic): k8s.NetworkPolicySpec => ({
  podSelector: { matchLabels: pods },
  policyTypes: ["Ingress", "Egress"],
  ingress,
  egress,
});

/** Every pod of the namespace, also one that somebody else puts there. */
export const nothing: Traffic = { pods: {}, ingress: [], egress: [] };

/** An agent reaches its own egress and nothing else, the cluster's DNS included. */
export function agentTraffic(
  sandbox: string,
  declared: readonly number[],
  settings: ClusterSettings,
): Traffic {
  const open = declared.length > 0 && settings.inward.length > 0;
  return {
    pods: selectorOf("agent", sandbox),
    ingress: open
      ? [{ from: settings.inward.map(peerOf), ports: declared.map((number) => port(number)) }]
      : [],
    egress: [
      {
        to: [podsOf("egress", sandbox)],
        ports: [port(ports.capture), port(ports.dns), port(ports.dns, "UDP")],
      },
    ],
  };
}

/** An egress is reached by its own agent alone. Which names it dials is the policy's business; here are the addresses. */
export function egressTraffic(sandbox: string, withRouter: boolean, settings: ClusterSettings): Traffic {
  return {
    pods: selectorOf("egress", sandbox),
    ingress: [
      {
        from: [podsOf("agent", sandbox)],
        ports: [port(ports.capture), port(ports.dns), port(ports.dns, "UDP")],
      },
    ],
    egress: [
      ...(withRouter ? [{ to: [podsOf("router")], ports: [port(ports.router)] }] : []),
      names(settings),
      ...apiServer(settings),
      ...outside(settings),
      ...settings.grants.map(block),
    ],
  };
}

/** The router is reached by egresses alone, of whichever sandbox of the environment. */
export function routerTraffic(settings: ClusterSettings): Traffic {
  const { budgets } = settings.router;
  return {
    pods: { [ROLE]: "router" },
    ingress: [{ from: [podsOf("egress")], ports: [port(ports.router)] }],
    egress: [
      names(settings),
      ...outside(settings),
      ...settings.grants.map(block),
      ...(budgets === undefined ? [] : [block(budgets)]),
    ],
  };
}

const names = ({ dns }: ClusterSettings): Egress => ({
  to: [peerOf(dns)],
  ports: [port(53), port(53, "UDP")],
});

/**
 * Public addresses over TCP: none that is private, special, a metadata service's or the cluster's own. No rule at all
 * where none is left: one that names nobody is for everybody.
 */
function outside({ ranges }: ClusterSettings): Egress[] {
  const to = publicBlocks(ranges).map(({ cidr, except }) => ({ ipBlock: { cidr, except: [...except] } }));
  return to.length === 0 ? [] : [{ to, ports: [{ protocol: "TCP" }] }];
}

/** Both its addresses: which of them an enforcer sees is its own affair. */
const apiServer = ({ api }: ClusterSettings): Egress[] =>
  api === undefined ? [] : [block(api), ...(api.behind === undefined ? [] : [block(api.behind)])];

const block = (at: { readonly cidr: string; readonly port: number }): Egress => ({
  to: [{ ipBlock: { cidr: at.cidr, except: [] } }],
  ports: [port(at.port)],
});
