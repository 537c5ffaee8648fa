import type { IncomingMessage } from "node:http";
import { NacreError } from "../error.ts";
import { addressText, dockerPlaces, type DockerAddress, type DockerPlaces } from "./address.ts";
import { onlyFile } from "./archive.ts";
import { ask, askJson, askNothing, type DockerRequest } from "./connection.ts";
import { containerSchema, type Container } from "./container.ts";
import { factsOf, infoSchema, versionSchema, type EngineFacts } from "./facts.ts";
import { logPieces, plainPieces, type LogPiece } from "./log-pieces.ts";

export interface LogOptions {
  /** Goes on until the container ends or `signal` aborts. @default false */
  readonly follow?: boolean;
  /** Lines from the end. @default all */
  readonly tail?: number;
  readonly signal?: AbortSignal;
}

/** A container engine of this machine that speaks Docker's Engine API: Docker, rootless Docker, Podman. */
export class DockerEngine {
  readonly address: DockerAddress;

  constructor(address: DockerAddress) {
    this.address = address;
  }

  /**
   * The engine of this user: the first that answers among DOCKER_HOST, or else the user's own sockets and the system's.
   * @throws NacreError `docker_absent`, or why the one that comes nearest does not answer
   */
  static async find(places: DockerPlaces = {}): Promise<DockerEngine> {
    const failures: NacreError[] = [];
    for (const address of dockerPlaces(places)) {
      const engine = new DockerEngine(address);
      try {
        await askNothing(address, { path: "/_ping" });
        return engine;
      } catch (error) {
        if (!(error instanceof NacreError)) throw error;
        failures.push(error);
      }
    }
    throw (
      failures.find(({ code }) => code === "docker_denied") ??
      failures[0] ??
      new NacreError({
        code: "docker_absent",
        subject: "container engine",
        message: "no socket of Docker or Podman is where they usually are",
        hint: "start Docker or Podman (systemctl start docker), or name the socket in DOCKER_HOST",
      })
    );
  }

  get host(): string {
    return addressText(this.address);
  }

  /** What it is, and what it can do. */
  async describe(): Promise<EngineFacts> {
    const [version, info] = await Promise.all([
      askJson(this.address, versionSchema, { path: "/version" }),
      askJson(this.address, infoSchema, { path: "/info" }),
    ]);
    return factsOf(version, info);
  }

  /** @throws NacreError `container_not_found` */
  inspectContainer(name: string): Promise<Container> {
    return askJson(this.address, containerSchema, of(name, "/json"));
  }

  /** One that runs already stays as it is. */
  async startContainer(name: string): Promise<void> {
    await askNothing(this.address, { ...of(name, "/start"), method: "POST", patience: 60_000 });
  }

  /** One that has ended stays so. @param seconds until it is killed */
  async stopContainer(name: string, seconds: number): Promise<void> {
    await askNothing(this.address, {
      ...of(name, "/stop"),
      method: "POST",
      query: { t: seconds },
      patience: (seconds + 30) * 1000,
    });
  }

  /** What it wrote, oldest first. */
  async *logs(name: string, options: LogOptions = {}): AsyncGenerator<LogPiece> {
    const { follow = false, tail, signal } = options;
    const { Config } = await this.inspectContainer(name);
    const query = { stdout: true, stderr: true, follow, tail: tail ?? "all" };
    const patience = follow ? 0 : 30_000;
    const response = await ask(this.address, { ...of(name, "/logs"), query, patience, signal });
    try {
      yield* (Config.Tty ? plainPieces : logPieces)(response);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    } finally {
      response.destroy();
    }
  }

  /**
   * One regular file from a container, running or not.
   * @param largest bytes @default 1 MiB
   * @throws NacreError `file_not_found`, `not_a_file`, `file_too_large`
   */
  async readFile(name: string, path: string, largest = 1 << 20): Promise<Buffer> {
    const subject = `${path} of container ${name}`;
    try {
      const archive = await ask(this.address, { ...of(name, "/archive"), query: { path }, subject });
      return await onlyFile(archive, largest, subject);
    } catch (error) {
      if (!(error instanceof NacreError) || error.code !== "docker_not_found") throw error;
      throw new NacreError(
        { code: "file_not_found", subject, message: "there is no such file" },
        { cause: error },
      );
    }
  }

  /** Any other request of the API. */
  request(what: DockerRequest): Promise<IncomingMessage> {
    return ask(this.address, what);
  }
}

/** Names come from people and from state files: no part of one may become part of the path. */
const of = (name: string, rest: string): { readonly path: string; readonly subject: string } => ({
  path: `/containers/${encodeURIComponent(name)}${rest}`,
  subject: `container ${name}`,
});
