import type { Call } from "./kind.ts";

/** One gateway, as a kubeconfig of it is asked for. No part of it is a secret. */
export interface GatewaySpec {
  /** The container's name. */
  readonly container: string;
  /** Where its API server is published, on 127.0.0.1. */
  readonly port: number;
  /** Where the container engine listens: `unix:///var/run/docker.sock`. */
  readonly docker: string;
}

/** How a gateway is, and its kubeconfig. */
export interface GatewayReading {
  /** The container's id. */
  readonly instance: string;
  readonly path: string;
  /** Undefined where K3s has not written for its administrator yet. */
  readonly clusterIdentifier: string | undefined;
  /** Why it is not what it should be. */
  readonly problems: readonly string[];
}

/** Gateways of the machine that the provider runs on. */
export interface Gateways {
  /** Starts and writes nothing. `"gone"`: there is no such container; `"unreachable"`: no engine says. */
  find(spec: GatewaySpec): Promise<GatewayReading | "gone" | { readonly unreachable: string }>;
  /** Starts it where it is stopped, waits for its API server, and writes the file. Not becoming ready is a problem of the reading. */
  connect(spec: GatewaySpec, call: Call): Promise<GatewayReading>;
  /** Takes the file away; the container is none of its business. */
  drop(container: string): Promise<void>;
}

/** Gateways whose code is loaded when the first is asked for: most environments have none. */
export function lateGateways(load: () => Promise<Gateways>): Gateways {
  let loaded: Promise<Gateways> | undefined;
  const gateways = (): Promise<Gateways> => (loaded ??= load());
  return {
    find: async (spec) => (await gateways()).find(spec),
    connect: async (spec, call) => (await gateways()).connect(spec, call),
    drop: async (container) => (await gateways()).drop(container),
  };
}
