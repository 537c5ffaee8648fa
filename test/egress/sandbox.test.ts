import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeAuthority } from "../../lib/egress/authority.ts";
import { readDenials } from "../../lib/egress/denials.ts";
import type { Configure, Network } from "../../lib/egress/protocol.ts";
import { launch, type Sandbox } from "../launcher/launcher.ts";
import { everyone, type Place, place } from "../launcher/place.ts";
import { sandboxSpec } from "../launcher/spec.ts";
import { type RunningEgress, World } from "./world/world.ts";

/** The egress with the real init and real programs behind every wall, its other side a world that nothing leaves. */
const made = new AsyncDisposableStack();
let world: World;
let here: Place;
let sandbox: Sandbox;
let data: string;
let egress: RunningEgress | undefined;
const server = `require("http").createServer((q, r) => r.end("agent says " + q.url)).listen(18789, "127.0.0.1")`;

beforeAll(async () => {
  world = await World.make();
  made.defer(() => world.stop());
  here = place(everyone[0] ?? "user");
  made.defer(() => here.dispose());
  sandbox = made.use(await launch(here, sandboxSpec(here, "egress", ["node", "-e", server])));
  data = join(here.root, "egress-data");
});
afterEach(async () => {
  await egress?.stop();
  egress = undefined;
});
// What was set up, also where the set-up failed half-way.
afterAll(() => made.disposeAsync());

const start = async (base: object, more: Partial<Configure> = {}): Promise<RunningEgress> => {
  const egressSocket = join(sandbox.spec.directory, "egress.sock");
  return await world.egress({ base: base as Network["base"] }, { egressSocket, ...more });
};
const web = (...binaries: string[]): object => ({
  web: {
    endpoints: [{ host: "allowed.example.com", ports: [443, 7000] }],
    ...(binaries.length > 0 ? { binaries: binaries.map((path) => ({ path })) } : {}),
  },
});
const denials = (): object[] => (egress === undefined ? [] : readDenials(egress.audit));
const curl = "curl -sSk --max-time 10 https://allowed.example.com/";
const python = `python3 -c 'import ssl, urllib.request as u; print(u.urlopen("https://allowed.example.com/", context=ssl._create_unverified_context()).read().decode(), end="")'`;
const fetching = `NODE_TLS_REJECT_UNAUTHORIZED=0 node --no-warnings -e 'fetch("https://allowed.example.com/").then(r => r.text()).then(t => process.stdout.write(t))'`;

