import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { NetworkPolicies } from "../../lib/policy/language.ts";
import { eventually, machine, users } from "./machine.ts";
import { nacre } from "./nacre.ts";
import { address, outsideServer } from "./outside-server.ts";
import { firstLineOf } from "./programs.ts";
import { agentSpec as spec } from "./specs.ts";

const id = "dev/assistant";
const hello = "hello from outside";
const rule = (port: number) => ({ endpoints: [{ host: address, port, protocol: "tcp" as const }] });

/** A sandbox whose blueprint has this network, and two servers outside that the operator granted. */
async function stage(
  user: (typeof users)[number],
  network: (a: number, b: number) => NetworkPolicies = () => ({}),
) {
  const host = machine(user);
  const [a, b] = [await outsideServer(), await outsideServer()];
  host.operator(a.grants + b.grants.replace("grants:\n", ""));
  const description = spec({ network: network(a.port, b.port) });
  expect(await host.create(description)).toMatchObject({ running: true, problems: [] });
  const file = join(host.state, "sandboxes/dev--assistant/overrides.json");
  return {
    host,
    a,
    b,
    description,
    file,
    reach: async (server: { readonly port: number }) =>
      (await host.run(id, firstLineOf(address, server.port))).stdout,
    set: (to: NetworkPolicies, wait?: number) =>
      host.call("policy.set", { id, network: to, ...(wait === undefined ? {} : { wait }) }),
    up: (to: NetworkPolicies) => host.call("sandbox.update", { spec: { ...description, network: to } }),
    wanted: () => host.call("policy.get", { id }),
    history: async () => (await host.call("policy.history", { id })).revisions,
    onDisk: () => JSON.parse(readFileSync(file, "utf8")),
    egressPid: async () => (await host.call("status", { id }))[0]?.egress.pid ?? 0,
  };
}

/** An open connection that ends with 7 when it is cut. */
const holding = (port: number): string[] => [
  "/opt/nacre/node/bin/node",
  "-e",
  `const s = require("net").connect(${port}, "${address}"); s.on("data", () => {}); s.on("error", () => {}); s.on("close", () => process.exit(7));`,
];

describe.each(users)("as %s", (user) => {
  test("a set policy is enforced at once, cuts what it denies and nothing else, and outlasts kill -9", async () => {
    const { host, a, b, set, reach, wanted } = await stage(user, (one, two) => ({
      a: rule(one),
      b: rule(two),
    }));
    const [cut, kept] = [host.run(id, holding(a.port)), host.run(id, holding(b.port))];
    await eventually(
      () => [a.open(), b.open()],
      ([one, two]) => one === 1 && two === 1,
    );
    const changed = await set({ b: rule(b.port) });
    expect(changed).toMatchObject({
      state: "Loaded",
      changes: { added: [], changed: [], removed: ["a"] },
    });
    expect((await cut).code).toBe(7);
    expect(b.open()).toBe(1);
    expect(await reach(a)).not.toBe(hello);
    await host.kill(await host.daemonPid());
    expect((await kept).code).toBe(7); // With its egress, which another daemon starts again.
    expect(await reach(b)).toBe(hello);
    expect(await reach(a)).not.toBe(hello);
    const { hash, revision } = changed;
    expect(await wanted()).toMatchObject({ revision, hash, loaded: { revision, hash }, live: true });
  });
});

