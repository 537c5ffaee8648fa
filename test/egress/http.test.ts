import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readDenials } from "../../lib/egress/denials.ts";
import { type RunningEgress, World } from "./world/world.ts";

let world: World;
let egress: RunningEgress | undefined;
beforeAll(async () => {
  world = await World.make();
});
beforeEach(() => world.forget());
afterEach(async () => {
  await egress?.stop();
  egress = undefined;
});
afterAll(() => world.stop());

const at = "https://api.example.com:9443";
const rest = (more: object, host = "api.example.com"): object => ({
  endpoints: [{ host, ports: [443, 9443, 9080], protocol: "rest", ...more }],
});
const allow = (method: string, path: string, query?: object): object => ({
  allow: { method, path, ...(query && { query }) },
});
const start = async (
  base: Record<string, object>,
  more: Parameters<World["egress"]>[1] = {},
): Promise<RunningEgress> => (egress = await world.egress({ base: base as never }, more));

const requests = (): unknown[] =>
  (egress?.records() ?? [])
    .filter(({ kind }) => kind === "request")
    .map(({ verdict, method, path, rule, layer }) => ({ verdict, method, path, rule, layer }));

describe("an inspected host", () => {
  test("answers the requests that a rule has, and tells the agent why it does not answer others", async () => {
    await start({ api: rest({ rules: [allow("GET", "/ok/**")] }) });
    const good = await world.run(`curl -sS ${at}/ok/1`);
    expect(good.error).toBe("");
    expect(JSON.parse(good.out)).toMatchObject({
      method: "GET",
      url: "/ok/1",
      servername: "api.example.com",
    });
    const bad = await world.run(`curl -sS -w '%{http_code}' -d x ${at}/ok/1`);
    expect(bad.out).toMatch(/403$/);
    expect(JSON.parse(bad.out.slice(0, -3))).toMatchObject({
      error: "policy_denied",
      rule: "api",
      layer: "http",
      rule_missing: {
        type: "rest_allow",
        method: "POST",
        path: "/ok/1",
        host: "api.example.com",
        port: 9443,
      },
    });
    expect(world.seen().map(({ method }) => method)).toEqual(["GET"]);
    expect(requests()).toEqual([
      { verdict: "allow", method: "GET", path: "/ok/1", rule: "api", layer: undefined },
      { verdict: "deny", method: "POST", path: "/ok/1", rule: "api", layer: "http" },
    ]);
  });

  test("gets the path that was decided, and no secret of the query stands in the audit", async () => {
    await start({ api: rest({ rules: [allow("GET", "/ok/*")] }) });
    await world.run(`curl -sS --path-as-is '${at}/ok/../ok/./%61?token=hidden'`);
    expect(world.seen()).toMatchObject([{ url: "/ok/a?token=hidden" }]);
    expect(egress?.audited()).not.toContain("hidden");
  });

  test("is asked by query where a rule names parameters", async () => {
    await start({ api: rest({ rules: [allow("GET", "/ok", { kind: { any: ["a", "b*"] } })] }) });
    const code = async (query: string): Promise<string> =>
      (await world.run(`curl -sS -o /dev/null -w '%{http_code}' '${at}/ok${query}'`)).out;
    expect(await code("?kind=a")).toBe("200");
    expect(await code("?kind=%62c&x=1")).toBe("200");
    expect(await code("?kind=c")).toBe("403");
    expect(await code("?kind=a&kind=c")).toBe("403");
    expect(await code("?kind=a;kind=c")).toBe("403");
    expect(await code("")).toBe("403");
    // What a person can then allow is each of them alone: an id of its own, and that query.
    const denied = readDenials(egress?.audit ?? "");
    expect(denied.map(({ fix }) => fix?.allow?.query)).toEqual(["kind=c", "kind=a&kind=c", undefined, ""]);
    expect(new Set(denied.map(({ id }) => id)).size).toBe(4);
    expect(await code("?kind=c&access_token=hidden")).toBe("403");
    expect(egress?.audited()).not.toContain("hidden");
    expect(readDenials(egress?.audit ?? "").at(-1)?.fix?.allow).toBeUndefined();
  });

  test("goes through where a rule only audits, and the audit says that it would not", async () => {
    await start({ api: rest({ rules: [allow("GET", "/ok")], enforcement: "audit" }) });
    expect((await world.run(`curl -sS -o /dev/null -w '%{http_code}' ${at}/no`)).out).toBe("200");
    expect(requests()).toMatchObject([{ verdict: "audit", path: "/no", layer: "http" }]);
  });

  test("in the clear on another port is decided the same way", async () => {
    await start({ api: rest({ rules: [allow("GET", "/ok")] }) });
    const code = async (path: string): Promise<string> =>
      (await world.run(`curl -sS -o /dev/null -w '%{http_code}' http://api.example.com:9080${path}`)).out;
    expect(await code("/ok")).toBe("200");
    expect(await code("/no")).toBe("403");
    expect(world.seen()).toHaveLength(1);
  });

  test("streams fifty megabytes both ways, and holds neither", async () => {
    await start({ api: rest({ access: "full" }) });
    const before = memory(egress);
    const down = await world.run(`curl -sS ${at}/big | wc -c`);
    expect(down.out.trim()).toBe(String(50 * 1024 * 1024));
    const up = await world.run(
      `head -c 52428800 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' -T - -X POST ${at}/up`,
    );
    expect(up.out).toBe("200");
    expect(world.seen().at(-1)?.body?.length).toBe(52428800);
    expect(memory(egress) - before).toBeLessThan(120);
  }, 60_000);

  test("keeps connections on both sides", async () => {
    await start({ api: rest({ access: "full" }) });
    const { out } = await world.run(
      `curl -sS -w '%{num_connects} ' -o /dev/null ${at}/1 -o /dev/null ${at}/2 -o /dev/null ${at}/3`,
    );
    expect(out).toBe("1 0 0 ");
    expect((egress?.records() ?? []).filter(({ kind }) => kind === "connect")).toHaveLength(1);
  });

  test("passes early hints, trailers and answers without a body", async () => {
    await start({ api: rest({ access: "full" }) });
    const hints = await world.run(`curl -sSi ${at}/hints`);
    expect(hints.out).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK/i,
    );
    const chunked = await world.run(`curl -sS -D - ${at}/chunked`);
    expect(chunked.out).toContain("x-sum: 3");
    expect(chunked.out).not.toContain("999");
    expect((await world.run(`curl -sS -o /dev/null -w '%{http_code}' ${at}/none`)).out).toBe("204");
    expect((await world.run(`curl -sSI ${at}/ok`)).out).toMatch(/^HTTP\/1\.1 200/);
  });

  test("that breaks off in the middle of its answer is seen to break off", async () => {
    await start({ api: rest({ access: "full" }) });
    expect((await world.run(`curl -sS ${at}/cut`)).code).toBe(18);
  });

  /** The origin answers with these bytes. */
  const raw = (bytes: string, times = 1): string =>
    `${at}/raw?end=1&times=${times}&bytes=${Buffer.from(bytes, "latin1").toString("base64url")}`;
  const whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

  test.each([
    ["a hint that is no Link", `HTTP/1.1 103 Early Hints\r\nLink: nothing\r\n\r\n${whole}`, "hi 200"],
    ["control characters in its reason", whole.replace("OK", "\xff\x01"), "hi 200"],
    ["another protocol that nobody asked for", `HTTP/1.1 101 Switching\r\n\r\n${whole}`, " 502"],
    ["a status that is none", whole.replace("200", "099"), " 502"],
    ["a field with a NUL", whole.replace("\r\n\r\n", "\r\nX: \0\r\n\r\n"), " 502"],
    ["a field of a change of protocol", whole.replace("\r\n\r\n", "\r\nUpgrade: h2c\r\n\r\n"), "hi 200"],
  ])("that answers with %s takes nothing but its own answer along", async (_what, bytes, expected) => {
    await start({ api: rest({ access: "full" }) });
    const { out } = await world.run(`curl -sSi -m 10 -w ' %{http_code}' '${raw(bytes)}'`);
    expect(out.replaceAll(/^\{.*\}/gm, "").slice(-expected.length)).toBe(expected);
    expect(out).not.toContain("h2c");
    // On another connection: that one the origin has ended.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const next = await world.run(`curl -sS -m 10 -X POST -o /dev/null -w '%{http_code}' ${at}/ok`);
    expect(next.out).toBe("200");
  });

  test("that sends hints without end fills no memory", async () => {
    await start({ api: rest({ access: "full" }) });
    const before = memory(egress);
    const hint = `HTTP/1.1 103 Early Hints\r\nLink: <${"a".repeat(3000)}>; rel=preload\r\n\r\n`;
    const target = raw(hint, 40_000).slice(at.length);
    const slow = world.start(
      `exec 3<>/dev/tcp/api.example.com/9080; printf 'GET ${target} HTTP/1.1\\r\\nHost: api.example.com:9080\\r\\n\\r\\n' >&3; sleep 30`,
    );
    await expect.poll(() => world.seen()).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(memory(egress) - before).toBeLessThan(100);
    slow.kill("SIGKILL");
  });

  test("that does not know Expect gets the body after a second", async () => {
    await start({ api: rest({ access: "full" }) });
    const send = (path: string): ReturnType<World["run"]> =>
      world.run(
        `curl -sS -m 20 --expect100-timeout 60 -H 'Expect: 100-continue' -d body -w ' %{http_code} %{time_total}' ${at}${path}`,
      );
    const deaf = /^(.*)\n 200 ([0-9.]+)$/s.exec((await send("/deaf")).out) ?? [];
    expect(JSON.parse(deaf[1] ?? "{}")).toMatchObject({ method: "POST", body: "body" });
    expect(Number(deaf[2])).toBeGreaterThan(0.9);
    expect(Number(deaf[2])).toBeLessThan(5);
    // One that knows it decides at once, and one that does not want it gets none of it.
    expect((await send("/echo")).out).toMatch(/ 200 0\.[0-9]+$/);
    expect((await send("/unwanted")).out).toMatch(/^too much\n 413 /);
  });

  test("answers with a head of up to 64 KiB, and a longer one is told as that", async () => {
    await start({ api: rest({ access: "full" }) });
    const head = async (bytes: number): Promise<string> =>
      (await world.run(`curl -sS -w ' %{http_code} %{size_header}' '${at}/head?bytes=${bytes}'`)).out;
    expect(await head(63 * 1024)).toMatch(/^whole\n 200 64[0-9]{3}$/);
    const refused = await head(65 * 1024);
    expect(refused).toMatch(/ 502 [0-9]+$/);
    expect(refused).toContain("the head of its answer is longer than 64 KiB");
    const failed = egress?.records().find(({ verdict }) => verdict === "failed");
    expect(failed).toMatchObject({ layer: "upstream", reason: expect.stringContaining("64 KiB") as string });
  });

  test("that breaks a kept connection is asked again where that is harmless, and never told twice", async () => {
    await start({ api: rest({ access: "full" }) });
    const code = async (options: string): Promise<string> =>
      (await world.run(`curl -sS -o /dev/null -w '%{http_code}' ${options} ${at}/stale`)).out;
    expect(await code("")).toBe("200");
    expect(await code("")).toBe("200");
    expect(world.seen()).toHaveLength(3);
    expect(await code("-X POST")).toBe("502");
    expect(world.seen().map(({ method }) => method)).toEqual(["GET", "GET", "GET", "POST"]);
  });

  test("is let go where it answered without a body, and the agent never ends its own", async () => {
    await start({ api: rest({ access: "full" }) });
    const sockets = (): number => {
      const folder = `/proc/${egress?.child.pid ?? 0}/fd`;
      const links = fs.readdirSync(folder).map((fd) => fs.readlinkSync(path.join(folder, fd)));
      return links.filter((link) => link.startsWith("socket:")).length;
    };
    const before = sockets();
    const send = ["POST /early-none HTTP/1.1\r\nHost: api.example.com:9443\r\nContent-Length: 5\r\n\r\na"];
    const cases = Array.from({ length: 12 }, () => ({ send }));
    const ran = await world.raw({ host: "api.example.com", port: 9443, secure: true, cases });
    expect(ran.out.match(/HTTP\/1\.1 204 No Content\\r\\nConnection: close\\r\\n/g)).toHaveLength(12);
    // Longer than a connection is kept for a next request.
    await expect.poll(sockets, { timeout: 10_000 }).toBe(before);
  }, 20_000);

  test("that was dialled is in the audit, also where the agent did not wait for it", async () => {
    await start({ api: rest({ access: "full" }) });
    const script = `
      const [net, tls, { Duplex }] = ["net", "tls", "stream"].map(require);
      const socket = net.connect(9443, "api.example.com", () => {
        // The ClientHello and no more.
        const once = (chunk, _, done) => { socket.write(chunk, () => setTimeout(() => socket.resetAndDestroy(), 1)); done(); };
        tls.connect({ socket: new Duplex({ read() {}, write: once }), servername: "api.example.com" }).on("error", () => {});
        setTimeout(() => process.exit(), 300);
      });`;
    fs.writeFileSync(path.join(world.folder, "gone.cjs"), script);
    const dialled = await world.packets(() => world.run(`exec ${process.execPath} ${world.folder}/gone.cjs`));
    const records = (): unknown[] =>
      (egress?.records() ?? []).filter(({ kind }) => kind === "connect").map(({ verdict }) => verdict);
    expect(dialled.join("\n")).toContain(" 9443");
    await expect.poll(records).toEqual(["failed"]);
  });

  test("does not take the half of a body for the whole, where the agent hangs up in its middle", async () => {
    await start({ api: rest({ access: "full" }) });
    const head =
      "POST /up HTTP/1.1\\r\\nHost: api.example.com:9080\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n";
    const script = `exec 3<>/dev/tcp/api.example.com/9080; printf '${head}4\\r\\nhalf\\r\\n' >&3; sleep 0.5`;
    await world.run(script);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(requests()[0]).toMatchObject({ verdict: "allow", path: "/up" });
    expect(world.seen()).toEqual([]);
  });

  test("is left alone once the agent hangs up", async () => {
    await start({ api: rest({ access: "full" }) });
    const held = world.start(`exec curl -sS --cacert ${world.folder}/agent-ca.crt ${at}/held`);
    await expect.poll(() => world.seen(), { timeout: 10_000 }).toHaveLength(1);
    held.kill("SIGKILL");
    await expect
      .poll(() => world.seen().map(({ url }) => url), { timeout: 10_000 })
      .toContain("/held/given-up");
  });

  test("is spoken to over TLS where the agent was, whatever it spoke to that port before", async () => {
    await start({ api: rest({ access: "full" }) });
    const code = async (url: string): Promise<string> =>
      (await world.run(`curl -sS -o /dev/null -w '%{http_code}' ${url}`)).out;
    expect(await code("http://api.example.com:9443/ok")).not.toBe("200");
    expect(await code(`${at}/ok`)).toBe("200");
    expect(world.seen()).toHaveLength(1);
  });

  test("that cannot be verified is never spoken to, and the agent is told", async () => {
    await start({ api: rest({ access: "full" }, "api.example.org") });
    const got = await world.run(`curl -sS -w '%{http_code}' https://api.example.org:9443/ok`);
    expect(got.out).toMatch(/502$/);
    expect(JSON.parse(got.out.slice(0, -3))).toMatchObject({ error: "upstream_failed" });
    expect(world.seen()).toEqual([]);
    expect(requests()).toMatchObject([{ verdict: "failed", layer: "upstream" }]);
  });

  test("that answers from a private address is refused by the guard, and the agent is told", async () => {
    await start({ api: rest({ access: "full" }, "private.example.com") });
    const got = await world.run(`curl -sS https://private.example.com:9443/ok`);
    expect(JSON.parse(got.out)).toMatchObject({ error: "policy_denied", layer: "address" });
  });

  test("must answer from allowed_ips, where a rule has them", async () => {
    await start({ api: rest({ access: "full", allowed_ips: ["93.184.216.99"] }) });
    const got = await world.run(`curl -sS ${at}/ok`);
    expect(JSON.parse(got.out)).toMatchObject({ error: "policy_denied", layer: "address" });
    expect(world.seen()).toEqual([]);
  });

  test("must answer from the allowed_ips of the endpoint that a request is for", async () => {
    const endpoint = (path: string, ...ips: string[]): object => ({
      host: "api.example.com",
      port: 9443,
      protocol: "rest",
      access: "full",
      path,
      ...(ips.length > 0 && { allowed_ips: ips }),
    });
    await start({ api: { endpoints: [endpoint("/far/**", "93.184.216.99"), endpoint("/near/**")] } });
    expect((await world.run(`curl -sS ${at}/near/1`)).out).toContain("/near/1");
    expect(JSON.parse((await world.run(`curl -sS ${at}/far/1`)).out)).toMatchObject({ layer: "address" });
    expect(world.seen().map(({ url }) => url)).toEqual(["/near/1"]);
  });

  test("is denied to a client that insists on HTTP/2, and the audit says so", async () => {
    await start({ api: rest({ access: "full" }) });
    const script = `openssl s_client -alpn h2 -connect api.example.com:9443 -servername api.example.com </dev/null`;
    expect((await world.run(script)).code).not.toBe(0);
    expect(egress?.records().find(({ verdict }) => verdict === "deny")).toMatchObject({
      layer: "tls",
      reason: expect.stringContaining("insists on h2") as string,
    });
    // One that offers both gets HTTP/1.1.
    const offered = `openssl s_client -alpn h2,http/1.1 -connect api.example.com:9443 -servername api.example.com </dev/null`;
    expect((await world.run(offered)).out).toContain("ALPN protocol: http/1.1");
    expect((await world.run(`curl -sS --http2 -o /dev/null -w '%{http_version}' ${at}/ok`)).out).toBe("1.1");
  });

  test("is denied to a ClientHello for another name, for none, and to what is no TLS on 443", async () => {
    await start({ api: rest({ access: "full" }) });
    for (const options of ["-servername other.example.com", "-noservername"]) {
      await world.run(`openssl s_client ${options} -connect api.example.com:9443 </dev/null`);
    }
    await world.run("curl -sS --max-time 5 http://api.example.com:443/");
    const layers = (egress?.records() ?? [])
      .filter(({ verdict }) => verdict === "deny")
      .map(({ layer }) => layer);
    expect(layers).toEqual(["tls", "tls", "tls"]);
    expect(world.seen()).toEqual([]);
  });

  test("shows a certificate of the sandbox' own authority, and resumes a session", async () => {
    await start({ api: rest({ access: "full" }) });
    const { folder } = world;
    const shown = await world.run(
      `openssl s_client -tls1_2 -connect api.example.com:9443 -servername api.example.com -sess_out ${folder}/session </dev/null 2>&1`,
    );
    expect(shown.out).toContain("issuer=CN = Nacre sandbox sandbox");
    const again = await world.run(
      `openssl s_client -tls1_2 -connect api.example.com:9443 -servername api.example.com -sess_in ${folder}/session </dev/null 2>&1`,
    );
    expect(again.out).toContain("Reused, TLSv1.2");
  });

  test("that is spliced by tls: skip keeps its own certificate, and its name is still checked", async () => {
    await start({ api: { endpoints: [{ host: "api.example.com", port: 9443, tls: "skip" }] } });
    const { folder } = world;
    expect((await world.run(`curl -sS --cacert ${folder}/ca.crt ${at}/ok`)).code).toBe(0);
    expect(
      (
        await world.run(
          `curl -sS --connect-to other.example.com:9443:api.example.com:9443 https://other.example.com:9443/`,
        )
      ).code,
    ).not.toBe(0);
  });
});

