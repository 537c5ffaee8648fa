import { setTimeout as wait } from "node:timers/promises";
import type { Container } from "../docker/container.ts";
import type { DockerEngine } from "../docker/engine.ts";
import { NacreError } from "../error.ts";
import { askApi } from "./api.ts";
import { K3S_KUBECONFIG, readAccess, type ClusterAccess } from "./kubeconfig.ts";

export interface Patience {
  /** Milliseconds for all of it. @default 5 min */
  readonly atMost?: number;
  readonly signal?: AbortSignal | undefined;
  /** What it waits for, once a change. */
  readonly onProgress?: (line: string) => void;
}

/** A container that ended this often by itself will not come up by waiting. */
const TOO_OFTEN = 3;

/** K3s in a container of this machine, as it can be seen from outside. */
export class K3s {
  readonly engine: DockerEngine;
  readonly container: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;

  constructor(engine: DockerEngine, container: string, server: string) {
    this.engine = engine;
    this.container = container;
    this.server = server;
  }

  /**
   * What K3s wrote for its administrator.
   * @throws NacreError `file_not_found` before it did, `container_not_found`, `kubeconfig_invalid`
   */
  async access(): Promise<ClusterAccess> {
    const file = await this.engine.readFile(this.container, K3S_KUBECONFIG, 64 << 10);
    return readAccess(file.toString("utf8"), `${K3S_KUBECONFIG} of container ${this.container}`);
  }

  /**
   * Starts it where it is stopped, and waits until the API server says that it is ready.
   * @throws NacreError `gateway_ended`, `gateway_not_ready`, `cancelled`
   */
  async ready({ atMost = 300_000, signal, onProgress }: Patience = {}): Promise<ClusterAccess> {
    const began = Date.now();
    const first = await this.engine.inspectContainer(this.container);
    if (!first.State.Running) {
      onProgress?.("starting its container");
      await this.engine.startContainer(this.container);
    }
    let said = "";
    for (;;) {
      const reached = await this.#reached();
      if (typeof reached !== "string") return reached;
      const seconds = Math.floor((Date.now() - began) / 1000);
      if (reached !== said || seconds % 10 === 0) onProgress?.(`${reached} (${seconds} s)`);
      said = reached;
      if (Date.now() - began > atMost)
        throw this.#fault(
          "gateway_not_ready",
          `its API server is not ready after ${Math.round(atMost / 1000)} s: ${reached}`,
        );
      await wait(1000, undefined, { signal }).catch(() => {
        throw this.#fault("cancelled", "waiting for its API server was ended");
      });
    }
  }

  /** How to get in, where it is ready; else how far it is. */
  async #reached(): Promise<ClusterAccess | string> {
    this.#mustLive(await this.engine.inspectContainer(this.container));
    try {
      const access = await this.access();
      const { status, body } = await askApi(this.server, access, "/readyz");
      return status === 200 ? access : `the API server is not ready: ${firstLine(body) || status}`;
    } catch (error) {
      if (error instanceof NacreError) {
        if (error.code === "file_not_found") return "K3s is starting";
        throw error;
      }
      return `the API server does not answer: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`;
    }
  }

  #mustLive({ State, RestartCount }: Container): void {
    const { Running, Status, ExitCode, OOMKilled } = State;
    if (Running && RestartCount < TOO_OFTEN && Status !== "restarting") return;
    if (Status === "restarting" && RestartCount < TOO_OFTEN) return;
    const how = OOMKilled === true ? "the kernel ended it for want of memory" : `exit code ${ExitCode}`;
    const often = RestartCount === 0 ? "it ended" : `it ended ${RestartCount} times`;
    throw this.#fault("gateway_ended", `${often}: ${how}`);
  }

  #fault(code: string, message: string): NacreError {
    return new NacreError({
      code,
      subject: `gateway ${this.container}`,
      message,
      hint: "see what it wrote: nacre gateway logs",
    });
  }
}

const firstLine = (text: string): string =>
  text
    .split("\n")
    .find((line) => line.startsWith("[-]"))
    ?.slice(0, 200) ??
  text.split("\n")[0]?.slice(0, 200) ??
  "";
