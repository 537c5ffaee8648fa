import { digestOfText, type ClusterSettings } from "../../blueprint/index.ts";
import type { Environment, KubernetesTarget } from "../../constructs/index.ts";

/** K3s' own addresses, written out so that nothing depends on its defaults. */
export const k3sNetwork = {
  pods: "10.42.0.0/16",
  services: "10.43.0.0/16",
  /** The service `kubernetes`: always the first of its range. */
  api: { cidr: "10.43.0.1/32", port: 443 },
  dns: "10.43.0.10",
  domain: "cluster.local",
  /** Where K3s listens, on the container's address. */
  port: 6443,
} as const;

/** The container's own network: an address that stays the same is one that a NetworkPolicy can name. */
export interface GatewayAddresses {
  readonly subnet: string;
  /** The machine, as the container sees it. */
  readonly gateway: string;
  readonly container: string;
}

/** The container's name: what its volumes and its network are called after. */
export const containerNameOf = ({ name, gateway }: Environment): string =>
  gateway?.settings.name ?? `nacre-${name}`;

export function addressesOf(environment: Environment): GatewayAddresses {
  const subnet = environment.gateway?.settings.subnet ?? usualSubnet(containerNameOf(environment));
  const at = (host: number): string => subnet.replace(/\d+\/24$/, String(host));
  return { subnet, gateway: at(1), container: at(2) };
}

/**
 * What a chart is lowered with. In a gateway Nacre made the cluster, so it knows what an operator says elsewhere: where
 * the API server is. The names of the cluster's DNS are those of any cluster, and all its addresses are private ones.
 */
export function chartSettingsOf(environment: Environment<KubernetesTarget>): ClusterSettings {
  const { kind, settings } = environment.target;
  if (kind !== "gateway" || settings.api !== undefined) return settings;
  const { container } = addressesOf(environment);
  const behind = { cidr: `${container}/32`, port: k3sNetwork.port };
  return { ...settings, api: { ...k3sNetwork.api, behind } };
}

/** Beside K3s' own ranges, and not the same for two gateways of one machine. */
const usualSubnet = (name: string): string =>
  `10.44.${Number.parseInt(digestOfText(name).slice("sha256:".length, "sha256:".length + 2), 16)}.0/24`;
