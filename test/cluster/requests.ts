import type { Manifest } from "../../lib/synth/kubernetes.ts";
import { podOf } from "../synth/weakenings.ts";
import type { Answer, Api } from "./api.ts";

/** A request that weakens an environment otherwise than by changing an object of it. */
export interface Request {
  readonly name: string;
  readonly send: (api: Api) => Promise<Answer>;
}

/** An account of one of the cluster's own controllers. */
export const accountOf = (name: string): string => `system:serviceaccount:kube-system:${name}-controller`;

/** Kinds of networks that are no part of Kubernetes: each would open what a NetworkPolicy closes, or lead elsewhere. */
export const networkKinds = [
  { group: "cilium.io", kind: "CiliumNetworkPolicy", plural: "ciliumnetworkpolicies" },
  { group: "cilium.io", kind: "CiliumLocalRedirectPolicy", plural: "ciliumlocalredirectpolicies" },
  { group: "cilium.io", kind: "CiliumEnvoyConfig", plural: "ciliumenvoyconfigs" },
  { group: "crd.projectcalico.org", kind: "NetworkPolicy", plural: "networkpolicies" },
  { group: "projectcalico.org", kind: "NetworkPolicy", plural: "networkpolicies" },
  { group: "crd.antrea.io", kind: "NetworkPolicy", plural: "networkpolicies" },
] as const;

