import { CoreV1Api } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Environment, KubernetesTarget } from "../../lib/constructs/index.ts";
import { synthesizeKubernetes, type KubernetesObjects, type Manifest } from "../../lib/synth/kubernetes.ts";
import { catalogue } from "../blueprint/fixtures.ts";
import { clusters } from "../synth/clusters.ts";
import { Api } from "./api.ts";
import { buildTimeout, ControlPlane, kubernetesVersion } from "./control-plane.ts";
import { eventually } from "./eventually.ts";
import { requestsOfOthers, requestsThatAreTheirs } from "./requests-of-others.ts";
import { networkKinds, requestsOn } from "./requests.ts";
import { judgeAll, makeAll, refusedBy, type Layer, type Verdict } from "./weakening.ts";
import { reportOf } from "./weakening-report.ts";

/** That a real API server takes every object of the goldens, and no weakening of one. */
let plane: ControlPlane;
let api: Api;
const verdicts: Verdict[] = [];
const requests: { name: string; by: Layer }[] = [];

beforeAll(async () => {
  plane = await ControlPlane.start();
  const { url, caFile, certificates } = plane;
  api = new Api({ url, caFile, ...certificates.admin });
  for (const definition of networkKinds.map(definitionOf))
    expect((await api.create(definition)).status).toBe(201);
  for (const name of ["gvisor", "kata-qemu", "kata"]) {
    await api.create({
      apiVersion: "node.k8s.io/v1",
      kind: "RuntimeClass",
      metadata: { name },
      handler: name,
    });
  }
}, buildTimeout);
afterAll(async () => {
  api.close();
  await plane.stop();
});

/** A kind that takes anything. */
const definitionOf = ({ group, kind, plural }: (typeof networkKinds)[number]): Manifest => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: "Namespaced",
    names: { kind, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    ],
  },
});

/** Each in a namespace of its own. */
const synthesised = (
  name: string,
): { environment: Environment<KubernetesTarget>; objects: KubernetesObjects } => {
  const environment = clusters[name]!();
  return { environment, objects: synthesizeKubernetes(environment, { catalogue, project: name }) };
};

describe.each(Object.keys(clusters))("%s", (name) => {
  const { environment, objects } = synthesised(name);

  test("every object is taken, in its order, and the controllers make its pods under Pod Security restricted", async () => {
    expect(await makeAll(api, objects)).toEqual([]);
    const wanted = objects.objects
      .filter(({ manifest }) => manifest.kind === "Deployment")
      .map(({ manifest }) => manifest.metadata.name);
    const core = plane.client(CoreV1Api);
    const pods = await eventually("a pod of each Deployment", async () => {
      const { items } = await core.listNamespacedPod({ namespace: objects.namespace });
      const names = items.map(({ metadata }) => metadata?.name ?? "");
      return wanted.every((one) => names.some((pod) => pod.startsWith(`${one}-`))) ? names : undefined;
    });
    expect(pods.length).toBeGreaterThanOrEqual(wanted.length);
  });

  test("each way to weaken a security field is judged", async () => {
    const found = await judgeAll(api, environment, objects);
    expect(found.length).toBeGreaterThan(1000);
    verdicts.push(...found);
  }, 600_000);
});

test("no other request weakens an environment", async () => {
  const { objects, namespace } = synthesised("cluster-minimal").objects;
  for (const request of requestsOn(
    namespace,
    objects.map(({ manifest }) => manifest),
  )) {
    const answer = await request.send(api);
    requests.push({ name: request.name, by: refusedBy(answer) });
  }
  expect(requests.filter(({ by }) => by === "nobody")).toEqual([]);
});

