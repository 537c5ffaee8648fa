import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig, type ApiConstructor } from "@kubernetes/client-node";
import { binaries, type Binaries } from "./binaries.ts";
import { certificatesIn, writeKubeconfig, type Certificates } from "./certificates.ts";
import { apiserverArgs, controllerArgs, etcdArgs, type Layout } from "./flags.ts";
import { freePort } from "./free-port.ts";
import { Program, ready } from "./program.ts";

export { buildTimeout, kubernetesVersion } from "./binaries.ts";

export interface ControlPlaneOptions {
  /** Runs kube-controller-manager: Deployments get Pods, namespaces go, ServiceAccounts come. @default true */
  readonly controllers?: boolean;
  /** An AdmissionConfiguration (YAML), such as Pod Security defaults for the whole cluster. */
  readonly admissionConfig?: string;
  /** An audit Policy (YAML); what it records is in `auditLog`, one JSON object a line. @default nothing is recorded */
  readonly auditPolicy?: string;
  /** An EncryptionConfiguration (YAML). @default stored in clear, as a cluster without one does */
  readonly encryption?: string;
  /** More flags of kube-apiserver. */
  readonly apiserver?: readonly string[];
}

/**
 * A real Kubernetes API on loopback, with nothing behind it that runs a Pod: Pods are admitted and stay Pending.
 * Each has its own folder, authority and ports, so several can live side by side. Some 450 MB of memory.
 */
export class ControlPlane {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** Path of the administrator's, mode 0600, with all keys inside. */
  readonly kubeconfig: string;
  readonly caFile: string;
  readonly auditLog: string;
  /** Signs ServiceAccount tokens and all certificates: for a test that makes an identity of its own. */
  readonly certificates: Certificates;
  readonly #layout: Layout;
  readonly #binaries: Binaries;
  readonly #controllers: boolean;
  #programs: Program[] = [];

  private constructor(layout: Layout, found: Binaries, controllers: boolean) {
    this.#layout = layout;
    this.#binaries = found;
    this.#controllers = controllers;
    this.url = `https://127.0.0.1:${layout.port}`;
    this.certificates = layout.certificates;
    this.kubeconfig = join(layout.folder, "kubeconfig");
    this.caFile = layout.certificates.authority;
    this.auditLog = layout.auditLog;
  }

  /**
   * Settles when the API is ready, with controllers when the namespace `default` has its ServiceAccount.
   * @throws Error with the programs' last lines; nothing is left running.
   */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const found = await binaries();
    const folder = await mkdtemp(join(tmpdir(), "nacre-cluster-"));
    try {
      await Promise.all(["certificates", "logs", "etcd"].map((name) => mkdir(join(folder, name))));
      const layout: Layout = {
        folder,
        certificates: await certificatesIn(join(folder, "certificates")),
        port: await freePort(),
        etcdPort: await freePort(),
        etcdPeerPort: await freePort(),
        auditLog: join(folder, "logs/audit.jsonl"),
        admissionConfig: await write(folder, "admission.yaml", options.admissionConfig),
        auditPolicy: await write(folder, "audit.yaml", options.auditPolicy),
        encryption: await write(folder, "encryption.yaml", options.encryption),
        more: options.apiserver ?? [],
      };
      const plane = new ControlPlane(layout, found, options.controllers ?? true);
      await plane.#writeKubeconfigs();
      await plane.resume();
      return plane;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** A client of one API group, as administrator: `plane.client(CoreV1Api)`. */
  client<T extends object>(api: ApiConstructor<T>): T {
    return this.config().makeApiClient(api);
  }

  config(): KubeConfig {
    const config = new KubeConfig();
    config.loadFromFile(this.kubeconfig);
    return config;
  }

  /** What etcd holds under `key`, such as `/registry/secrets/default/token`, as it lies on disk. */
  async stored(key: string): Promise<Buffer | undefined> {
    const body = JSON.stringify({ key: Buffer.from(key).toString("base64") });
    const { text } = await this.#ask(this.#layout.etcdPort, "POST", "/v3/kv/range", body);
    const answer = JSON.parse(text) as { kvs?: readonly { value: string }[] };
    return answer.kvs?.[0] && Buffer.from(answer.kvs[0].value, "base64");
  }

  /** Memory that its processes hold now, in MiB, by name. */
  async memory(): Promise<Record<string, number>> {
    const entries = this.#programs.map(async ({ name, pid }): Promise<[string, number]> => {
      const status = await readFile(`/proc/${pid ?? 0}/status`, "utf8");
      return [name, Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024)];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Ends every process and keeps the data, as an outage does. `resume` brings it back under the same address. */
  async halt(): Promise<void> {
    const programs = this.#programs;
    this.#programs = [];
    for (const program of programs.reverse()) await program.end();
  }

  async resume(): Promise<void> {
    const { folder, port, etcdPort } = this.#layout;
    const start = (file: string, args: readonly string[]): Program => {
      const program = new Program(file, args, join(folder, "logs", `${file.split("/").at(-1) ?? ""}.log`));
      this.#programs.push(program);
      return program;
    };
    const okAt = async (at: number, path: string): Promise<boolean> =>
      (await this.#ask(at, "GET", path)).status === 200;
    try {
      start(this.#binaries.etcd, etcdArgs(this.#layout));
      await ready("etcd", this.#programs, 30_000, () => okAt(etcdPort, "/health"));
      start(this.#binaries.apiserver, apiserverArgs(this.#layout));
      await ready("kube-apiserver", this.#programs, 90_000, () => okAt(port, "/readyz"));
      if (!this.#controllers) return;
      start(this.#binaries.controllerManager, controllerArgs(this.#layout));
      const account = "/api/v1/namespaces/default/serviceaccounts/default";
      await ready("kube-controller-manager", this.#programs, 90_000, () => okAt(port, account));
    } catch (error) {
      await this.halt();
      throw error;
    }
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.resume();
  }

  /** Ends every process and removes the data. */
  async stop(): Promise<void> {
    await this.halt();
    await rm(this.#layout.folder, { recursive: true, force: true });
  }

  async #writeKubeconfigs(): Promise<void> {
    const authority = await readFile(this.caFile);
    const { admin, controllers } = this.certificates;
    for (const [name, identity] of Object.entries({
      kubeconfig: admin,
      "controllers.kubeconfig": controllers,
    })) {
      const [certificate, key] = await Promise.all([readFile(identity.certificate), readFile(identity.key)]);
      await writeKubeconfig(join(this.#layout.folder, name), this.url, { authority, certificate, key });
    }
  }

  async #ask(
    port: number,
    method: string,
    path: string,
    body?: string,
  ): Promise<{ status: number; text: string }> {
    const { admin } = this.certificates;
    const [ca, cert, key] = await Promise.all([
      readFile(this.caFile),
      readFile(admin.certificate),
      readFile(admin.key),
    ]);
    const options = { host: "127.0.0.1", port, method, path, ca, cert, key, agent: false, timeout: 5_000 };
    return new Promise((done, fail) => {
      const call = request(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () => done({ status: response.statusCode ?? 0, text })).on("error", fail);
      });
      call.on("timeout", () => call.destroy(new Error(`no answer on port ${port}`))).on("error", fail);
      call.end(body);
    });
  }
}

async function write(folder: string, name: string, text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  await writeFile(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
}
