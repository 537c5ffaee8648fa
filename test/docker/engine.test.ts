import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { dockerPlaces, parseDockerHost } from "../../lib/docker/address.ts";
import { unreachable } from "../../lib/docker/connection.ts";
import { DockerEngine } from "../../lib/docker/engine.ts";
import { FakeEngine, respond } from "./fake-engine.ts";

let fake: FakeEngine;
afterEach(() => fake.stop());

const engineOf = async (answers: Parameters<typeof FakeEngine.start>[0]): Promise<DockerEngine> => {
  fake = await FakeEngine.start(answers);
  return fake.engine;
};

/** Shapes as each engine's own handlers write them (moby daemon/info_unix.go; podman pkg/api/handlers/compat). */
const docker = (details: object) => ({
  "GET /version": {
    Version: "29.0.4",
    ApiVersion: "1.52",
    Components: [
      { Name: "Engine", Version: "29.0.4", Details: { MinAPIVersion: "1.44" } },
      { Name: "containerd", Version: "v2.1.5" },
    ],
  },
  "GET /info": { Driver: "overlayfs", CgroupDriver: "systemd", CgroupVersion: "2", ...details },
});
const podman = (details: object) => ({
  "GET /version": {
    Platform: { Name: "linux/amd64/fedora-43" },
    Version: "5.7.0",
    ApiVersion: "1.41",
    Components: [
      { Name: "Podman Engine", Version: "5.7.0", Details: { APIVersion: "5.7.0" } },
      { Name: "Conmon", Version: "conmon version 2.1.13" },
      { Name: "OCI Runtime (crun)", Version: "crun version 1.25" },
    ],
  },
  "GET /info": { Driver: "overlay", CgroupDriver: "systemd", CgroupVersion: "2", ...details },
});

