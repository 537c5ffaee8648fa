import { Header } from "tar/header";
import { afterEach, describe, expect, test } from "vitest";
import type { DockerEngine } from "../../lib/docker/engine.ts";
import { FakeEngine, respond } from "./fake-engine.ts";

let fake: FakeEngine;
afterEach(() => fake.stop());

const engineOf = async (answers: Parameters<typeof FakeEngine.start>[0]): Promise<DockerEngine> => {
  fake = await FakeEngine.start(answers);
  return fake.engine;
};

describe("a file of a container", () => {
  const entry = (fields: object, content = ""): Buffer => {
    const size = Buffer.byteLength(content);
    const header = new Header({ path: "k3s.yaml", mode: 0o600, size, type: "File", ...fields });
    header.encode();
    const padding = Buffer.alloc((512 - (size % 512)) % 512);
    return Buffer.concat([header.block!, Buffer.from(content), padding]);
  };
  const end = Buffer.alloc(1024);
  const serving = (...pieces: Buffer[]) =>
    engineOf({
      "GET /containers/gateway/archive": (_, response) => response.end(Buffer.concat(pieces)),
    });

  test("is read whole, by its exact path", async () => {
    const engine = await serving(entry({}, "apiVersion: v1\n"), end);
    const read = await engine.readFile("gateway", "/etc/rancher/k3s/k3s.yaml");
    expect(read.toString()).toBe("apiVersion: v1\n");
    expect(fake.seen).toEqual(["GET /containers/gateway/archive?path=%2Fetc%2Francher%2Fk3s%2Fk3s.yaml"]);
  });

  test.each([
    ["a folder", [entry({ path: "k3s/", type: "Directory" }), entry({}, "x"), end], "not_a_file"],
    ["a link", [entry({ type: "SymbolicLink", linkpath: "/etc/shadow" }), end], "not_a_file"],
    ["two files", [entry({}, "x"), entry({ path: "b" }, "y"), end], "not_a_file"],
    ["one too large", [entry({}, "x".repeat(2000)), end], "file_too_large"],
    ["one that ends early", [entry({}, "x".repeat(900)).subarray(0, 700)], "docker_answer_invalid"],
    ["noise", [Buffer.alloc(4096, "noise")], "docker_answer_invalid"],
    ["nothing", [end], "docker_answer_invalid"],
  ])("%s is refused", async (_name, pieces, code) => {
    const engine = await serving(...pieces);
    await expect(engine.readFile("gateway", "/x", 1000)).rejects.toMatchObject({ code });
  });

  test("that is not there is told from a container that is not there", async () => {
    const answer = (message: string) => ({
      "GET /containers/gateway/archive": (_: unknown, response: Parameters<typeof respond>[0]) =>
        respond(response, 404, { message }),
    });
    const read = (engine: DockerEngine) => engine.readFile("gateway", "/x");
    const file = await engineOf(answer("Could not find the file /x in container gateway"));
    await expect(read(file)).rejects.toMatchObject({ code: "file_not_found" });
    await fake.stop();
    const container = await engineOf(answer("No such container: gateway"));
    await expect(read(container)).rejects.toMatchObject({ code: "container_not_found" });
  });
});
