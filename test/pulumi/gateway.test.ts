import { runtime } from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { AgentSandbox, Command, Environment, Gateway, Target } from "../../lib/constructs/index.ts";
import type { GatewayDocument } from "../../lib/blueprint/index.ts";
import { GatewayContainer } from "../../lib/pulumi/gateway.ts";
import { synthesizeGateway, type GatewayObjects } from "../../lib/synth/gateway.ts";

interface Made {
  readonly type: string;
  readonly name: string;
  readonly inputs: any;
}

const image = `rancher/k3s@sha256:${"a".repeat(64)}`;
let made: Made[] = [];

const mocked = (preview: boolean) =>
  runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        made.push({ type, name, inputs });
        const outputs = type === "nacre:gateway:Kubeconfig" ? { path: "/state/kubeconfig" } : {};
        return { id: `${name}-id`, state: { ...inputs, ...outputs } };
      },
      call: () => ({}),
    },
    "team",
    "dev",
    preview,
  );

function objects(gateway: GatewayDocument): GatewayObjects {
  const app = new Environment("dev", { target: Target.gateway(), project: "team" });
  new AgentSandbox(app, "assistant", { agent: Command.of("sleep", "infinity") });
  new Gateway(app, "gateway", gateway);
  return synthesizeGateway(app, { project: "team" });
}

async function resources(gateway: GatewayDocument, options = {}): Promise<ReadonlyMap<string, Made>> {
  made = [];
  const component = new GatewayContainer("dev", objects(gateway), options);
  const path = await new Promise((done) => component.kubeconfig.apply(done));
  expect(path).toBe("/state/kubeconfig");
  return new Map(made.map((one) => [`${one.type} ${one.name}`, one]));
}

beforeAll(() => mocked(false));

test("a gateway is a network, two volumes, a container and its kubeconfig, under one component", async () => {
  const found = await resources(
    { image, resources: { cpu: 1.5, memory: "2Gi" } },
    { dockerHost: "unix:///d.sock" },
  );
  expect([...found.keys()].sort()).toEqual([
    "docker:index/container:Container nacre-dev",
    "docker:index/network:Network nacre-dev",
    "docker:index/volume:Volume nacre-dev",
    "docker:index/volume:Volume nacre-dev-node",
    "nacre:gateway:Gateway dev",
    "nacre:gateway:Kubeconfig nacre-dev",
    "pulumi:providers:docker dev-docker",
  ]);
  expect(found.get("nacre:gateway:Gateway dev")?.inputs).toEqual({});
  expect(found.get("pulumi:providers:docker dev-docker")?.inputs).toMatchObject({ host: "unix:///d.sock" });
  expect(found.get("nacre:gateway:Kubeconfig nacre-dev")?.inputs).toMatchObject({
    container: "nacre-dev",
    port: 6443,
    docker: "unix:///d.sock",
    instance: "nacre-dev-id",
  });
  const { inputs } = found.get("docker:index/container:Container nacre-dev")!;
  expect(inputs).toMatchObject({
    name: "nacre-dev",
    image,
    privileged: true,
    securityOpts: ["apparmor=unconfined", "label=disable", "seccomp=unconfined"],
    runtime: "runc",
    usernsMode: "host",
    cgroupnsMode: "private",
    ports: [{ internal: 6443, external: 6443, ip: "127.0.0.1", protocol: "tcp" }],
    networksAdvanced: [{ name: "nacre-dev", ipv4Address: "10.44.239.2" }],
    volumes: [
      { volumeName: "nacre-dev", containerPath: "/var/lib/rancher/k3s", readOnly: false },
      { volumeName: "nacre-dev-node", containerPath: "/etc/rancher/node", readOnly: false },
    ],
    cpus: "1.5",
    memory: 2048,
    memorySwap: 2048,
    mustRun: false,
    destroyGraceSeconds: 60,
  });
  expect(inputs.command[0]).toBe("server");
  expect(inputs.uploads.map(({ file }: { file: string }) => file)).toContain("/etc/nacre/admission.yaml");
});

test("the image may be one that only the deployment knows", async () => {
  const found = await resources({ image }, { image: "sha256:1" });
  expect(found.get("docker:index/container:Container nacre-dev")?.inputs.image).toBe("sha256:1");
});

test("what lacks is told by a preview, and refused by an update", async () => {
  expect(() => new GatewayContainer("dev", objects({}))).toThrow(
    /no image of K3s is configured\s+fix: set image/,
  );
  await mocked(true);
  expect((await resources({})).has("docker:index/container:Container nacre-dev")).toBe(true);
});
