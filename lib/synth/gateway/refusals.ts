import type { GatewaySettings } from "../../blueprint/index.ts";
import type { Gateway } from "../../constructs/index.ts";
import type { Refusal } from "../kubernetes/refusal.ts";
import { apiWalls, kubeletWalls } from "./arguments.ts";

/** Arguments that a wall stands on, and how to say what one may want with them. */
const reserved: readonly {
  readonly of: "api" | "kubelet" | "both";
  readonly names: RegExp;
  readonly reason: string;
  readonly fix: string;
}[] = [
  {
    of: "api",
    names: /^(audit-policy-.*|audit-log-path|audit-log-(mode|format|truncate-.*)|audit-webhook-.*)$/,
    reason: "what is recorded, and where to, is the audit's own",
    fix: "set audit: none, metadata or request; audit-log-maxage, -maxbackup and -maxsize are yours",
  },
  {
    of: "api",
    names: /^(encryption-provider-.*|etcd-.*|storage-.*)$/,
    reason: "Secrets are encrypted under a key that K3s makes in its own volume",
    fix: "remove it",
  },
  {
    of: "api",
    names:
      /^(service-cluster-ip-range|service-node-port-range|bind-address|secure-port|advertise-.*|endpoint-reconciler-type)$/,
    reason: "the cluster's addresses are written out, and NetworkPolicies name them",
    fix: "remove it; the published port is the gateway's own setting port",
  },
  {
    of: "api",
    names:
      /^(authentication-.*|authorization-.*|client-ca-file|token-auth-file|enable-bootstrap-token-auth|oidc-.*|requestheader-.*|proxy-client-.*|kubelet-.*|service-account-.*|api-audiences|allow-privileged|.*-admission-plugins|egress-selector-config-file)$/,
    reason: "it decides who may do what in the cluster",
    fix: "remove it; what a person or a program may do is said by RBAC objects in the cluster",
  },
  {
    of: "kubelet",
    names:
      /^(config|config-dir|kubeconfig|bootstrap-kubeconfig|authentication-.*|authorization-.*|client-ca-file|address|port|healthz-bind-address|root-dir|cert-dir|container-runtime-endpoint|hostname-override|node-ip|register-.*)$/,
    reason: "it says who may command the kubelet, or replaces what is said here",
    fix: "remove it",
  },
  {
    of: "kubelet",
    names:
      /^(allowed-unsafe-sysctls|enable-server|enable-debugging-handlers|make-iptables-util-chains|seccomp-.*)$/,
    reason: "it opens to pods what the walls close",
    fix: "remove it",
  },
  {
    of: "kubelet",
    names: /^(resolv-conf|cluster-dns|cluster-domain)$/,
    reason: "where names are asked is the gateway's own setting",
    fix: "set dns: [ADDRESS] of the gateway",
  },
  {
    of: "both",
    names: /^(tls-.*|cert-dir)$/,
    reason: "certificates and versions of TLS are K3s' and Nacre's",
    fix: "remove it",
  },
];

/** What an operator sizes and times a cluster with. Kubernetes has hundreds of others, and each version adds some. */
const usual = {
  api: /^(audit-log-max(age|backup|size)|max-(mutating-)?requests-inflight|(min-)?request-timeout|event-ttl|default-(not-ready|unreachable)-toleration-seconds|goaway-chance|http2-max-streams-per-connection|watch-cache-sizes|delete-collection-workers|shutdown-delay-duration)$/,
  kubelet:
    /^(max-pods|pods-per-core|eviction-.*|image-gc-(high|low)-threshold|image-maximum-gc-age|minimum-image-ttl-duration|(system|kube)-reserved|reserved-(memory|cpus)|container-log-max-(size|files)|serialize-image-pulls|max-parallel-image-pulls|(registry|event|kube-api)-(qps|burst)|streaming-connection-idle-timeout|node-status-(update|report)-frequency|(cpu|memory|topology)-manager-(policy|scope)|shutdown-grace-period.*|fail-swap-on|protect-kernel-defaults)$/,
} as const;

/** Features that are many at once, or that let pods do what Pod Security refuses. */
const loosening: ReadonlySet<string> = new Set(["AllAlpha", "AllBeta", "UserNamespacesPodSecurityStandards"]);

/** Every argument that would take a wall away, and every one twice said. */
export function refusalsOf({ node }: Gateway, settings: GatewaySettings): Refusal[] {
  const of = (kind: "api" | "kubelet", key: string, written: Readonly<Record<string, string>>): Refusal[] => {
    const walls = kind === "api" ? apiWalls({ audit: "metadata" }) : kubeletWalls(0);
    return Object.entries(written).flatMap(([name, value]) => {
      const found = problemOf(kind, name, value, walls);
      return found === undefined ? [] : [{ subject: `${node.path} ${key}.${name}`, ...found }];
    });
  };
  return [
    ...of("api", "apiArguments", settings.apiArguments),
    ...of("kubelet", "kubeletArguments", settings.kubeletArguments),
  ];
}

function problemOf(
  kind: "api" | "kubelet",
  name: string,
  value: string,
  walls: Readonly<Record<string, string>>,
): Omit<Refusal, "subject"> | undefined {
  if (name === "feature-gates") {
    const features = value.split(",").map((one) => /^([A-Za-z0-9]+)=true$/.exec(one)?.[1]);
    if (!features.includes(undefined) && !features.some((one) => loosening.has(one ?? ""))) return undefined;
    return {
      reason: `${value} may turn a check of Kubernetes off`,
      fix: "write NAME=true of single features, with commas between them",
    };
  }
  if (name === "protect-kernel-defaults" && value === "false") {
    return { reason: "K3s then sets this machine's kernel", fix: "remove it, or write true" };
  }
  const group = reserved.find(({ of, names }) => (of === kind || of === "both") && names.test(name));
  if (group !== undefined) return { reason: group.reason, fix: group.fix };
  const ours = walls[name];
  if (ours === undefined) {
    return usual[kind].test(name)
      ? undefined
      : { reason: "it is none of those that change no wall", fix: "remove it" };
  }
  const fix =
    name === "pod-max-pids"
      ? "set resources.pids of the agents: the largest holds for each pod"
      : `remove it: it is ${ours}`;
  return { reason: "a wall stands on it", fix };
}
