import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { issue, makeAuthority } from "../../lib/egress/authority.ts";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const names = {
  "allowed.example.com": ["93.184.216.34"],
  "other.example.com": ["93.184.216.35"],
} as const;

/** Servers on public addresses, in network namespaces that nothing leaves. */
export class Network implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "nacre-bench-network-"));
  #holder: ChildProcess | undefined;

  static async make(): Promise<Network> {
    const network = new Network();
    try {
      await network.#make();
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  /** What starts a program beside the egress, where the servers answer. */
  get enter(): readonly string[] {
    const user = isRoot ? [] : ["-U", "--preserve-credentials"];
    return ["nsenter", "-t", String(this.#holder?.pid ?? 0), ...user, "-n", "-m"];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const holder = this.#holder;
    if (holder?.exitCode === null && holder.signalCode === null) {
      holder.kill("SIGTERM");
      await once(holder, "exit");
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #make(): Promise<void> {
    const leaf = issue(makeAuthority("bench"), "allowed.example.com");
    const files = {
      "server.crt": leaf.certificate,
      "server.key": leaf.key,
      "names.json": JSON.stringify(names),
      hosts: "127.0.0.1 localhost\n",
      "resolv.conf": "nameserver 93.184.216.53\noptions timeout:1 attempts:1\n",
    };
    // Read by the resolvers of others than us, which run as nobody in particular.
    for (const [name, content] of Object.entries(files)) writeFileSync(join(this.#folder, name), content);
    const user = isRoot ? [] : ["--user", "--map-current-user", "--keep-caps"];
    const servers = file("../egress/world/servers.ts");
    const argv = [
      ...user,
      "--net",
      "--mount",
      "bash",
      file("network.sh"),
      this.#folder,
      process.execPath,
      servers,
    ];
    const holder = spawn("unshare", argv, { stdio: ["ignore", "pipe", "inherit"] });
    this.#holder = holder;
    const lines = createInterface({ input: holder.stdout });
    const [line] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
    if (line !== "ready") throw new Error("the network namespaces were not made");
  }
}

const isRoot = process.getuid?.() === 0;