describe("a policy that is set", () => {
  const [user] = users;

  test("opens the first endpoint that a sandbox has", async () => {
    const { a, set, reach } = await stage(user);
    expect(await reach(a)).not.toBe(hello);
    await set({ a: rule(a.port) });
    expect(await reach(a)).toBe(hello);
  });

  test("leaves the old one in force where it is invalid, and says so in the history alone", async () => {
    const { host, a, b, set, reach, wanted, history } = await stage(user, (one) => ({ a: rule(one) }));
    const before = await wanted();
    const both = { bad: { endpoints: [{ host: "a.example.com", port: 443, ports: [443] }] } };
    await expect(set({ ...both, b: rule(b.port) })).rejects.toMatchObject({
      code: "policy_invalid",
      subject: "rule bad",
    });
    expect(await reach(a)).toBe(hello);
    expect(await wanted()).toEqual(before);
    expect((await history()).at(-1)).toMatchObject({
      version: before.revision + 1,
      state: "Failed",
      error: { code: "policy_invalid" },
    });
    expect(await host.call("sandbox.read", { id })).toMatchObject({ problems: [], live: [] });
    expect(await set({ b: rule(b.port) })).toMatchObject({ revision: before.revision + 2 });
    await expect(host.call("policy.rollback", { id, to: before.revision + 1 })).rejects.toMatchObject({
      code: "revision_refused",
    });
  });

  test("that no rule of it changes makes no revision", async () => {
    const { a, set, history } = await stage(user, (one) => ({ a: rule(one) }));
    const before = await history();
    expect(await set({ a: rule(a.port) })).toMatchObject({ state: "Loaded", revision: 0 });
    expect((await history()).length).toBe(before.length);
  });

  test("of a sandbox that does not run is recorded, and loaded by its next egress", async () => {
    const { host, a, description, set, reach, history } = await stage(user);
    await host.call("sandbox.update", { spec: { ...description, restart: "never" } });
    await host.kill(host.record(id).init?.pid ?? 0);
    await eventually(
      async () => (await host.call("status", { id }))[0]?.phase,
      (phase) => phase === "stopped",
    );
    expect(await set({ a: rule(a.port) })).toMatchObject({ state: "Pending" });
    await host.call("sandbox.update", { spec: description });
    expect(await reach(a)).toBe(hello);
    expect((await history()).at(-1)).toMatchObject({ by: "set", state: "Loaded" });
  });
});

test("rules on requests are set, kept and printed as any other; the decision is asked of what is in force", async () => {
  const { host, wanted } = await stage(users[0]);
  const text = `version: 1
network_policies:
  issues:
    endpoints:
      - host: api.example.com
        port: 443
        protocol: rest
        rules: [{ allow: { method: get, path: /repos/*/issues } }]
        deny_rules: [{ method: GET, path: /repos/secret/issues }]
`;
  const set = await nacre(host, ["policy", "set", id, "--policy", "-", "--wait"], text);
  expect(set).toMatchObject({ code: 0, out: "+ rule issues\n" });
  expect((await wanted()).network["issues"]?.endpoints[0]).toMatchObject({
    rules: [{ allow: { method: "GET", path: "/repos/*/issues" } }],
  });
  const printed = (await nacre(host, ["policy", "get", id])).out;
  const again = await nacre(host, ["policy", "set", id, "--policy", "-", "--json"], printed);
  expect(JSON.parse(again.out)).toMatchObject({ revision: 1 });
  const why = async (path: string) =>
    JSON.parse(
      (await nacre(host, ["policy", "why", `api.example.com${path}`, "--sandbox", id, "--json"])).out,
    );
  expect(await why("/repos/open/issues")).toMatchObject({ decision: "allow", rule: "issues" });
  expect(await why("/repos/secret/issues")).toMatchObject({ decision: "deny" });
  await host.call("allow", {
    id,
    what: { host: "api.example.com", port: 443, method: "POST", path: "/one" },
  });
  expect(await why("/one")).toMatchObject({ decision: "deny" });
  const post = ["policy", "why", "api.example.com/one", "--method", "POST", "--sandbox", id, "--json"];
  expect(JSON.parse((await nacre(host, post)).out)).toMatchObject({ decision: "allow" });
  await host.call("block", { id, what: { all: true } });
  expect(await why("/repos/open/issues")).toMatchObject({ decision: "deny", layer: "block" });
});

