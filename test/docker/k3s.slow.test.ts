import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as sdk from "@pulumi/docker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { engineTimeout } from "../pulumi/stack.ts";
import { binaries, buildTimeout } from "../cluster/binaries.ts";
import { docker, DockerDaemon } from "./daemon.ts";
import type { BuiltImage } from "./image.ts";
import { buildK3sImage } from "./k3s-image.ts";
import { Cluster } from "./kubeconfig.ts";
import { call } from "./provider/requests.ts";
import { DockerStack, stepsOf } from "./stack.ts";

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
`;

const named = docker.named("K3s' contract in a container");

describe.runIf(docker.here)(named, () => {
  let daemon: DockerDaemon;
  let stack: DockerStack;
  let versions: readonly BuiltImage[];

  beforeAll(async () => {
    await findEngine({ cache: cacheDirectory() });
    const built = await binaries();
    daemon = await DockerDaemon.start();
    versions = [await buildK3sImage(built, "v1.34.2+k3s1"), await buildK3sImage(built, "v1.34.3+k3s1")];
    for (const { tar } of versions) await daemon.load(tar);
    stack = new DockerStack(daemon.host);
  }, engineTimeout + buildTimeout);
  afterAll(async () => {
    await daemon.stop();
    stack.remove();
    for (const image of versions) image.remove();
  });

  interface Gateway {
    readonly volume: string;
    readonly version?: number;
    readonly arguments?: readonly string[];
    readonly config?: string;
  }
  const open = (gateway: Gateway) =>
    stack.open(({ provider }) => {
      const data = new sdk.Volume(
        gateway.volume,
        { name: gateway.volume },
        { provider, retainOnDelete: true },
      );
      const network = new sdk.Network("nacre", { name: "nacre" }, { provider });
      new sdk.Container(
        "gateway",
        {
          name: "gateway",
          image: versions[gateway.version ?? 0]!.digest,
          command: ["server", "--tls-san=gateway.internal", ...(gateway.arguments ?? [])],
          privileged: true,
          ports: [{ internal: 6443, ip: "127.0.0.1" }],
          volumes: [{ volumeName: data.name, containerPath: "/var/lib/rancher/k3s" }],
          tmpfs: { "/run": "" },
          uploads: [
            { file: "/etc/rancher/k3s/config.yaml", content: gateway.config ?? "", permissions: "0600" },
            { file: "/etc/rancher/k3s/audit.yaml", content: auditPolicy, permissions: "0600" },
          ],
          networksAdvanced: [{ name: network.name }],
          healthcheck: { tests: ["CMD", "kubectl", "get", "--raw", "/readyz"], interval: "1s", retries: 200 },
          wait: true,
          waitTimeout: 200,
          mustRun: false,
          stopTimeout: 30,
          destroyGraceSeconds: 30,
        },
        { provider },
      );
      return {};
    });

  async function cluster(): Promise<Cluster> {
    const { NetworkSettings } = await daemon.engine.inspectContainer("gateway");
    const port = Number(NetworkSettings.Ports?.["6443/tcp"]?.[0]?.HostPort);
    return new Cluster(await read("/etc/rancher/k3s/k3s.yaml"), port);
  }
  const read = async (path: string) => (await daemon.engine.readFile("gateway", path)).toString();

  const secret = (value: string) => ({ metadata: { name: "planted" }, stringData: { token: value } });
  const secrets = "/api/v1/namespaces/default/secrets";

  /** Files of the volume that hold `text`, as it is or in base64: what a thief of the disk would read. */
  function holding(volume: string, text: string): string[] {
    const root = join(daemon.folder, "data/volumes", volume, "_data");
    const spellings = [text, Buffer.from(text).toString("base64").replace(/=+$/, "").slice(0, -1)];
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => {
        const content = readFileSync(path, "latin1");
        return spellings.some((spelling) => content.includes(spelling));
      });
  }

  test("without encryption a Secret lies open in etcd's files (the control)", async () => {
    await (await open({ volume: "open" })).up();
    const api = await cluster();
    expect(api.server).toBe("https://127.0.0.1:6443");
    expect(await api.ask("GET", "/readyz", undefined, "gateway.internal")).toEqual({
      status: 200,
      body: "ok",
    });
    expect((await api.ask("POST", secrets, secret("control-6fb0d1e4"))).status).toBe(201);
    expect(holding("open", "control-6fb0d1e4")).not.toEqual([]);
  });

  const sealed = {
    volume: "sealed",
    arguments: [
      "--secrets-encryption",
      "--kube-apiserver-arg=audit-log-path=/var/lib/rancher/k3s/audit.log",
      "--kube-apiserver-arg=audit-policy-file=/etc/rancher/k3s/audit.yaml",
    ],
    config: [
      "write-kubeconfig-mode: '0640'",
      "disable:",
      "  - traefik",
      '  - "servicelb"',
      "kubelet-arg:",
      "  - protect-kernel-defaults=false",
      "kube-apiserver-arg:",
      "  - audit-policy-file=/nowhere",
      "",
    ].join("\n"),
  };

  test("with it the value is in no file, and flags and config file come together as K3s reads them", async () => {
    await (await open(sealed)).up();
    const api = await cluster();
    expect((await api.ask("POST", secrets, secret("sealed-0c93a57e"))).status).toBe(201);
    expect((await api.ask("GET", `${secrets}/planted`)).body).toContain(
      Buffer.from("sealed-0c93a57e").toString("base64"),
    );
    expect(holding("sealed", "sealed-0c93a57e")).toEqual([]);
    expect(holding("sealed", "k8s:enc:aescbc:v1:aescbckey")).not.toEqual([]);

    const keys = JSON.parse(await read("/var/lib/rancher/k3s/server/cred/encryption-config.json"));
    expect(keys.resources[0].providers[0].aescbc.keys[0].secret).toHaveLength(44);
    const written = await run("cat /var/lib/rancher/k3s/audit.log");
    expect(written).toContain('"resource":"secrets","namespace":"default","name":"planted"');
    expect(written).not.toContain("sealed-0c93a57e");
    const modes = await run("stat -c %a /etc/rancher/k3s/k3s.yaml /var/lib/rancher/k3s/server/cred/*.json");
    expect(modes).toEqual("640\n600\n");
    const said = await run("cut -f 2,3 /run/k3s/flags");
    expect(said.split("\n")).toEqual(
      expect.arrayContaining([
        "disable\ttraefik",
        "disable\tservicelb",
        "kubelet-arg\tprotect-kernel-defaults=false",
      ]),
    );
    expect(said).not.toContain("/nowhere"); // a list of the command line goes before the file's
    await daemon.engine.stopContainer("gateway", 30);
    expect((await daemon.engine.inspectContainer("gateway")).State.ExitCode).toBe(0);
    await daemon.engine.startContainer("gateway");
  });

  test("another version of the image replaces the container, and keeps what the cluster holds", async () => {
    const next = await open({ ...sealed, version: 1 });
    const steps = await stepsOf((options) => next.up(options));
    expect(steps.map((step) => step.split(" ")[0])).toContain("create-replacement");
    const container = await daemon.engine.inspectContainer("gateway");
    expect(container.Config.Labels?.["org.opencontainers.image.version"]).toBe("v1.34.3+k3s1");
    const kept = await (await cluster()).ask("GET", `${secrets}/planted`);
    expect(kept.body).toContain(Buffer.from("sealed-0c93a57e").toString("base64"));
  });

  test.each([
    [["--no-such-flag"], /flag provided but not defined: -no-such-flag/],
    [["--disable"], /flag needs an argument: -disable/],
  ])("%s ends it as K3s would", async (args, complaint) => {
    const json = { Image: versions[0]!.digest, Cmd: ["server", ...args] };
    const { Id } = await call(daemon.engine, { method: "POST", path: "/containers/create", json });
    await daemon.engine.startContainer(Id);
    let said = "";
    for await (const { bytes } of daemon.engine.logs(Id, { follow: true })) said += bytes.toString();
    expect(said).toMatch(complaint);
    expect((await daemon.engine.inspectContainer(Id)).State.ExitCode).toBe(1);
    await call(daemon.engine, { method: "DELETE", path: `/containers/${Id}`, query: { v: true } });
  });

  test("destroy leaves no container and no network, and both volumes", async () => {
    await (await open({ ...sealed, version: 1 })).destroy();
    expect(await call(daemon.engine, { path: "/containers/json", query: { all: true } })).toEqual([]);
    const { Volumes } = await call(daemon.engine, { path: "/volumes" });
    const names = (Volumes as { Name: string }[]).map(({ Name }) => Name);
    expect(names).toEqual(expect.arrayContaining(["open", "sealed"]));
  });

  /** What a shell in the container says. */
  async function run(script: string): Promise<string> {
    const json = { AttachStdout: true, Tty: true, Cmd: ["sh", "-c", script] };
    const { Id } = await call(daemon.engine, { method: "POST", path: "/containers/gateway/exec", json });
    const start = { method: "POST", path: `/exec/${Id}/start`, json: { Tty: true } } as const;
    const answer = await daemon.engine.request(start);
    return Buffer.concat(await answer.toArray())
      .toString()
      .replaceAll("\r", "");
  }
});
