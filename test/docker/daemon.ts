import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { DockerEngine } from "../../lib/docker/engine.ts";
import { bridgesOf, groupsOf, kill, mountsUnder, processesOf } from "./leftovers.ts";
import { runcHere } from "./runc.ts";

/** Why the tests that need one can't run here; undefined: they can. */
export const noDocker: string | undefined =
  process.getuid?.() !== 0
    ? "needs root"
    : existsSync("/usr/sbin/dockerd")
      ? undefined
      : "needs Debian's package docker.io";

/** `test.runIf(docker.here)(docker.named("…"), …)`: a test that can't run says why in its name. */
export const docker = {
  here: noDocker === undefined,
  named: (name: string): string =>
    `as root (dockerd needs it), ${name}${noDocker === undefined ? "" : ` (not run: ${noDocker})`}`,
} as const;

/**
 * A real dockerd of this test alone: its own folder, its own containerd, its own bridge, and no firewall rule. A port is
 * published by docker-proxy, so it is open to this machine; a container reaches its bridge, and nothing beyond it.
 */
export class DockerDaemon {
  readonly folder: string;
  readonly engine: DockerEngine;
  readonly #process: ChildProcess;
  /** The first two numbers of every address that it gives. */
  readonly #net: string;

  private constructor(folder: string, net: string, child: ChildProcess) {
    this.#net = net;
    this.folder = folder;
    this.engine = new DockerEngine({ kind: "socket", path: join(folder, "s") });
    this.#process = child;
  }

  static async start(): Promise<DockerDaemon> {
    // Short: the socket of its containerd lies deep within, and a socket's path has 107 bytes at most.
    const folder = mkdtempSync(join(tmpdir(), "nd-"));
    const bridge = `nd${folder.slice(-6).toLowerCase()}`;
    const net = `10.${randomInt(100, 250)}`;
    execFileSync("ip", ["link", "add", "name", bridge, "type", "bridge"]);
    execFileSync("ip", ["addr", "add", `${net}.0.1/24`, "dev", bridge]);
    execFileSync("ip", ["link", "set", bridge, "up"]);
    writeFileSync(join(folder, "config.json"), "{}"); // not the machine's own
    writeFileSync(join(folder, "runc"), runcHere(), { mode: 0o755 });
    const log = openSync(join(folder, "log"), "a");
    const args = [
      `--config-file=${join(folder, "config.json")}`,
      `--data-root=${join(folder, "data")}`,
      `--exec-root=${join(folder, "x")}`,
      `--pidfile=${join(folder, "pid")}`,
      `--host=unix://${join(folder, "s")}`,
      `--bridge=${bridge}`,
      `--default-address-pool=base=${net}.128.0/17,size=24`,
      `--add-runtime=here=${join(folder, "runc")}`,
      "--default-runtime=here",
      `--cgroup-parent=/${basename(folder)}`,
      "--iptables=false",
      "--ip6tables=false",
      "--ip-masq=false",
      "--ip-forward=false",
      "--storage-driver=overlay2",
      "--shutdown-timeout=5",
    ];
    const child = spawn("/usr/sbin/dockerd", args, {
      stdio: ["ignore", log, log],
      env: { ...process.env, TMPDIR: folder }, // where containerd dumps its stacks
    });
    closeSync(log);
    const daemon = new DockerDaemon(folder, net, child);
    try {
      await daemon.#answers();
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return daemon;
  }

  get socket(): string {
    return join(this.folder, "s");
  }
  /** As DOCKER_HOST and the provider's `host` take it. */
  get host(): string {
    return `unix://${this.socket}`;
  }
  get pid(): number {
    return this.#process.pid ?? 0;
  }
  /** What dockerd itself wrote. */
  get log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  /** Takes a `docker save` archive in. */
  async load(tar: string): Promise<void> {
    const request = {
      method: "POST",
      path: "/images/load",
      query: { quiet: true },
      patience: 120_000,
    } as const;
    const answer = await this.engine.request({ ...request, body: createReadStream(tar) });
    const said = Buffer.concat(await answer.toArray()).toString();
    if (/"error"/.test(said)) throw new Error(`docker load: ${said}`);
  }

  /** Ends every container, dockerd and its containerd; leaves no mount, no interface and no file. */
  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#process.once("exit", done));
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await this.#removeContainers().catch(() => undefined);
      this.#process.kill("SIGTERM");
      const killed = setTimeout(() => this.#process.kill("SIGKILL"), 20_000);
      await ended;
      clearTimeout(killed);
    }
    // What a killed dockerd leaves: its containerd, shims and proxies, and whoever lives in a container.
    while (processesOf(this.folder).length > 0) {
      for (const pid of processesOf(this.folder)) kill(pid);
      await wait(20);
    }
    for (const mount of mountsUnder(this.folder)) execFileSync("umount", ["--lazy", mount]);
    for (const link of bridgesOf(this.#net)) execFileSync("ip", ["link", "delete", link]);
    for (const group of groupsOf(this.folder)) rmdirSync(group);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Networks too: their bridges would outlive dockerd. */
  async #removeContainers(): Promise<void> {
    for (const { Id } of await this.#list("/containers/json", { all: true })) {
      const removal = { method: "DELETE", query: { force: true, v: true } } as const;
      await this.engine.request({ ...removal, path: `/containers/${Id}`, patience: 30_000 });
    }
    for (const { Id, Name } of await this.#list("/networks")) {
      if (/^(bridge|host|none)$/.test(Name)) continue;
      await this.engine.request({ method: "DELETE", path: `/networks/${Id}` });
    }
  }

  async #list(path: string, query = {}): Promise<{ readonly Id: string; readonly Name: string }[]> {
    const answer = await this.engine.request({ path, query });
    return JSON.parse(Buffer.concat(await answer.toArray()).toString());
  }

  async #answers(): Promise<void> {
    for (let tries = 0; tries < 600; tries += 1) {
      if (this.#process.exitCode !== null) throw new Error(`dockerd ended:\n${this.log.slice(-3000)}`);
      try {
        (await this.engine.request({ path: "/_ping" })).resume();
        return;
      } catch {
        await wait(50);
      }
    }
    throw new Error(`dockerd does not answer:\n${this.log.slice(-3000)}`);
  }
}
