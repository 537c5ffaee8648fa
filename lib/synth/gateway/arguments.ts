import type { GatewaySettings } from "../../blueprint/index.ts";
import { paths } from "./files.ts";
import { k3sNetwork } from "./network.ts";

export interface ArgumentParts {
  readonly settings: GatewaySettings;
  /** The node's name, which its objects in the cluster are bound to. */
  readonly node: string;
  /** Its own address. */
  readonly address: string;
  /** Processes and threads of each pod. */
  readonly pids: number;
}

/** What K3s is started with. Also what equals its default is written: a default may change with its version. */
export function argumentsOf({ settings, node, address, pids }: ArgumentParts): string[] {
  return [
    "server",
    `--node-name=${node}`,
    `--node-ip=${address}`,
    `--advertise-address=${address}`,
    `--https-listen-port=${k3sNetwork.port}`,
    "--tls-san=127.0.0.1",
    "--tls-san-security=true",
    "--write-kubeconfig-mode=0600",
    `--cluster-cidr=${k3sNetwork.pods}`,
    `--service-cidr=${k3sNetwork.services}`,
    `--cluster-dns=${k3sNetwork.dns}`,
    `--cluster-domain=${k3sNetwork.domain}`,
    "--secrets-encryption",
    ...settings.disable.map((part) => `--disable=${part}`),
    // It runs charts with all rights over the cluster, and Traefik alone comes as one.
    ...(settings.disable.includes("traefik") ? ["--disable-helm-controller"] : []),
    ...(settings.dns.length === 0 ? [] : [`--resolv-conf=${paths.resolver}`]),
    ...each("kube-apiserver", {
      ...usualApiArguments(settings),
      ...settings.apiArguments,
      ...apiWalls(settings),
    }),
    ...each("kube-controller-manager", managerWalls),
    ...each("kube-scheduler", schedulerWalls),
    ...each("kubelet", { ...usualKubeletArguments, ...settings.kubeletArguments, ...kubeletWalls(pids) }),
  ];
}

/** Arguments of the API server that the walls stand on. */
export const apiWalls = ({ audit }: Pick<GatewaySettings, "audit">): Readonly<Record<string, string>> => ({
  "anonymous-auth": "false",
  "authorization-mode": "Node,RBAC",
  "enable-admission-plugins": "NodeRestriction",
  "admission-control-config-file": paths.admission,
  profiling: "false",
  "service-account-lookup": "true",
  "service-account-extend-token-expiration": "false",
  "tls-min-version": "VersionTLS12",
  ...(audit === "none" ? {} : { "audit-policy-file": paths.auditPolicy, "audit-log-path": paths.auditLog }),
});

/** Of the kubelet. A pod without a profile of its own gets the runtime's; what it may start is bounded. */
export const kubeletWalls = (pids: number): Readonly<Record<string, string>> => ({
  "anonymous-auth": "false",
  "authorization-mode": "Webhook",
  "read-only-port": "0",
  "seccomp-default": "true",
  "pod-max-pids": String(pids),
});

const managerWalls = { profiling: "false", "use-service-account-credentials": "true" };
const schedulerWalls = { profiling: "false" };

/** What an operator may say otherwise. */
const usualApiArguments = ({ audit }: GatewaySettings): Readonly<Record<string, string>> =>
  audit === "none"
    ? {}
    : { "audit-log-maxage": "30", "audit-log-maxbackup": "10", "audit-log-maxsize": "100" };
const usualKubeletArguments = { "streaming-connection-idle-timeout": "5m" };

const each = (program: string, values: Readonly<Record<string, string>>): string[] =>
  Object.entries(values)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `--${program}-arg=${name}=${value}`);
