import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Configure } from "../../lib/egress/protocol.ts";
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

const secret = "s3cr3t:of/the operator";
const placeholder = "openshell:resolve:env:API_TOKEN";
const at = "https://api.example.com:9443";
const credentials: Configure["credentials"] = { api: { as: "API_TOKEN" } };

const bound = (position?: object, more: object = {}): object => ({
  endpoints: [
    {
      host: "api.example.com",
      ports: [9443, 9080],
      protocol: "rest",
      access: "full",
      credential_binding: { provider: "api", ...(position && { in: position }) },
      ...more,
    },
  ],
});
const open = { endpoints: [{ host: "open.example.com", port: 9443, protocol: "rest", access: "full" }] };
const start = async (rule: object, more: Partial<Configure> = {}): Promise<void> => {
  const base = { api: rule, open } as never;
  egress = await world.egress({ base }, { credentials, secrets: { api: secret }, ...more });
};

/** A field as the origin saw it, once; of several, all. */
const header = (name: string): string | string[] | undefined => {
  const { headers = [] } = world.seen().at(-1) ?? {};
  const found = headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === name);
  return found.length > 1 ? found : found[0];
};
const curl = async (options: string, target = `${at}/ok`): Promise<{ status: number; body: string }> => {
  const { out } = await world.run(`curl -sS -w '\\n%{http_code}' ${options} '${target}'`);
  const lines = out.trimEnd().split("\n");
  return { status: Number(lines.pop()), body: lines.join("\n") };
};
const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

