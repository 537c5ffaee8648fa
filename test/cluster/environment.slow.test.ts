import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  AdmissionregistrationV1Api,
  AppsV1Api,
  CoreV1Api,
  NetworkingV1Api,
  RbacAuthorizationV1Api,
  SchedulingV1Api,
} from "@kubernetes/client-node";
import { core, Provider } from "@pulumi/kubernetes";
import { Construct } from "constructs";
import { parse, stringify } from "yaml";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  AgentSandbox,
  Command,
  Egress,
  Environment,
  EscapeHatch,
  LandlockProfile,
  Secret,
  Target,
} from "../../lib/constructs/index.ts";
import { loadCatalogue } from "../../lib/pulumi/catalogue.ts";
import { clusterStatus } from "../../lib/cluster/status.ts";
import { Outputs } from "../../lib/pulumi/outputs.ts";
import { deployCluster } from "../../lib/pulumi/cluster.ts";
import type { AgentSandboxProps } from "../../lib/constructs/agent-sandbox-props.ts";
import { synthesizeKubernetes } from "../../lib/synth/kubernetes.ts";
import { eventually } from "./eventually.ts";
import { buildTimeout, ControlPlane } from "./control-plane.ts";
import { freePort } from "./free-port.ts";
import { KubernetesStack } from "./kubernetes-stack.ts";

/** A whole environment through the real engine against a real API server. Nothing runs its pods. */
let plane: ControlPlane;
let api: CoreV1Api;
let stack: KubernetesStack | undefined;

beforeAll(async () => {
  plane = await ControlPlane.start();
  api = plane.client(CoreV1Api);
}, buildTimeout);
afterAll(() => plane.stop());
afterEach(async () => {
  await stack?.remove();
  stack = undefined;
});

const digest = (name: string): string => `registry.example/${name}@sha256:${"ab".repeat(32)}`;
const images = { egress: digest("egress"), router: digest("router"), agents: { assistant: digest("agent") } };

/** What a test changes between two runs. */
interface Wanted {
  namespace: string;
  props: Partial<AgentSandboxProps>;
  wrapped: boolean;
  keep: boolean;
  kubeconfig: string;
  egress: string;
}
const wanted = (namespace: string): Wanted => ({
  namespace,
  props: {},
  wrapped: false,
  keep: false,
  kubeconfig: plane.kubeconfig,
  egress: images.egress,
});

class Team extends Construct {}

function environmentOf({
  namespace,
  props,
  wrapped,
  keep,
  egress,
}: Wanted): Environment<ReturnType<typeof Target.cluster>> {
  const app = new Environment("dev", {
    target: Target.cluster({
      namespace,
      images: { ...images, egress },
      secrets: { tracker: { secret: "tracker-key" } },
      storage: { keep },
    }),
  });
  new AgentSandbox(wrapped ? new Team(new Team(app, "platform"), "team") : app, "assistant", {
    agent: Command.of("sleep", "infinity"),
    egress: [Egress.https("api.example.com").methods("GET").with(Secret.named("tracker"), { as: "TRACKER" })],
    walls: { files: "best_effort", syscalls: "best_effort" },
    ...props,
  });
  return app;
}

async function open(values: Wanted): Promise<KubernetesStack> {
  return (stack = await KubernetesStack.open(async () => {
    await deployCluster(environmentOf(values), { kubeconfig: values.kubeconfig });
  }));
}

const names = (steps: readonly string[]): string[] =>
  steps.map((step) => step.replace("dev/", "")).toSorted();

