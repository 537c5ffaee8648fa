import { readFileSync, statSync } from "node:fs";
import {
  AdmissionregistrationV1Api,
  AppsV1Api,
  CoreV1Api,
  type V1PodSpec,
  VersionApi,
} from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildTimeout, ControlPlane, kubernetesVersion } from "./control-plane.ts";
import { eventually } from "./eventually.ts";

/** That the control plane of the tests is one: what it refuses, and that its controllers work. */
let plane: ControlPlane;
let core: CoreV1Api;

const encryption = JSON.stringify({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "EncryptionConfiguration",
  resources: [
    {
      resources: ["secrets"],
      providers: [{ aescbc: { keys: [{ name: "key1", secret: Buffer.alloc(32, 7).toString("base64") }] } }],
    },
  ],
});
const auditPolicy = JSON.stringify({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  rules: [{ level: "Metadata", resources: [{ group: "", resources: ["secrets"] }] }, { level: "None" }],
});

beforeAll(async () => {
  plane = await ControlPlane.start({ encryption, auditPolicy });
  core = plane.client(CoreV1Api);
}, buildTimeout);
afterAll(() => plane.stop());

const namespace = async (name: string, labels: Record<string, string> = {}): Promise<string> => {
  await core.createNamespace({ body: { metadata: { name, labels } } });
  const found = () => core.readNamespacedServiceAccount({ name: "default", namespace: name });
  await eventually(`the ServiceAccount of ${name}`, found);
  return name;
};

const hardened: V1PodSpec = {
  securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
  containers: [
    {
      name: "main",
      image: "example.com/agent@sha256:0",
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    },
  ],
};
const root: V1PodSpec = { containers: [{ name: "main", image: "a", securityContext: { privileged: true } }] };

test("is the version that it says, on loopback, for its administrator alone", async () => {
  expect((await plane.client(VersionApi).getCode()).gitVersion).toBe(`v${kubernetesVersion}`);
  expect(new URL(plane.url).hostname).toBe("127.0.0.1");
  expect(statSync(plane.kubeconfig).mode & 0o777).toBe(0o600);
  const stranger = plane.config();
  stranger.users = [{ name: "test" }];
  await expect(stranger.makeApiClient(CoreV1Api).listNamespace()).rejects.toMatchObject({ code: 401 });
});

test("Pod Security, by the namespace's label, refuses a root Pod and admits a hardened one", async () => {
  const name = await namespace("restricted", { "pod-security.kubernetes.io/enforce": "restricted" });
  const create = (pod: string, spec: V1PodSpec) =>
    core.createNamespacedPod({ namespace: name, body: { metadata: { name: pod }, spec } });
  await expect(create("root", root)).rejects.toMatchObject({
    code: 403,
    body: expect.stringMatching(/violates PodSecurity \\"restricted:latest\\": privileged/) as string,
  });
  expect((await create("hardened", hardened)).status?.phase).toBe("Pending");
  const open = await namespace("open");
  await core.createNamespacedPod({ namespace: open, body: { metadata: { name: "root" }, spec: root } });
});

test("a ValidatingAdmissionPolicy refuses what its CEL says, where it is bound, and only that", async () => {
  const [guarded, elsewhere] = [await namespace("guarded"), await namespace("elsewhere")];
  const admission = plane.client(AdmissionregistrationV1Api);
  const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
  await admission.createValidatingAdmissionPolicy({
    body: {
      metadata: { name: "no-open" },
      spec: {
        matchConstraints: { resourceRules: [rule] },
        validations: [{ expression: "!('open' in object.data)", message: "open is not for here" }],
      },
    },
  });
  const matchResources = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": guarded } } };
  await admission.createValidatingAdmissionPolicyBinding({
    body: {
      metadata: { name: "no-open" },
      spec: { policyName: "no-open", validationActions: ["Deny"], matchResources },
    },
  });
  const create = (where: string, name: string, data: Record<string, string>) =>
    core.createNamespacedConfigMap({ namespace: where, body: { metadata: { name }, data } });
  // It is in force a moment after it was made.
  const refusal = await eventually("the refusal", async () => {
    const refused = await create(guarded, "denied", { open: "yes" }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refused === undefined) await core.deleteNamespacedConfigMap({ name: "denied", namespace: guarded });
    return refused;
  });
  expect(refusal).toMatchObject({
    code: 422,
    body: expect.stringContaining("open is not for here") as string,
  });
  expect((await create(guarded, "allowed", { closed: "yes" })).data).toEqual({ closed: "yes" });
  expect((await create(elsewhere, "allowed", { open: "yes" })).data).toEqual({ open: "yes" });
});