test("a request that says in a field or a parameter that it is another one is refused", async () => {
  await start({ api: rest({ rules: [allow("POST", "/ok/**")] }) });
  const code = async (options: string, query = ""): Promise<string> =>
    (await world.run(`curl -sS -o /dev/null -w '%{http_code}' -X POST ${options} '${at}/ok/1${query}'`)).out;
  for (const field of [
    "X-HTTP-Method-Override: DELETE",
    "X_HTTP-Method_Override: DELETE",
    "X-HTTP-Method: MERGE",
    "X-Original-URL: /no",
    "X_Rewrite_URL: /no",
  ])
    expect(await code(`-H '${field}'`), field).toBe("400");
  expect(await code("", "?_method=delete")).toBe("400");
  expect(await code("-H 'X-HTTP-Method-Override: POST'", "?_method=post")).toBe("200");
  expect(world.seen()).toHaveLength(1);
});

test("nothing that follows what could not be read goes on", async () => {
  await start({ api: rest({ access: "full" }) });
  const next = "GET /next HTTP/1.1\r\nHost: api.example.com:9443\r\n\r\n";
  const cases = [
    "GET /ok HTTP/1.1\r\nHost: other.example.com\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: api.example.com:9443\r\n\r\n",
    "GET /ok HTTP/1.1\r\nHost: api.example.com:9443\r\nExpect: more\r\n\r\n",
  ].flatMap((bad) => [{ send: [bad + next] }, { send: [bad, next] }]);
  const ran = await world.raw({ host: "api.example.com", port: 9443, secure: true, cases });
  expect(JSON.parse(ran.out)).toMatchObject(cases.map(() => ({ closed: true })));
  expect(world.seen()).toEqual([]);
});

