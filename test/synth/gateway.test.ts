import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  AgentSandbox,
  Command,
  Environment,
  Gateway,
  Resources,
  Target,
  type GatewayTarget,
} from "../../lib/constructs/index.ts";
import type { ClusterDocument, GatewayDocument } from "../../lib/blueprint/index.ts";
import { synthesizeGateway, type GatewayObjects } from "../../lib/synth/gateway.ts";
import { synthesizeKubernetes } from "../../lib/synth/kubernetes.ts";
import { renderGateway } from "../../lib/synth/gateway/render.ts";
import { catalogue } from "../blueprint/fixtures.ts";

const image = `rancher/k3s@sha256:${"a".repeat(64)}`;

function environment(
  gateway: GatewayDocument | undefined = {},
  { pids, cluster }: { pids?: number; cluster?: ClusterDocument } = {},
): Environment<GatewayTarget> {
  const app = new Environment("dev", { target: Target.gateway(cluster), project: "team" });
  new AgentSandbox(app, "assistant", {
    agent: Command.of("sleep", "infinity"),
    ...(pids !== undefined && { resources: Resources.of({ pids }) }),
  });
  new Gateway(app, "gateway", gateway);
  return app;
}
const made = (gateway: GatewayDocument = {}, options = {}): GatewayObjects =>
  synthesizeGateway(environment({ image, ...gateway }, options), { project: "team" });
const textOf = (objects: GatewayObjects): string =>
  [...renderGateway(objects)].map(([name, text]) => `# ${name}\n---\n${text}`).join("");

test("the container, its network and its volumes are those of the golden", async () => {
  const objects = made({
    resources: { cpu: 2, memory: "4Gi" },
    dns: ["192.168.1.1"],
    audit: "request",
    apiArguments: { "audit-log-maxage": "90" },
    kubeletArguments: { "max-pods": "60" },
  });
  await expect(textOf(objects)).toMatchFileSnapshot("../../snapshots/goldens/gateway.yaml");
});

