import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Provider, Volume } from "@pulumi/docker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { ClusterStatus } from "../../lib/cluster/status.ts";
import { AgentSandbox, Command, Environment, Gateway, Target } from "../../lib/constructs/index.ts";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { EnvironmentStack } from "../../lib/pulumi/automation.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { loadCatalogue } from "../../lib/pulumi/catalogue.ts";
import { ClusterEnvironment } from "../../lib/pulumi/cluster.ts";
import { GatewayContainer, gatewayTargets } from "../../lib/pulumi/gateway.ts";
import { changed, type Outcome } from "../../lib/pulumi/outcome.ts";
import { synthesizeKubernetes } from "../../lib/synth/kubernetes.ts";
import { freePort } from "../cluster/free-port.ts";
import { kubernetesPluginFolder } from "../cluster/kubernetes-stack.ts";
import { synthesizeGateway, type GatewayObjects } from "../../lib/synth/gateway.ts";
import { checkout, run, type Ran } from "../cli/missing-run.ts";
import { engineTimeout } from "../pulumi/stack.ts";
import { binaries, buildTimeout } from "../cluster/binaries.ts";
import { docker, DockerDaemon } from "./daemon.ts";
import type { BuiltImage } from "./image.ts";
import { buildK3sImage } from "./k3s-image.ts";
import { Cluster } from "./kubeconfig.ts";
import { call } from "./provider/requests.ts";
import { dockerPlugin } from "./stack.ts";

const named = docker.named("a gateway");

