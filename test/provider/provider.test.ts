import type { ServiceError } from "@grpc/grpc-js";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret, unknown, type Properties } from "../../lib/provider/wire.ts";
import { Driver, initFailureOf } from "./driver.ts";
import { FolderMachine } from "./folder-machine.ts";
import { sent, workspace } from "./specs.ts";

let state: string;
let driver: Driver;

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), "nacre-provider-"));
  driver = await Driver.start(state);
});
afterEach(async () => {
  await driver.leave();
  await new FolderMachine(state).deleteSandbox("dev/assistant");
  rmSync(state, { recursive: true, force: true });
});

const claim = async () =>
  (await driver.resource("Machine", "dev").create({ project: "nacre", environment: "dev" })).id;
const made = async (inputs: Properties) => {
  const { id, outputs } = await driver.resource("Sandbox", "assistant").create(inputs);
  return { id, inputs, outputs };
};
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable("it succeeded"),
    (error: unknown) => error as ServiceError,
  );
const pidOf = () =>
  JSON.parse(readFileSync(join(state, "sandboxes/dev/assistant.json"), "utf8")).pid as number;
const warnings = () => driver.logs.filter(({ severity }) => severity === 2).map(({ message }) => message);

describe("check", () => {
  test("names each property that is wrong", async () => {
    const news = {
      ...sent(),
      machine: "m",
      restart: "sometimes",
      seccomp: "{}",
      ports: [{ inside: 0, outside: 0 }],
      extra: 1,
    };
    const { failures } = await driver.resource("Sandbox", "assistant").check(news);
    expect(Object.keys(failures).sort()).toEqual(["", "ports.0.inside", "restart", "seccomp"]);
    expect(failures[""]).toContain("extra");
  });

  test("leaves what only the real run will know", async () => {
    const news = { ...sent(), machine: unknown };
    const { inputs, failures } = await driver.resource("Sandbox", "assistant").check(news);
    expect(failures).toEqual({});
    expect(inputs["machine"]).toBe(unknown);
  });

  test("takes no secret value, and does not repeat it", async () => {
    const command = ["run", new Secret("hunter2")];
    const news = { ...sent(), machine: "m", agent: { kind: "command", command, env: {} } };
    const { failures } = await driver.resource("Sandbox", "assistant").check(news);
    expect(failures["agent"]).toContain("host.yaml");
    expect(JSON.stringify(failures)).not.toContain("hunter2");
  });
});

describe("diff", () => {
  const inputs = { ...sent(), machine: "m" };

  test("of equal inputs is none", async () => {
    const { changed } = await driver.resource("Sandbox", "assistant").diff("dev/assistant", inputs, inputs);
    expect(changed).toBe(false);
    expect(driver.logs).toEqual([]);
  });

  test("of network rules is a live update, told to the very value", async () => {
    const network = {
      github: { ...inputs.network["github"], endpoints: [{ host: "api.github.com", port: 443 }] },
      "a.b": { endpoints: [] },
    };
    const diff = await driver
      .resource("Sandbox", "assistant")
      .diff("dev/assistant", inputs, { ...inputs, network });
    expect(diff).toEqual({
      changed: true,
      detail: { "network.github.endpoints[0].host": "UPDATE", 'network["a.b"]': "ADD" },
      replaces: [],
    });
    expect(driver.logs).toEqual([]);
  });

  test("of a wall says that it restarts the agent", async () => {
    const news = { ...inputs, walls: { files: "best_effort", syscalls: "required" } };
    const diff = await driver.resource("Sandbox", "assistant").diff("dev/assistant", inputs, news);
    expect(diff).toMatchObject({ detail: { "walls.files": "UPDATE" }, replaces: [] });
    expect(driver.logs.map(({ message }) => message)).toEqual(["restarts the agent (walls)"]);
  });

  test("of the name makes it another sandbox", async () => {
    const diff = await driver
      .resource("Sandbox", "assistant")
      .diff("dev/assistant", inputs, { ...inputs, name: "other" });
    expect(diff).toMatchObject({ detail: { name: "UPDATE_REPLACE" }, replaces: ["name"] });
  });
});