test("up, nothing to do, a changed policy, a changed wall, a wrapped construct, destroy", async () => {
  const values = wanted("line");
  const at = { namespace: "line" };
  const workload = () => plane.client(AppsV1Api).readNamespacedDeployment({ ...at, name: "agent-assistant" });
  const claim = () => api.readNamespacedPersistentVolumeClaim({ ...at, name: "workspace-assistant" });
  const { up, destroy } = await open(values);

  const planned = (await up()).steps;
  expect(planned.filter((step) => !step.startsWith("create"))).toEqual([]);
  expect(planned).toContain("create Deployment dev/sandbox-assistant/agent/workload");
  const policies = await plane.client(NetworkingV1Api).listNamespacedNetworkPolicy(at);
  expect(policies.items.map(({ metadata }) => metadata?.name)).toEqual([
    "agent-assistant",
    "default-deny",
    "egress-assistant",
  ]);
  expect((await up()).steps).toEqual([]);

  const before = { workload: await workload(), claim: await claim() };
  values.props = {
    egress: [
      Egress.https("api.example.com").methods("GET", "POST").with(Secret.named("tracker"), { as: "TRACKER" }),
    ],
  };
  expect(names((await up()).steps)).toEqual([
    "update ConfigMap environment",
    "update ConfigMap sandbox-assistant/egress/policy",
  ]);
  const policy = await api.readNamespacedConfigMap({ ...at, name: "policy-assistant" });
  expect(policy.data?.["policy.yaml"]).toContain("POST");
  expect((await workload()).metadata).toMatchObject({
    uid: before.workload.metadata?.uid,
    generation: before.workload.metadata?.generation,
  });

  values.props = { ...values.props, landlock: LandlockProfile.of({ readWrite: ["/tmp", "/var/tmp"] }) };
  const changed = await up();
  expect(names(changed.steps)).toEqual([
    expect.stringMatching(/^create ConfigMap walls\/landlock-[0-9a-f]{32}$/),
    expect.stringMatching(/^delete ConfigMap walls\/landlock-[0-9a-f]{32}$/),
    "update ConfigMap environment",
    "update Deployment sandbox-assistant/agent/workload",
  ]);
  expect((await workload()).metadata?.uid).toBe(before.workload.metadata?.uid);
  expect((await workload()).metadata?.generation).toBe((before.workload.metadata?.generation ?? 0) + 1);
  expect((await claim()).metadata?.uid).toBe(before.claim.metadata?.uid);

  values.wrapped = true;
  expect((await up()).steps).toEqual([]);

  await destroy();
  const left = await api.listNamespace();
  expect(left.items.map(({ metadata }) => metadata?.name)).not.toContain("line");
  const classes = await plane.client(SchedulingV1Api).listPriorityClass();
  expect(
    classes.items.map(({ metadata }) => metadata?.name).filter((name) => name?.startsWith("line")),
  ).toEqual([]);
});

test("status is what the API server holds, beside what the blueprint makes", async () => {
  const values = wanted("status");
  const at = { namespace: "status" };
  const { up, destroy } = await open(values);
  await up();
  const read = async () => {
    const options = { catalogue: loadCatalogue(), project: "cluster" };
    const objects = synthesizeKubernetes(environmentOf(values), options);
    const [status] = await clusterStatus(objects, { kubeconfig: plane.kubeconfig });
    return {
      status,
      differs: (status?.walls ?? []).flatMap(({ wall, differs }) =>
        differs.map((each) => `${wall}: ${each}`),
      ),
    };
  };
  const { status, differs } = await read();
  expect(differs).toEqual([]);
  expect(status?.walls.map(({ wall, status: of }) => `${wall} ${of}`)).toEqual([
    "files not enforced",
    "syscalls not enforced",
    "network enforced",
    "credentials enforced",
  ]);
  // No node runs them, and the status does not say otherwise.
  expect(status).toMatchObject({ agent: "0 of 1 ready", egress: "0 of 1 ready" });

  const admission = plane.client(AdmissionregistrationV1Api);
  const bindings = (await admission.listValidatingAdmissionPolicyBinding()).items.flatMap(
    ({ metadata }) => metadata?.name ?? [],
  );
  for (const name of bindings.filter((each) => each.startsWith("status-")))
    await admission.deleteValidatingAdmissionPolicyBinding({ name });
  const network = plane.client(NetworkingV1Api);
  await eventually("the policy lets go", async () => {
    await network.createNamespacedNetworkPolicy({
      ...at,
      body: { metadata: { name: "door" }, spec: { podSelector: {}, egress: [{}], policyTypes: ["Egress"] } },
    });
    return true;
  });
  const policy = await network.readNamespacedNetworkPolicy({ ...at, name: "agent-assistant" });
  policy.spec?.egress?.push({ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] });
  await network.replaceNamespacedNetworkPolicy({ ...at, name: "agent-assistant", body: policy });
  const deployment = await plane
    .client(AppsV1Api)
    .readNamespacedDeployment({ ...at, name: "agent-assistant" });
  deployment.spec?.template.spec?.containers[0]?.env?.push({ name: "EXTRA", value: "x" });
  await plane
    .client(AppsV1Api)
    .replaceNamespacedDeployment({ ...at, name: "agent-assistant", body: deployment });
  const found = (await read()).differs;
  expect(found).toContain("files: ValidatingAdmissionPolicyBinding/status-pods is not there");
  expect(found.filter((each) => !each.includes("ValidatingAdmissionPolicyBinding"))).toEqual([
    "files: Deployment/agent-assistant: spec.template.spec.containers[0].env",
    "syscalls: Deployment/agent-assistant: spec.template.spec.containers[0].env",
    "network: NetworkPolicy/agent-assistant: spec.egress",
    "network: NetworkPolicy/door is not the blueprint's, and can only open more",
    "credentials: Deployment/agent-assistant: spec.template.spec.containers[0].env",
  ]);
  await destroy();
});

