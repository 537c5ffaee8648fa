import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningEgress, type SeenRequest, World } from "./world/world.ts";

/**
 * Ways round rules on requests. Each is tried twice: with the inspection off (the same host, opaque), where it must reach the
 * origin, so that it is known to be an attack; and with it on, where the origin must see nothing of it.
 */
const host = "api.example.com";
const port = 9443;
const authority = `${host}:${port}`;
const head = (line: string, ...fields: string[]): string =>
  [`${line} HTTP/1.1`, `Host: ${authority}`, ...fields, "", ""].join("\r\n");
const sized = (body: string): string => `Content-Length: ${body.length}`;

interface Attack {
  readonly way: string;
  readonly send: readonly string[];
  /** Whether a request that the origin saw is what no rule allows. */
  readonly reached: (seen: SeenRequest) => boolean;
}

const forbidden = ({ url }: SeenRequest): boolean => url.startsWith("/no");
const raw =
  (text: string) =>
  ({ url }: SeenRequest): boolean =>
    url.includes(text);
const smuggled = head("GET /no/smuggled");

const attacks: readonly Attack[] = [
  { way: "another path", send: [head("GET /no/1")], reached: forbidden },
  { way: "another method", send: [head("DELETE /ok/1")], reached: ({ method }) => method === "DELETE" },
  {
    way: "fronting: a Host that is not the connection's name",
    send: ["GET /ok/1 HTTP/1.1\r\nHost: other.example.com\r\n\r\n"],
    reached: ({ headers }) => headers.includes("other.example.com"),
  },
  {
    way: "the Host changes on a kept connection",
    send: [head("GET /ok/1"), "GET /ok/2 HTTP/1.1\r\nHost: other.example.com\r\n\r\n"],
    reached: ({ headers }) => headers.includes("other.example.com"),
  },
  {
    way: "the path changes on a kept connection",
    send: [head("GET /ok/1"), head("GET /no/2")],
    reached: forbidden,
  },
  { way: "a pipelined second request", send: [head("GET /ok/1") + head("GET /no/2")], reached: forbidden },
  { way: "dot segments", send: [head("GET /ok/../no")], reached: raw("..") },
  { way: "encoded dot segments", send: [head("GET /ok/%2e%2e/no")], reached: raw("%2e") },
  {
    way: "dots encoded twice stay what they are, one segment's name",
    send: [head("GET /no/%252e%252e/ok")],
    reached: forbidden,
  },
  { way: "an encoded slash", send: [head("GET /ok/a%2fb")], reached: raw("%2f") },
  { way: "encoded dots and slashes", send: [head("GET /ok/..%2f..%2fno")], reached: raw("%2f") },
  { way: "a backslash", send: [head("GET /ok/..\\no")], reached: raw("\\") },
  { way: "an encoded backslash", send: [head("GET /ok/..%5cno")], reached: raw("%5c") },
  { way: "parameters of a segment", send: [head("GET /ok/..;/no")], reached: raw("..;") },
  { way: "double slashes before a denied path", send: [head("GET //no/x")], reached: raw("/no/x") },
  { way: "a denied path in another case", send: [head("GET /ok/Secret/1")], reached: raw("/ok/Secret") },
  { way: "a denied path with an encoded letter", send: [head("GET /ok/s%65cret/1")], reached: raw("cret/1") },
  {
    way: "a body that is a request, behind a length that is too short",
    send: [head("POST /ok/1", "Content-Length: 0") + smuggled],
    reached: forbidden,
  },
  {
    way: "the rest of a body after an answer that came early",
    send: [head("POST /early", "Content-Length: 5") + "abcde", smuggled],
    reached: forbidden,
  },
  {
    way: "a request behind the end of a chunked body",
    send: [head("POST /ok/1", "Transfer-Encoding: chunked") + "1\r\na\r\n0\r\n\r\n" + smuggled],
    reached: forbidden,
  },
  {
    way: "a request in a refused request's body",
    send: [head("POST /no/1", sized(smuggled)) + smuggled + smuggled],
    reached: forbidden,
  },
  {
    way: "a field that names the method to override is no method",
    send: [head("POST /no/1", "X-HTTP-Method-Override: GET", "Content-Length: 0")],
    reached: forbidden,
  },
  {
    way: "a field of the connection that would be taken from the message",
    send: [head("GET /ok/1", "Connection: x-guard", "X-Guard: 1", "Upgrade-Insecure-Requests: 1")],
    reached: ({ headers }) => headers.includes("X-Guard"),
  },
  {
    way: "the agent's own credential",
    send: [head("GET /bound/1", "Authorization: Bearer mine")],
    reached: ({ headers }) => headers.includes("Bearer mine"),
  },
  {
    way: "the agent's own credential where an unbound endpoint of that host is asked",
    send: [head("GET /ok/1", "Authorization: Bearer mine")],
    reached: ({ headers }) => headers.includes("Bearer mine"),
  },
  {
    way: "the agent's own credential in the query",
    send: [head("GET /bound/1?api_key=mine")],
    reached: raw("mine"),
  },
  {
    way: "the agent's own credential in a trailer",
    send: [head("POST /bound/1", "Transfer-Encoding: chunked") + "0\r\nAuthorization: Bearer mine\r\n\r\n"],
    reached: (seen) => JSON.stringify(seen).includes("Bearer mine"),
  },
];

const off = { endpoints: [{ host, port }] };
const on = {
  endpoints: [
    {
      host,
      port,
      protocol: "rest",
      rules: [
        { allow: { method: "GET", path: "/ok/**" } },
        { allow: { method: "POST", path: "/ok/**" } },
        { allow: { method: "POST", path: "/early" } },
      ],
      deny_rules: [{ method: "*", path: "/ok/secret/**" }],
    },
    {
      host,
      port,
      protocol: "rest",
      access: "full",
      path: "/bound/**",
      credential_binding: { provider: "api" },
    },
  ],
};

let world: World;
beforeAll(async () => {
  world = await World.make();
});
afterAll(() => world.stop());

/** What the origin saw of all attacks, each on a connection of its own, by its number. */
async function tried(rule: object): Promise<Map<number, SeenRequest[]>> {
  world.forget();
  const egress: RunningEgress = await world.egress(
    { base: { api: rule } as never },
    { credentials: { api: { as: "API_TOKEN" } }, secrets: { api: "the-operators" } },
  );
  const cases = attacks.map(({ send }, index) => ({
    send: send.map((piece) => piece.replaceAll(/(Host: [^\r]*\r\n)/g, `$1X-Case: ${index}\r\n`)),
  }));
  const ran = await world.raw({ host, port, secure: true, cases });
  await egress.stop();
  expect(ran).toMatchObject({ code: 0, error: "" });
  return Map.groupBy(world.seen(), ({ headers }) => Number(headers[headers.indexOf("X-Case") + 1]));
}

describe("ways round rules on requests", () => {
  let without: Map<number, SeenRequest[]>;
  let within: Map<number, SeenRequest[]>;
  beforeAll(async () => {
    without = await tried(off);
    within = await tried(on);
  }, 120_000);

  test.each(attacks.map((attack, index) => ({ ...attack, index })))("$way", ({ index, reached }) => {
    expect((without.get(index) ?? []).some(reached), "with the inspection off it is an attack").toBe(true);
    expect((within.get(index) ?? []).filter(reached)).toEqual([]);
  });
});
