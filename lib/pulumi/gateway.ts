import { createRequire } from "node:module";
import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  type Output,
  type Resource,
} from "@pulumi/pulumi";
import type * as dockerSdk from "@pulumi/docker";
import { NacreError } from "../error.ts";
import type { GatewayContainer as ContainerSpec, GatewayObjects } from "../synth/gateway.ts";
import { hinder } from "./hinder.ts";
import { readable } from "./readable.ts";
import { Kubeconfig } from "./resources.ts";

export interface GatewayContainerOptions extends ComponentResourceOptions {
  /**
   * Where the container engine listens.
   * @default DOCKER_HOST, else unix:///var/run/docker.sock
   */
  readonly dockerHost?: string;
  /**
   * Another image than that of the objects: one that only the deployment knows, or that has no name of a registry.
   * @default the objects'
   */
  readonly image?: Input<string>;
}

const GATEWAY = "nacre:gateway:Gateway";

/** All of a gateway's resources, its provider among them, as the engine's `--target` takes them. */
export const gatewayTargets = (project: string, stack: string): readonly string[] => [
  `urn:pulumi:${stack}::${project}::${GATEWAY}::**`,
  `urn:pulumi:${stack}::${project}::${GATEWAY}$**`,
];

/**
 * K3s in a container: its network, its volumes, and the kubeconfig that its API server's readiness is waited for with. It
 * stands at the top of its stack, whichever program it is in, so that the same resources are meant by each of them.
 */
export class GatewayContainer extends ComponentResource {
  /** The path of a file on this machine, mode 0600. No part of what it holds is in the state. */
  readonly kubeconfig: Output<string>;
  /** Changes when the cluster is another one, and with nothing else: not with its address, its version or its image. */
  readonly clusterIdentifier: Output<string>;
  /** `https://127.0.0.1:6443` */
  readonly server: Output<string>;
  /** For `dependsOn`: its API server answered that it is ready. */
  readonly ready: Resource;

  constructor(name: string, objects: GatewayObjects, options: GatewayContainerOptions = {}) {
    const { dockerHost, image, ...resource } = options;
    super(GATEWAY, name, {}, resource);
    hinder(objects.obstacles);
    const docker = readable(dockerPackage);
    const host = dockerHost ?? process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
    const provider = new docker.Provider(`${name}-docker`, { host }, { parent: this });
    const inside = { parent: this, provider };

    const { network, volumes, container } = objects;
    const own = new docker.Network(
      network.name,
      {
        name: network.name,
        driver: network.driver,
        internal: network.internal,
        attachable: network.attachable,
        ipv6: network.ipv6,
        ipamConfigs: [{ subnet: network.subnet, gateway: network.gateway }],
        options: { ...network.options },
        labels: labelsOf(network.labels),
      },
      { ...inside, deleteBeforeReplace: true },
    );
    const kept = new Map(
      volumes.map((volume) => [
        volume.name,
        new docker.Volume(
          volume.name,
          { name: volume.name, driver: volume.driver, labels: labelsOf(volume.labels) },
          // Another label would replace it, and with it all that the cluster knows.
          { ...inside, retainOnDelete: objects.keep, ignoreChanges: ["labels"] },
        ),
      ]),
    );
    const running = new docker.Container(
      container.name,
      {
        ...containerArgs(container),
        image: image ?? container.image,
        networksAdvanced: [{ name: own.name, ipv4Address: container.network.address }],
        volumes: container.volumes.map(({ volume, path, readOnly }) => ({
          volumeName: kept.get(volume)?.name ?? volume,
          containerPath: path,
          readOnly,
        })),
      },
      { ...inside, deleteBeforeReplace: true },
    );
    const kubeconfig = new Kubeconfig(
      container.name,
      {
        container: container.name,
        port: container.ports[0]?.external ?? 6443,
        docker: host,
        instance: running.id,
      },
      { parent: this },
    );
    this.kubeconfig = kubeconfig.path;
    this.clusterIdentifier = kubeconfig.clusterIdentifier;
    this.server = kubeconfig.server;
    this.ready = kubeconfig;
    this.registerOutputs({});
  }
}

/** All that is not another resource's. What is optional to the provider is said too: it would not notice its absence. */
const containerArgs = (container: ContainerSpec): Omit<dockerSdk.ContainerArgs, "image"> => ({
  name: container.name,
  hostname: container.hostname,
  command: [...container.command],
  privileged: container.privileged,
  readOnly: container.readOnly,
  init: container.init,
  usernsMode: container.usernsMode,
  pidMode: container.pidMode,
  ipcMode: container.ipcMode,
  cgroupnsMode: container.cgroupnsMode,
  securityOpts: [...container.securityOpts],
  runtime: container.runtime,
  ports: container.ports.map((port) => ({ ...port })),
  tmpfs: { ...container.tmpfs },
  uploads: container.files.map(({ path, mode, content }) => ({ file: path, permissions: mode, content })),
  ...resourcesOf(container),
  ulimits: container.ulimits.map((limit) => ({ ...limit })),
  restart: container.restart,
  stopTimeout: container.stopTimeout,
  // Else the provider kills it at once when it replaces it.
  destroyGraceSeconds: container.stopTimeout,
  start: true,
  // Else any refresh that finds it stopped removes it. The kubeconfig's update starts it again.
  mustRun: false,
  wait: false,
  // The image's nameless volumes; ours have names, and stay.
  removeVolumes: true,
  logDriver: container.logs.driver,
  logOpts: { ...container.logs.options },
  labels: labelsOf(container.labels),
});

/** Without swap: a limit with it would be twice as large as it says. */
const resourcesOf = ({
  resources: { cpus, memoryMebibytes },
}: ContainerSpec): Pick<dockerSdk.ContainerArgs, "cpus" | "memory" | "memorySwap"> => ({
  ...(cpus === undefined ? {} : { cpus }),
  ...(memoryMebibytes === undefined ? {} : { memory: memoryMebibytes, memorySwap: memoryMebibytes }),
});

const labelsOf = (labels: Readonly<Record<string, string>>): { label: string; value: string }[] =>
  Object.entries(labels).map(([label, value]) => ({ label, value }));

/** CommonJS that defines its exports late, so Node sees no names in it. Only who has a gateway needs it. */
function dockerPackage(): typeof dockerSdk {
  try {
    return createRequire(import.meta.url)("@pulumi/docker") as typeof dockerSdk;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new NacreError({
      code: "package_missing",
      subject: "@pulumi/docker",
      message: "is not installed, and a gateway is a container",
      hint: "npm install @pulumi/docker",
    });
  }
}
