import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { issue, makeAuthority } from "../../lib/egress/authority.ts";
import type { NetworkPolicies } from "../../lib/policy/language.ts";
import { eventually, machine, users } from "./machine.ts";
import { address } from "./outside-server.ts";
import { encodings, everything, found, memoryOf } from "./places.ts";
import { shell } from "./programs.ts";
import { agentSpec } from "./specs.ts";

const id = "dev/assistant";

/** An API outside, under an authority of its own, which keeps the credentials that it was sent. */
async function api() {
  const folder = mkdtempSync(join(tmpdir(), "nacre-api-"));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const authority = makeAuthority("api");
  const { certificate, key } = issue(authority, address);
  const seen: { method: string; url: string; authorization: string | undefined }[] = [];
  const server = createServer({ cert: certificate, key }, (request, response) => {
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, authorization: headers.authorization });
    request.resume().once("end", () => response.end(`answered ${method} ${url}\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  const { port } = server.address() as AddressInfo;
  const bundle = join(folder, "authorities.pem");
  writeFileSync(bundle, [...rootCertificates, authority.certificate].join("\n"), { mode: 0o644 });
  return { port, bundle, seen, url: `https://${address}:${port}` };
}

/** Reads issues and writes comments, with the credential `tracker`. */
const rules = (port: number, provider = "tracker"): NetworkPolicies => ({
  tracker: {
    endpoints: [
      {
        host: address,
        port,
        protocol: "rest",
        rules: [
          { allow: { method: "GET", path: "/issues/**" } },
          { allow: { method: "POST", path: "/issues/*/comments" } },
        ],
        credential_binding: { provider },
      },
    ],
  },
});

async function world(user: (typeof users)[number]) {
  const origin = await api();
  const host = machine(user, { SSL_CERT_FILE: origin.bundle });
  const secret = `tk/+${randomBytes(18).toString("hex")}`;
  const source = join(host.home, "tracker");
  const write = (value: string): void => {
    writeFileSync(source, value, { mode: 0o600 });
    chownSync(source, host.uid, host.uid);
  };
  write(secret);
  const mapping = (more = ""): void =>
    host.operator(
      `secrets:\n  tracker: { file: ${source}, for: ["${address}:${origin.port}"], use: [${id}] }\n${more}` +
        `grants:\n  - { host: ${address}, cidr: ${address}/32, port: ${origin.port} }\n`,
    );
  mapping();
  const spec = agentSpec({
    network: rules(origin.port),
    credentials: { tracker: { as: "TRACKER_TOKEN", for: [`${address}:${origin.port}`] } },
  });
  const curl = async (options: string, path = "/issues/1"): Promise<string> =>
    (await host.run(id, shell(`curl -sS -w ' %{http_code}' ${options} ${origin.url}${path}`))).stdout;
  return { origin, host, secret, source, write, mapping, spec, curl };
}

describe.each(users)("as %s", (user) => {
  test("the origin sees the credential; the agent, its files, its memory, the audit and the state do not", async () => {
    const { origin, host, secret, source, spec, curl } = await world(user);
    const holding = ["/bin/bash", "-c", "exec 3<>/dev/null; while :; do read -t 1 line <&3; done"];
    expect(
      await host.create({ ...spec, agent: { kind: "command", command: holding, env: {} } }),
    ).toMatchObject({
      running: true,
      problems: [],
    });
    const environment = (await host.run(id, shell("printenv TRACKER_TOKEN"))).stdout.trim();
    expect(environment).toBe("openshell:resolve:env:TRACKER_TOKEN");
    expect(await curl(`-H "Authorization: Bearer $TRACKER_TOKEN"`)).toBe("answered GET /issues/1\n 200");
    expect(await curl("")).toBe("answered GET /issues/1\n 200");
    expect(origin.seen.map(({ authorization }) => authorization)).toEqual([
      `Bearer ${secret}`,
      `Bearer ${secret}`,
    ]);

    const own = await curl("-H 'Authorization: Bearer the-agents-own'");
    expect(own).toMatch(/policy_denied.* 403$/);
    expect(await curl("-X DELETE")).toMatch(/policy_denied.* 403$/);
    expect(origin.seen).toHaveLength(2);

    const places = await everything(host, id, source);
    for (const [encoding, form] of Object.entries(encodings)) {
      expect({ encoding, where: found(places, form(secret)) }).toEqual({ encoding, where: [] });
    }
    expect(found(places, "the-agents-own").filter((where) => where.includes("audit"))).toEqual([]);
    if (user !== "root") return;
    const [status] = await host.call("status", { id });
    const [agent, init, egress] = [status?.agent?.pid, status?.init?.pid, status?.egress.pid].map(Number) as [
      number,
      number,
      number,
    ];
    for (const pid of [agent, init]) expect(memoryOf(pid).includes(secret)).toBe(false);
    // The controls: what the agent does hold is found so, and the egress holds the secret.
    expect(memoryOf(agent).includes(environment)).toBe(true);
    expect(memoryOf(egress).includes(secret)).toBe(true);
  });

  test("another value is put on from then on, without another start", async () => {
    const { origin, host, write, spec, curl } = await world(user);
    await host.create(spec);
    await curl("");
    write("rotated");
    await eventually(
      () => curl(""),
      () => origin.seen.at(-1)?.authorization === "Bearer rotated",
    );
    expect(await host.call("sandbox.read", { id })).toMatchObject({ generation: 1, problems: [] });
  });

  test("what the operator's file says counts for the very next reading", async () => {
    const { host, mapping, spec } = await world(user);
    await host.create(spec);
    const problems = async (): Promise<readonly string[]> =>
      (await host.call("sandbox.read", { id }))?.problems ?? [];
    expect(await problems()).toEqual([]);
    host.operator("secrets: {}\n");
    expect(await problems()).toEqual([
      expect.stringMatching(/names the secret tracker, and .* does not map it/),
    ]);
    mapping();
    expect(await problems()).toEqual([]);
    host.operator("secrets: {}\n");
    expect((await host.call("status", { id }))[0]?.problems.join()).toContain("does not map it");
    mapping();
    expect((await host.call("status", { id }))[0]?.problems).toEqual([]);
  });

  test("a rule that would have it sent elsewhere is refused, as a blueprint's and as a live one", async () => {
    const { host, spec, origin } = await world(user);
    const elsewhere = rules(origin.port + 1);
    await expect(host.create({ ...spec, network: elsewhere })).rejects.toMatchObject({
      code: "secret_elsewhere",
    });
    await host.create(spec);
    const set = host.call("policy.set", { id, network: elsewhere });
    await expect(set).rejects.toMatchObject({ code: "secret_elsewhere" });
    await expect(
      host.call("policy.set", { id, network: rules(origin.port, "unmapped") }),
    ).rejects.toMatchObject({
      code: "secret_unmapped",
    });
  });

  test("a rule that binds it for the first time is added live", async () => {
    const { origin, host, secret, spec, curl } = await world(user);
    await host.create({ ...spec, network: {}, credentials: {} });
    expect(await curl("")).toMatch(/ 000$/);
    await host.call("policy.set", { id, network: rules(origin.port) });
    expect(await curl("")).toBe("answered GET /issues/1\n 200");
    expect(origin.seen.at(-1)?.authorization).toBe(`Bearer ${secret}`);
  });

  test("a live rule for a host of the blueprint's credential is bound to it, though it does not say so", async () => {
    const { origin, host, secret, spec, curl } = await world(user);
    await host.create(spec);
    const [endpoint] = rules(origin.port)["tracker"]?.endpoints ?? [];
    const { credential_binding: _binding, ...unbound } = endpoint ?? {};
    await host.call("policy.set", { id, network: { other: { endpoints: [unbound] } } });
    expect(await curl("")).toBe("answered GET /issues/1\n 200");
    expect(origin.seen.at(-1)?.authorization).toBe(`Bearer ${secret}`);
  });

  test("a refused request is opened by its denial's id: that method and path, with the credential, and no more", async () => {
    const { origin, host, secret, spec, curl } = await world(user);
    await host.create(spec);
    expect(await curl("-X POST -d x", "/issues/1/labels")).toMatch(/ 403$/);
    const denials = await host.call("denials", { id });
    const refused = denials.find(({ allow }) => allow?.path === "/issues/1/labels");
    expect(refused).toMatchObject({ allow: { method: "POST" } });
    await host.call("allow", { id, what: { denial: refused?.id ?? "" }, seconds: 60 });
    for (const header of ["", `-H "Authorization: Bearer $TRACKER_TOKEN"`]) {
      expect(await curl(`-X POST -d x ${header}`, "/issues/1/labels")).toMatch(/ 200$/);
      expect(origin.seen.at(-1)?.authorization).toBe(`Bearer ${secret}`);
    }
    expect(await curl("-X POST -d x -H 'Authorization: Bearer own'", "/issues/1/labels")).toMatch(/ 403$/);
    expect(await curl("-X PUT -d x", "/issues/1/labels")).toMatch(/ 403$/);
    expect(await curl("-X POST -d x", "/issues/2/labels")).toMatch(/ 403$/);
  });
});