test("what a changed policy of the API server lets through is made right after it", async () => {
  const values = wanted("settled");
  const { up, destroy } = await open(values);
  await up();
  // Another image of the egress: its policy names it, and the pod comes in the same run.
  values.egress = digest("other");
  const { steps } = await up();
  expect(names(steps)).toEqual([
    "update ConfigMap environment",
    "update Deployment sandbox-assistant/egress/workload",
    expect.stringMatching(/^update ValidatingAdmissionPolicy admission/),
  ]);
  const { spec } = await plane
    .client(AppsV1Api)
    .readNamespacedDeployment({ namespace: "settled", name: "egress-assistant" });
  expect(spec?.template.spec?.containers[0]?.image).toBe(values.egress);
  await destroy();
});

test("what holds data stays when the environment goes, unless the settings say otherwise", async () => {
  const values = { ...wanted("kept"), keep: true };
  const { up, destroy } = await open(values);
  await up();
  await destroy();
  expect((await api.readNamespace({ name: "kept" })).status?.phase).toBe("Active");
  const claims = await api.listNamespacedPersistentVolumeClaim({ namespace: "kept" });
  expect(claims.items.map(({ metadata }) => metadata?.name)).toEqual(["workspace-assistant"]);
  expect((await plane.client(AppsV1Api).listNamespacedDeployment({ namespace: "kept" })).items).toEqual([]);
  // And the next environment of that name finds it.
  await up();
  const again = await api.listNamespacedPersistentVolumeClaim({ namespace: "kept" });
  expect(again.items.map(({ metadata }) => metadata?.uid)).toEqual([claims.items[0]?.metadata?.uid]);
});

test("a preview needs no cluster; up asks for it first, and then changes nothing", async () => {
  const values = wanted("away");
  const { preview, up, state } = await open(values);
  const whole = names((await preview()).steps);
  expect(whole.length).toBeGreaterThan(20);
  values.kubeconfig = join(plane.kubeconfig, "no-such-file");
  expect(names((await preview()).steps)).toEqual(whole);
  await expect(up()).rejects.toThrow(/nothing was changed:[^]*no-such-file cannot be used[^]*fix: /);
  const moved = join((stack as KubernetesStack).folder, "kubeconfig");
  const text = readFileSync(plane.kubeconfig, "utf8");
  writeFileSync(moved, text.replace(plane.url, `https://127.0.0.1:${await freePort()}`), { mode: 0o600 });
  values.kubeconfig = moved;
  expect(names((await preview()).steps)).toEqual(whole);
  await expect(up()).rejects.toThrow(
    /nothing was changed:[^]*does not answer: ECONNREFUSED[^]*fix: start the cluster/,
  );
  expect(await state()).not.toContain("kubernetes:core/v1:Namespace");
});

test("a cluster that is away for a while changes no plan of what is there", async () => {
  const values = wanted("while");
  const { preview, up, destroy } = await open(values);
  await up();
  values.kubeconfig = join(plane.kubeconfig, "no-such-file");
  expect((await preview()).steps).toEqual([]);
  values.kubeconfig = plane.kubeconfig;
  expect((await up()).steps).toEqual([]);
  await destroy();
});