test.each([
  ["Connection: Upgrade\r\nUpgrade: websocket", "a change to another protocol"],
  ["Expect: more", "an Expect that is not 100-continue"],
])("what is refused behind an answer under way is in the audit too: %s", async (fields, reason) => {
  await start({ api: rest({ access: "full" }) });
  const get = (path: string, more = ""): string =>
    `GET ${path} HTTP/1.1\r\nHost: api.example.com:9443\r\n${more}\r\n`;
  const cases = [{ send: [get("/slow"), get("/ok", `${fields}\r\n`)] }];
  const ran = await world.raw({ host: "api.example.com", port: 9443, secure: true, cases });
  expect(JSON.parse(ran.out)).toMatchObject([{ closed: true }]);
  expect(world.seen().map(({ url }) => url)).toEqual(["/slow"]);
  const denied = (egress?.records() ?? []).filter(({ verdict }) => verdict === "deny");
  expect(denied).toMatchObject([{ kind: "request", layer: "http", reason: expect.stringContaining(reason) }]);
});

test("a client that sends more than there is room for is cut off", async () => {
  await start({ api: rest({ rules: [allow("GET", "/**")] }) });
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: api.example.com:9443\r\n\r\n`;
  const cases = [
    { send: [get("/slow"), get("/ok").repeat(60)] },
    { send: [get("/slow"), get("/ok").repeat(70)] },
  ];
  const ran = await world.raw({ host: "api.example.com", port: 9443, secure: true, cases });
  expect(JSON.parse(ran.out)).toMatchObject([{ closed: false }, { closed: true }]);
  // Of a refused body, too, only a little is read.
  const refused = (bytes: number): Promise<{ out: string; error: string }> =>
    world.run(`head -c ${bytes} /dev/zero | curl -sSi -o - --data-binary @- -H Expect: ${at}/no`);
  expect((await refused(1000)).out).not.toMatch(/connection: close/i);
  // A client that still sends when its connection is closed may be told that alone.
  const { out, error } = await refused(3_000_000);
  expect(`${out}${error}`).toMatch(/connection: close|curl: \((55|56)\)/i);
});

describe("a new policy", () => {
  const reload = async (base: Record<string, object>): Promise<void> => {
    egress?.send({ type: "network", network: { revision: 2, base: base as never, allows: [], blocks: [] } });
    await egress?.next("loaded");
  };

  test("decides the next request of a kept connection", async () => {
    await start({ api: rest({ rules: [allow("GET", "/ok/**")] }) });
    const script = `
      const agent = new (require("https").Agent)({ keepAlive: true, maxSockets: 1 });
      const get = (path) => new Promise((done) => require("https").get("${at}" + path, { agent }, (r) => { r.resume().on("end", () => done(r.statusCode + (r.req.reusedSocket ? "r" : ""))); }));
      (async () => { console.log(await get("/ok/1")); await new Promise((go) => process.stdin.once("data", go)); console.log(await get("/ok/2"), await get("/new")); process.exit(); })();`;
    fs.writeFileSync(path.join(world.folder, "kept.cjs"), script);
    const child = world.start(
      `NODE_EXTRA_CA_CERTS=${world.folder}/agent-ca.crt exec ${process.execPath} ${world.folder}/kept.cjs`,
    );
    let out = "";
    child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await expect.poll(() => out, { timeout: 10_000 }).toBe("200\n");
    await reload({ api: rest({ rules: [allow("GET", "/new")] }) });
    child.stdin?.write("\n");
    await expect.poll(() => out, { timeout: 10_000 }).toBe("200\n403r 200r\n");
  });

  test("ends a kept connection on which nothing is under way, where it denies the host", async () => {
    await start({ api: rest({ rules: [allow("GET", "/ok")] }) });
    const target = "api.example.com:9443";
    const kept = world.start(
      `exec openssl s_client -quiet -connect ${target} -servername api.example.com 2>/dev/null`,
    );
    let out = "";
    kept.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    kept.stdin?.write(`GET /ok HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    await expect.poll(() => out, { timeout: 10_000 }).toContain("200 OK");
    await reload({ api: rest({ rules: [allow("GET", "/new")] }) });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(kept.exitCode).toBeNull();
    await reload({ other: rest({ access: "full" }, "other.example.com") });
    await expect.poll(() => kept.exitCode, { timeout: 5000 }).not.toBeNull();
  });

  test("ends a request under way that it denies, and no other", async () => {
    await start({ api: rest({ rules: [allow("GET", "/slow"), allow("GET", "/ok")] }) });
    const slow = world.start(`curl -sS -N --cacert ${world.folder}/agent-ca.crt ${at}/slow; echo "ended $?"`);
    let out = "";
    slow.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await expect.poll(() => out, { timeout: 10_000 }).toBe("first\n");
    await reload({ api: rest({ rules: [allow("GET", "/slow")] }) });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(out).toBe("first\n");
    await reload({ api: rest({ rules: [allow("GET", "/ok")] }) });
    await expect.poll(() => out, { timeout: 10_000 }).toMatch(/^first\nended (18|56)\n$/);
  });

  test.each([
    ["an address that the rule does not have any more", "", { allowed_ips: ["93.184.216.99"] }],
    [
      "the agent's own credential, where one is bound now",
      "-H 'Authorization: Bearer mine'",
      { credential_binding: { provider: "api" } },
    ],
  ])("ends a request under way to or with %s", async (_what, options, more) => {
    await start({ api: rest({ access: "full" }) });
    const slow = world.start(
      `curl -sS -N --cacert ${world.folder}/agent-ca.crt ${options} ${at}/slow; echo "ended $?"`,
    );
    let out = "";
    slow.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await expect.poll(() => out, { timeout: 10_000 }).toBe("first\n");
    await reload({ api: rest({ access: "full", allowed_ips: ["93.184.216.0/24", "2606:2800:220:1::/64"] }) });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(out).toBe("first\n");
    await reload({ api: rest({ access: "full", ...more }) });
    await expect.poll(() => out, { timeout: 10_000 }).toMatch(/^first\nended (18|56)\n$/);
    expect(requests().at(-1)).toMatchObject({ verdict: "deny", path: "/slow" });
  });

  test("makes a first inspected endpoint of a host that was opaque", async () => {
    await start({ api: { endpoints: [{ host: "api.example.com", port: 9443 }] } });
    expect((await world.run(`curl -sS -d x -o /dev/null -w '%{http_code}' ${at}/no`)).out).toBe("200");
    await reload({ api: rest({ rules: [allow("GET", "/ok")] }) });
    expect((await world.run(`curl -sS -d x -o /dev/null -w '%{http_code}' ${at}/no`)).out).toBe("403");
  });
});

/** Megabytes of the egress' process. */
function memory(of: RunningEgress | undefined): number {
  const status = fs.readFileSync(`/proc/${of?.child.pid ?? 0}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