describe("a preview", () => {
  test("starts nothing, writes nothing, and leaves open what only the machine knows", async () => {
    const preview = await driver
      .resource("Sandbox", "assistant")
      .create({ ...sent(), machine: unknown }, { preview: true });
    expect(preview.outputs).toMatchObject({
      machine: unknown,
      generation: unknown,
      published: unknown,
      restart: "always",
    });
    expect(readdirSync(state)).toEqual([]);
  });

  test("warns of what the real run would refuse", async () => {
    const agent = { kind: "kit", kit: "openclaw", version: "1.0.0" } as const;
    await driver
      .resource("Sandbox", "assistant")
      .create({ ...sent({ agent }), machine: unknown }, { preview: true });
    expect(warnings()).toEqual(["up will refuse: it runs commands only"]);
  });

  test("of a wall's change leaves the generation open, of a network rule's keeps it", async () => {
    const inputs = { ...sent(), machine: await claim() };
    const old = await made(inputs);
    const resource = driver.resource("Sandbox", "assistant");
    const wall = await resource.update(old.id, old, { ...inputs, restart: "never" }, { preview: true });
    expect(wall).toMatchObject({ generation: unknown, restart: "never" });
    const rule = await resource.update(old.id, old, { ...inputs, network: {} }, { preview: true });
    expect(rule).toMatchObject({ generation: 1, network: {} });
  });
});

describe("on its own machine", () => {
  test("a sandbox is created, found again by its id alone, updated and deleted", async () => {
    const inputs = { ...sent(), machine: await claim() };
    const resource = driver.resource("Sandbox", "assistant");
    const first = await resource.create(inputs);
    expect(first).toMatchObject({ id: "dev/assistant", refreshes: true });
    expect(first.outputs).toEqual({
      ...inputs,
      generation: 1,
      published: [{ inside: 8080, outside: 48_080 }],
    });
    const agent = pidOf();

    expect((await resource.create(inputs)).outputs["generation"]).toBe(1);
    expect(pidOf()).toBe(agent);
    expect(await resource.read("dev/assistant")).toEqual({ id: first.id, inputs, outputs: first.outputs });

    const news = { ...inputs, restart: "never" };
    const second = await resource.update(first.id, { inputs, outputs: first.outputs }, news);
    expect(second).toMatchObject({ generation: 2, restart: "never" });
    await resource.delete(first.id, { inputs: news, outputs: second });
    await resource.delete(first.id, { inputs: news, outputs: second });
    expect((await resource.read("dev/assistant")).id).toBe("");
  });

  test("what commands said is told beside it, and is no difference and no failure", async () => {
    const old = await made({ ...sent(), machine: await claim() });
    const said = { live: ["rule b: added by command"], conflicts: ["rule a: both changed it"] };
    writeFileSync(join(state, "live.json"), JSON.stringify(said));
    const resource = driver.resource("Sandbox", "assistant");
    expect(await resource.read(old.id, old)).toEqual(old);
    expect(driver.logs.slice(-2).map(({ severity, message }) => [severity, message])).toEqual([
      [1, "rule b: added by command"],
      [2, "rule a: both changed it"],
    ]);
    expect((await resource.diff(old.id, old.inputs, old.inputs)).changed).toBe(false);
  });

  test("a sandbox that died is told as such, and can still be deleted", async () => {
    const old = await made({ ...sent(), machine: await claim() });
    process.kill(pidOf(), "SIGKILL");
    await new Promise((done) => setTimeout(done, 100));
    const resource = driver.resource("Sandbox", "assistant");
    const error = await failureOf(resource.read(old.id, old));
    expect(initFailureOf(error)).toMatchObject({
      id: old.id,
      reasons: ["its process ended"],
      inputs: old.inputs,
    });
    await resource.delete(old.id, old);
    expect((await resource.read(old.id, old)).id).toBe("");
  });

  test("a sandbox that does not become ready keeps its identity", async () => {
    const inputs = {
      ...sent({ agent: { kind: "command", command: ["false"], env: {} } }),
      machine: await claim(),
    };
    const error = await failureOf(made(inputs));
    expect(initFailureOf(error)).toEqual({
      id: "dev/assistant",
      reasons: ["its process ended"],
      inputs,
      outputs: { ...inputs, generation: 1, published: [{ inside: 8080, outside: 48_080 }] },
      refreshes: true,
    });
  });

  test("a workspace is created, read and deleted", async () => {
    const inputs = { ...workspace(), machine: await claim() };
    const resource = driver.resource("Workspace", "assistant");
    const { id, outputs } = await resource.create(inputs);
    expect(await resource.read(id, { inputs, outputs })).toEqual({
      id: "dev/assistant",
      inputs,
      outputs: inputs,
    });
    await resource.delete(id, { inputs, outputs });
    expect((await resource.read(id, { inputs, outputs })).id).toBe("");
  });
});