test("a namespace that is somebody's is not taken over", async () => {
  const values = wanted("taken");
  const { preview, up, destroy } = await open(values);
  await api.createNamespace({ body: { metadata: { name: "taken" } } });
  expect((await preview()).said).toContainEqual(
    expect.stringMatching(/the namespace taken is there, and is not this environment's/),
  );
  await expect(up()).rejects.toThrow(/nothing was changed:[^]*not this environment's[^]*kubectl annotate/);
  const mark = async (holder: string): Promise<unknown> =>
    api.replaceNamespace({
      name: "taken",
      body: { metadata: { name: "taken", annotations: { "nacre.dev/environment": holder } } },
    });
  await mark("another/prod");
  await expect(up()).rejects.toThrow(
    /nothing was changed:[^]*the namespace taken is the environment another\/prod's/,
  );
  const { items } = await api.listNamespacedConfigMap({ namespace: "taken" });
  expect(items.map(({ metadata }) => metadata?.name)).not.toContain("environment");
  await mark("cluster/dev");
  // As a run leaves it that was killed before it could note what it made.
  const metadata = { name: "policy-assistant", namespace: "taken" };
  await api.createNamespacedConfigMap({
    namespace: "taken",
    body: { metadata, data: { "policy.yaml": "old" } },
  });
  await up();
  const made = await api.readNamespacedConfigMap({ name: "policy-assistant", namespace: "taken" });
  expect(made.data?.["policy.yaml"]).toContain("api.example.com");
  await destroy();
});

test("up ends before any change where the user could make half of it alone", async () => {
  const values = wanted("half");
  const name = "deployer";
  await api.createNamespacedServiceAccount({ namespace: "default", body: { metadata: { name } } });
  await plane.client(RbacAuthorizationV1Api).createClusterRoleBinding({
    body: {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "admin" },
      subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
    },
  });
  const { status } = await api.createNamespacedServiceAccountToken({
    name,
    namespace: "default",
    body: { spec: { audiences: [], expirationSeconds: 600 } },
  });
  const { up } = await open(values);
  values.kubeconfig = join((stack as KubernetesStack).folder, "kubeconfig");
  const config = parse(readFileSync(plane.kubeconfig, "utf8")) as { users: { user: object }[] };
  config.users[0]!.user = { token: status?.token };
  writeFileSync(values.kubeconfig, stringify(config), { mode: 0o600 });
  await expect(up()).rejects.toThrow(
    /nothing was changed:[^]*may not manage environments\.nacre\.dev in the namespace half[^]*fix: bind a role/,
  );
  await expect(api.readNamespace({ name: "half" })).rejects.toMatchObject({ code: 404 });
});

test("what would not stand is a warning of a preview, and the end of an up", async () => {
  const values = { ...wanted("walls"), props: { walls: { files: "required" as const } } };
  const { preview, up } = await open(values);
  expect((await preview()).steps.length).toBeGreaterThan(20);
  await expect(up()).rejects.toThrow(
    /nothing was changed:[^]*dev\/assistant: the wall files is required and not enforced/,
  );
});

test("no key of the kubeconfig is in the state, and what is planted there is found", async () => {
  const { up, state, destroy } = await open(wanted("secrets"));
  await up();
  const key = plane.config().getCurrentUser()?.keyData ?? "";
  const clear = Buffer.from(key, "base64").toString();
  const forms = [
    key,
    clear,
    JSON.stringify(clear).slice(1, -1),
    encodeURIComponent(key),
    Buffer.from(clear).toString("hex"),
  ];
  const text = await state();
  expect(forms.filter((form) => form === "" || text.includes(form))).toEqual([]);
  expect(`${text}${key}`).toContain(key);
  await destroy();
});

test("an escape hatch is in what is made, and every run tells of it", async () => {
  const values = wanted("hatch");
  stack = await KubernetesStack.open(async () => {
    const app = environmentOf(values);
    EscapeHatch.of(app).patch({
      object: "Deployment/agent-assistant",
      patch: [{ op: "add", path: "/metadata/annotations/team.example~1owner", value: "a" }],
      reason: "the pager needs it",
    });
    await deployCluster(app, { kubeconfig: values.kubeconfig });
  });
  expect((await stack.preview()).said).toContainEqual(
    expect.stringContaining("escape hatch of dev on Deployment/agent-assistant: the pager needs it"),
  );
  await stack.up();
  const { metadata } = await plane
    .client(AppsV1Api)
    .readNamespacedDeployment({ namespace: "hatch", name: "agent-assistant" });
  expect(metadata?.annotations?.["team.example/owner"]).toBe("a");
  await stack.destroy();
});

test("a value that only the engine knows arrives where it stands for", async () => {
  stack = await KubernetesStack.open(async () => {
    const outputs = new Outputs();
    const provider = new Provider("own", { kubeconfig: plane.kubeconfig, clusterIdentifier: "own" });
    const made = new core.v1.ConfigMap(
      "made",
      { metadata: { name: "made", namespace: "default" } },
      { provider },
    );
    const storage = { class: outputs.text(made.metadata.uid), keep: false };
    const app = new Environment("dev", { target: Target.cluster({ namespace: "outputs", images, storage }) });
    new AgentSandbox(app, "assistant", {
      agent: Command.of("sleep", "infinity"),
      walls: { files: "best_effort", syscalls: "best_effort" },
    });
    await deployCluster(app, { kubeconfig: plane.kubeconfig, outputs });
  });
  expect((await stack.preview()).steps).toContain(
    "create PersistentVolumeClaim dev/sandbox-assistant/agent/workspace",
  );
  await stack.up();
  const made = await api.readNamespacedConfigMap({ namespace: "default", name: "made" });
  const claim = await api.readNamespacedPersistentVolumeClaim({
    namespace: "outputs",
    name: "workspace-assistant",
  });
  expect(made.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
  expect(claim.spec?.storageClassName).toBe(made.metadata?.uid);
  expect((await stack.up()).steps).toEqual([]);
  await stack.destroy();
});
