import { gatewayOf, type GatewaySettings } from "../blueprint/index.ts";
import type { Environment, GatewayTarget } from "../constructs/index.ts";
import { argumentsOf } from "./gateway/arguments.ts";
import { filesOf, type GatewayFile } from "./gateway/files.ts";
import { addressesOf, containerNameOf, k3sNetwork } from "./gateway/network.ts";
import { refusalsOf } from "./gateway/refusals.ts";
import { unconfigured } from "./kubernetes/image.ts";
import { refuse, type Refusal } from "./kubernetes/refusal.ts";

export type { GatewayFile } from "./gateway/files.ts";

/** The one container. What Docker would choose by itself is written out: what is not there can be changed unseen. */
export interface GatewayContainer {
  readonly name: string;
  readonly image: string;
  /** The node's name in the cluster too: another one would be another node, without the data of this. */
  readonly hostname: string;
  readonly command: readonly string[];
  /** K3s starts containers of its own in it. Whoever gets out of a pod is root of this machine. */
  readonly privileged: true;
  readonly readOnly: false;
  readonly init: false;
  /** Root of the machine, also where an engine maps ids: K3s mounts, and sets the machine's network. */
  readonly usernsMode: "host";
  readonly pidMode: "";
  readonly ipcMode: "private";
  readonly cgroupnsMode: "private";
  readonly securityOpts: readonly string[];
  readonly runtime: string;
  readonly network: { readonly name: string; readonly address: string };
  readonly ports: readonly {
    readonly internal: number;
    readonly external: number;
    readonly ip: string;
    readonly protocol: "tcp";
  }[];
  readonly volumes: readonly { readonly volume: string; readonly path: string; readonly readOnly: false }[];
  /** Path → options of the mount. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly files: readonly GatewayFile[];
  readonly resources: {
    /** As Docker takes it: `1.5`. */
    readonly cpus?: string;
    readonly memoryMebibytes?: number;
  };
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly restart: "unless-stopped";
  /** Seconds from asking it to end until it is killed. */
  readonly stopTimeout: number;
  readonly logs: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly labels: Readonly<Record<string, string>>;
}

