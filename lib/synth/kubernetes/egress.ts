import type { Construct } from "constructs";
import { canonicalJson, digestOf, type ResolvedAgent } from "../../blueprint/index.ts";
import { unconfigured } from "./image.ts";
import { k8s, type ApiObject } from "./k8s.ts";
import { places } from "./mounts.ts";
import { nameOf, SANDBOX, selectorOf } from "./names.ts";
import { egressTraffic, policySpec } from "./network.ts";
import { users } from "./pod.ts";
import { ports } from "./ports.ts";
import { after, metadataOf, type Parts } from "./scope.ts";
import { secretMounts } from "./secrets.ts";
import { servicePod } from "./service-pod.ts";

/** The annotations that say what an object holds, by digest. */
export const POLICY_HASH = "nacre.dev/policy-hash";
export const CONFIG_HASH = "nacre.dev/config-hash";

export interface EgressParts extends Parts {
  readonly name: string;
  readonly identity: string;
  readonly agent: ResolvedAgent;
  readonly first: readonly ApiObject[];
}

const listens = [
  { name: "capture", port: ports.capture, protocol: "TCP" },
  { name: "dns", port: ports.dns, protocol: "UDP" },
  { name: "dns-tcp", port: ports.dns, protocol: "TCP" },
] as const;

/**
 * One sandbox' egress: a pod of its own, which alone holds that sandbox' credentials. A changed policy is a changed
 * ConfigMap that it watches, and restarts nothing; what else it is told restarts it.
 * @returns the objects that have to be there before the agent is
 */
export function addEgress(scope: Construct, parts: EgressParts): readonly ApiObject[] {
  const { agent, identity } = parts;
  const labels = { [SANDBOX]: identity };
  const name = nameOf("egress", identity);
  const policyName = nameOf("policy", identity);
  const policy = parts.policies.of(agent.network);
  const config = canonicalJson(configOf(parts));
  const policyMap = new k8s.KubeConfigMap(scope, "policy", {
    metadata: metadataOf(parts, policyName, { labels, annotations: { [POLICY_HASH]: policy.digest } }),
    data: { "policy.yaml": policy.yaml },
  });
  const configMap = new k8s.KubeConfigMap(scope, "config", {
    metadata: metadataOf(parts, name, { labels }),
    data: { "egress.json": config },
  });
  const account = new k8s.KubeServiceAccount(scope, "account", {
    metadata: metadataOf(parts, name, { labels }),
    automountServiceAccountToken: false,
  });
  const role = new k8s.KubeRole(scope, "role", {
    metadata: metadataOf(parts, name, { labels }),
    rules: [
      { apiGroups: [""], resources: ["configmaps"], resourceNames: [policyName], verbs: ["get", "watch"] },
    ],
  });
  const binding = new k8s.KubeRoleBinding(scope, "binding", {
    metadata: metadataOf(parts, name, { labels }),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: parts.namespace }],
  });
  after(binding, role, account);
  const traffic = new k8s.KubeNetworkPolicy(scope, "network", {
    metadata: metadataOf(parts, name, { labels }),
    spec: policySpec(egressTraffic(identity, agent.inference !== null, parts)),
  });
  const service = new k8s.KubeService(scope, "service", {
    metadata: metadataOf(parts, name, { labels }),
    spec: {
      type: "ClusterIP",
      externalIPs: [],
      selector: selectorOf("egress", identity),
      ports: listens.map((port) => ({ ...port, targetPort: k8s.IntOrString.fromNumber(port.port) })),
    },
  });
  const workload = new k8s.KubeDeployment(scope, "workload", {
    metadata: metadataOf(parts, name, { labels }),
    spec: {
      replicas: 1,
      revisionHistoryLimit: 3,
      // One after the other: both would write one sandbox' audit.
      strategy: { type: "Recreate" },
      selector: { matchLabels: selectorOf("egress", identity) },
      template: {
        metadata: {
          labels: selectorOf("egress", identity),
          annotations: { [CONFIG_HASH]: digestOf(config) },
        },
        spec: podOf(parts, name, policyName),
      },
    },
  });
  after(workload, policyMap, configMap, binding, traffic, ...parts.first);
  return [workload, service];
}

/** What it is told besides its policy. */
function configOf({ name, namespace, agent, settings }: EgressParts): object {
  return {
    version: 1,
    sandbox: name,
    namespace,
    listen: { capture: ports.capture, dns: ports.dns, health: ports.health },
    credentials: agent.credentials,
    grants: settings.grants,
    inference: agent.inference === null ? null : { router: `router.${namespace}.svc`, port: ports.router },
    watch: settings.api === undefined ? "files" : "api",
  };
}

function podOf(parts: EgressParts, account: string, policy: string): k8s.PodSpec {
  const { agent, settings, priorities } = parts;
  const secrets = secretMounts(Object.keys(agent.credentials), settings);
  const watching = settings.api !== undefined;
  return servicePod({
    name: "egress",
    image: settings.images.egress ?? unconfigured("egress"),
    account,
    priorityClass: priorities.services,
    user: users.egress,
    ownUsers: settings.userNamespaces,
    graceSeconds: 30,
    listens,
    volumes: [
      { name: "config", configMap: { name: account, defaultMode: 0o444, optional: false } },
      { name: "policy", configMap: { name: policy, defaultMode: 0o444, optional: false } },
      ...(watching ? [{ name: "token", projected: { defaultMode: 0o440, sources: TOKEN_SOURCES } }] : []),
      ...secrets.volumes,
    ],
    mounts: [
      { name: "config", mountPath: places.egress.config, readOnly: true },
      { name: "policy", mountPath: places.egress.policy, readOnly: true },
      ...(watching ? [{ name: "token", mountPath: places.egress.token, readOnly: true }] : []),
      ...secrets.mounts,
    ],
  });
}

/** For its own policy alone, and for an hour: the kubelet makes it anew. */
export const TOKEN_SOURCES: k8s.VolumeProjection[] = [
  { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
  { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
];