test("a Deployment gets its ReplicaSet and its Pod, which stays Pending", async () => {
  const where = await namespace("work");
  const apps = plane.client(AppsV1Api);
  const labels = { app: "agent" };
  const template = { metadata: { labels }, spec: hardened };
  await apps.createNamespacedDeployment({
    namespace: where,
    body: { metadata: { name: "agent" }, spec: { replicas: 1, selector: { matchLabels: labels }, template } },
  });
  const pod = await eventually(
    "the Pod",
    async () => (await core.listNamespacedPod({ namespace: where })).items[0],
  );
  expect(pod.metadata?.ownerReferences?.[0]?.kind).toBe("ReplicaSet");
  expect(pod.status?.phase).toBe("Pending");
});

test("a namespace that is deleted takes what is in it along, and is gone", async () => {
  const name = await namespace("short-lived");
  await core.createNamespacedConfigMap({ namespace: name, body: { metadata: { name: "inside" } } });
  await core.deleteNamespace({ name });
  await eventually("the end of the namespace", async () => {
    const { items } = await core.listNamespace();
    return items.every(({ metadata }) => metadata?.name !== name) || undefined;
  });
  const { items } = await core.listConfigMapForAllNamespaces();
  expect(items.filter(({ metadata }) => metadata?.namespace === name)).toEqual([]);
});

test("a Secret is encrypted on disk, its reading is recorded, and both outlive a restart", async () => {
  const where = { namespace: "default", name: "token" };
  const stringData = { token: "sesame-open" };
  await core.createNamespacedSecret({
    namespace: where.namespace,
    body: { metadata: { name: where.name }, stringData },
  });
  await core.createNamespacedConfigMap({
    namespace: where.namespace,
    body: { metadata: { name: "plain" }, data: stringData },
  });
  const raw = (await plane.stored("/registry/secrets/default/token"))?.toString("latin1");
  expect(raw).toMatch(/^k8s:enc:aescbc:v1:key1:/);
  expect(raw).not.toContain("sesame");
  const plain = await plane.stored("/registry/configmaps/default/plain");
  expect(plain?.toString("latin1")).toContain("sesame-open");
  expect(await plane.stored("/registry/secrets/default/none")).toBeUndefined();

  await plane.restart();
  const read = await core.readNamespacedSecret(where);
  expect(Buffer.from(read.data?.["token"] ?? "", "base64").toString()).toBe("sesame-open");
  const events = readFileSync(plane.auditLog, "utf8").trimEnd().split("\n");
  const verbs = events.map((line) => JSON.parse(line) as { verb: string; objectRef?: { name?: string } });
  const about = verbs.filter(({ objectRef }) => objectRef?.name === "token").map(({ verb }) => verb);
  expect(new Set(about)).toEqual(new Set(["create", "get"]));
});

test("what does not start says why, and leaves no process", async () => {
  const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
  const before = children();
  const start = ControlPlane.start({ controllers: false, apiserver: ["--no-such-flag"] });
  await expect(start).rejects.toThrow(/kube-apiserver was not ready[^]*unknown flag: --no-such-flag/);
  expect(children()).toBe(before);
});
