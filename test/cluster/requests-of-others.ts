import type { Manifest } from "../../lib/synth/kubernetes.ts";
import type { Answer, Api } from "./api.ts";
import type { Request } from "./requests.ts";

const once = "?dryRun=All";

/**
 * What somebody may ask who has Kubernetes' role `admin` in the namespace, and does not manage the environment: each
 * object would be as it should be, and is not theirs. `manifests`: those of an environment with a sandbox `agent`.
 */
export function requestsOfOthers(namespace: string, manifests: readonly Manifest[]): readonly Request[] {
  const named = (kind: string, name: string): Manifest => {
    const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
    if (found === undefined) throw new RangeError(`no ${kind}/${name}`);
    return found;
  };
  const at = (group: string, what: string): string => `/${group}/namespaces/${namespace}/${what}${once}`;
  const core = (what: string): string => at("api/v1", what);
  const apps = (what: string): string => at("apis/apps/v1", what);
  const networking = (what: string): string => at("apis/networking.k8s.io/v1", what);
  const call = (name: string, method: string, path: string, body?: unknown): Request => ({
    name,
    send: (api) => api.send(method, path, body),
  });
  const owner = {
    metadata: { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "notes", uid: "5f" }] },
  };
  const renamed = (kind: string, from: string, to: string): Request => ({
    name: `a new ${kind}/${to}`,
    send: (api) =>
      api.create(
        JSON.parse(
          JSON.stringify(named(kind, `${from}-agent`))
            .replaceAll(/"(\w+)-agent"/g, `"$1-${to}"`)
            .replaceAll('"nacre.dev/sandbox":"agent"', `"nacre.dev/sandbox":"${to}"`),
        ) as Manifest,
        { dryRun: true },
      ),
  });
  const firstOf = async (api: Api, list: string): Promise<string> => {
    const { body } = await api.send("GET", list.replace(once, ""));
    const found = (body["items"] as Manifest[]).find(({ metadata }) =>
      metadata.name.startsWith("agent-agent-"),
    );
    if (found === undefined) throw new RangeError(`nothing of agent-agent in ${list}`);
    return found.metadata.name;
  };
  const onFirst = (
    name: string,
    list: string,
    then: (api: Api, path: string, name: string) => Promise<Answer>,
  ): Request => ({
    name,
    send: async (api) => {
      const first = await firstOf(api, list);
      return then(api, list.replace(once, `/${first}${once}`), first);
    },
  });
  const image = `registry.example/other@sha256:${"6".repeat(64)}`;
  return [
    call("default-deny deleted", "DELETE", networking("networkpolicies/default-deny")),
    call("every NetworkPolicy deleted", "DELETE", networking("networkpolicies")),
    call(
      "a NetworkPolicy given an owner that goes",
      "PATCH",
      networking("networkpolicies/agent-agent"),
      owner,
    ),
    renamed("NetworkPolicy", "agent", "ghost"),
    renamed("ServiceAccount", "egress", "ghost"),
    renamed("ConfigMap", "policy", "ghost"),
    renamed("Deployment", "agent", "ghost"),
    call("another isolation, and another RuntimeClass with it", "PATCH", apps("deployments/agent-agent"), {
      spec: {
        template: {
          metadata: { labels: { "nacre.dev/isolation": "kernel" } },
          spec: { runtimeClassName: null },
        },
      },
    }),
    call("a Deployment paused", "PATCH", apps("deployments/agent-agent"), { spec: { paused: true } }),
    call("a Deployment's scale", "PATCH", at("apis/apps/v1", "deployments/agent-agent/scale"), {
      spec: { replicas: 0 },
    }),
    call("a Deployment deleted", "DELETE", apps("deployments/egress-agent")),
    onFirst("a ReplicaSet given another owner", apps("replicasets"), (api, path) =>
      api.send("PATCH", path, owner),
    ),
    onFirst("a pod's image", core("pods"), async (api, path) => {
      const { body } = await api.send("GET", path.replace(once, ""));
      const { containers, ...spec } = body["spec"] as { containers: object[] };
      return api.send("PUT", path, {
        ...body,
        spec: { ...spec, containers: containers.map((container) => ({ ...container, image })) },
      });
    }),
    onFirst("a pod given another owner", core("pods"), (api, path) => api.send("PATCH", path, owner)),
    onFirst("a token of an egress' account", core("pods"), (api, _path, pod) =>
      api.send("POST", core("serviceaccounts/egress-agent/token"), {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: {
          audiences: ["vault"],
          expirationSeconds: 600,
          boundObjectRef: { kind: "Pod", apiVersion: "v1", name: pod },
        },
      }),
    ),
    call("a policy changed", "PATCH", core("configmaps/policy-agent"), {
      data: { "policy.yaml": "version: 1" },
    }),
    call("a policy deleted", "DELETE", core("configmaps/policy-agent")),
    call("every ConfigMap deleted", "DELETE", core("configmaps")),
    call("a workspace deleted", "DELETE", core("persistentvolumeclaims/workspace-agent")),
    call("a Role changed", "PATCH", at("apis/rbac.authorization.k8s.io/v1", "roles/egress-agent"), {
      rules: [],
    }),
  ];
}

/** And what they may. */
export function requestsThatAreTheirs(namespace: string): readonly Request[] {
  const make = (kind: string, name: string, rest: object): Request => ({
    name: `${kind}/${name}`,
    send: (api) =>
      api.create({ apiVersion: "v1", kind, metadata: { name, namespace }, ...rest }, { dryRun: true }),
  });
  return [
    make("ConfigMap", "notes", { data: { a: "b" } }),
    make("Secret", "own", { stringData: { value: "x", "nacre-for": "api.example" } }),
    {
      name: "an agent's pod deleted",
      send: async (api) => {
        const { body } = await api.send("GET", `/api/v1/namespaces/${namespace}/pods`);
        const pod = (body["items"] as Manifest[]).find(({ metadata }) =>
          metadata.name.startsWith("agent-agent-"),
        );
        return api.send("DELETE", `/api/v1/namespaces/${namespace}/pods/${pod?.metadata.name ?? ""}${once}`);
      },
    },
  ];
}
