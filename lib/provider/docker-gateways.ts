import { parseDockerHost } from "../docker/address.ts";
import { DockerEngine } from "../docker/engine.ts";
import { NacreError } from "../error.ts";
import { K3s } from "../gateway/k3s.ts";
import { dropKubeconfig, keepKubeconfig, keptKubeconfig, kubeconfigPath } from "../gateway/kept.ts";
import { clusterIdentifier, kubeconfigText } from "../gateway/kubeconfig.ts";
import type { GatewayReading, Gateways, GatewaySpec } from "./gateways.ts";
import type { Call } from "./kind.ts";

/** Gateways in the containers of an engine of this machine; kubeconfigs in a state directory. */
export class DockerGateways implements Gateways {
  readonly #state: string;
  readonly #patience: number | undefined;

  /** @param patience milliseconds until an API server has to be ready @default 5 min */
  constructor(state: string, patience?: number) {
    this.#state = state;
    this.#patience = patience;
  }

  async find(spec: GatewaySpec): Promise<GatewayReading | "gone" | { readonly unreachable: string }> {
    const { container: name } = spec;
    const k3s = k3sOf(spec);
    const path = kubeconfigPath(this.#state, name);
    try {
      const { Id, State } = await k3s.engine.inspectContainer(name);
      const stopped = State.Running ? [] : [`its container is stopped (exit code ${State.ExitCode})`];
      const access = await k3s.access().catch((error: unknown) => {
        if (error instanceof NacreError && error.code === "file_not_found") return undefined;
        throw error;
      });
      if (access === undefined) {
        const problems = [...stopped, "K3s has written no kubeconfig yet"];
        return { instance: Id, path, clusterIdentifier: undefined, problems };
      }
      const kept = await keptKubeconfig(this.#state, name);
      const problems =
        kept === undefined
          ? [`its kubeconfig is missing: ${path}`]
          : [
              ...(kept.text === kubeconfigText(name, k3s.server, access)
                ? []
                : ["its kubeconfig is not what the cluster says now"]),
              ...(kept.open ? [`others may read its kubeconfig: ${path}`] : []),
            ];
      return {
        instance: Id,
        path,
        clusterIdentifier: clusterIdentifier(access),
        problems: [...stopped, ...problems],
      };
    } catch (error) {
      if (!(error instanceof NacreError)) throw error;
      if (error.code === "container_not_found") return "gone";
      if (error.code.startsWith("docker_")) return { unreachable: error.toString() };
      throw error;
    }
  }

  async connect(spec: GatewaySpec, { signal, log }: Call): Promise<GatewayReading> {
    const { container: name } = spec;
    const k3s = k3sOf(spec);
    const { Id } = await k3s.engine.inspectContainer(name);
    const path = kubeconfigPath(this.#state, name);
    try {
      const access = await k3s.ready({
        ...(this.#patience !== undefined && { atMost: this.#patience }),
        signal,
        onProgress: (line) => log("progress", line),
      });
      await keepKubeconfig(this.#state, name, kubeconfigText(name, k3s.server, access));
      return { instance: Id, path, clusterIdentifier: clusterIdentifier(access), problems: [] };
    } catch (error) {
      if (!(error instanceof NacreError) || !error.code.startsWith("gateway_")) throw error;
      return { instance: Id, path, clusterIdentifier: undefined, problems: [error.toString()] };
    }
  }

  drop(container: string): Promise<void> {
    return dropKubeconfig(this.#state, container);
  }
}

const k3sOf = ({ docker, container, port }: GatewaySpec): K3s =>
  new K3s(new DockerEngine(parseDockerHost(docker)), container, `https://127.0.0.1:${port}`);