describe.runIf(docker.here)(named, () => {
  let daemon: DockerDaemon;
  let versions: readonly BuiltImage[];
  let port: number;
  const state = mkdtempSync(join(tmpdir(), "nacre-gateway-"));
  const project = mkdtempSync(join(tmpdir(), "nacre-gateway-project-"));
  const progress: string[] = [];
  const file = join(state, "gateways/nacre-dev/kubeconfig");

  beforeAll(async () => {
    await findEngine({ cache: cacheDirectory() });
    const built = await binaries();
    daemon = await DockerDaemon.start();
    versions = [await buildK3sImage(built, "v1.34.2+k3s1"), await buildK3sImage(built, "v1.34.3+k3s1")];
    for (const { tar } of versions) await daemon.load(tar);
    port = await freePort();
  }, engineTimeout + buildTimeout);
  afterAll(async () => {
    await daemon.stop();
    for (const image of versions) image.remove();
    for (const folder of [state, project]) rmSync(folder, { recursive: true, force: true });
  });

  /** What Nacre makes of it, but for what this machine's own sandbox does not let a container have. */
  function objects(): GatewayObjects {
    const app = new Environment("dev", { target: Target.gateway(), project: "team" });
    new AgentSandbox(app, "assistant", { agent: Command.of("sleep", "infinity") });
    new Gateway(app, "gateway", {
      image: `rancher/k3s@sha256:${"a".repeat(64)}`,
      port,
      audit: "request",
      dns: ["192.0.2.53"],
    });
    const made = synthesizeGateway(app, { project: "team" });
    return { ...made, container: { ...made.container, runtime: "here", ulimits: [] } };
  }

  const open = async (version = 0, others: () => void = () => undefined): Promise<EnvironmentStack> =>
    EnvironmentStack.open({
      engine: await findEngine({ cache: cacheDirectory() }),
      project: "team",
      environment: "dev",
      stateDirectory: state,
      cache: join(state, "cache"),
      plugin: fileURLToPath(new URL("../../lib/provider/bin", import.meta.url)),
      plugins: { docker: dockerPlugin },
      program: () => {
        const options = { dockerHost: daemon.host, image: versions[version]!.digest };
        const { clusterIdentifier } = new GatewayContainer("dev", objects(), options);
        others();
        return Promise.resolve({ clusterIdentifier });
      },
      onProgress: ({ subject, message }) => progress.push(`${subject ?? ""}: ${message}`),
    });

  const plan = (outcome: Outcome): string[] =>
    changed(outcome).map(({ operation, kind, name }) => `${operation} ${kind} ${name}`);
  const notices = ({ notices: all }: Outcome): string[] =>
    all.filter(({ severity }) => severity === "error").map(({ message }) => message);
  const cluster = () => new Cluster(readFileSync(file, "utf8"), port);
  const container = () => daemon.engine.inspectContainer("nacre-dev");
  const inContainer = async (path: string) =>
    (await daemon.engine.readFile("nacre-dev", path, 16 << 20)).toString();

  test("a preview says what would be made, and makes nothing", async () => {
    const outcome = await (await open()).preview();
    expect(notices(outcome)).toEqual([]);
    expect(plan(outcome)).toEqual([
      "create network nacre-dev",
      "create volume nacre-dev",
      "create volume nacre-dev-node",
      "create container nacre-dev",
      "create kubeconfig nacre-dev",
    ]);
    expect(await call(daemon.engine, { path: "/containers/json", query: { all: true } })).toEqual([]);
    expect(existsSync(file)).toBe(false);
  });

  test("up makes it, waits until it is ready with a word on what for, and leaves a kubeconfig for this user alone", async () => {
    const outcome = await (await open()).up();
    expect(notices(outcome)).toEqual([]);
    expect(outcome.result).toBe("succeeded");
    expect(progress.join("\n")).toMatch(/nacre-dev: (K3s is starting|the API server)/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const api = cluster();
    expect(api.server).toBe(`https://127.0.0.1:${port}`);
    expect((await api.ask("GET", "/readyz")).status).toBe(200);

    const { HostConfig, NetworkSettings, Config } = await container();
    expect(HostConfig).toMatchObject({
      Privileged: true,
      SecurityOpt: ["apparmor=unconfined", "label=disable", "seccomp=unconfined"],
      RestartPolicy: { Name: "unless-stopped" },
      CgroupnsMode: "private",
      PortBindings: { "6443/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] },
    });
    expect(Object.keys(NetworkSettings.Networks ?? {})).toEqual(["nacre-dev"]);
    expect(NetworkSettings.Networks?.["nacre-dev"]?.IPAddress).toBe("10.44.239.2");
    expect(Config.Cmd).toEqual(objects().container.command);
  });

  test("and the next up changes nothing", async () => {
    expect(plan(await (await open()).up())).toEqual([]);
  });

  const root = {
    metadata: { name: "root" },
    spec: { containers: [{ name: "main", image: "x", securityContext: { runAsUser: 0 } }] },
  };
  test("a pod of root is refused in a namespace that says nothing, and let in where K3s' own parts are", async () => {
    const api = cluster();
    expect((await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "plain" } })).status).toBe(201);
    await expect
      .poll(async () => (await api.ask("GET", "/api/v1/namespaces/plain/serviceaccounts/default")).status, {
        timeout: 60_000,
      })
      .toBe(200);
    const refused = await api.ask("POST", "/api/v1/namespaces/plain/pods", root);
    expect(refused.status).toBe(403);
    expect(refused.body).toContain('violates PodSecurity \\"restricted:latest\\"');
    await expect
      .poll(async () => (await api.ask("POST", "/api/v1/namespaces/kube-system/pods", root)).status, {
        timeout: 60_000,
      })
      .toBe(201);
  });

  /** Files of the data volume that hold a text, as it is or in base64. */
  function holding(text: string): string[] {
    const folder = join(daemon.folder, "data/volumes/nacre-dev/_data/server/db");
    const forms = [text, Buffer.from(text).toString("base64").replace(/=+$/, "").slice(0, -1)];
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => forms.some((form) => readFileSync(path, "latin1").includes(form)));
  }

  test("a Secret is in no file of the database, and the audit has its name alone; a ConfigMap's body is no secret on disk", async () => {
    const api = cluster();
    const secret = { metadata: { name: "planted" }, stringData: { token: "sealed-81f0c2d4" } };
    const map = { metadata: { name: "open" }, data: { text: "control-5d7e9a10" } };
    expect((await api.ask("POST", "/api/v1/namespaces/plain/secrets", secret)).status).toBe(201);
    expect((await api.ask("POST", "/api/v1/namespaces/plain/configmaps", map)).status).toBe(201);
    expect(holding("control-5d7e9a10")).not.toEqual([]);
    expect(holding("sealed-81f0c2d4")).toEqual([]);

    const records = (await inContainer("/var/lib/rancher/k3s/server/logs/audit.log")).trim().split("\n");
    const read = records.map((line): any => JSON.parse(line));
    const of = (resource: string, name: string) =>
      read.filter(({ objectRef }) => objectRef?.resource === resource && objectRef?.name === name);
    expect(of("secrets", "planted")).toMatchObject([{ level: "Metadata", verb: "create" }]);
    expect(of("configmaps", "open")).toMatchObject([{ level: "Metadata" }]);
    expect(of("namespaces", "plain")[0]).toMatchObject({ level: "Request", requestObject: {} });
    const text = records.join("\n");
    for (const value of ["sealed-81f0c2d4", "control-5d7e9a10"]) {
      expect(text).not.toContain(value);
      expect(text).not.toContain(Buffer.from(value).toString("base64"));
    }
  });

  test("no key is in Pulumi's state, nor in any file of the state directory but the kubeconfig", async () => {
    const keys = [
      ...(await secretsIn("/etc/rancher/k3s/k3s.yaml", /client-key-data: (\S+)/)),
      ...(await secretsIn("/var/lib/rancher/k3s/server/cred/encryption-config.json", /"secret":"([^"]+)"/)),
      ...(await secretsIn("/var/lib/rancher/k3s/server/token", /(\S+)/)),
    ];
    const spellings = keys.flatMap((key) => {
      const plain = Buffer.from(key, "base64").toString("latin1");
      return [key, Buffer.from(key).toString("base64"), plain, ...plain.split("\n").slice(1, 2)];
    });
    expect(spellings.length).toBeGreaterThan(9);
    const found = (texts: Iterable<string>) =>
      [...texts].filter((text) => spellings.some((key) => key !== "" && text.includes(key)));

    const deployment = JSON.stringify(await (await open()).deployment());
    expect(deployment).toContain(file);
    expect(found([deployment])).toEqual([]);
    expect(found([JSON.stringify({ deployment, planted: keys[1] })])).toHaveLength(1); // it would be found
    const files = readdirSync(state, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    expect(files.filter((path) => found([readFileSync(path, "latin1")]).length > 0)).toEqual([file]);
  });

  const secretsIn = async (path: string, pattern: RegExp): Promise<string[]> => {
    const [, found] = pattern.exec(await inContainer(path)) ?? [];
    expect(found).toBeDefined();
    return [found!];
  };

  const nacre = (...args: string[]): Ran =>
    run([process.execPath, join(checkout, "lib/cli/main.ts"), "gateway", ...args], project, {
      ...process.env,
      NACRE_STATE_DIR: state,
      NACRE_STACK: "dev",
      DOCKER_HOST: daemon.host,
    });

  test("nacre gateway status says what Docker, the API server and the container's files say", () => {
    const { code, out } = nacre("status", "--json");
    expect(JSON.parse(out)).toMatchObject({
      name: "nacre-dev",
      state: "running",
      imageId: versions[0]!.digest,
      privileged: true,
      published: [`127.0.0.1:${port}`],
      volumes: expect.arrayContaining([{ name: "nacre-dev", path: "/var/lib/rancher/k3s" }]) as unknown,
      api: { ready: true, version: expect.stringMatching(/^v1\./) as unknown },
      anonymous: "refused",
      secrets: "aescbc",
    });
    expect(code).toBe(0);
    const text = nacre("status");
    expect(text.out).toMatch(/✓ secrets +encrypted at rest \(aescbc\)/);
    expect(text.out).not.toContain("✗");
  });

  test("nacre gateway kubeconfig says where it is, and logs what K3s wrote", () => {
    expect(nacre("kubeconfig")).toMatchObject({ code: 0, out: `${file}\n`, err: "" });
    expect(nacre("kubeconfig", "--raw").out).toBe(readFileSync(file, "utf8"));
    const logs = nacre("logs", "--tail", "100000");
    expect(logs.code).toBe(0);
    expect(logs.out).toContain('msg="k3s is up and running"');
    expect(nacre("logs", "--tail", "1").out.trim().split("\n")).toHaveLength(1);
    expect(nacre("logs", "--tail", "all").code).toBe(2);
  });

  test("a container that Nacre did not make is neither read nor stopped", async () => {
    const json = { Image: versions[0]!.digest, Cmd: ["--version"] };
    await call(daemon.engine, { method: "POST", path: "/containers/create", query: { name: "other" }, json });
    for (const command of ["status", "stop", "logs"]) {
      const { code, err } = nacre(command, "--name", "other");
      expect(code).toBe(1);
      expect(err).toMatch(/container other: Nacre did not make it/);
    }
    await call(daemon.engine, { method: "DELETE", path: "/containers/other", query: { v: true } });
    expect(nacre("status", "--name", "none")).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /gateway none: there is no such container[^]*fix: nacre gateway up/,
      ) as unknown,
    });
  });

  test("nacre gateway stop stops it and says that its data stays; status then says so, with exit code 1", async () => {
    const { code, err } = nacre("stop");
    expect(code).toBe(0);
    expect(err).toContain(
      "its data stays in volume nacre-dev and nacre-dev-node; nacre gateway up starts it again",
    );
    expect((await container()).State.Running).toBe(false);
    expect(nacre("stop").err).toContain("was stopped already");
    const status = nacre("status");
    expect(status.code).toBe(1);
    expect(status.out).toMatch(/✗ container +exited since .*exit code 0/);
  });

  test("one that was stopped is shown by a preview, and started again by up, with all that it held", async () => {
    const outcome = await (await open()).preview();
    expect(changed(outcome)).toMatchObject([
      {
        kind: "kubeconfig",
        operation: "update",
        notes: [expect.stringContaining("its container is stopped")],
      },
    ]);
    expect((await container()).State.Running).toBe(false);
    expect((await (await open()).up()).result).toBe("succeeded");
    expect((await cluster().ask("GET", "/api/v1/namespaces/plain/secrets/planted")).status).toBe(200);
  });

  test("another image replaces the container; the cluster and its objects stay the same", async () => {
    const before = readFileSync(file, "utf8");
    const { Id } = await container();
    const outcome = await (await open(1)).up();
    expect(notices(outcome)).toEqual([]);
    expect(plan(outcome)).toEqual(["replace container nacre-dev", "update kubeconfig nacre-dev"]);
    const next = await container();
    expect(next.Id).not.toBe(Id);
    expect(next.Config.Labels?.["org.opencontainers.image.version"]).toBe("v1.34.3+k3s1");
    const kept = await cluster().ask("GET", "/api/v1/namespaces/plain/secrets/planted");
    expect(kept.body).toContain(Buffer.from("sealed-81f0c2d4").toString("base64"));
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  test("aimed at the gateway, a run touches nothing else of the stack, and takes nothing else away", async () => {
    const other = () => {
      new Volume("other", { name: "other" }, { provider: new Provider("other", { host: daemon.host }) });
    };
    const volumes = async () => {
      const { Volumes } = await call(daemon.engine, { path: "/volumes" });
      return (Volumes as { Name: string }[]).map(({ Name }) => Name);
    };
    const targets = gatewayTargets("team", "dev");
    const aimed = await (await open(0, other)).up({ targets });
    expect(notices(aimed)).toEqual([]);
    expect(plan(aimed)).toEqual(["replace container nacre-dev", "update kubeconfig nacre-dev"]);
    expect(await volumes()).not.toContain("other");

    expect(plan(await (await open(0, other)).up())).toEqual(["create volume other"]);
    expect(plan(await (await open(1)).up({ targets }))).toEqual([
      "replace container nacre-dev",
      "update kubeconfig nacre-dev",
    ]);
    expect(await volumes()).toContain("other");
    expect(JSON.stringify(await (await open(1)).deployment())).toContain("Volume::other");
    expect(plan(await (await open(1)).up())).toEqual(["delete volume other"]);
  });

  test("destroy takes all away but the data", async () => {
    expect((await (await open(1)).destroy()).result).toBe("succeeded");
    expect(await call(daemon.engine, { path: "/containers/json", query: { all: true } })).toEqual([]);
    const networks: { Name: string }[] = await call(daemon.engine, { path: "/networks" });
    expect(networks.map(({ Name }) => Name)).not.toContain("nacre-dev");
    const { Volumes } = await call(daemon.engine, { path: "/volumes" });
    expect((Volumes as { Name: string }[]).map(({ Name }) => Name).sort()).toEqual([
      "nacre-dev",
      "nacre-dev-node",
    ]);
    expect(existsSync(file)).toBe(false);
  });

  test("and another up, aimed at a stack without anything, finds the data again", async () => {
    const outcome = await (await open(1)).up({ targets: gatewayTargets("team", "dev") });
    expect(notices(outcome)).toEqual([]);
    const kept = await cluster().ask("GET", "/api/v1/namespaces/plain/secrets/planted");
    expect(kept.body).toContain(Buffer.from("sealed-81f0c2d4").toString("base64"));
  });

  test("a whole environment comes in one up: the container, its API server, then the chart in it", async () => {
    const whole = mkdtempSync(join(tmpdir(), "nacre-whole-"));
    const at = await freePort();
    const digest = (name: string): string => `registry.example/${name}@sha256:${"c".repeat(64)}`;
    const settings = {
      namespace: "agents",
      images: { egress: digest("egress"), agents: { assistant: digest("agent") } },
    };
    const app = () => {
      const environment = new Environment("whole", {
        target: Target.gateway({ ...settings, storage: { keep: false } }),
        project: "team",
      });
      const walls = { files: "best_effort", syscalls: "best_effort" } as const;
      new AgentSandbox(environment, "assistant", { agent: Command.of("sleep", "infinity"), walls });
      new Gateway(environment, "gateway", {
        image: `rancher/k3s@sha256:${"a".repeat(64)}`,
        name: "nacre-whole",
        port: at,
        subnet: "10.44.7.0/24",
        dns: ["192.0.2.53"],
        keep: false,
      });
      return environment;
    };
    const stack = await EnvironmentStack.open({
      engine: await findEngine({ cache: cacheDirectory() }),
      project: "team",
      environment: "whole",
      stateDirectory: whole,
      cache: join(whole, "cache"),
      plugins: { docker: dockerPlugin, kubernetes: kubernetesPluginFolder },
      // As `deployGateway` does, but for what this machine does not let a container have.
      program: () => {
        const environment = app();
        const made = synthesizeGateway(environment, { project: "team" });
        const container = { ...made.container, runtime: "here", ulimits: [] };
        const gateway = new GatewayContainer(
          "whole",
          { ...made, container },
          {
            dockerHost: daemon.host,
            image: versions[0]!.digest,
          },
        );
        const chart = synthesizeKubernetes(environment, { catalogue: loadCatalogue(), project: "team" });
        expect([...chart.obstacles, ...made.obstacles]).toEqual([]);
        const { kubeconfig, clusterIdentifier, ready } = gateway;
        new ClusterEnvironment("whole", chart, { kubeconfig, clusterIdentifier }, undefined, {
          dependsOn: ready,
        });
        return Promise.resolve({});
      },
    });
    const planned = plan(await stack.preview());
    expect(planned).toContain("create object whole/sandbox-assistant/agent/workload");
    const outcome = await stack.up();
    expect(notices(outcome)).toEqual([]);
    expect(plan(outcome).toSorted()).toEqual(planned.toSorted());
    const api = new Cluster(readFileSync(join(whole, "gateways/nacre-whole/kubeconfig"), "utf8"), at);
    const workload = "/apis/apps/v1/namespaces/agents/deployments/agent-assistant";
    expect((await api.ask("GET", workload)).status).toBe(200);
    expect(plan(await stack.up())).toEqual([]);

    // The same said by a blueprint and a stack's file: `nacre status` finds the gateway's kubeconfig by itself.
    const described = join(whole, "described");
    mkdirSync(described);
    const files = {
      "Pulumi.yaml": { name: "team", runtime: "nodejs" },
      "blueprint.yaml": {
        apiVersion: "nacre.dev/v1",
        kind: "Blueprint",
        metadata: { name: "assistant", version: "1.0.0" },
        agents: {
          assistant: {
            command: ["sleep", "infinity"],
            walls: { files: "best_effort", syscalls: "best_effort" },
          },
        },
      },
      "Pulumi.whole.yaml": {
        config: {
          "nacre:target": "gateway",
          "nacre:gateway": { name: "nacre-whole", subnet: "10.44.7.0/24" },
          "nacre:cluster": { ...settings, storage: { keep: false } },
        },
      },
    };
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(described, name), stringify(content));
    const status = (): { differs: string[]; code: number | null } => {
      const { out, code } = run(
        [process.execPath, join(checkout, "lib/cli/main.ts"), "status", "--json"],
        described,
        {
          ...process.env,
          NACRE_STATE_DIR: whole,
          NACRE_STACK: "whole",
        },
      );
      const [sandbox] = JSON.parse(out) as ClusterStatus[];
      expect(sandbox).toMatchObject({ sandbox: "assistant", namespace: "agents", agent: "0 of 1 ready" });
      return { differs: sandbox!.walls.flatMap(({ differs }) => differs), code };
    };
    expect(status()).toEqual({ differs: [], code: 1 });
    const policy = "/apis/networking.k8s.io/v1/namespaces/agents/networkpolicies/agent-assistant";
    expect((await api.ask("DELETE", policy)).status).toBe(200);
    expect(status()).toEqual({ differs: ["NetworkPolicy/agent-assistant is not there"], code: 1 });

    expect((await stack.destroy()).result).toBe("succeeded");
    await expect(daemon.engine.inspectContainer("nacre-whole")).rejects.toThrow("there is none");
    rmSync(whole, { recursive: true, force: true });
  });
});