/** What each field has to be that the walls stand on. A field of none of the two lists fails the last test. */
const security: Readonly<Record<string, unknown>> = {
  "container.image": image,
  "container.privileged": true,
  "container.usernsMode": "host",
  "container.pidMode": "",
  "container.ipcMode": "private",
  "container.cgroupnsMode": "private",
  "container.securityOpts": ["apparmor=unconfined", "label=disable", "seccomp=unconfined"],
  "container.runtime": "runc",
  "container.network": { name: "nacre-dev", address: "10.44.239.2" },
  "container.ports": [{ internal: 6443, external: 6443, ip: "127.0.0.1", protocol: "tcp" }],
  "container.volumes": [
    { volume: "nacre-dev", path: "/var/lib/rancher/k3s", readOnly: false },
    { volume: "nacre-dev-node", path: "/etc/rancher/node", readOnly: false },
  ],
  "container.tmpfs": {
    "/run": "rw,noexec,nosuid,nodev,mode=0755",
    "/var/run": "rw,noexec,nosuid,nodev,mode=0755",
  },
  "container.resources": { cpus: "2", memoryMebibytes: 4096 },
  "container.ulimits": [
    { name: "nofile", soft: 65535, hard: 65535 },
    { name: "nproc", soft: 65535, hard: 65535 },
  ],
  "network.driver": "bridge",
  "network.internal": false,
  "network.attachable": false,
  "network.ipv6": false,
  "network.subnet": "10.44.239.0/24",
  "network.options": {
    "com.docker.network.bridge.enable_icc": "false",
    "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
  },
};
/** Arguments of K3s. */
const argumentsOfWalls = [
  "--tls-san=127.0.0.1",
  "--tls-san-security=true",
  "--write-kubeconfig-mode=0600",
  "--cluster-cidr=10.42.0.0/16",
  "--service-cidr=10.43.0.0/16",
  "--secrets-encryption",
  "--disable=servicelb",
  "--disable=traefik",
  "--disable-helm-controller",
  "--kube-apiserver-arg=admission-control-config-file=/etc/nacre/admission.yaml",
  "--kube-apiserver-arg=anonymous-auth=false",
  "--kube-apiserver-arg=audit-log-path=/var/lib/rancher/k3s/server/logs/audit.log",
  "--kube-apiserver-arg=audit-policy-file=/etc/nacre/audit.yaml",
  "--kube-apiserver-arg=authorization-mode=Node,RBAC",
  "--kube-apiserver-arg=enable-admission-plugins=NodeRestriction",
  "--kube-apiserver-arg=profiling=false",
  "--kube-apiserver-arg=service-account-extend-token-expiration=false",
  "--kube-apiserver-arg=service-account-lookup=true",
  "--kube-apiserver-arg=tls-min-version=VersionTLS12",
  "--kube-controller-manager-arg=profiling=false",
  "--kube-controller-manager-arg=use-service-account-credentials=true",
  "--kube-scheduler-arg=profiling=false",
  "--kubelet-arg=anonymous-auth=false",
  "--kubelet-arg=authorization-mode=Webhook",
  "--kubelet-arg=pod-max-pids=1024",
  "--kubelet-arg=read-only-port=0",
  "--kubelet-arg=seccomp-default=true",
];
const otherArguments = [
  "server",
  "--node-name=nacre-dev",
  "--node-ip=10.44.239.2",
  "--advertise-address=10.44.239.2",
  "--https-listen-port=6443",
  "--cluster-dns=10.43.0.10",
  "--cluster-domain=cluster.local",
  "--kube-apiserver-arg=audit-log-maxage=30",
  "--kube-apiserver-arg=audit-log-maxbackup=10",
  "--kube-apiserver-arg=audit-log-maxsize=100",
  "--kubelet-arg=streaming-connection-idle-timeout=5m",
];
/** Defaults and housekeeping, and what has tests of its own. */
const others = [
  "container.name",
  "container.hostname",
  "container.command",
  "container.readOnly",
  "container.init",
  "container.files",
  "container.restart",
  "container.stopTimeout",
  "container.logs",
  "container.labels",
  "network.name",
  "network.gateway",
  "network.labels",
];

describe("each security field is what it has to be", () => {
  const objects = made({ resources: { cpu: 2, memory: "4Gi" } });
  const fields: ReadonlyMap<string, unknown> = new Map(
    (["container", "network"] as const).flatMap((part) =>
      Object.entries(objects[part]).map(([name, value]) => [`${part}.${name}`, value] as const),
    ),
  );
  test.each(Object.entries(security))("%s", (field, value) => {
    expect({ [field]: fields.get(field) }).toEqual({ [field]: value });
  });
  test.each(argumentsOfWalls)("%s", (argument) => {
    expect(objects.container.command).toContain(argument);
  });
  test("and no field and no argument is of neither list", () => {
    expect([...fields.keys()].sort()).toEqual([...Object.keys(security), ...others].sort());
    expect([...objects.container.command].sort()).toEqual([...argumentsOfWalls, ...otherArguments].sort());
  });
});

const fileOf = (objects: GatewayObjects, path: string): any =>
  parse(objects.container.files.find((file) => file.path === path)!.content);

test("a pod of any namespace but kube-system has to be restricted", () => {
  const [plugin] = fileOf(made(), "/etc/nacre/admission.yaml").plugins;
  expect(plugin.name).toBe("PodSecurity");
  expect(plugin.configuration.defaults).toMatchObject({
    enforce: "restricted",
    "enforce-version": "latest",
  });
  expect(plugin.configuration.exemptions).toEqual({
    usernames: [],
    runtimeClasses: [],
    namespaces: ["kube-system"],
  });
});

