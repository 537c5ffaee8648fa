import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { identify, isAlive } from "../../lib/host/process-identity.ts";
import { eventually, machine, users } from "./machine.ts";
import { address, outsideServer } from "./outside-server.ts";
import { countingServer, firstLineOf, shell } from "./programs.ts";
import { agentSpec as spec, withCredential } from "./specs.ts";

const id = "dev/assistant";

/** A sandbox that was refused a server, and how it asks that one again. */
async function refused(user: (typeof users)[number]) {
  const host = machine(user);
  const server = await outsideServer();
  host.operator(server.grants);
  await host.create(spec());
  const greeting = async () => (await host.run(id, firstLineOf(address, server.port))).stdout;
  expect(await greeting()).not.toBe("hello from outside");
  const [denial] = await host.call("denials", { id });
  return { host, server, greeting, denial };
}

describe.each(users)("as %s", (user) => {
  test("a sandbox stands behind four walls, and what is exec'd behind the same", async () => {
    const host = machine(user);
    const reading = await host.create(spec());
    expect(reading).toMatchObject({ running: true, generation: 1, problems: [] });
    const [status] = await host.call("status", { id, probe: true });
    expect(status).toMatchObject({ phase: "running", problems: [] });
    expect(status?.walls.map(({ wall, holds }) => [wall, holds])).toEqual([
      ["files", true],
      ["syscalls", true],
      ["network", true],
      ["credentials", true],
    ]);
    expect(status?.probes?.filter(({ refused }) => !refused)).toEqual([]);
    expect(status?.probes?.length).toBeGreaterThan(5);
    expect(status?.exec).toMatchObject({ same: true, differences: [] });
    expect(status?.exec?.compared.length).toBeGreaterThan(15);
    const uid = status?.walls[1]?.measurements.find(({ what }) => what === "uid outside")?.value;
    expect(uid).toBe(String(host.record(id).identity.agent.uid));
    expect(uid).not.toBe("0");
  });

  test("the workspace outlives the sandbox, and goes when it is asked for", async () => {
    const host = machine(user);
    await host.create(spec());
    const data = join(host.state, "workspaces/dev--assistant/data");
    const listed = (used: boolean) => [{ id, project: "test", used, data }];
    expect(await host.call("workspace.list", {})).toEqual(listed(true));
    expect(await host.run(id, shell("echo kept > note; id -u; pwd"))).toMatchObject({
      code: 0,
      stdout: "1000\n/sandbox\n",
    });
    await expect(host.call("workspace.delete", { id })).rejects.toMatchObject({ code: "workspace_in_use" });
    await host.call("sandbox.delete", { id });
    expect(await host.call("sandbox.read", { id })).toBeNull();
    await host.create(spec());
    expect((await host.run(id, shell("cat note"))).stdout).toBe("kept\n");
    await host.call("sandbox.delete", { id });
    expect(await host.call("workspace.list", {})).toEqual(listed(false));
    await host.call("workspace.delete", { id });
    expect(await host.call("workspace.list", {})).toEqual([]);
    expect(await host.call("workspace.read", { id })).toBeNull();
  });

  test("an allowed server answers, a denied one gets no connection", async () => {
    const host = machine(user);
    const [allowed, denied] = [await outsideServer(), await outsideServer()];
    host.operator(allowed.grants);
    await host.create(spec({ network: allowed.rule }));
    expect((await host.run(id, firstLineOf(address, allowed.port))).stdout).toBe("hello from outside");
    expect((await host.run(id, firstLineOf(address, denied.port))).code).toBe(1);
    expect(denied.connections()).toBe(0);
    const [denial] = await host.call("denials", { id });
    expect(denial).toMatchObject({
      host: address,
      port: denied.port,
      layer: "network",
      fix: expect.any(String),
    });
  });

  test("what the probes try is in the audit, and is no denial of the agent's; the agent's own try of the same is", async () => {
    const host = machine(user);
    await host.create(spec());
    await host.call("status", { id, probe: true });
    expect(await host.call("denials", { id })).toEqual([]);
    const audit = readFileSync(join(host.state, "egress/dev--assistant/audit-refused.jsonl"), "utf8");
    expect(audit).toContain('"host":"169.254.169.254","port":80,"binary":"/.nacre/probe"');
    await host.run(id, firstLineOf("169.254.169.254", 80));
    expect(await host.call("denials", { id })).toMatchObject([{ host: "169.254.169.254", port: 80 }]);
  });

  test("the logs and the audit of a removed sandbox stay, of the last three", async () => {
    const host = machine(user);
    const command = shell("echo said; exec sleep 1000");
    const agent = { kind: "command", command, env: {} } as const;
    const records = join(host.state, "records", "dev--assistant");
    for (let count = 0; count < 4; count++) {
      await host.create(spec({ agent }));
      await host.run(id, firstLineOf("192.0.2.7", 443));
      await eventually(
        () => readFileSync(join(host.state, "sandboxes/dev--assistant/logs/agent.log"), "utf8"),
        (log) => log.includes("said"),
      );
      await host.call("sandbox.delete", { id });
    }
    expect(readdirSync(join(host.state, "sandboxes"))).toEqual([]);
    const kept = readdirSync(records).sort();
    expect(kept).toHaveLength(3);
    const last = join(records, kept.at(-1) ?? "");
    expect(readFileSync(join(last, "audit-refused.jsonl"), "utf8")).toContain("192.0.2.7");
    expect(readFileSync(join(last, "agent.log"), "utf8")).toContain("said");
    for (const path of readdirSync(last).map((name) => join(last, name)))
      expect([statSync(path).uid, statSync(path).mode & 0o777]).toEqual([host.uid, 0o600]);
  });

  test("allow, block and unblock are live, and outlast a restart and an update", async () => {
    const { host, server, greeting, denial } = await refused(user);
    const { allow } = await host.call("allow", { id, what: { denial: denial?.id ?? "" }, seconds: 600 });
    expect(allow).toMatchObject({ host: address, port: server.port });
    expect(await greeting()).toBe("hello from outside");
    await host.call("block", { id, what: { all: true } });
    expect(await greeting()).not.toBe("hello from outside");
    await host.kill(await host.daemonPid());
    expect(await greeting()).not.toBe("hello from outside");
    await host.call("sandbox.update", { spec: spec({ restart: "on-failure" }) });
    await host.call("unblock", { id, what: { all: true } });
    expect(await greeting()).toBe("hello from outside");
    const [status] = await host.call("status", { id });
    expect(status).toMatchObject({ allows: [{ host: address }], blocks: [], generation: 2 });
  });

  test("an allow that is taken back is closed at once, by its own id, its denial's or its host", async () => {
    const { host, server, greeting, denial } = await refused(user);
    const where = { host: address, port: server.port };
    for (const meant of ["allow", "denial", "host"] as const) {
      const { allow } = await host.call("allow", { id, what: where });
      expect(await greeting()).toBe("hello from outside");
      const what = { allow: { id: allow.id }, denial: { id: denial?.id ?? "" }, host: { host: address } };
      expect(await host.call("disallow", { id, what: what[meant] })).toMatchObject({ ended: [allow] });
      expect(await greeting()).not.toBe("hello from outside");
    }
    await expect(host.call("disallow", { id, what: where })).rejects.toMatchObject({ code: "allow_unknown" });
  });

  test("what the address guard refuses is not allowed live, and its denial offers no rule", async () => {
    const host = machine(user);
    const server = await outsideServer();
    await host.create(spec());
    expect((await host.run(id, firstLineOf(address, server.port))).code).toBe(1);
    expect((await host.run(id, firstLineOf("169.254.169.254", 80))).code).toBe(1);
    expect((await host.run(id, ["getent", "hosts", "denied.example"])).code).toBe(2);
    const denials = await host.call("denials", { id });
    const grant = `{ host: ${address}, cidr: ${address}/32, port: ${server.port} }`;
    const named = denials.find(({ host: name }) => name === "denied.example");
    expect(named).toMatchObject({
      fix: `nacre allow ${id} ${named?.id}`,
      allow: { host: "denied.example", port: 443 },
    });
    expect(denials.find(({ host: name }) => name === address)).toMatchObject({
      fix: expect.stringMatching(/add to \S+host\.yaml: grants: /),
      allow: null,
    });
    expect(denials.find(({ host: name }) => name === address)?.fix).toContain(grant);
    expect(denials.find(({ port }) => port === 80)).toMatchObject({
      fix: expect.stringMatching(/^none: /),
      allow: null,
    });
    for (const denial of denials.filter(({ allow }) => allow === null))
      await expect(host.call("allow", { id, what: { denial: denial.id } })).rejects.toMatchObject({
        code: "address_guarded",
      });
    host.operator(server.grants);
    const granted = (await host.call("denials", { id })).find(({ host: name }) => name === address);
    expect(granted?.allow).toMatchObject({ port: server.port });
    await host.call("allow", { id, what: { denial: granted?.id ?? "" } });
    expect((await host.run(id, firstLineOf(address, server.port))).stdout).toBe("hello from outside");
  });

  test("the denial of a request opens exactly that request, beside others of its host", async () => {
    const host = machine(user);
    await host.create(spec());
    const where = { host: "api.example.com", port: 443 };
    const denied = (of: string, path: string) => ({
      ...{
        time: new Date().toISOString(),
        kind: "connect",
        verdict: "deny",
        id: of,
        ...where,
        layer: "http",
      },
      ...{ reason: `no rule allows GET ${path}`, policy: "0", revision: 0, prev: "0".repeat(64) },
      fix: { text: "allow it", allow: { ...where, method: "GET", path } },
    });
    const lines = [denied("00000001", "/a"), denied("00000002", "/b"), denied("00000003", "/a/../b")];
    appendFileSync(
      join(host.state, "egress/dev--assistant/audit.jsonl"),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
    const found = await host.call("denials", { id });
    expect(found.map(({ allow }) => allow)).toEqual(lines.map(({ fix }) => fix.allow));
    const { allow } = await host.call("allow", { id, what: { denial: "00000001" } });
    expect(allow).toMatchObject({ ...where, method: "GET", path: "/a" });
    await host.call("allow", { id, what: { denial: "00000002" } });
    await host.call("allow", { id, what: { denial: "00000002" } });
    // What is not canonical would never match what is forwarded: refused, and nothing stays of it.
    await expect(host.call("allow", { id, what: { denial: "00000003" } })).rejects.toMatchObject({
      code: "policy_invalid",
    });
    const allows = async () => (await host.call("status", { id }))[0]?.allows.map(({ path }) => path);
    expect(await allows()).toEqual(["/a", "/b"]);
    await host.call("disallow", { id, what: { id: "00000001" } });
    expect(await allows()).toEqual(["/b"]);
    const half = { ...where, method: "GET" };
    await expect(host.call("allow", { id, what: half })).rejects.toMatchObject({ code: "request_invalid" });
  });

  test("unblock says whether there was such a block, and what is left", async () => {
    const host = machine(user);
    await host.create(spec());
    await host.call("block", { id, what: { host: "a.example" } });
    expect(await host.call("unblock", { id, what: { host: "b.example" } })).toMatchObject({
      ended: false,
      blocks: [{ host: "a.example" }],
    });
    expect((await host.run(id, ["getent", "hosts", "a.example"])).code).toBe(2);
    const [denial] = await host.call("denials", { id });
    expect(denial).toMatchObject({ fix: `nacre unblock ${id} 'a.example'`, allow: null });
    expect(await host.call("unblock", { id, what: { host: "a.example" } })).toMatchObject({
      ended: true,
      blocks: [],
    });
  });

  test("a network change is live, a wall change restarts, and two process trees never run", async () => {
    const host = machine(user);
    const agent = { kind: "command", command: countingServer(8080), env: {} } as const;
    await host.create(spec({ agent }));
    const before = host.record(id);
    const network = { one: { endpoints: [{ host: "example.com", port: 443 }] } };
    expect(await host.call("sandbox.update", { spec: spec({ agent, network }) })).toMatchObject({
      generation: 1,
      problems: [],
    });
    expect(host.record(id).init).toEqual(before.init);
    const resources = { pids: 100 };
    expect(await host.call("sandbox.update", { spec: spec({ agent, network, resources }) })).toMatchObject({
      generation: 2,
      running: true,
      problems: [],
    });
    expect(before.init !== null && isAlive(before.init)).toBe(false);
    expect((await host.run(id, shell("wc -l < starts"))).stdout.trim()).toBe("2");
  });

  test("a generation that cannot start stays stopped, says why, and the next update mends it", async () => {
    const host = machine(user);
    await host.create(spec());
    const broken = spec({ agent: { kind: "command", command: ["/no/such/program"], env: {} } });
    const reading = await host.call("sandbox.update", { spec: broken });
    expect(reading).toMatchObject({
      running: false,
      problems: [expect.stringContaining("/no/such/program")],
    });
    await expect(host.run(id, ["true"])).rejects.toMatchObject({ code: "sandbox_stopped" });
    expect(await host.call("sandbox.update", { spec: spec() })).toMatchObject({
      running: true,
      problems: [],
    });
  });

  test("an agent that ends at once is a problem that says how", async () => {
    const host = machine(user);
    const reading = await host.create(spec({ agent: { kind: "command", command: ["/bin/false"], env: {} } }));
    expect(reading).toMatchObject({
      running: true,
      problems: [expect.stringContaining("ended with code 1")],
    });
  });

  test("a published port answers on loopback, and keeps its number", async () => {
    const host = machine(user);
    const agent = { kind: "command", command: countingServer(8080), env: {} } as const;
    const ports = [{ inside: 8080, outside: 0 }];
    const { published } = await host.create(spec({ agent, ports }));
    const outside = published[0]?.outside ?? 0;
    const answer = async () => (await fetch(`http://127.0.0.1:${outside}/`)).text();
    expect(
      await eventually(
        () => answer().catch(String),
        (text) => text === "agent here",
      ),
    ).toBe("agent here");
    const again = await host.call("sandbox.update", {
      spec: spec({ agent, ports, resources: { pids: 200 } }),
    });
    expect(again.published).toEqual(published);
    expect(
      await eventually(
        () => answer().catch(String),
        (text) => text === "agent here",
      ),
    ).toBe("agent here");
  });
});

describe("what may not be is refused, and nothing is half made", () => {
  const [user] = users;

  test("a port that another sandbox or program has", async () => {
    const host = machine(user);
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const taken = (server.address() as AddressInfo).port;
    const ports = [{ inside: 8080, outside: taken }];
    await expect(host.create(spec({ ports }))).rejects.toMatchObject({
      code: "port_in_use",
      message: expect.stringContaining("another program"),
    });
    expect(await host.call("sandbox.read", { id })).toBeNull();
    await new Promise((resolve) => server.close(resolve));
    expect(await host.create(spec({ ports }))).toMatchObject({ published: ports });
    await expect(host.create(spec({ name: "other", workspace: "dev/other", ports }))).rejects.toMatchObject({
      code: "port_in_use",
      message: expect.stringContaining("sandbox dev/assistant has it"),
    });
  });

  test("a name that another project has", async () => {
    const host = machine(user);
    await host.create(spec());
    await expect(host.create(spec({ project: "another" }))).rejects.toMatchObject({
      code: "name_in_use",
      message: expect.stringContaining("project test"),
    });
    await expect(host.call("sandbox.update", { spec: spec({ project: "another" }) })).rejects.toMatchObject({
      code: "name_in_use",
    });
    expect(await host.call("sandbox.read", { id })).toMatchObject({
      spec: { project: "test" },
      running: true,
    });
  });

  test("a secret that is not mapped, or that would go elsewhere", async () => {
    const host = machine(user);
    const inference = withCredential("https://models.example/v1");
    await expect(host.create(spec({ inference }))).rejects.toMatchObject({ code: "secret_unmapped" });
    host.operator("secrets:\n  key: { file: /none, for: [other.example], use: ['*/*'] }\n");
    await expect(host.create(spec({ inference }))).rejects.toMatchObject({ code: "secret_elsewhere" });
    expect(await host.call("sandbox.read", { id })).toBeNull();
  });

  test("a corrupt record: an error that names it, and the others go on", async () => {
    const host = machine(user);
    await host.create(spec());
    await host.create(spec({ name: "other", workspace: "dev/other" }));
    await host.kill(await host.daemonPid());
    const path = join(host.state, "sandboxes", "dev--assistant", "sandbox.json");
    const good = readFileSync(path, "utf8");
    writeFileSync(path, good.slice(0, 100));
    const corrupt = { code: "state_corrupt", subject: path };
    await expect(host.call("sandbox.read", { id })).rejects.toMatchObject(corrupt);
    await expect(host.call("sandbox.update", { spec: spec() })).rejects.toMatchObject(corrupt);
    await expect(host.call("sandbox.delete", { id })).rejects.toMatchObject(corrupt);
    // What is asked for by host cannot be done without its policy, and the error says what can.
    const hint = `nacre block ${id} --all ends its processes`;
    await expect(host.call("block", { id, what: { host: "a.example.com" } })).rejects.toMatchObject({
      ...corrupt,
      hint,
    });
    expect(await host.call("sandbox.read", { id: "dev/other" })).toMatchObject({ running: true });
    writeFileSync(path, good);
    await host.kill(await host.daemonPid());
    expect(await host.call("sandbox.read", { id })).toMatchObject({ running: true, generation: 1 });
  });

  test("a corrupt record: the emergency stop ends what runs of it, and holds when it is mended", async () => {
    const host = machine(user);
    await host.create(spec());
    const [status] = await host.call("status", { id });
    const init = identify(status?.init?.pid ?? 0);
    if (init === undefined) throw new Error("it does not run");
    await host.kill(await host.daemonPid());
    const path = join(host.state, "sandboxes", "dev--assistant", "sandbox.json");
    const good = readFileSync(path, "utf8");
    writeFileSync(path, good.slice(0, 100));
    expect(isAlive(init)).toBe(true);
    expect(await host.call("block", { id, what: { all: true } })).toMatchObject({ stopped: true });
    expect(isAlive(init)).toBe(false);
    writeFileSync(path, good);
    await host.kill(await host.daemonPid());
    expect(await host.call("status", { id })).toMatchObject([{ blocks: [{ all: true }] }]);
  });
});
