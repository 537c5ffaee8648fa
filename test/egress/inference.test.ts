import fs from "node:fs";
import path from "node:path";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeAuthority } from "../../lib/egress/authority.ts";
import type { Configure, Inference } from "../../lib/egress/protocol.ts";
import { type RunningEgress, World } from "./world/world.ts";

let world: World;
let egress: RunningEgress | undefined;
const authority = makeAuthority("test/world");
let ca = "";
beforeAll(async () => {
  world = await World.make();
  ca = path.join(world.folder, "sandbox-ca.crt");
  fs.writeFileSync(ca, authority.certificate);
});
afterEach(async () => {
  await egress?.stop();
  egress = undefined;
});
afterAll(() => world.stop());

const demo: Inference = {
  route: { try: ["demo"], timeoutSeconds: 10 },
  providers: { demo: { kind: "demo", model: "demo", trusted: true } },
  secrets: {},
};
const remote = (endpoint: string): Inference => ({
  route: { try: ["main"], timeoutSeconds: 5 },
  providers: { main: { kind: "openai", model: "m", endpoint, credential: "main", trusted: false } },
  secrets: { main: "the-operators-key" },
});
const start = async (inference: Inference | null, more: Partial<Configure> = {}): Promise<RunningEgress> => {
  const { secrets = {}, ...rest } = inference ?? {};
  return await world.egress(
    {},
    { inference: inference === null ? null : (rest as Configure["inference"]), secrets, authority, ...more },
  );
};
const ask = (target = "https://inference.local/v1/chat/completions", options = ""): string =>
  `curl -sS --max-time 10 --cacert ${ca} ${options} -H 'content-type: application/json' -d '{"model":"x","messages":[{"role":"user","content":"hi"}]}' ${target}`;
const inference = (): object[] => (egress?.records() ?? []).filter(({ kind }) => kind === "inference");

describe("inference.local", () => {
  test("answers from inside with the sandbox's own authority, and needs no rule", async () => {
    egress = await start(demo);
    const models = await world.run(`curl -sS --cacert ${ca} https://inference.local/v1/models`);
    expect(JSON.parse(models.out)).toMatchObject({ data: [{ id: "demo" }] });
    const packets = await world.packets(async () => {
      expect(JSON.parse((await world.run(ask())).out)).toMatchObject({ object: "chat.completion" });
    });
    expect(packets).toEqual([]);
    expect(inference()).toMatchObject([
      { verdict: "allow", provider: "demo", status: 200 },
      { verdict: "allow", provider: "demo", status: 200 },
    ]);
  });

  test("answers Node's fetch, streamed", async () => {
    egress = await start(demo);
    const script = `fetch("https://inference.local/v1/chat/completions", { method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "x", stream: true, messages: [{ role: "user", content: "hi" }] }) })
      .then(r => r.text()).then(t => process.stdout.write(t))`;
    const got = await world.run(`${process.execPath} -e '${script}'`, { NODE_EXTRA_CA_CERTS: ca });
    expect(got.out).toMatch(/^data: \{.*\n\ndata: \[DONE\]\n\n$/s);
  });

  test("is HTTP/1.1 over TLS for that name, on 443, and nothing else", async () => {
    egress = await start(demo);
    expect((await world.run(ask("http://inference.local/"))).code).not.toBe(0);
    expect((await world.run(ask("https://inference.local:8443/"))).code).not.toBe(0);
    expect(
      (await world.run(ask("https://evil.example/v1/models", "-k --connect-to ::inference.local:"))).code,
    ).not.toBe(0);
    const alpn = await world.run(
      "openssl s_client -connect inference.local:443 -servername inference.local -alpn h2,http/1.1 </dev/null 2>&1",
    );
    expect(alpn.out).toContain("ALPN protocol: http/1.1");
  });

  test("does not exist without a route", async () => {
    egress = await start(null);
    expect((await world.run("getent hosts inference.local")).code).toBe(2);
  });

  test("is stopped by block --all, also in the middle, and says why in the audit", async () => {
    egress = await start(demo);
    const script = `const socket = require("tls").connect({ host: "inference.local", port: 443, servername: "inference.local",
      ca: require("fs").readFileSync("${ca}") }, () => console.log("open")).on("error", () => undefined)`;
    const open = world.start(`${process.execPath} -e '${script}'`);
    await once(open.stdout as Readable, "data");
    egress.send({ type: "network", network: { revision: 2, base: {}, allows: [], blocks: [{ all: true }] } });
    await expect.poll(() => open.exitCode ?? open.signalCode).not.toBe(null);
    expect((await world.run(ask())).code).toBe(6);
    expect(inference().at(-1)).toMatchObject({
      verdict: "deny",
      layer: "block",
      reason: "all traffic is blocked",
    });
  });
});

describe("the way to a provider", () => {
  test("is verified by the system's bundle, which holds the operator's authority", async () => {
    egress = await start(remote("https://allowed.example.com/v1"));
    // The server of this world answers every path with a text, so it was reached, verified, and found to be no model.
    expect(JSON.parse((await world.run(ask())).out)).toMatchObject({ error: { code: "not_this_dialect" } });
    egress.send({ type: "check", id: 5 });
    expect(await egress.next("checked")).toMatchObject({ id: 5, error: { code: "not_this_dialect" } });
  });

  test("passes the same address guard, and takes the same grants", async () => {
    egress = await start(remote("https://private.example.org/v1"));
    const refused = await world.run(ask());
    expect(JSON.parse(refused.out)).toMatchObject({ error: { code: "policy_denied", layer: "address" } });
    egress.send({
      type: "grants",
      grants: [{ host: "private.example.org", cidr: "10.77.0.1/32", port: 443 }],
    });
    // Its certificate is for another name: it is dialled now, and still not spoken to.
    await expect.poll(async () => (await world.run(ask())).out).toContain("tls_failed");
  });

  test("is cut by a block of the provider's host", async () => {
    egress = await start(remote("https://allowed.example.com/v1"));
    egress.send({
      type: "network",
      network: { revision: 2, base: {}, allows: [], blocks: [{ host: "allowed.example.com" }] },
    });
    await expect.poll(async () => (await world.run(ask())).out).toContain('"layer":"block"');
  });

  test("a secret that comes later is used, and is in no file of the egress", async () => {
    egress = await start({ ...remote("https://allowed.example.com/v1"), secrets: {} });
    expect((await world.run(ask())).out).toContain("credential_unavailable");
    egress.send({ type: "secrets", secrets: { main: "later-key" } });
    await expect.poll(async () => (await world.run(ask())).out).toContain("not_this_dialect");
    const folder = path.dirname(egress.audit);
    for (const name of fs.readdirSync(folder)) {
      expect(fs.readFileSync(path.join(folder, name), "utf8")).not.toContain("later-key");
    }
  });
});