describe("an engine says what it is", () => {
  test.each([
    [
      "Docker",
      docker({ SecurityOptions: ["name=seccomp,profile=builtin", "name=cgroupns"] }),
      { engine: "docker", rootless: false, privileged: "machine", limits: "enforced", version: "29.0.4" },
    ],
    [
      "Docker with remapped user ids",
      docker({ SecurityOptions: ["name=userns", "name=cgroupns"] }),
      { engine: "docker", rootless: false, privileged: "on_request" },
    ],
    [
      "rootless Docker",
      docker({ SecurityOptions: ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"] }),
      { engine: "docker", rootless: true, privileged: "namespace", limits: "enforced", cgroupVersion: 2 },
    ],
    [
      "rootless Docker on control groups of the first version",
      docker({ SecurityOptions: ["name=rootless"], CgroupDriver: "none", CgroupVersion: "1" }),
      { rootless: true, limits: "dropped", cgroupVersion: 1 },
    ],
    [
      "Podman",
      podman({ Rootless: false, SecurityOptions: ["name=seccomp,profile=default"] }),
      { engine: "podman", rootless: false, privileged: "machine", version: "5.7.0" },
    ],
    [
      "rootless Podman",
      podman({ Rootless: true, SecurityOptions: ["name=rootless"] }),
      { engine: "podman", rootless: true, privileged: "namespace" },
    ],
    ["an engine without security options", docker({ SecurityOptions: null }), { rootless: false }],
  ])("%s", async (_name, answers, facts) => {
    expect(await (await engineOf(answers)).describe()).toMatchObject(facts);
  });

  test("one that answers something else is refused, with what is wrong", async () => {
    const engine = await engineOf({ "GET /version": { Version: 5 }, "GET /info": {} });
    await expect(engine.describe()).rejects.toMatchObject({ code: "docker_answer_invalid" });
    await expect(engine.describe()).rejects.toThrow(/ApiVersion/);
  });
});

describe("where an engine is looked for", () => {
  test("DOCKER_HOST alone, then the user's own sockets, then the system's", async () => {
    await engineOf({});
    const own = join(fake.folder, "podman/podman.sock");
    mkdirSync(join(fake.folder, "podman"));
    writeFileSync(own, "");
    const system = [join(fake.folder, "absent.sock"), fake.socket];
    const environment = { XDG_RUNTIME_DIR: fake.folder };
    expect(dockerPlaces({ environment, system })).toEqual(
      [fake.socket, own, fake.socket].map((path) => ({ kind: "socket", path })),
    );
    expect(dockerPlaces({ environment: { ...environment, DOCKER_HOST: "unix:///x" }, system })).toEqual([
      { kind: "socket", path: "/x" },
    ]);
  });

  test("the first that answers is taken: a socket that nobody serves is passed over", async () => {
    await engineOf({ "GET /_ping": {} });
    writeFileSync(join(fake.folder, "stale.sock"), "");
    const system = [join(fake.folder, "stale.sock"), fake.socket];
    expect((await DockerEngine.find({ environment: {}, system })).host).toBe(`unix://${fake.socket}`);
  });

  test("nothing anywhere is said with the way out", async () => {
    await engineOf({});
    await expect(DockerEngine.find({ environment: {}, system: [] })).rejects.toMatchObject({
      code: "docker_absent",
      hint: expect.stringContaining("DOCKER_HOST") as string,
    });
    const environment = { DOCKER_HOST: `unix://${fake.folder}/none` };
    await expect(DockerEngine.find({ environment })).rejects.toMatchObject({ code: "docker_absent" });
    writeFileSync(join(fake.folder, "none"), "");
    await expect(DockerEngine.find({ environment })).rejects.toMatchObject({ code: "docker_unreachable" });
  });

  test("a socket of others is told from none", async () => {
    await engineOf({});
    const refused = Object.assign(new Error("connect EACCES"), { code: "EACCES" });
    expect(unreachable(fake.engine.address, refused)).toMatchObject({ code: "docker_denied" });
  });

  test.each([
    ["tcp://127.0.0.1:2375", { kind: "loopback", host: "127.0.0.1", port: 2375 }],
    ["tcp://localhost:2375", { kind: "loopback", host: "127.0.0.1", port: 2375 }],
    ["tcp://[::1]:2375", { kind: "loopback", host: "::1", port: 2375 }],
    ["unix:///run/docker.sock", { kind: "socket", path: "/run/docker.sock" }],
  ])("%s", async (text, address) => {
    await engineOf({});
    expect(parseDockerHost(text)).toEqual(address);
  });

  test.each([
    "tcp://10.0.0.1:2375",
    "tcp://127.0.0.1.evil.example:2375",
    "tcp://127.0.0.1:0",
    "ssh://root@host",
    "https://127.0.0.1:2376",
    "unix://relative",
    "npipe:////./pipe/docker_engine",
  ])("%s is refused with the way out", async (text) => {
    await engineOf({});
    expect(() => parseDockerHost(text)).toThrow(
      expect.objectContaining({ code: "docker_host_unsupported", hint: expect.any(String) as string }),
    );
  });
});

describe("an engine's refusals", () => {
  test.each([
    ["Docker's", { message: "No such container: gateway" }],
    ["Podman's", { cause: "no such container", message: 'no such container "gateway"', response: 404 }],
  ])("%s word for a missing container", async (_name, body) => {
    const engine = await engineOf({
      "GET /containers/gateway/json": (_, response) => respond(response, 404, body),
    });
    await expect(engine.inspectContainer("gateway")).rejects.toMatchObject({
      code: "container_not_found",
      subject: "container gateway",
      hint: "see which there are with: docker ps -a",
    });
  });

  test("its own text is passed on", async () => {
    const engine = await engineOf({
      "POST /containers/gateway/start": (_, response) => respond(response, 500, { message: "port is taken" }),
    });
    const refused = { code: "docker_refused", message: "port is taken" };
    await expect(engine.startContainer("gateway")).rejects.toMatchObject(refused);
  });

  test("a name never becomes part of the path", async () => {
    const engine = await engineOf({});
    await engine.inspectContainer("../images/json?x").catch(() => undefined);
    expect(fake.seen).toEqual(["GET /containers/..%2Fimages%2Fjson%3Fx/json"]);
  });

  test("silence ends in time", async () => {
    const engine = await engineOf({ "GET /x": () => undefined });
    await expect(engine.request({ path: "/x", patience: 50 })).rejects.toMatchObject({
      code: "docker_timeout",
    });
  });

  test("an answer without end is cut off", async () => {
    const engine = await engineOf({
      "GET /version": (_, response) => {
        response.writeHead(200);
        const write = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(1 << 20, " ")));
        };
        response.on("drain", write);
        write();
      },
      "GET /info": {},
    });
    await expect(engine.describe()).rejects.toMatchObject({ code: "docker_answer_too_large" });
  });
});
