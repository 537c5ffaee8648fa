import { z } from "zod";
import type { Container } from "../docker/container.ts";
import { NacreError } from "../error.ts";
import { askApi } from "./api.ts";
import type { K3s } from "./k3s.ts";
import { clusterIdentifier, type ClusterAccess } from "./kubeconfig.ts";

/** Each value with what it was read from; undefined where nothing said it. */
export interface GatewayStatus {
  readonly name: string;
  /** Docker's word: `running`, `exited`, `restarting`. */
  readonly state: string;
  readonly since: string;
  readonly exitCode: number | undefined;
  readonly restarts: number;
  /** As the container was asked for. */
  readonly image: string;
  /** What it really runs: the image's id. */
  readonly imageId: string;
  readonly privileged: boolean;
  /** `127.0.0.1:6443`; several where it is published more than once. */
  readonly published: readonly string[];
  readonly volumes: readonly { readonly name: string; readonly path: string }[];
  readonly api:
    | { readonly ready: true; readonly version: string; readonly cluster: string }
    | { readonly ready: false; readonly reason: string };
  /** What a client without a certificate gets. */
  readonly anonymous: "refused" | "answered" | undefined;
  /** How Secrets are written to the database: the first provider of the API server's own configuration. */
  readonly secrets: string | undefined;
}

const versionSchema = z.looseObject({ gitVersion: z.string() });
/** EncryptionConfiguration, apiserver.config.k8s.io/v1: the first provider of a resource writes it. */
const encryptionSchema = z.looseObject({
  resources: z.array(
    z.looseObject({
      resources: z.array(z.string()),
      providers: z.array(z.record(z.string(), z.unknown())),
    }),
  ),
});
const ENCRYPTION = "/var/lib/rancher/k3s/server/cred/encryption-config.json";

/** Reads how a gateway is: asks Docker, its API server and its files; believes no record. */
export async function statusOf(k3s: K3s, container: Container): Promise<GatewayStatus> {
  const { State, Config, HostConfig, NetworkSettings, Mounts, RestartCount } = container;
  const access = State.Running ? await accessOf(k3s) : undefined;
  return {
    name: k3s.container,
    state: State.Status,
    since: State.Running ? State.StartedAt : State.FinishedAt,
    exitCode: State.Running ? undefined : State.ExitCode,
    restarts: RestartCount,
    image: Config.Image,
    imageId: container.Image,
    privileged: HostConfig.Privileged ?? false,
    published: publishedOf(NetworkSettings.Ports),
    volumes: (Mounts ?? []).flatMap(({ Type, Name, Destination }) =>
      Type === "volume" && Name !== undefined && !/^[0-9a-f]{64}$/.test(Name)
        ? [{ name: Name, path: Destination }]
        : [],
    ),
    api:
      access === undefined
        ? { ready: false, reason: State.Running ? "K3s is starting" : "the container is stopped" }
        : await apiOf(k3s, access),
    anonymous: access === undefined ? undefined : await anonymousOf(k3s, access),
    secrets: await encryptionOf(k3s),
  };
}

/** The address that its API server is published at, by Docker's word. */
export function serverOf({ NetworkSettings, HostConfig }: Container): string {
  const bound = z
    .looseObject({
      PortBindings: z.record(z.string(), z.array(z.looseObject({ HostPort: z.string() })).nullish()),
    })
    .safeParse(HostConfig);
  const port =
    NetworkSettings.Ports?.["6443/tcp"]?.[0]?.HostPort ?? bound.data?.PortBindings["6443/tcp"]?.[0]?.HostPort;
  return `https://127.0.0.1:${port ?? "6443"}`;
}

const publishedOf = (ports: Container["NetworkSettings"]["Ports"]): string[] =>
  Object.values(ports ?? {}).flatMap((bindings) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}`),
  );

async function accessOf(k3s: K3s): Promise<ClusterAccess | undefined> {
  try {
    return await k3s.access();
  } catch (error) {
    if (error instanceof NacreError && error.code === "file_not_found") return undefined;
    throw error;
  }
}

async function apiOf(k3s: K3s, access: ClusterAccess): Promise<GatewayStatus["api"]> {
  try {
    const { status, body } = await askApi(k3s.server, access, "/readyz");
    if (status !== 200) return { ready: false, reason: `/readyz: ${status} ${body.slice(0, 200)}` };
    const version = versionSchema.parse(JSON.parse((await askApi(k3s.server, access, "/version")).body));
    return { ready: true, version: version.gitVersion, cluster: clusterIdentifier(access) };
  } catch (error) {
    return { ready: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function anonymousOf(k3s: K3s, { authority }: ClusterAccess): Promise<GatewayStatus["anonymous"]> {
  try {
    const { status } = await askApi(k3s.server, { authority }, "/version");
    return status === 401 || status === 403 ? "refused" : "answered";
  } catch {
    return undefined;
  }
}

/** The file holds the key: nothing of it but a provider's name leaves this function. */
async function encryptionOf({ engine, container }: K3s): Promise<string | undefined> {
  try {
    const file = await engine.readFile(container, ENCRYPTION, 64 << 10);
    const { resources } = encryptionSchema.parse(JSON.parse(file.toString("utf8")));
    const of = resources.find(({ resources: names }) => names.includes("secrets"));
    return of === undefined ? "identity" : Object.keys(of.providers[0] ?? {})[0];
  } catch (error) {
    return error instanceof NacreError && error.code === "file_not_found" ? "identity" : undefined;
  }
}

/** Whether all is as a gateway of Nacre's has to be. */
export const isWell = ({ api, anonymous, secrets, published }: GatewayStatus): boolean =>
  api.ready &&
  anonymous === "refused" &&
  secrets !== undefined &&
  secrets !== "identity" &&
  published.every((at) => at.startsWith("127.0.0.1:"));
