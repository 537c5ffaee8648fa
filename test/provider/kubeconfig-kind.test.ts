import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { DockerGateways } from "../../lib/provider/docker-gateways.ts";
import { kubeconfigKind } from "../../lib/provider/kubeconfig-kind.ts";
import type { Observed } from "../../lib/provider/kind.ts";
import { FakeK3s } from "../gateway/fake-k3s.ts";
import { unknown } from "../../lib/provider/wire.ts";
import { DrivenResource, Driver } from "./driver.ts";

let k3s: FakeK3s;
let state: string;
let said: string[];
beforeEach(async () => {
  k3s = await FakeK3s.start();
  state = mkdtempSync(join(tmpdir(), "nacre-gateways-"));
  said = [];
});
afterEach(async () => {
  await k3s.stop();
  rmSync(state, { recursive: true });
});

const controller = () => new AbortController().signal;
const call = () => ({
  urn: "urn:x",
  name: "nacre-dev",
  signal: controller(),
  log: (severity: string, message: string) => said.push(`${severity}: ${message}`),
});
const kind = (patience = 10_000) => kubeconfigKind(new DockerGateways(state, patience));
const spec = () => ({ container: "nacre-dev", port: k3s.port, docker: k3s.docker, instance: k3s.id });
const path = () => join(state, "gateways/nacre-dev/kubeconfig");
const recorded = ({ id, inputs, outputs }: Observed) => ({ id, inputs, outputs });

test("it is written for this user alone, once the API server says to its administrator that it is ready", async () => {
  const made = await kind().create(spec(), call());
  expect(made.problems).toEqual([]);
  expect(made.outputs).toMatchObject({ path: path(), server: `https://127.0.0.1:${k3s.port}` });
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  for (const folder of [state, join(state, "gateways"), join(state, "gateways/nacre-dev")])
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(parse(readFileSync(path(), "utf8")).clusters[0].cluster.server).toBe(
    `https://127.0.0.1:${k3s.port}`,
  );
  expect(k3s.clients).toEqual(["system:admin"]);
});

test("nothing of it is among inputs and outputs", async () => {
  const made = await kind().create(spec(), call());
  const text = JSON.stringify([made, said]);
  const key = k3s.authority.read("admin.key");
  const forms = [key, key.split("\n")[1]!, Buffer.from(key).toString("base64")];
  for (const form of forms) expect(text).not.toContain(form);
  const planted = JSON.stringify([made, { planted: Buffer.from(key).toString("base64") }]);
  expect(forms.some((form) => planted.includes(form))).toBe(true);
});

test("it waits with a word on what for: the file, then the API server", async () => {
  k3s.file = undefined;
  k3s.readyz = { status: 500, body: "[+]ping ok\n[-]etcd failed: reason withheld\n" };
  const made = kind().create(spec(), call());
  setTimeout(() => (k3s.file = k3s.authority.kubeconfig), 1200);
  setTimeout(() => (k3s.readyz = { status: 200, body: "ok" }), 2400);
  expect((await made).problems).toEqual([]);
  expect(said.join("\n")).toMatch(/progress: K3s is starting \(0 s\)[^]*\[-\]etcd failed/);
});

test("one that is not ready in time is a problem, and keeps its identity for the next up", async () => {
  k3s.readyz = { status: 500, body: "[-]etcd failed\n" };
  const made = await kind(100).create(spec(), call());
  expect(made).toMatchObject({
    id: "nacre-dev",
    problems: [expect.stringMatching(/not ready after 0 s: .*etcd failed.*nacre gateway logs/)],
  });
  expect(existsSync(path())).toBe(false);
  k3s.readyz = { status: 200, body: "ok" };
  expect((await kind().update(recorded(made), spec(), call())).problems).toEqual([]);
});

test("a container that keeps ending is not waited for", async () => {
  k3s.state = { Status: "restarting", Running: true, ExitCode: 1 };
  k3s.restarts = 3;
  const { problems } = await kind().create(spec(), call());
  expect(problems).toEqual([expect.stringMatching(/it ended 3 times: exit code 1/)]);
});

