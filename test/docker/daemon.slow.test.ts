import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { docker, DockerDaemon } from "./daemon.ts";
import { buildImage, type BuiltImage } from "./image.ts";

const script = `#!/bin/sh
echo to-stdout
echo to-stderr >&2
trap 'echo asked to end; exit 7' TERM
mkdir -p /etc/rancher/k3s
printf 'kind: Config\\n' > /etc/rancher/k3s/k3s.yaml
chmod 600 /etc/rancher/k3s/k3s.yaml
ln -s /etc/passwd /link
httpd -p 8080 -h /bin
while :; do sleep 0.1; done
`;

describe.runIf(docker.here)(docker.named("a real dockerd"), () => {
  let daemon: DockerDaemon;
  let image: BuiltImage;
  const json = (path: string, body: object) =>
    daemon.engine.request({ method: "POST", path, json: body, subject: path });

  beforeAll(async () => {
    [daemon, image] = await Promise.all([
      DockerDaemon.start(),
      buildImage({ tag: "talker:1", files: { "/talk": { text: script } }, entrypoint: ["/talk"] }),
    ]);
    await daemon.load(image.tar);
    const answer = await json("/containers/create?name=talker", {
      Image: image.digest,
      ExposedPorts: { "8080/tcp": {} },
      HostConfig: { Privileged: true, PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1" }] } },
    });
    answer.resume();
    await daemon.engine.startContainer("talker");
  });
  afterAll(async () => {
    await daemon.stop();
    image.remove();
  });

  test("says what it is", async () => {
    expect(await daemon.engine.describe()).toMatchObject({
      engine: "docker",
      rootless: false,
      privileged: "machine",
      limits: "enforced",
    });
  });

  test("runs a privileged container, whose port is open on loopback", async () => {
    const container = await daemon.engine.inspectContainer("talker");
    expect(container).toMatchObject({ Image: image.digest, State: { Running: true } });
    const [port] = container.NetworkSettings.Ports?.["8080/tcp"] ?? [];
    expect(port?.HostIp).toBe("127.0.0.1");
    const answer = await vi.waitFor(() => fetch(`http://127.0.0.1:${port?.HostPort}/busybox`), 10_000);
    expect((await answer.bytes()).length).toBe(readFileSync("/bin/busybox").length);
  });

  test("gives one file out, and neither a folder, a link, one that is not there nor one too large", async () => {
    const read = (path: string, largest?: number) => daemon.engine.readFile("talker", path, largest);
    expect((await read("/etc/rancher/k3s/k3s.yaml")).toString()).toBe("kind: Config\n");
    expect((await read("/bin/busybox", 10 << 20)).equals(readFileSync("/bin/busybox"))).toBe(true);
    await expect(read("/etc")).rejects.toMatchObject({ code: "not_a_file" });
    await expect(read("/link")).rejects.toMatchObject({ code: "not_a_file" });
    await expect(read("/absent")).rejects.toMatchObject({ code: "file_not_found" });
    await expect(read("/bin/busybox")).rejects.toMatchObject({ code: "file_too_large" });
    await expect(daemon.engine.readFile("absent", "/x")).rejects.toMatchObject({
      code: "container_not_found",
    });
  });

  test("follows what a container writes, both streams, until it has ended", async () => {
    const streams = { stdout: "", stderr: "" };
    const following = (async () => {
      for await (const { stream, bytes } of daemon.engine.logs("talker", { follow: true }))
        streams[stream] += bytes.toString();
    })();
    await daemon.engine.stopContainer("talker", 10);
    await following;
    expect(streams).toEqual({ stdout: "to-stdout\nasked to end\n", stderr: "to-stderr\n" });
    expect((await daemon.engine.inspectContainer("talker")).State).toMatchObject({
      Running: false,
      ExitCode: 7,
    });
    await daemon.engine.stopContainer("talker", 10);
    expect((await daemon.engine.readFile("talker", "/etc/rancher/k3s/k3s.yaml")).length).toBe(13);
    await daemon.engine.startContainer("talker");
    await daemon.engine.startContainer("talker");
    const abort = new AbortController();
    for await (const { bytes } of daemon.engine.logs("talker", {
      follow: true,
      tail: 1,
      signal: abort.signal,
    })) {
      expect(bytes.length).toBeGreaterThan(0);
      abort.abort();
    }
  });
});

describe.runIf(docker.here)(docker.named("a dockerd that was killed"), () => {
  test("leaves no process, no mount, no interface and no file", async () => {
    const daemon = await DockerDaemon.start();
    const image = await buildImage({ tag: "idle:1", files: {}, command: ["sleep", "600"] });
    await daemon.load(image.tar);
    image.remove();
    const post = async (path: string, body: object = {}): Promise<void> => {
      const answer = await daemon.engine.request({ method: "POST", path, json: body });
      await answer.toArray();
    };
    await post("/networks/create", { Name: "inner" });
    await post("/containers/create?name=idle", { Image: "idle:1", HostConfig: { NetworkMode: "inner" } });
    await daemon.engine.startContainer("idle");
    const { pid } = daemon;
    const { Pid: inner } = (await daemon.engine.inspectContainer("idle")).State;
    process.kill(pid, "SIGKILL");
    await daemon.stop();
    expect([pid, inner].filter((each) => existsSync(`/proc/${each}`))).toEqual([]);
    expect(existsSync(daemon.folder)).toBe(false);
    expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(daemon.folder);
    const groups = readdirSync("/sys/fs/cgroup", { recursive: true }).map(String);
    expect(groups.filter((path) => path.includes(basename(daemon.folder)))).toEqual([]);
    expect(execFileSync("ip", ["-brief", "link"]).toString()).not.toMatch(/^(br-|nd|veth)/m);
  });
});
