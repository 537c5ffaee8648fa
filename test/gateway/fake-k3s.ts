import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { Header } from "tar/header";
import { stringify } from "yaml";
import { FakeEngine, respond } from "../docker/fake-engine.ts";

/** A cluster's authority, with a server and an administrator under it. */
export class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), "nacre-authority-"));

  constructor() {
    this.#certify("ca", "/CN=k3s-server-ca", "-addext", "keyUsage=keyCertSign,cRLSign");
    const signed = ["-CA", this.#file("ca.crt"), "-CAkey", this.#file("ca.key")];
    this.#certify("server", "/CN=k3s", ...signed, "-addext", "subjectAltName=IP:127.0.0.1");
    this.#certify("admin", "/O=system:masters/CN=system:admin", ...signed);
  }

  read = (name: string): string => readFileSync(this.#file(name), "utf8");

  /** What K3s writes for its administrator. */
  get kubeconfig(): string {
    const data = (name: string): string => Buffer.from(this.read(name)).toString("base64");
    return stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "default",
          cluster: { server: "https://127.0.0.1:6443", "certificate-authority-data": data("ca.crt") },
        },
      ],
      users: [
        {
          name: "default",
          user: { "client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key") },
        },
      ],
      contexts: [{ name: "default", context: { cluster: "default", user: "default" } }],
      "current-context": "default",
    });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #file = (name: string): string => join(this.#folder, name);

  #certify(name: string, subject: string, ...args: string[]): void {
    const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const out = ["-keyout", this.#file(`${name}.key`), "-out", this.#file(`${name}.crt`)];
    execFileSync("openssl", ["req", "-x509", "-days", "2", "-subj", subject, ...fresh, ...out, ...args], {
      stdio: "ignore",
    });
  }
}

/** A container engine and an API server that say what a gateway's would. What they say can be changed at any time. */
export class FakeK3s {
  state: Record<string, unknown> = { Status: "running", Running: true, ExitCode: 0 };
  restarts = 0;
  id = "c0ffee";
  exists = true;
  /** What lies in the container; undefined: not yet. */
  file: string | undefined;
  readyz: { readonly status: number; readonly body: string } = { status: 200, body: "ok" };
  answers: Readonly<Record<string, object>> = {};
  /** Common names of the clients that the API server saw. */
  readonly clients: string[] = [];
  readonly authority = new Authority();
  engine!: FakeEngine;
  #api!: Server;

  static async start(): Promise<FakeK3s> {
    const fake = new FakeK3s();
    fake.file = fake.authority.kubeconfig;
    fake.engine = await FakeEngine.start({
      "GET /_ping": {},
      "GET /containers/nacre-dev/json": (_, response) => {
        if (fake.exists) respond(response, 200, fake.#container());
        else respond(response, 404, { message: "No such container: nacre-dev" });
      },
      "POST /containers/nacre-dev/start": (_, response) => {
        fake.state = { Status: "running", Running: true, ExitCode: 0 };
        respond(response, 204, {});
      },
      "GET /containers/nacre-dev/archive": (_, response) => {
        if (fake.file === undefined) respond(response, 404, { message: "Could not find the file" });
        else response.writeHead(200, { "content-type": "application/x-tar" }).end(archiveOf(fake.file));
      },
    });
    const { authority } = fake;
    fake.#api = createServer(
      {
        ca: authority.read("ca.crt"),
        cert: authority.read("server.crt"),
        key: authority.read("server.key"),
        requestCert: true,
      },
      (request, response) => {
        const { subject } = (request as unknown as { socket: TLSSocket }).socket.getPeerCertificate();
        const name = subject.CN;
        fake.clients.push(String(name));
        const answer = fake.answers[request.url ?? ""];
        if (answer !== undefined) response.end(JSON.stringify(answer));
        else response.writeHead(fake.readyz.status).end(fake.readyz.body);
      },
    );
    await new Promise<void>((done) => fake.#api.listen(0, "127.0.0.1", done));
    return fake;
  }

  get port(): number {
    return (this.#api.address() as AddressInfo).port;
  }
  get docker(): string {
    return `unix://${this.engine.socket}`;
  }

  async stop(): Promise<void> {
    await this.engine.stop();
    this.#api.closeAllConnections();
    await new Promise((done) => this.#api.close(done));
    this.authority.remove();
  }

  #container(): object {
    return {
      Id: this.id,
      Name: "/nacre-dev",
      Image: "sha256:1",
      Created: "2026-11-29T00:00:00Z",
      RestartCount: this.restarts,
      State: { Pid: 1, StartedAt: "2026-11-29T00:00:00Z", FinishedAt: "", ...this.state },
      Config: {
        Image: `rancher/k3s@sha256:${"a".repeat(64)}`,
        Cmd: ["server", "--secrets-encryption"],
        Labels: {},
      },
      HostConfig: { Privileged: true },
      Mounts: [{ Type: "volume", Name: "nacre-dev", Source: "/v", Destination: "/var/lib/rancher/k3s" }],
      NetworkSettings: { Ports: { "6443/tcp": [{ HostIp: "127.0.0.1", HostPort: String(this.port) }] } },
    };
  }
}

function archiveOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  const header = new Header({ path: "k3s.yaml", mode: 0o600, size: bytes.length, type: "File" });
  header.encode();
  return Buffer.concat([
    header.block!,
    bytes,
    Buffer.alloc((512 - (bytes.length % 512)) % 512),
    Buffer.alloc(1024),
  ]);
}