test.each(["metadata", "request"] as const)(
  "with audit %s no body of a Secret, a ConfigMap or a token is recorded, whatever else is",
  (audit) => {
    const { rules } = fileOf(made({ audit }), "/etc/nacre/audit.yaml");
    expect(rules[0]).toEqual({
      level: "Metadata",
      resources: [
        { group: "", resources: ["secrets", "configmaps", "serviceaccounts/token"] },
        { group: "authentication.k8s.io", resources: ["tokenreviews"] },
      ],
    });
    expect(rules.at(-1)).toEqual({ level: audit === "request" ? "Request" : "Metadata" });
  },
);

test("with audit none there is neither a policy nor a log", () => {
  const objects = made({ audit: "none" });
  expect(objects.container.files.map(({ path }) => path)).toEqual(["/etc/nacre/admission.yaml"]);
  expect(objects.container.command.filter((argument) => argument.includes("audit"))).toEqual([]);
});

test("a file of the container is for root alone", () => {
  expect(made({ dns: ["10.0.0.53"] }).container.files.map(({ mode }) => mode)).toEqual([
    "0600",
    "0600",
    "0600",
  ]);
});

describe("arguments that a wall stands on are refused, with the way to say what is wanted", () => {
  test.each([
    ["apiArguments", "anonymous-auth", "true", /a wall stands on it .*remove it: it is false/],
    ["apiArguments", "authorization-mode", "AlwaysAllow", /who may do what/],
    ["apiArguments", "disable-admission-plugins", "PodSecurity", /who may do what/],
    ["apiArguments", "admission-control-config-file", "/tmp/none", /a wall stands on it/],
    ["apiArguments", "audit-policy-file", "/tmp/none", /set audit: none, metadata or request/],
    ["apiArguments", "audit-webhook-config-file", "/tmp/none", /set audit/],
    ["apiArguments", "encryption-provider-config", "/tmp/none", /Secrets are encrypted/],
    ["apiArguments", "service-account-lookup", "false", /who may do what/],
    ["apiArguments", "tls-min-version", "VersionTLS10", /certificates and versions of TLS/],
    ["apiArguments", "bind-address", "0.0.0.0", /setting port/],
    ["apiArguments", "feature-gates", "PodSecurity=false", /may turn a check of Kubernetes off/],
    ["apiArguments", "feature-gates", "A=true,PodSecurity=f", /may turn a check of Kubernetes off/],
    ["apiArguments", "feature-gates", "AllAlpha=true", /single features/],
    ["apiArguments", "runtime-config", "admissionregistration.k8s.io/v1=false", /none of those/],
    ["apiArguments", "cors-allowed-origins", ".*", /none of those/],
    ["kubeletArguments", "manifest-url", "http://192.0.2.1/", /none of those/],
    ["kubeletArguments", "pod-manifest-path", "/tmp", /none of those/],
    ["kubeletArguments", "anonymous-auth", "true", /a wall stands on it/],
    ["kubeletArguments", "config", "/tmp/kubelet.yaml", /who may command the kubelet/],
    ["kubeletArguments", "pod-max-pids", "-1", /set resources.pids/],
    ["kubeletArguments", "allowed-unsafe-sysctls", "kernel.*", /opens to pods/],
    ["kubeletArguments", "resolv-conf", "/etc/resolv.conf", /set dns/],
    ["kubeletArguments", "protect-kernel-defaults", "false", /sets this machine's kernel/],
  ])("%s %s=%s", (key, name, value, reason) => {
    expect.assertions(2);
    try {
      made({ [key]: { [name]: value } });
    } catch (error: any) {
      expect(error).toMatchObject({ code: "unenforceable", subject: `dev/gateway ${key}.${name}` });
      expect(`${error.message} ${error.hint}`).toMatch(reason);
    }
  });

  test("others are passed on, and replace what is only usual", () => {
    const { command } = made({
      apiArguments: { "audit-log-maxage": "90", "max-requests-inflight": "100" },
      kubeletArguments: { "protect-kernel-defaults": "true", "feature-gates": "ImageVolume=true" },
    }).container;
    expect(command).toContain("--kube-apiserver-arg=audit-log-maxage=90");
    expect(command).not.toContain("--kube-apiserver-arg=audit-log-maxage=30");
    expect(command).toContain("--kube-apiserver-arg=max-requests-inflight=100");
    expect(command).toContain("--kubelet-arg=protect-kernel-defaults=true");
    expect(command).toContain("--kubelet-arg=feature-gates=ImageVolume=true");
  });
});

test("without an image, synthesis works and says why up will not", () => {
  const objects = synthesizeGateway(environment(), { project: "team" });
  expect(objects.container.image).toBe("unconfigured.invalid/k3s");
  expect(objects.obstacles).toEqual([
    {
      subject: "dev/gateway",
      reason: "no image of K3s is configured",
      fix: "set image of the gateway, by digest: rancher/k3s@sha256:…",
    },
  ]);
  expect(made().obstacles).toEqual([]);
});

test("each pod may have as many processes as the agent that asks for most, and who asked for fewer is told", () => {
  const app = environment({ image }, { pids: 2000 });
  new AgentSandbox(app, "small", {
    agent: Command.of("sleep", "infinity"),
    resources: Resources.of({ pids: 64 }),
  });
  const objects = synthesizeGateway(app, { project: "team" });
  expect(objects.container.command).toContain("--kubelet-arg=pod-max-pids=2000");
  expect(objects.warnings).toContain("agent small: pids 64 is enforced as 2000: one limit for each pod");
  expect(made({}, { pids: 1 }).container.command).toContain("--kubelet-arg=pod-max-pids=256");
});

test("what is not needed is left out, and Helm with it unless Traefik wants it", () => {
  const { command } = made({ disable: ["metrics-server"] }).container;
  expect(command.filter((argument) => argument.startsWith("--disable"))).toEqual([
    "--disable=metrics-server",
  ]);
});

test("names of outside are asked where the gateway says, and where K3s itself would is a warning", () => {
  const objects = made({ dns: ["192.168.1.1", "192.168.1.2"] });
  expect(objects.container.command).toContain("--resolv-conf=/etc/nacre/resolv.conf");
  expect(objects.container.files.at(-1)).toEqual({
    path: "/etc/nacre/resolv.conf",
    mode: "0600",
    content: "nameserver 192.168.1.1\nnameserver 192.168.1.2\n",
  });
  expect(objects.warnings.join()).not.toContain("8.8.8.8");
  expect(made().warnings.join()).toContain("8.8.8.8");
});

describe("the chart of a gateway knows where K3s' API server is", () => {
  const rules = (app: Environment<GatewayTarget>): any[] => {
    const { objects } = synthesizeKubernetes(app, { catalogue });
    const policies = objects.filter(({ manifest }) => manifest.kind === "NetworkPolicy");
    const egress = policies.find(({ manifest }) => manifest.metadata.name.startsWith("egress"));
    return (egress!.manifest as any).spec.egress;
  };
  const at = (cidr: string, port: number) => ({
    to: [{ ipBlock: { cidr, except: [] } }],
    ports: [{ protocol: "TCP", port }],
  });
  test("by both its addresses", () => {
    const found = rules(environment({ image }));
    expect(found).toContainEqual(at("10.43.0.1/32", 443));
    expect(found).toContainEqual(at("10.44.239.2/32", 6443));
  });
  test("unless the settings say another", () => {
    const cluster = { api: { cidr: "10.0.0.1/32", port: 8443 } };
    const found = rules(environment({ image }, { cluster }));
    expect(found).toContainEqual(at("10.0.0.1/32", 8443));
    expect(found).not.toContainEqual(at("10.43.0.1/32", 443));
  });
});

test("a change of the container is a change of the environment's digest", () => {
  const digest = (gateway: GatewayDocument) =>
    synthesizeKubernetes(environment(gateway), { catalogue }).digests.environment;
  expect(digest({ image })).toBe(digest({ image, port: 6443 }));
  expect(digest({ image })).not.toBe(digest({ image, audit: "none" }));
});