describe("a sandbox", () => {
  test("reaches an allowed host from curl, Node and Python, unmodified", async () => {
    egress = await start(web());
    for (const program of [curl, python, fetching]) {
      expect(await sandbox.shell(program)).toMatchObject({
        code: 0,
        error: "",
        out: expect.stringMatching(/^allowed.example.com at .*34:443\n$/) as string,
      });
    }
  });

  test("reaches nothing else, and no packet leaves", async () => {
    egress = await start(web());
    const packets = await world.packets(async () => {
      for (const target of [
        "https://evil.example/",
        "https://93.184.216.34/",
        "http://169.254.169.254/",
        "https://[2606:2800:220:1::34]/",
      ]) {
        const got = await sandbox.shell(`curl -sSk --max-time 10 ${target}`);
        expect([6, 7, 35, 56]).toContain(got.code);
        expect(got.out).toBe("");
      }
      const fronted = "curl -sSk --connect-to ::allowed.example.com: https://evil.example/";
      expect([7, 35, 56]).toContain((await sandbox.shell(fronted)).code);
    });
    expect(packets).toEqual([]);
  });

  test("has its denials told with the program that was refused", async () => {
    egress = await start(web());
    await sandbox.shell("curl -sSk https://93.184.216.34/");
    await expect.poll(denials).toMatchObject([
      {
        host: "93.184.216.34",
        port: 443,
        binary: "/usr/bin/curl",
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
    ]);
  });
});

describe("a rule for a program", () => {
  test("is for the program that owns the socket, by its path, and for no other", async () => {
    egress = await start(web("/usr/bin/curl"));
    expect((await sandbox.shell(curl)).code).toBe(0);
    // The same bytes under another name, a program started by curl's own parent, and another program.
    copyFileSync("/usr/bin/curl", join(data, "curl"));
    chmodSync(join(data, "curl"), 0o755);
    chownSync(join(data, "curl"), here.outside.uid, here.outside.gid);
    expect((await sandbox.shell(`/sandbox/${curl}`)).code).not.toBe(0);
    expect((await sandbox.shell(python)).code).not.toBe(0);
    await expect.poll(denials).toMatchObject([
      { rule: "web", layer: "binary", binary: "/sandbox/curl", fix: { allow: { binary: "/sandbox/curl" } } },
      { rule: "web", layer: "binary", binary: expect.stringMatching(/python/) as string },
    ]);
  });

  test("is opened for another program by an allow of its denial, live", async () => {
    egress = await start(web("/usr/bin/curl"));
    expect((await sandbox.shell(fetching)).code).not.toBe(0);
    await expect.poll(denials).toHaveLength(1);
    const [denial] = readDenials(egress.audit);
    const open = denial?.fix?.allow;
    if (open === undefined) throw new Error("the denial has no rule to allow");
    const allows = [{ id: denial?.id ?? "", ...open, until: Date.now() + 60_000 }];
    egress.send({
      type: "network",
      network: { revision: 2, base: web("/usr/bin/curl") as never, allows, blocks: [] },
    });
    await expect.poll(async () => (await sandbox.shell(fetching)).code).toBe(0);
    expect((await sandbox.shell(python)).code).not.toBe(0);
    const used = egress
      .records()
      .find(({ kind, rule }) => kind === "connect" && rule === `allow:${denial?.id ?? ""}`);
    expect(used).toMatchObject({ verdict: "allow", binary: "/opt/nacre/node/bin/node" });
  });

  test("pins the program's bytes at its first use", async () => {
    const tool = (variant: string): void => {
      copyFileSync("/usr/bin/curl", join(data, "tool"));
      writeFileSync(join(data, "tool"), variant, { flag: "a" });
      chmodSync(join(data, "tool"), 0o755);
      chownSync(join(data, "tool"), here.outside.uid, here.outside.gid);
    };
    egress = await start(web("/sandbox/*"));
    tool("");
    const run = `/sandbox/tool ${curl.slice("curl ".length)}`;
    expect((await sandbox.shell(run)).code).toBe(0);
    tool("changed");
    expect((await sandbox.shell(run)).code).not.toBe(0);
    await expect
      .poll(denials)
      .toMatchObject([
        { layer: "binary", reason: expect.stringContaining("not the file any more") as string },
      ]);
  });
});

describe("a published port of a sandbox", () => {
  test("answers on the host's loopback, and to no rebound name", async () => {
    egress = await start({}, { ports: [{ inside: 18789, outside: 0 }] });
    const [port] = (await egress.next("ports")).ports;
    const outside = port?.outside ?? 0;
    expect(outside).toBeGreaterThan(0);
    expect((await world.runOutside(`curl -sS http://127.0.0.1:${outside}/status`)).out).toBe(
      "agent says /status",
    );
    const rebound = `curl -sS -H 'Host: evil.example' http://127.0.0.1:${outside}/status`;
    expect((await world.runOutside(rebound)).out).toContain("Nacre: Host");
    expect((await world.runOutside(`curl -sS http://93.184.216.1:${outside}/`)).code).toBe(7);
    expect(denials()).toMatchObject([{ kind: "publish", layer: "publish" }]);
  });
});

describe("inference.local in a sandbox", () => {
  test("answers, and the audit names the program that asked", async () => {
    const authority = makeAuthority("test/egress");
    writeFileSync(join(data, "ca.crt"), authority.certificate, { mode: 0o644 });
    const inference: Configure["inference"] = {
      route: { try: ["demo"], timeoutSeconds: 5 },
      providers: { demo: { kind: "demo", model: "demo", trusted: true } },
    };
    egress = await start({}, { inference, authority });
    const got = await sandbox.shell("curl -sS --cacert /sandbox/ca.crt https://inference.local/v1/models");
    expect(JSON.parse(got.out)).toMatchObject({ data: [{ id: "demo" }] });
    await expect
      .poll(() => egress?.records().find(({ kind }) => kind === "inference"))
      .toMatchObject({ verdict: "allow", binary: "/usr/bin/curl", status: 200 });
  });
});

describe("an egress that is killed", () => {
  test("leaves the sandbox without a network; the next one takes its sockets over and serves", async () => {
    const poolFile = join(world.folder, "pool-of-sandbox.json");
    egress = await start(web(), { poolFile });
    const before = await sandbox.shell("getent ahostsv4 allowed.example.com");
    egress.child.kill("SIGKILL");
    await once(egress.child, "exit");
    const waiting = sandbox.shell(curl);
    egress = await start(web(), { poolFile });
    expect((await waiting).code).toBe(0);
    expect((await sandbox.shell("getent ahostsv4 allowed.example.com")).out).toBe(before.out);
  });
});