describe("on another machine", () => {
  test("what is recorded stays unaltered and is called unobserved", async () => {
    const old = await made({ ...sent(), machine: await claim() });
    writeFileSync(join(state, "machine"), "another");
    expect(await driver.resource("Sandbox", "assistant").read(old.id, old)).toEqual(old);
    expect(warnings()).toEqual([expect.stringContaining("unobserved: sandbox dev/assistant")]);
  });

  test("create, update and delete are refused and name the way out", async () => {
    const owner = await claim();
    const old = await made({ ...sent(), machine: owner });
    writeFileSync(join(state, "machine"), "another");
    const resource = driver.resource("Sandbox", "assistant");
    const wayOut = `nacre forget --machine ${owner}`;
    await expect(resource.create(old.inputs)).rejects.toThrow(wayOut);
    await expect(resource.update(old.id, old, { ...old.inputs, network: {} })).rejects.toThrow(wayOut);
    await expect(resource.delete(old.id, old)).rejects.toThrow(wayOut);
    const folder = { ...workspace("second"), machine: owner };
    await expect(driver.resource("Workspace", "second").create(folder)).rejects.toThrow(wayOut);
    expect(process.kill(pidOf(), 0)).toBe(true);
    expect(readdirSync(state).sort()).toEqual(["machine", "sandboxes"]);
  });

  test("a record of another machine is not taken over by inputs that name this one", async () => {
    const owner = await claim();
    const old = await made({ ...sent(), machine: owner });
    writeFileSync(join(state, "machine"), "another");
    const here = { ...old.inputs, network: {}, machine: "another" };
    const moved = driver.resource("Sandbox", "assistant").update(old.id, old, here);
    await expect(moved).rejects.toThrow(`nacre forget --machine ${owner}`);
    expect(process.kill(pidOf(), 0)).toBe(true);
  });

  test("a workspace stays: neither update nor delete reaches it", async () => {
    const owner = await claim();
    const inputs = { ...workspace(), machine: owner };
    const resource = driver.resource("Workspace", "assistant");
    const { id, outputs } = await resource.create(inputs);
    writeFileSync(join(state, "machine"), "another");
    const wayOut = `nacre forget --machine ${owner}`;
    await expect(resource.delete(id, { inputs, outputs })).rejects.toThrow(wayOut);
    const here = { ...inputs, machine: "another" };
    await expect(resource.update(id, { inputs, outputs }, here)).rejects.toThrow(wayOut);
    expect(readdirSync(join(state, "workspaces", "dev"))).toEqual(["assistant.json"]);
    // What lives there under the same name is another machine's, and no reading of this one.
    expect(await resource.read(id, { inputs, outputs })).toEqual({ id, inputs, outputs });
    expect(warnings()).toEqual([expect.stringContaining("unobserved: workspace dev/assistant")]);
  });

  test("a state directory that was never used counts as another machine", async () => {
    const old = await made({ ...sent(), machine: await claim() });
    rmSync(join(state, "machine"));
    expect(await driver.resource("Sandbox", "assistant").read(old.id, old)).toEqual(old);
    expect(warnings()).toEqual([expect.stringContaining("never used")]);
  });
});

describe("the process", () => {
  test("ends with the engine", async () => {
    expect(await driver.leave()).toBe(0);
  });

  test("acknowledges a cancellation and stops waiting", async () => {
    await driver.leave();
    process.env["SLOW"] = "60000";
    driver = await Driver.start(state);
    delete process.env["SLOW"];
    const inputs = { ...sent(), machine: await claim() };
    const refusal = expect(made(inputs)).rejects.toThrow(/abort/);
    while (!driver.logs.some(({ ephemeral }) => ephemeral)) await new Promise((done) => setTimeout(done, 20));
    const { Empty } = await import("../../lib/provider/protocol.ts");
    await driver.call("cancel", new Empty());
    await refusal;
  });
});
