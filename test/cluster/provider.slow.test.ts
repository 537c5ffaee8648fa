import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AppsV1Api, CoreV1Api, NetworkingV1Api } from "@kubernetes/client-node";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { buildTimeout, ControlPlane } from "./control-plane.ts";
import { freePort } from "./free-port.ts";
import { KubernetesStack } from "./kubernetes-stack.ts";

/** That the stand-in for Pulumi's Kubernetes provider does under the real engine what the real one is known to do. */
let plane: ControlPlane;
let core: CoreV1Api;
let stack: KubernetesStack | undefined;

beforeAll(async () => {
  plane = await ControlPlane.start();
  core = plane.client(CoreV1Api);
}, buildTimeout);
afterAll(() => plane.stop());
afterEach(async () => {
  await stack?.remove();
  stack = undefined;
});

/** What a test changes between two runs. */
interface Wanted {
  namespace: string;
  kubeconfig: string | undefined;
  greeting: string;
  image: string;
  label: string;
}
const wanted = (namespace: string): Wanted => ({
  namespace,
  kubeconfig: plane.kubeconfig,
  greeting: "hello",
  image: "example.com/agent:1",
  label: "agent",
});

async function open(values: Wanted): Promise<KubernetesStack> {
  return (stack = await KubernetesStack.open(() => {
    const provider = new k8s.Provider("cluster", {
      kubeconfig: values.kubeconfig,
      clusterIdentifier: "test",
      enableConfigMapMutable: true,
      enableSecretMutable: true,
    });
    const namespace = new k8s.core.v1.Namespace(
      "namespace",
      { metadata: { name: values.namespace } },
      { provider },
    );
    const metadata = (name: string) => ({ name, namespace: values.namespace });
    const options = { provider, dependsOn: namespace };
    const labels = { app: values.label };
    new k8s.core.v1.ConfigMap(
      "settings",
      { metadata: metadata("settings"), data: { greeting: values.greeting } },
      options,
    );
    const stringData = { token: pulumi.secret("sesame-open") };
    new k8s.core.v1.Secret("token", { metadata: metadata("token"), stringData }, options);
    const containers = [{ name: "main", image: values.image }];
    new k8s.apps.v1.Deployment(
      "agent",
      {
        metadata: metadata("agent"),
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers } },
        },
      },
      options,
    );
    new k8s.networking.v1.NetworkPolicy(
      "deny",
      { metadata: metadata("deny"), spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } },
      options,
    );
    return Promise.resolve({});
  }));
}

const everything = [
  "create kubernetes cluster",
  "create Namespace namespace",
  "create ConfigMap settings",
  "create Secret token",
  "create Deployment agent",
  "create NetworkPolicy deny",
];

test("makes, keeps, changes in place, replaces what must be, and takes down", async () => {
  const values = wanted("agents");
  const where = { namespace: "agents" };
  const settings = () => core.readNamespacedConfigMap({ ...where, name: "settings" });
  const agent = () => plane.client(AppsV1Api).readNamespacedDeployment({ ...where, name: "agent" });
  const { up, destroy, preview, state } = await open(values);

  expect((await preview()).steps.toSorted()).toEqual(everything.toSorted());
  expect((await up()).steps.toSorted()).toEqual(everything.toSorted());
  const policy = await plane.client(NetworkingV1Api).readNamespacedNetworkPolicy({ ...where, name: "deny" });
  expect(policy.spec?.policyTypes).toEqual(["Ingress", "Egress"]);
  expect((await up()).steps).toEqual([]);

  const [configMap, deployment] = [await settings(), await agent()];
  values.greeting = "good day";
  expect(await up()).toMatchObject({
    steps: ["update ConfigMap settings"],
    paths: { settings: ["data.greeting"] },
  });
  expect((await settings()).data).toEqual({ greeting: "good day" });
  expect((await settings()).metadata?.uid).toBe(configMap.metadata?.uid);

  values.image = "example.com/agent:2";
  expect(await up()).toMatchObject({
    steps: ["update Deployment agent"],
    paths: { agent: ["spec.template.spec.containers[0].image"] },
  });
  expect((await agent()).spec?.template.spec?.containers[0]?.image).toBe("example.com/agent:2");
  expect((await agent()).metadata?.uid).toBe(deployment.metadata?.uid);

  // A selector is for good, and the new Deployment bears the old one's name.
  values.label = "other";
  expect((await up()).steps).toEqual([
    "delete-replaced Deployment agent",
    "replace Deployment agent",
    "create-replacement Deployment agent",
  ]);
  expect((await agent()).metadata?.uid).not.toBe(deployment.metadata?.uid);

  expect(await state()).toContain("good day");
  const secret = await core.readNamespacedSecret({ ...where, name: "token" });
  expect(Buffer.from(secret.data?.["token"] ?? "", "base64").toString()).toBe("sesame-open");
  for (const text of ["sesame-open", Buffer.from("sesame-open").toString("base64")]) {
    expect(await state()).not.toContain(text);
  }

  expect((await destroy()).steps).toHaveLength(everything.length);
  const left = await core.listNamespace();
  expect(left.items.map(({ metadata }) => metadata?.name)).not.toContain("agents");
});