/** New objects, and what is done to what runs. `manifests`: those of an environment with a sandbox `agent`, which are there. */
export function requestsOn(namespace: string, manifests: readonly Manifest[]): readonly Request[] {
  const named = (kind: string, name: string): Manifest => {
    const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
    if (found === undefined) throw new RangeError(`no ${kind}/${name}`);
    return found;
  };
  const deployment = named("Deployment", "agent-agent");
  const pod = podOf(deployment);
  const template = (deployment["spec"] as { template: { metadata: object; spec: object } }).template;
  const labels = { "nacre.dev/role": "agent", "nacre.dev/sandbox": "agent" };
  const selector = { matchLabels: labels };
  const make = (name: string, apiVersion: string, kind: string, rest: object, called = "more"): Request => ({
    name: `a new ${name}`,
    send: (api) =>
      api.create({ apiVersion, kind, metadata: { name: called, namespace }, ...rest }, { dryRun: true }),
  });
  const owned = (kind: string, name: string): object => ({
    ownerReferences: [{ apiVersion: "apps/v1", kind, name, uid: "5f", controller: true }],
  });
  const call = (name: string, method: string, path: string, body?: unknown): Request => ({
    name,
    send: (api) => api.send(method, `/api/v1/namespaces/${namespace}/${path}`, body),
  });
  const scaled = (api: Api, what: string): Promise<Answer> =>
    api.send("PUT", `/apis/apps/v1/namespaces/${namespace}/${what}/scale?dryRun=All`, {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: what.split("/")[1], namespace },
      spec: { replicas: 2 },
    });
  const replicaSetOf = async (api: Api): Promise<Manifest> => {
    const { body } = await api.send("GET", `/apis/apps/v1/namespaces/${namespace}/replicasets`);
    const found = (body["items"] as Manifest[]).find(({ metadata }) =>
      metadata.name.startsWith("agent-agent-"),
    );
    if (found === undefined) throw new RangeError("no ReplicaSet of agent-agent");
    return found;
  };
  const role = { apiGroups: [""], resources: ["secrets"], verbs: ["get"] };
  const account = { kind: "ServiceAccount", name: "egress-agent", namespace };
  const rbac = "rbac.authorization.k8s.io";
  const once = { ...template, spec: { ...template.spec, restartPolicy: "Never" } };
  const stranger = {
    ...pod,
    metadata: { name: "agent-agent-5f-x", namespace, ...owned("ReplicaSet", "agent-agent-5f") },
  };
  return [
    {
      name: "a pod of nobody's",
      send: (api) =>
        api.create(
          { ...pod, metadata: { ...pod.metadata, ownerReferences: undefined } as Manifest["metadata"] },
          { dryRun: true },
        ),
    },
    {
      name: "a pod without labels",
      send: (api) => api.as(accountOf("replicaset")).create(stranger, { dryRun: true }),
    },
    {
      name: "a pod that says it is a ReplicaSet's",
      send: (api) => api.create(pod, { dryRun: true }),
    },
    {
      name: "an agent's pod as an egress'",
      send: (api) =>
        api
          .as(accountOf("replicaset"))
          .create(
            { ...pod, metadata: { ...pod.metadata, labels: { ...labels, "nacre.dev/role": "egress" } } },
            { dryRun: true },
          ),
    },
    make("ReplicaSet", "apps/v1", "ReplicaSet", { spec: { selector, template } }, "agent-agent-5f"),
    make("ReplicaSet that says it is a Deployment's", "apps/v1", "ReplicaSet", {
      metadata: { name: "agent-agent-5f", namespace, ...owned("Deployment", "agent-agent") },
      spec: { selector, template },
    }),
    make("StatefulSet", "apps/v1", "StatefulSet", { spec: { selector, template, serviceName: "more" } }),
    make("DaemonSet", "apps/v1", "DaemonSet", { spec: { selector, template } }),
    make("ReplicationController", "v1", "ReplicationController", { spec: { selector: labels, template } }),
    make("Job", "batch/v1", "Job", { spec: { template: once } }),
    make("CronJob", "batch/v1", "CronJob", {
      spec: { schedule: "* * * * *", jobTemplate: { spec: { template: once } } },
    }),
    make(
      "Deployment beside the sandboxes'",
      "apps/v1",
      "Deployment",
      { spec: { ...(deployment["spec"] as object), selector, template } },
      "agent-other",
    ),
    make(
      "NetworkPolicy that opens an agent",
      "networking.k8s.io/v1",
      "NetworkPolicy",
      { spec: { podSelector: selector, policyTypes: ["Ingress", "Egress"], egress: [{}] } },
      "agent-agent",
    ),
    make("NetworkPolicy called after no sandbox", "networking.k8s.io/v1", "NetworkPolicy", {
      spec: { podSelector: selector, policyTypes: ["Ingress", "Egress"], egress: [], ingress: [] },
    }),
    make("NetworkPolicy of another role's rules", "networking.k8s.io/v1", "NetworkPolicy", {
      ...named("NetworkPolicy", "egress-agent"),
      metadata: { name: "agent-other", namespace },
    }),
    make(
      "Service that is outside",
      "v1",
      "Service",
      { spec: { type: "ExternalName", externalName: "evil.example" } },
      "egress-agent",
    ),
    make(
      "Service without a selector",
      "v1",
      "Service",
      { spec: { type: "ClusterIP", ports: [{ port: 1, targetPort: 1 }] } },
      "egress-agent",
    ),
    make(
      "Endpoints of the router",
      "v1",
      "Endpoints",
      { subsets: [{ addresses: [{ ip: "192.0.2.1" }] }] },
      "router",
    ),
    make("EndpointSlice of the router", "discovery.k8s.io/v1", "EndpointSlice", {
      metadata: { name: "router-x", namespace, labels: { "kubernetes.io/service-name": "router" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["192.0.2.1"] }],
    }),
    ...networkKinds.map(({ group, kind }) => make(`${kind} of ${group}`, `${group}/v1`, kind, { spec: {} })),
    make("Role over Secrets", `${rbac}/v1`, "Role", { rules: [role] }, "egress-agent"),
    make(
      "RoleBinding of an egress to a ClusterRole",
      `${rbac}/v1`,
      "RoleBinding",
      { roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "edit" }, subjects: [account] },
      "egress-agent",
    ),
    ...[
      { kind: "Group", apiGroup: rbac, name: "system:authenticated" },
      { kind: "User", apiGroup: rbac, name: `system:serviceaccount:${namespace}:egress-agent` },
    ].map((subject) =>
      make(`RoleBinding of the ${subject.kind} ${subject.name}`, `${rbac}/v1`, "RoleBinding", {
        roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "view" },
        subjects: [subject],
      }),
    ),
    make("RoleBinding of all accounts", `${rbac}/v1`, "RoleBinding", {
      roleRef: { apiGroup: rbac, kind: "Role", name: "egress-agent" },
      subjects: [{ kind: "Group", apiGroup: rbac, name: `system:serviceaccounts:${namespace}` }],
    }),
    make("ServiceAccount whose token is mounted", "v1", "ServiceAccount", {}),
    make("Secret with an account's token", "v1", "Secret", {
      type: "kubernetes.io/service-account-token",
      metadata: {
        name: "more",
        namespace,
        annotations: { "kubernetes.io/service-account.name": "egress-agent" },
      },
    }),
    make("wall that can change", "v1", "ConfigMap", { data: {} }, "landlock-000000000000"),
    call("a token of a day", "POST", "serviceaccounts/egress-agent/token", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        expirationSeconds: 86_400,
        boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "egress-agent-5f-x" },
      },
    }),
    call("a token of no pod", "POST", "serviceaccounts/egress-agent/token", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 600 },
    }),
    call("exec in an agent's pod", "POST", "pods/agent-agent-5f-x/exec?command=sh&stdout=true"),
    call("exec in an egress' pod", "POST", "pods/egress-agent-5f-x/exec?command=/nacre/launcher&stdout=true"),
    call("attach to an agent's pod", "POST", "pods/agent-agent-5f-x/attach?stdout=true"),
    call("a forwarded port of an egress", "POST", "pods/egress-agent-5f-x/portforward"),
    call("the API's proxy to an egress' pod", "POST", "pods/egress-agent-5f-x/proxy/"),
    call("the API's proxy to an egress' Service", "POST", "services/egress-agent:15001/proxy/"),
    {
      name: "two of one sandbox, by its scale",
      send: (api) => scaled(api, "deployments/agent-agent"),
    },
    {
      name: "two of one sandbox, by the scale of its ReplicaSet",
      send: async (api) => scaled(api, `replicasets/${(await replicaSetOf(api)).metadata.name}`),
    },
    {
      name: "two of one sandbox, by its ReplicaSet",
      send: async (api) => {
        const found = await replicaSetOf(api);
        const spec = { ...(found["spec"] as object), replicas: 2 };
        return api.replace({ ...found, apiVersion: "apps/v1", kind: "ReplicaSet", spec }, { dryRun: true });
      },
    },
  ];
}
