import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "../../lib/host/api.ts";
import { connect, type Client } from "../../lib/host/client.ts";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { ended, identify } from "../../lib/host/process-identity.ts";
import { idOf, type HostSandbox } from "../../lib/synth/host-objects.ts";

/** A state directory of one bench' own, and its daemon. Both are gone with it; caches are the machine's. */
export class Host implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "nacre-bench-"));
  readonly state = join(this.folder, "state");
  /** For programs that are to meet this daemon. */
  readonly env: Readonly<Record<string, string>> = {
    PATH: process.env["PATH"] ?? "",
    HOME: this.folder,
    NACRE_STATE_DIR: this.state,
    NACRE_CACHE_DIR: cacheDirectory(),
    XDG_CONFIG_HOME: join(this.folder, "config"),
    ...inherited("NACRE_LAUNCHER", "NODE_COMPILE_CACHE"),
  };
  #client: Client | undefined;

  /**
   * @param enter a program and its arguments that start what follows them elsewhere, as `nsenter …` does: the daemon and
   * all of its children are then there
   */
  static async open(enter: readonly string[] = []): Promise<Host> {
    const host = new Host();
    chmodSync(host.folder, 0o755); // Workspaces in it belong to other users.
    mkdirSync(join(host.folder, "config"));
    try {
      await host.#start(enter);
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
    return host;
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error("no daemon runs");
    return this.#client;
  }

  /** Brings a sandbox up; what is wrong with it is an error. */
  async create(spec: HostSandbox): Promise<void> {
    const { project, environment, name } = spec;
    await this.client.call("workspace.create", { spec: { project, environment, name } });
    const { running, problems } = await this.client.call("sandbox.create", { spec });
    if (!running || problems.length > 0) throw new Error(`${idOf(spec)}: ${problems.join("; ")}`);
  }

  entry(id: string): Promise<Entry> {
    return this.client.call("sandbox.entry", { id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const client = await connect(this.state, { start: false });
    if (client !== undefined) {
      for (const { id } of await client.call("status", {})) await client.call("sandbox.delete", { id });
      const daemon = identify((await client.call("hello", {})).pid);
      await client.call("shutdown", {});
      if (daemon !== undefined) await ended(daemon, 10_000);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #start(enter: readonly string[]): Promise<void> {
    const module = new URL("../../lib/host/client.ts", import.meta.url).href;
    const script = `(await import(process.argv[1])).connect(process.argv[2], { start: true })`;
    const argv = [...enter, process.execPath, "--input-type=module", "-e", script, module, this.state];
    const [program = "", ...rest] = argv;
    const starter = spawn(program, rest, { stdio: ["ignore", "inherit", "inherit"], env: this.env });
    const [code] = (await once(starter, "exit")) as [number | null];
    this.#client = await connect(this.state, { start: false });
    if (code !== 0 || this.#client === undefined) throw new Error(`no daemon came up (${code ?? "killed"})`);
  }
}

const inherited = (...names: string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