test("a server that another authority signed is never spoken to", async () => {
  const other = await FakeK3s.start();
  const { problems } = await kind(100).create({ ...spec(), port: other.port }, call());
  expect(problems[0]).toMatch(/does not answer: .*(CERT|SIGNATURE|verify)/i);
  expect(other.clients).toEqual([]);
  await other.stop();
});

test("how it is, as read: well, stopped, without its file, open to others, stale, another cluster, gone, unobserved", async () => {
  const made = recorded(await kind().create(spec(), call()));
  const read = async () => {
    const found = await kind().read(made, call());
    return typeof found === "string" ? found : found.problems;
  };
  expect(await read()).toEqual([]);

  k3s.state = { Status: "exited", Running: false, ExitCode: 137 };
  expect(await read()).toEqual(["its container is stopped (exit code 137)"]);
  k3s.state = { Status: "running", Running: true, ExitCode: 0 };

  chmodSync(path(), 0o644);
  expect(await read()).toEqual([`others may read its kubeconfig: ${path()}`]);
  writeFileSync(path(), "server: elsewhere\n", { mode: 0o600 });
  chmodSync(path(), 0o600);
  expect(await read()).toEqual(["its kubeconfig is not what the cluster says now"]);
  rmSync(path());
  expect(await read()).toEqual([`its kubeconfig is missing: ${path()}`]);
  expect((await kind().update(made, spec(), call())).problems).toEqual([]);
  expect(await read()).toEqual([]);

  const other = await FakeK3s.start();
  k3s.file = other.authority.kubeconfig;
  await other.stop();
  expect(await read()).toEqual([
    "its kubeconfig is not what the cluster says now",
    expect.stringMatching(/^it is another cluster now \(k3s-.*: its data was lost or replaced/),
  ]);

  k3s.exists = false;
  expect(await read()).toBe("gone");
  const elsewhere = { ...made, inputs: { ...made.inputs, docker: `unix://${state}/none.sock` } };
  expect(await kind().read(elsewhere, call())).toBe("unobserved");
  expect(said.at(-1)).toMatch(/unobserved: gateway nacre-dev: .*no such socket/);
});

test("a stopped container is started again by the next up", async () => {
  const made = recorded(await kind().create(spec(), call()));
  k3s.state = { Status: "exited", Running: false, ExitCode: 0 };
  expect((await kind().update(made, spec(), call())).problems).toEqual([]);
  expect(said).toContain("progress: starting its container");
});

test("deleting takes the file away, twice too", async () => {
  const made = recorded(await kind().create(spec(), call()));
  await kind().delete(made, call());
  expect(existsSync(join(state, "gateways/nacre-dev"))).toBe(false);
  await kind().delete(made, call());
});

test("a name is no way out of the state directory", () => {
  expect(kind().inputs.safeParse({ ...spec(), container: "../../etc" }).success).toBe(false);
});

test("another name is another kubeconfig; another port leaves its address open", () => {
  const change = (root: string) => ({ path: root, root, kind: "update" as const });
  expect(kind().effect([change("container")])).toMatchObject({ replaces: ["container"] });
  expect(kind().effect([change("port")])).toMatchObject({ replaces: [], unsettled: ["server"] });
  expect(kind().effect([change("instance")])).toMatchObject({ replaces: [], unsettled: [] });
});

test("a preview asks no engine, and knows no output", async () => {
  const driver = await Driver.start(state);
  const resource = new DrivenResource(driver, "nacre:gateway:Kubeconfig", "nacre-dev");
  const inputs = { ...spec(), docker: "unix:///nowhere.sock", instance: unknown };
  expect(await resource.check(inputs)).toEqual({ inputs, failures: {} });
  const { outputs } = await resource.create(inputs, { preview: true });
  expect(outputs).toEqual({ ...inputs, path: unknown, clusterIdentifier: unknown, server: unknown });
  expect(await driver.leave()).toBe(0);
});
