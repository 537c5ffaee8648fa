import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as sdk from "@pulumi/docker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { secret } from "@pulumi/pulumi";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { engineTimeout } from "../pulumi/stack.ts";
import { docker, DockerDaemon } from "./daemon.ts";
import { buildImage, type BuiltImage } from "./image.ts";
import { call } from "./provider/requests.ts";
import { DockerStack, stepsOf } from "./stack.ts";

const keep = `#!/bin/sh
trap 'echo ended in order > /data/end; exit 0' TERM
httpd -p 80 -h /etc
while :; do sleep 0.1; done
`;

describe.runIf(docker.here)(docker.named("Pulumi's engine and the stand-in for its Docker provider"), () => {
  let daemon: DockerDaemon;
  let image: BuiltImage;
  let stack: DockerStack;

  beforeAll(async () => {
    await findEngine({ cache: cacheDirectory() });
    [daemon, image] = await Promise.all([
      DockerDaemon.start(),
      buildImage({ tag: "keep:1", files: { "/keep": { text: keep } }, entrypoint: ["/keep"] }),
    ]);
    await daemon.load(image.tar);
    stack = new DockerStack(daemon.host);
  }, engineTimeout);
  afterAll(async () => {
    await daemon.stop();
    image.remove();
    stack.remove();
  });

  /** As a gateway would be: a volume, a network, and a container that is waited for. */
  const open = (changes: object = {}, options: object = {}) =>
    stack.open(({ provider }) => {
      const volume = new sdk.Volume("data", {}, { provider, retainOnDelete: true });
      const network = new sdk.Network("inner", { name: "inner", internal: false }, { provider });
      new sdk.Container(
        "gateway",
        {
          name: "gateway",
          image: image.digest,
          command: ["--flag"],
          envs: ["A=1", "B=2"],
          hostname: "gateway",
          privileged: true,
          ports: [{ internal: 80, external: 0, ip: "127.0.0.1" }].map(({ internal, ip }) => ({
            internal,
            ip,
          })),
          volumes: [{ volumeName: volume.name, containerPath: "/data" }],
          tmpfs: { "/run": "size=1m" },
          uploads: [{ file: "/etc/a/config.yaml", content: secret("token: s3cr3t"), permissions: "0600" }],
          networksAdvanced: [{ name: network.name, aliases: ["k3s"] }],
          restart: "unless-stopped",
          memory: 128,
          cpus: "0.5",
          healthcheck: { tests: ["CMD", "test", "-e", "/data"], interval: "1s", retries: 3 },
          wait: true,
          waitTimeout: 15,
          labels: [{ label: "nacre", value: "gateway" }],
          stopTimeout: 10,
          destroyGraceSeconds: 10,
          mustRun: false,
          ...changes,
        },
        { provider, ...options },
      );
      return {};
    });
  const gateway = () => daemon.engine.inspectContainer("gateway");

  test("make what the program says, once", async () => {
    const preview = await open();
    const steps = await stepsOf((options) => preview.preview(options));
    expect(steps.toSorted()).toEqual(["create data", "create gateway", "create inner"]);
    expect(await call(daemon.engine, { path: "/containers/json" })).toEqual([]);
    await (await open()).up();

    const container = await gateway();
    expect(container).toMatchObject({
      Image: image.digest,
      State: { Running: true, Health: { Status: "healthy" } },
      Config: { Cmd: ["--flag"], Labels: { nacre: "gateway" } },
      HostConfig: {
        Privileged: true,
        Memory: 128 << 20,
        NanoCpus: 5e8,
        RestartPolicy: { Name: "unless-stopped" },
      },
    });
    expect(container.Mounts?.map(({ Destination }) => Destination)).toContain("/data");
    expect(Object.keys(container.NetworkSettings.Networks ?? {})).toEqual(["inner"]);
    const [port] = container.NetworkSettings.Ports?.["80/tcp"] ?? [];
    const answer = await fetch(`http://127.0.0.1:${port?.HostPort}/a/config.yaml`);
    expect(await answer.text()).toBe("token: s3cr3t");

    const again = await open({ envs: ["B=2", "A=1"] });
    expect(await stepsOf((options) => again.up(options))).toEqual([]);
    const written = readFileSync(join(stack.folder, ".pulumi/stacks/docker/dev.json"), "utf8");
    expect(written).toContain(`"image":"${image.digest}"`);
    expect(written).not.toContain("s3cr3t");
    expect((await gateway()).Id).toBe(container.Id);
  });

  test("a limit changes in place, and what a container was made of replaces it, the old one first", async () => {
    const { Id } = await gateway();
    const live = await open({ memory: 256, restart: "always" });
    expect(await stepsOf((options) => live.preview(options))).toEqual(["update gateway memory restart"]);
    await live.up();
    expect(await gateway()).toMatchObject({
      Id,
      HostConfig: { Memory: 256 << 20, RestartPolicy: { Name: "always" } },
    });

    const file = { file: "/etc/a/config.yaml", content: "token: other" };
    const replaced = await open({ memory: 256, restart: "always", uploads: [file] });
    const steps = await stepsOf((options) => replaced.up(options));
    expect(steps.map((step) => step.split(" ")[0])).toEqual([
      "delete-replaced",
      "replace",
      "create-replacement",
    ]);
    const next = await gateway();
    expect(next.Id).not.toBe(Id);
    expect((await daemon.engine.readFile("gateway", "/data/end")).toString()).toBe("ended in order\n");
    expect((await daemon.engine.readFile("gateway", "/etc/a/config.yaml")).toString()).toBe("token: other");
  });

  test("a container that is protected stays; one that is not healthy in time is kept, and tried again", async () => {
    await (await open({}, { protect: true })).up();
    await expect((await open({}, { protect: true })).destroy()).rejects.toThrow(/protect/);
    const sick = {
      healthcheck: { tests: ["CMD", "false"], interval: "1s", retries: 1 },
      waitTimeout: 3,
      hostname: "b",
    };
    await expect((await open(sick)).up()).rejects.toThrow(/unhealthy|starting/);
    expect((await gateway()).State.Running).toBe(true);
    await (await open()).up();
    expect((await gateway()).State.Health?.Status).toBe("healthy");
  });

  test("one that was stopped is left alone with mustRun false, and removed by any refresh without it", async () => {
    await daemon.engine.stopContainer("gateway", 10);
    const quiet = await open();
    expect(await stepsOf((options) => quiet.refresh(options))).not.toContain("delete gateway");
    expect((await gateway()).State.Running).toBe(false);

    await (await open({ mustRun: true })).up();
    await daemon.engine.stopContainer("gateway", 10);
    const eager = await open({ mustRun: true });
    await expect(eager.previewRefresh()).rejects.toThrow(/failed to be in running state/);
    await expect(gateway()).rejects.toMatchObject({ code: "container_not_found" });
  });

  test("Check refuses what the real one refuses", async () => {
    const bad = await open({
      restart: "sometimes",
      uploads: [{ file: "/x", content: "", permissions: "600" }],
    });
    await expect(bad.preview()).rejects.toThrow(/restart[^]*uploads|uploads[^]*restart/);
  });

  test("destroy leaves no container and no network, and keeps the volume that is retained", async () => {
    await (await open()).refresh();
    await (await open()).up();
    await (await open()).destroy();
    expect(await call(daemon.engine, { path: "/containers/json", query: { all: true } })).toEqual([]);
    const networks: { Name: string }[] = await call(daemon.engine, { path: "/networks" });
    expect(networks.map(({ Name }) => Name)).not.toContain("inner");
    const { Volumes } = await call(daemon.engine, { path: "/volumes" });
    expect(Volumes).toHaveLength(1);
    expect(Volumes[0].Name).toMatch(/^data-[0-9a-f]{7}$/);
  });

  test("an engine that does not run stops a preview", async () => {
    const elsewhere = new DockerStack("unix:///run/none.sock");
    const opened = await elsewhere.open(({ provider }) => ({
      id: new sdk.Volume("data", {}, { provider }).id,
    }));
    await expect(opened.preview()).rejects.toThrow(/there is no such socket/);
    elsewhere.remove();
  });
});