test("another way to the same cluster replaces nothing", async () => {
  const values = wanted("moved");
  const { up, destroy } = await open(values);
  await up();
  values.kubeconfig = readFileSync(plane.kubeconfig, "utf8");
  expect((await up()).steps).toEqual(["update kubernetes cluster"]);
  expect((await up()).steps).toEqual([]);
  await destroy();
});

test("a refresh finds what was changed by hand, what is gone, and not what no input speaks of", async () => {
  const values = wanted("drift");
  const { up, refresh, preview, destroy } = await open(values);
  await up();
  expect((await refresh()).steps.filter((step) => !step.startsWith("refresh"))).toEqual([]);
  const where = { name: "settings", namespace: "drift" };
  const found = await core.readNamespacedConfigMap(where);
  found.data = { greeting: "hi", extra: "x" };
  await core.replaceNamespacedConfigMap({
    ...where,
    body: found,
  });
  await core.deleteNamespacedSecret({ name: "token", namespace: "drift" });
  const seen = await preview({ refresh: true });
  expect(seen.steps).toEqual(expect.arrayContaining(["update ConfigMap settings", "create Secret token"]));
  expect(seen.paths["settings"]).toEqual(["data.greeting"]);
  await destroy();
});

test("an object that is there already is not taken over", async () => {
  await core.createNamespace({ body: { metadata: { name: "taken" } } });
  const { up } = await open(wanted("taken"));
  await expect(up()).rejects.toThrow(/Namespace taken already exists/);
});

test("a preview needs no kubeconfig, and nobody who answers", async () => {
  const values = wanted("planned");
  const { preview, up } = await open(values);
  values.kubeconfig = undefined;
  expect((await preview()).steps.toSorted()).toEqual(everything.toSorted());
  const text = readFileSync(plane.kubeconfig, "utf8");
  values.kubeconfig = text.replace(plane.url, `https://127.0.0.1:${await freePort()}`);
  expect((await preview()).steps.toSorted()).toEqual(everything.toSorted());
  await expect(up()).rejects.toThrow(
    /configured Kubernetes cluster is unreachable: 127\.0\.0\.1.*ECONNREFUSED/,
  );
  values.kubeconfig = join(plane.kubeconfig, "no-such-file");
  expect((await preview()).steps).toHaveLength(everything.length);
});

test("a definition and an object of its kind come in one run, and what was secret in it stays so", async () => {
  const { up, state, destroy, refresh } = (stack = await KubernetesStack.open(() => {
    const provider = new k8s.Provider("cluster", { kubeconfig: plane.kubeconfig, clusterIdentifier: "test" });
    const names = { plural: "notes", singular: "note", kind: "Note", listKind: "NoteList" };
    const spec = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
    const definition = new k8s.apiextensions.v1.CustomResourceDefinition(
      "notes",
      {
        metadata: { name: "notes.nacre.test" },
        spec: {
          group: "nacre.test",
          names,
          scope: "Namespaced",
          versions: [{ name: "v1", served: true, storage: true, schema }],
        },
      },
      { provider },
    );
    new k8s.apiextensions.CustomResource(
      "note",
      {
        apiVersion: "nacre.test/v1",
        kind: "Note",
        metadata: { name: "note" },
        spec: { lines: [{ text: pulumi.secret("sesame-shut"), open: true }] },
      },
      { provider, dependsOn: definition },
    );
    return Promise.resolve({});
  }));
  expect((await up()).steps).toContain("create Note note");
  expect(await state()).toContain("default/note");
  expect(await state()).not.toContain("sesame-shut");
  await refresh();
  expect(await state()).not.toContain("sesame-shut");
  expect((await up()).steps).toEqual([]);
  await destroy();
});