describe("up over a policy that was set", () => {
  const [user] = users;

  test("takes what only the blueprint changed, keeps what only the command did, and shows that", async () => {
    const { host, a, b, set, up, reach, wanted } = await stage(user, (one) => ({ a: rule(one) }));
    await set({ a: rule(a.port), b: rule(b.port) });
    const shown = [`rule b: added by command, not in the blueprint (nacre policy rollback ${id} --to up)`];
    const network = { c: { endpoints: [{ host: "c.example.com", port: 443 }] } };
    expect(await up(network)).toMatchObject({ problems: [], live: shown, conflicts: [], spec: { network } });
    expect(await reach(a)).not.toBe(hello);
    expect(await reach(b)).toBe(hello);
    expect(Object.keys((await wanted()).network)).toEqual(["b", "c"]);
    // The engine's record stays the blueprint's: what is live is no difference.
    const read = await host.call("sandbox.read", { id });
    expect([read?.spec.network, read?.live]).toEqual([network, shown]);
    expect((await host.call("status", { id }))[0]).toMatchObject({
      problems: [],
      live: { added: ["b"], changed: [], removed: [], by: "set" },
    });
  });

  test("keeps the command's rule where both changed it, and says so until somebody decides", async () => {
    const { host, a, b, set, up, reach } = await stage(user, (one) => ({ a: rule(one) }));
    await set({ a: rule(b.port) });
    const other = { a: { endpoints: [{ host: "other.example.com", port: 443 }] } };
    const told = [expect.stringMatching(/^rule a: a command and the blueprint both changed it, /)];
    expect(await up(other)).toMatchObject({ problems: [], conflicts: told });
    expect(await reach(b)).toBe(hello);
    await host.kill(await host.daemonPid());
    await eventually(
      async () => (await host.call("status", { id }))[0],
      (found) => found?.egress.state === "running",
    );
    expect((await host.call("status", { id }))[0]).toMatchObject({ problems: told });
    await host.call("policy.rollback", { id, to: "up" });
    expect((await host.call("status", { id }))[0]).toMatchObject({ problems: [], live: null });
    expect([await reach(a), await reach(b)]).not.toContain(hello);
  });

  test("leaves nothing live where both say the same, also through another start", async () => {
    const { host, a, b, description, set, up, reach, wanted } = await stage(user, (one) => ({
      a: rule(one),
    }));
    const network = { a: rule(a.port), b: rule(b.port) };
    await set(network);
    expect(await up(network)).toMatchObject({ live: [] });
    expect(await wanted()).toMatchObject({ live: false, network });
    await set({ b: rule(b.port) });
    const restarted = { ...description, resources: { pids: 200 }, network: { ...network, c: rule(a.port) } };
    expect(await host.call("sandbox.update", { spec: restarted })).toMatchObject({ generation: 2 });
    expect(Object.keys((await wanted()).network)).toEqual(["b", "c"]);
    expect([await reach(a), await reach(b)]).toEqual([hello, hello]);
  });
});

describe("the history", () => {
  const [user] = users;

  test("goes back and forth, and leaves allows and blocks where they are", async () => {
    const { host, a, b, set, reach, wanted } = await stage(user, (one) => ({ a: rule(one) }));
    await set({ b: rule(b.port) });
    await host.call("allow", { id, what: { host: "allowed.example.com", port: 443 } });
    await host.call("block", { id, what: { host: "blocked.example.com" } });
    const back = await host.call("policy.rollback", { id });
    expect(back).toMatchObject({ state: "Loaded", changes: { added: ["a"], removed: ["b"] } });
    expect([await reach(a), (await reach(b)) === hello]).toEqual([hello, false]);
    expect(await wanted()).toMatchObject({
      live: false,
      allows: [{ host: "allowed.example.com" }],
      blocks: [{ host: "blocked.example.com" }],
    });
    expect(await host.call("policy.rollback", { id })).toMatchObject({ changes: { added: ["b"] } });
    expect(await host.call("policy.rollback", { id, to: 0 })).toMatchObject({ changes: { added: ["a"] } });
    await expect(host.call("policy.rollback", { id, to: 99 })).rejects.toMatchObject({
      code: "revision_unknown",
    });
    const { network } = await host.call("policy.revision", { id, version: 1 });
    expect(network).toEqual({ b: rule(b.port) });
  });

  test("is settled by the next daemon where this one was killed before the egress answered", async () => {
    const { host, a, set, reach, history, onDisk, egressPid } = await stage(user);
    process.kill(await egressPid(), "SIGSTOP");
    const asked = set({ a: rule(a.port) }).catch(() => undefined);
    await eventually(
      () => onDisk().revisions.at(-1),
      ({ by, state }) => by === "set" && state === "Pending",
    );
    await host.kill(await host.daemonPid());
    await asked;
    expect(await reach(a)).toBe(hello);
    expect((await history()).at(-1)).toMatchObject({ version: 1, by: "set", state: "Loaded" });
  });

  test("keeps the last hundred, each content once, in private files", async () => {
    const { host, a, b, file, set, history } = await stage(user);
    for (let round = 0; round < 52; round++) {
      await host.call("block", { id, what: { host: "a.example.com" } });
      await host.call("unblock", { id, what: { host: "a.example.com" } });
    }
    await set({ a: rule(a.port) });
    await set({ b: rule(b.port) });
    const all = await history();
    expect(all).toHaveLength(100);
    expect(all.every(({ state }) => state === "Loaded")).toBe(true);
    expect(all.at(-1)?.version).toBe(106);
    const folder = join(host.state, "sandboxes/dev--assistant/policies");
    expect(readdirSync(folder)).toHaveLength(3);
    for (const path of [file, ...readdirSync(folder).map((name) => join(folder, name))])
      expect(statSync(path).mode & 0o777).toBe(0o600);
    await host.call("sandbox.delete", { id });
    expect(existsSync(folder)).toBe(false);
  });
});