describe("who does not manage the environment", () => {
  const { objects, namespace } = synthesised("cluster-minimal").objects;
  const bind = async (user: string, role: string): Promise<void> => {
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role };
    const made = await api.create({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: `${user}-${role}`, namespace },
      roleRef,
      subjects: [{ kind: "User", apiGroup: roleRef.apiGroup, name: user }],
    });
    expect(made.status).toBe(201);
  };

  test("changes nothing of it with all that Kubernetes' role admin may, and has objects of their own", async () => {
    await bind("somebody", "admin");
    const somebody = api.as("somebody");
    const found: typeof requests = [];
    for (const request of requestsOfOthers(
      namespace,
      objects.map(({ manifest }) => manifest),
    ))
      found.push({
        name: `by a namespace's admin: ${request.name}`,
        by: refusedBy(await request.send(somebody)),
      });
    expect(found.filter(({ by }) => by !== "policy owner")).toEqual([]);
    requests.push(...found);
    for (const { name, send } of requestsThatAreTheirs(namespace))
      expect([name, (await send(somebody)).status]).toEqual([name, expect.toBeOneOf([200, 201])]);
  });

  test("and who manages it may change it", async () => {
    const rules = [{ apiGroups: ["nacre.dev"], resources: ["environments"], verbs: ["manage"] }];
    const apiVersion = "rbac.authorization.k8s.io/v1";
    await api.create({ apiVersion, kind: "ClusterRole", metadata: { name: "manager" }, rules });
    for (const role of ["admin", "manager"]) await bind("manager", role);
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/agent-agent/scale?dryRun=All`;
    const scaled = await api.as("manager").send("PATCH", path, { spec: { replicas: 0 } });
    expect(scaled.status).toBe(200);
  });
});

test("a container cannot be put into a pod that runs, nor another label onto it", async () => {
  const { objects, namespace } = synthesised("cluster-minimal").objects;
  expect(objects.length).toBeGreaterThan(0);
  const core = plane.client(CoreV1Api);
  const { items } = await core.listNamespacedPod({ namespace });
  const pod = items.find(({ metadata }) => metadata?.name?.startsWith("agent-agent-"));
  const path = `/api/v1/namespaces/${namespace}/pods/${pod?.metadata?.name ?? ""}`;
  const { body } = await api.send("GET", path);
  const { spec, metadata } = body as unknown as { spec: object; metadata: Manifest["metadata"] };
  const ephemeralContainers = [{ name: "debug", image: `registry.example/x@sha256:${"0".repeat(64)}` }];
  const put = await api.send("PUT", `${path}/ephemeralcontainers?dryRun=All`, {
    ...body,
    spec: { ...spec, ephemeralContainers },
  });
  expect(["Pod Security", "policy pods"]).toContain(refusedBy(put));
  const labels = { ...metadata.labels, "nacre.dev/role": "egress" };
  const relabelled = await api.send("PUT", `${path}?dryRun=All`, {
    ...body,
    metadata: { ...metadata, labels },
  });
  expect(refusedBy(relabelled)).toBe("policy pods");
  const noted = { ...body, metadata: { ...metadata, annotations: { "example.com/seen": "yes" } } };
  expect(refusedBy(await api.send("PUT", `${path}?dryRun=All`, noted))).toBe("policy pods");
  const collector = api.as("system:serviceaccount:kube-system:generic-garbage-collector");
  expect((await collector.send("PUT", `${path}?dryRun=All`, noted)).status).toBe(200);
});

test("where a Secret may go changes with a new Secret alone; its value as it likes", async () => {
  const { namespace } = synthesised("cluster-minimal").objects;
  const secret = (data: Record<string, string>): Manifest => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "key", namespace },
    stringData: data,
  });
  const made = await api.create(secret({ value: "one", "nacre-for": "api.example" }));
  expect(made.status).toBe(201);
  expect(
    (await api.replace(secret({ value: "two", "nacre-for": "api.example" }), { dryRun: true })).status,
  ).toBe(200);
  const elsewhere = await api.replace(secret({ value: "one", "nacre-for": "evil.example" }), {
    dryRun: true,
  });
  expect(refusedBy(elsewhere)).toBe("policy data");
  expect(refusedBy(await api.replace(secret({ value: "one" }), { dryRun: true }))).toBe("policy data");
  const nowhere: Manifest = { ...secret({ value: "one" }), metadata: { name: "nowhere", namespace } };
  expect((await api.create(nowhere)).status).toBe(201);
  const given = { ...nowhere, stringData: { value: "one", "nacre-for": "evil.example" } };
  expect(refusedBy(await api.replace(given, { dryRun: true }))).toBe("policy data");
});

test("who refuses what is as written, and what nobody refuses has its reason", async () => {
  const report = reportOf(`v${kubernetesVersion}`, verdicts, requests);
  await expect(report).toMatchFileSnapshot("../../snapshots/goldens/weakening.md");
});