describe("a credential that an endpoint is bound to", () => {
  test("is put on where the agent sends nothing", async () => {
    await start(bound());
    expect(await curl("")).toMatchObject({ status: 200 });
    expect(header("authorization")).toBe(`Bearer ${secret}`);
  });

  test.each([
    ["Bearer", `-H 'Authorization: Bearer ${placeholder}'`, `Bearer ${secret}`],
    ["another scheme", `-H 'Authorization: token ${placeholder}'`, `token ${secret}`],
    ["no scheme", `-H 'Authorization: ${placeholder}'`, secret],
    ["a password of Basic", `-u 'me:${placeholder}'`, basic(`me:${secret}`)],
    ["a user of Basic", `-u '${placeholder}:x'`, basic(`${secret}:x`)],
    [
      "the form without colons",
      "-H 'Authorization: Bearer api-OPENSHELL-RESOLVE-ENV-API_TOKEN'",
      `Bearer ${secret}`,
    ],
  ])("takes the placeholder's place: %s", async (_name, options, expected) => {
    await start(bound());
    expect(await curl(options)).toMatchObject({ status: 200 });
    expect(header("authorization")).toBe(expected);
  });

  test("goes into a header of its own, into Basic, a query and a path, with and without the placeholder", async () => {
    await start(bound({ header: "X-Api-Key", prefix: "key " }));
    await curl("");
    expect(header("x-api-key")).toBe(`key ${secret}`);
    await curl(`-H 'X-API-Key: ${placeholder}'`);
    expect(header("x-api-key")).toBe(secret);
    await egress?.stop();

    await start(bound({ basic: "robot" }));
    await curl("");
    expect(header("authorization")).toBe(basic(`robot:${secret}`));
    await egress?.stop();

    await start(bound({ query: "key" }));
    await curl("", `${at}/ok?a=1`);
    expect(world.seen().at(-1)?.url).toBe(`/ok?a=1&key=${encodeURIComponent(secret)}`);
    await curl("", `${at}/ok?key=${placeholder}&a=1`);
    expect(world.seen().at(-1)?.url).toBe(`/ok?a=1&key=${encodeURIComponent(secret)}`);
    await egress?.stop();

    await start(bound({ path: "/bot{}/" }));
    const written = encodeURIComponent(secret).replace("%3A", ":");
    await curl("", `${at}/bot${placeholder}/send?x=1`);
    expect(world.seen().at(-1)?.url).toBe(`/bot${written}/send?x=1`);
    await curl("", `${at}/file/bot/a`);
    expect(world.seen().at(-1)?.url).toBe(`/file/bot${written}/a`);
  });

  test("is taken out of the head of an answer that repeats it, where the placeholder stands then", async () => {
    const asked = async (path: string): Promise<string> => {
      const { out } = await world.run(`curl -sS -v --trace-ascii - '${at}${path}'`);
      expect(world.seen().at(-1)?.url).toContain("s3cr3t");
      expect(out).not.toContain("s3cr3t");
      // All of what was said is there, and was looked at.
      expect(out).toContain("moved");
      expect(out).toContain("HTTP/1.1 103");
      expect(out.toLowerCase()).toContain("x-was");
      return out;
    };
    await start(bound({ path: "/bot{}/" }));
    const given = await asked("/bot/moved");
    expect(given).toContain(`Location: /bot${placeholder}/moved/`.replace("Location", "location"));
    expect(given).toContain(`Not at /bot${placeholder}/moved`);
    await egress?.stop();

    await start(bound({ query: "key" }));
    expect(await asked(`/moved?a=1`)).toContain(`location: /moved/?a=1&key=${placeholder}`);
    await egress?.stop();

    await start(bound({ query: "key" }), { credentials: { api: {} } });
    expect(await asked(`/moved?a=1`)).toMatch(/location: \/moved\/\?a=1&key=$/m);
  });

  test.each([
    ["in Authorization", {}, "-H 'Authorization: Bearer mine'"],
    ["in Basic", {}, "-u me:mine"],
    [
      "beside the placeholder, twice",
      {},
      `-H 'Authorization: Bearer ${placeholder}' -H 'Authorization: Bearer mine'`,
    ],
    ["around the placeholder", {}, `-H 'Authorization: Bearer mine ${placeholder}'`],
    ["in another header", {}, "-H 'X-Api-Key: mine'"],
    ["in a header nobody knows, by its name", {}, "-H 'My-Access-Token: mine'"],
    ["in a cookie", {}, "-b session=mine"],
    ["the placeholder at another place", {}, `-H 'X-Api-Key: ${placeholder}'`],
    ["in the query", {}, "", `${at}/ok?access_token=mine`],
    ["in the query, encoded", {}, "", `${at}/ok?access%5Ftoken=mine`],
    ["in a query that is read in two ways", {}, "", `${at}/ok?a=1;access_token=mine`],
    ["in the query's own place", { query: "key" }, "", `${at}/ok?key=mine`],
    ["twice in the query's own place", { query: "key" }, "", `${at}/ok?key=${placeholder}&key=mine`],
    ["in Authorization, where the place is the query", { query: "key" }, "-H 'Authorization: Bearer mine'"],
    ["in the path", { path: "/bot{}/" }, "", `${at}/botmine/send`],
    ["by TRACE, which sends everything back", {}, "-X TRACE"],
    ["as the name beside the placeholder in Basic", {}, `-u 'sk_live_a_key_of_the_agents:${placeholder}'`],
    ["as the password beside the placeholder in Basic", {}, `-u '${placeholder}:mine'`],
    ["in the query's own place, in another case", { query: "appid" }, "", `${at}/ok?APPID=mine`],
    ["in the query's own place, as a list", { query: "appid" }, "", `${at}/ok?appid[]=mine`],
    ["in the header's own place, as CGI reads it", { header: "x-team" }, "-H 'X_Team: mine'"],
    ["in a parameter that PHP takes for another", {}, "", `${at}/ok?api+key=mine`],
    ["in a vendor's header: Honeycomb", {}, "-H 'X-Honeycomb-Team: mine'"],
    ["in a vendor's header: Artifactory", {}, "-H 'X-JFrog-Art-Api: mine'"],
    ["in a vendor's header: OKX", {}, "-H 'OK-ACCESS-PASSPHRASE: mine'"],
    ["in a vendor's header: Coinbase", {}, "-H 'CB-ACCESS-SIGN: mine'"],
    ["in a vendor's header: npm", {}, "-H 'npm-otp: mine'"],
    ["in a vendor's header: DPoP", {}, "-H 'DPoP: mine'"],
    ["in a vendor's parameter: serviceKey", {}, "", `${at}/ok?serviceKey=mine`],
    ["in a vendor's parameter: Last.fm", {}, "", `${at}/ok?sk=mine`],
    ["in a vendor's parameter: PHP's session", {}, "", `${at}/ok?PHPSESSID=mine`],
    ["in a vendor's parameter: Shopify", {}, "", `${at}/ok?hmac=mine`],
  ])("is never beside the agent's own: %s", async (_name, position, options, target = `${at}/ok`) => {
    await start(bound(Object.keys(position).length === 0 ? undefined : position));
    const { status, body } = await curl(options, target);
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ error: "policy_denied", layer: "credential" });
    expect(body).not.toContain(secret);
    expect(world.seen()).toEqual([]);
  });

  test.each([
    ["an e-mail address", `-u 'someone@example.com/token:${placeholder}'`],
    ["no name", `-u ':${placeholder}'`],
    ["git's password for a token as the name", `-u '${placeholder}:x-oauth-basic'`],
  ])("may have beside it, in Basic, %s", async (_what, options) => {
    await start(bound());
    expect(await curl(options)).toMatchObject({ status: 200 });
  });

  test("is not joined by one in a trailer, and opens no session of the agent's", async () => {
    await start(bound());
    const head = `POST /ok HTTP/1.1\r\nHost: api.example.com:9443\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const trailers = "X-Api-Key: mine\r\nX-Sum: 1\r\nX-Count: 2\r\n";
    const cases = [{ send: [`${head}1\r\na\r\n0\r\n${trailers}\r\n`] }];
    await world.raw({ host: "api.example.com", port: 9443, secure: true, cases });
    expect(world.seen()).toMatchObject([{ trailers: ["X-Sum", "1", "X-Count", "2"] }]);

    const answer = "HTTP/1.1 200 OK\r\nSet-Cookie: session=opened\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n";
    const bytes = Buffer.from(answer).toString("base64url");
    const { body } = await curl("-i", `${at}/raw?bytes=${bytes}`);
    expect(body).toMatch(/x-kept: 1/i);
    expect(body).not.toContain("opened");
    // Where no credential is bound, cookies are the agent's own affair.
    const { body: other } = await curl("-i", `https://open.example.com:9443/raw?bytes=${bytes}`);
    expect(other).toContain("opened");
  });

  test("is not joined by one in a trailer that has its own field's name", async () => {
    await start(bound({ header: "x-team" }));
    const head = `POST /ok HTTP/1.1\r\nHost: api.example.com:9443\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const cases = [{ send: [`${head}1\r\na\r\n0\r\nX-Team: mine\r\nX_Team: mine\r\nX-Sum: 1\r\n\r\n`] }];
    await world.raw({ host: "api.example.com", port: 9443, secure: true, cases });
    expect(world.seen()).toMatchObject([{ trailers: ["X-Sum", "1"] }]);
  });

  test("does not keep harmless fields out", async () => {
    await start(bound());
    const headers = "-H 'Idempotency-Key: 1' -H 'X-Request-Id: 2' -H 'Accept: a/b'";
    expect((await curl(headers, `${at}/ok?page_token=3&sort=key`)).status).toBe(200);
  });

  test("never goes out in the clear", async () => {
    await start(bound());
    const { status, body } = await curl("", "http://api.example.com:9080/ok");
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ layer: "credential" });
    expect(world.seen()).toEqual([]);
  });

  test("that has no value is said to have none, and nothing goes out", async () => {
    await start(bound(), { secrets: {} });
    const { status, body } = await curl("");
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({
      error: "credential_unavailable",
      next_steps: [
        expect.stringMatching(
          /nacre secret set \S+ … (--for api\.example\.com:9443 --use test\/world), or, .* nacre secret allow \S+ \1$/,
        ),
      ],
    });
    expect(world.seen()).toEqual([]);
  });

  test("is another one from the next request on, on the same connection, when the operator changes it", async () => {
    await start(bound());
    await curl("");
    egress?.send({ type: "secrets", secrets: { api: "rotated" } });
    await expect
      .poll(async () => {
        await curl("");
        return header("authorization");
      })
      .toBe("Bearer rotated");
  });
});

describe("a placeholder", () => {
  test("is refused by a host that its credential is not for", async () => {
    await start(bound());
    for (const options of [
      `-H 'Authorization: Bearer ${placeholder}'`,
      `-u 'me:${placeholder}'`,
      `-H 'X: a${placeholder}b'`,
    ]) {
      const { status, body } = await curl(options, "https://open.example.com:9443/ok");
      expect(status, options).toBe(403);
      expect(JSON.parse(body)).toMatchObject({ layer: "credential" });
    }
    for (const query of [placeholder, placeholder.replaceAll(":", "%3A")])
      expect((await curl("", `https://open.example.com:9443/ok?a=${query}`)).status).toBe(403);
    expect(world.seen()).toEqual([]);
  });

  test("that follows a redirect to another host carries nothing there", async () => {
    await start(bound());
    const to = encodeURIComponent("https://open.example.com:9443/there");
    const { status } = await curl("-L", `${at}/redirect?to=${to}`);
    expect(status).toBe(200);
    expect(world.seen().map(({ url }) => url)).toEqual([`/redirect?to=${to}`, "/there"]);
    expect(header("authorization")).toBeUndefined();
    // Also where the client insists on sending what it has.
    const insisted = await curl(
      `-L --location-trusted -H 'Authorization: Bearer ${placeholder}'`,
      `${at}/redirect?to=${to}`,
    );
    expect(insisted.status).toBe(403);
  });

  test("means nothing to a host that is not inspected: it goes there as it is", async () => {
    egress = await world.egress(
      { base: { opaque: { endpoints: [{ host: "api.example.com", port: 9443 }] } } },
      { credentials, secrets: { api: secret } },
    );
    await curl(`-H 'Authorization: Bearer ${placeholder}'`);
    expect(header("authorization")).toBe(`Bearer ${placeholder}`);
  });
});

test("the value is in no record, no report, and nothing that the agent was sent but by the origin itself", async () => {
  await start(bound());
  await curl("");
  await curl("-H 'Authorization: Bearer mine'");
  await curl("-X TRACE");
  const said = `${egress?.audited()}${JSON.stringify(egress?.reports)}`;
  const forms = [
    secret,
    Buffer.from(secret).toString("base64"),
    encodeURIComponent(secret),
    Buffer.from(secret).toString("hex"),
  ];
  // The control: the origin's own record has it.
  expect(JSON.stringify(world.seen())).toContain(secret);
  for (const form of forms) expect(said).not.toContain(form);
});