export interface GatewayNetwork {
  readonly name: string;
  readonly driver: "bridge";
  /** Images are pulled through it, and egresses dial through it. */
  readonly internal: false;
  readonly attachable: false;
  readonly ipv6: false;
  readonly subnet: string;
  readonly gateway: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface GatewayVolume {
  readonly name: string;
  readonly driver: "local";
  readonly labels: Readonly<Record<string, string>>;
}

/** What an environment's gateway becomes in Docker. */
export interface GatewayObjects {
  readonly container: GatewayContainer;
  readonly network: GatewayNetwork;
  readonly volumes: readonly GatewayVolume[];
  /** Where the API server answers on this machine. */
  readonly server: string;
  /** The volumes outlive the environment. */
  readonly keep: boolean;
  /** Why `up` is refused, while `synth` and `preview` work. */
  readonly obstacles: readonly Refusal[];
  readonly warnings: readonly string[];
}

export interface GatewayOptions {
  /** The project that owns the environment, where the environment names none. */
  readonly project: string;
}

const MEBIBYTE = 2 ** 20;
/** Enough for K3s' own pods; agents may ask for more. */
const LEAST_PIDS = 256;
const USUAL_PIDS = 1024;

/**
 * Lowers an environment's gateway to a container, its network and its volumes.
 * @throws NacreError `invalid_environment`, `unenforceable`
 */
export function synthesizeGateway(
  environment: Environment<GatewayTarget>,
  options: GatewayOptions,
): GatewayObjects {
  environment.toBlueprint(); // its validations
  const { gateway } = environment;
  const settings = gateway?.settings ?? gatewayOf({});
  if (gateway !== undefined) refuse(refusalsOf(gateway, settings), `environment ${environment.name}`);
  const name = containerNameOf(environment);
  const addresses = addressesOf(environment);
  const labels = {
    "app.kubernetes.io/managed-by": "nacre",
    "nacre.dev/environment": environment.name,
    "nacre.dev/project": environment.project ?? options.project,
  };
  const pids = pidsOf(environment);
  const data = { name, driver: "local", labels } as const;
  // The node's password to its own cluster: without it a new container may not be the node that it was.
  const identity = { name: `${name}-node`, driver: "local", labels } as const;
  return {
    container: {
      name,
      image: settings.image ?? unconfigured("k3s"),
      hostname: name,
      command: argumentsOf({ settings, node: name, address: addresses.container, pids: pids.each }),
      privileged: true,
      readOnly: false,
      init: false,
      usernsMode: "host",
      pidMode: "",
      ipcMode: "private",
      cgroupnsMode: "private",
      // What privileged means already.
      securityOpts: ["apparmor=unconfined", "label=disable", "seccomp=unconfined"],
      runtime: "runc",
      network: { name, address: addresses.container },
      ports: [{ internal: k3sNetwork.port, external: settings.port, ip: "127.0.0.1", protocol: "tcp" }],
      volumes: [
        { volume: data.name, path: "/var/lib/rancher/k3s", readOnly: false },
        { volume: identity.name, path: "/etc/rancher/node", readOnly: false },
      ],
      tmpfs: { "/run": tmpfs, "/var/run": tmpfs },
      files: filesOf(settings),
      resources: resourcesOf(settings),
      ulimits: [
        { name: "nofile", soft: 65_535, hard: 65_535 },
        { name: "nproc", soft: 65_535, hard: 65_535 },
      ],
      restart: "unless-stopped",
      stopTimeout: 60,
      logs: { driver: "json-file", options: { "max-file": "3", "max-size": "10m" } },
      labels,
    },
    network: {
      name,
      driver: "bridge",
      internal: false,
      attachable: false,
      ipv6: false,
      subnet: addresses.subnet,
      gateway: addresses.gateway,
      options: {
        "com.docker.network.bridge.enable_icc": "false",
        "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
      },
      labels,
    },
    volumes: [data, identity],
    server: `https://127.0.0.1:${settings.port}`,
    keep: settings.keep,
    obstacles: obstaclesOf(environment, settings),
    warnings: [...pids.warnings, ...warningsOf(settings)],
  };
}

const tmpfs = "rw,noexec,nosuid,nodev,mode=0755";

/** Limits of one container are limits of all: with swap, what is over them would go on, at the machine's cost. */
function resourcesOf({ resources }: GatewaySettings): GatewayContainer["resources"] {
  const { cpu, memoryBytes } = resources;
  return {
    ...(cpu === undefined ? {} : { cpus: String(cpu) }),
    ...(memoryBytes === undefined ? {} : { memoryMebibytes: Math.floor(memoryBytes / MEBIBYTE) }),
  };
}

/** One limit holds for each pod of the node: the largest that an agent asks for. */
function pidsOf({ sandboxes, overlay }: Environment): { each: number; warnings: string[] } {
  const asked = sandboxes.flatMap(({ name, spec }) => {
    const pids = overlay.agents?.[name]?.resources?.pids ?? spec.resources.pids;
    return pids === undefined ? [] : [{ name, pids }];
  });
  const each = asked.length === 0 ? USUAL_PIDS : Math.max(LEAST_PIDS, ...asked.map(({ pids }) => pids));
  return {
    each,
    warnings: asked
      .filter(({ pids }) => pids < each)
      .map(({ name, pids }) => `agent ${name}: pids ${pids} is enforced as ${each}: one limit for each pod`),
  };
}

function obstaclesOf(environment: Environment, { image }: GatewaySettings): Refusal[] {
  if (image !== undefined) return [];
  return [
    {
      subject: environment.gateway?.node.path ?? environment.name,
      reason: "no image of K3s is configured",
      fix: "set image of the gateway, by digest: rancher/k3s@sha256:…",
    },
  ];
}

function warningsOf({ dns, resources }: GatewaySettings): string[] {
  return [
    "gateway: K3s' container is privileged: whoever gets out of a pod is root of this machine",
    ...(dns.length > 0
      ? []
      : ["gateway: names of outside are asked of 8.8.8.8, K3s' own choice (set dns of the gateway)"]),
    ...(resources.memoryBytes === undefined
      ? ["gateway: its memory has no limit (set resources.memory of the gateway)"]
      : []),
  ];
}
