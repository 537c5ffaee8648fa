import { existsSync } from "node:fs";
import { join } from "node:path";
import { NacreError } from "../error.ts";

/** Where an engine listens. Only what stays on this machine: the API has no password, and it is root of what it runs on. */
export type DockerAddress =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "loopback"; readonly host: "127.0.0.1" | "::1"; readonly port: number };

export interface DockerPlaces {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The system's own sockets. @default Podman's and Docker's */
  readonly system?: readonly string[];
}

const systemSockets = ["/run/podman/podman.sock", "/var/run/docker.sock"];

/**
 * Where an engine may listen, the first choice first. DOCKER_HOST alone where it is set: whoever names one means no other.
 * @throws NacreError `docker_host_unsupported`
 */
export function dockerPlaces(places: DockerPlaces = {}): readonly DockerAddress[] {
  const { environment = process.env, system = systemSockets } = places;
  const named = environment["DOCKER_HOST"];
  if (named !== undefined && named !== "") return [parseDockerHost(named)];
  const runtime = environment["XDG_RUNTIME_DIR"];
  const own = runtime === undefined || runtime === "" ? [] : ["docker.sock", "podman/podman.sock"];
  const paths = [...own.map((name) => join(runtime ?? "", name)), ...system];
  return paths.filter((path) => existsSync(path)).map((path) => ({ kind: "socket", path }));
}

/**
 * `unix:///run/docker.sock`, or `tcp://127.0.0.1:2375`.
 * @throws NacreError `docker_host_unsupported` for another machine, for TLS, for ssh
 */
export function parseDockerHost(text: string): DockerAddress {
  const path = /^unix:\/\/(\/[^\0]*)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: "socket", path };
  const tcp = /^(?:tcp|http):\/\/(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})\/?$/.exec(text);
  const port = Number(tcp?.[2]);
  if (tcp && port >= 1 && port <= 65_535) {
    return { kind: "loopback", host: tcp[1] === "[::1]" ? "::1" : "127.0.0.1", port };
  }
  throw new NacreError({
    code: "docker_host_unsupported",
    subject: `DOCKER_HOST ${text}`,
    message: "is neither a socket of this machine nor a port of its loopback",
    hint: /^(ssh|tcp|https?):/.test(text)
      ? "forward the remote engine's socket (ssh -L /tmp/docker.sock:/var/run/docker.sock HOST) and set DOCKER_HOST=unix:///tmp/docker.sock"
      : "set DOCKER_HOST=unix:///path/to/docker.sock, or unset it",
  });
}

export const addressText = (address: DockerAddress): string =>
  address.kind === "socket"
    ? `unix://${address.path}`
    : `tcp://${address.host === "::1" ? "[::1]" : address.host}:${address.port}`;