describe("nacre policy", () => {
  const [user] = users;
  const yaml = (port: number) =>
    `version: 1\nnetwork_policies:\n  a: { endpoints: [{ host: ${address}, port: ${port}, protocol: tcp }] }\n`;

  test("set --wait ends with 0, 1 or 124, and what was late is loaded all the same", async () => {
    const { host, a, b, reach, history, egressPid } = await stage(user);
    const set = (text: string, ...more: string[]) =>
      nacre(host, ["policy", "set", id, "--policy", "-", "--wait", ...more], text);
    const done = await set(yaml(a.port));
    expect(done).toMatchObject({ code: 0, out: "+ rule a\n" });
    expect(done.err).toMatch(/^dev\/assistant: policy revision 1 is in force \(after \d+ ms\)\n$/);
    expect(await reach(a)).toBe(hello);
    const invalid = await set(
      "version: 1\nnetwork_policies:\n  a: { endpoints: [{ host: a.example.com }] }\n",
    );
    expect(invalid).toMatchObject({ code: 1, err: expect.stringContaining("standard input:3:") });
    expect(await reach(a)).toBe(hello);
    const egress = await egressPid();
    process.kill(egress, "SIGSTOP");
    expect(await set(yaml(b.port), "--timeout", "1")).toMatchObject({ code: 124 });
    expect((await history()).at(-1)).toMatchObject({ version: 2, state: "Pending" });
    process.kill(egress, "SIGCONT");
    await eventually(
      async () => (await history()).at(-1)?.state,
      (state) => state === "Loaded",
    );
    expect([(await reach(a)) === hello, await reach(b)]).toEqual([false, hello]);
    expect(await set(yaml(b.port), "--timeout", "5h")).toMatchObject({ code: 2 });
  });

  test("get prints what set takes, history what became of it, and rollback takes it back", async () => {
    const { host, a, reach } = await stage(user);
    await nacre(host, ["policy", "set", id, "--policy", "-"], yaml(a.port));
    const full = await nacre(host, ["policy", "get", id, "--full"]);
    expect(full).toMatchObject({ code: 0, err: "" });
    expect(full.out).toMatch(
      /^# dev\/assistant, revision 1, [0-9a-f]{64}: put in place by command, in force\nversion: 1\n/,
    );
    const again = await nacre(host, ["policy", "set", id, "--policy", "-", "--json"], full.out);
    expect(JSON.parse(again.out)).toMatchObject({
      revision: 1,
      changes: { added: [], changed: [], removed: [] },
    });
    const walls = await nacre(
      host,
      ["policy", "set", id, "--policy", "-"],
      "version: 1\nfilesystem_policy: { read_write: [/tmp] }\n",
    );
    expect(walls).toMatchObject({ code: 1, err: expect.stringContaining("needs another start") });
    expect(await reach(a)).toBe(hello);
    const status = await nacre(host, ["status", id, "--no-probe"]);
    expect(status.out).toContain("  live      rule a added by command\n");
    const back = await nacre(host, ["policy", "rollback", id, "--to", "up", "--wait"]);
    expect(back).toMatchObject({ code: 0, out: "- rule a\n" });
    expect(await reach(a)).not.toBe(hello);
    const history = (await nacre(host, ["policy", "history", id])).out.split("\n");
    expect(history.slice(1, 4).map((line) => line.split(/ {2,}/).slice(0, 3))).toEqual([
      ["0", "Loaded", "up"],
      ["1", "Loaded", "set"],
      ["2*", "Loaded", "rollback"],
    ]);
    expect((await nacre(host, ["policy", "get", id, "--rev", "1"])).out).toContain(`host: ${address}`);
  });
});
