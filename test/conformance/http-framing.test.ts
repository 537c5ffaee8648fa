import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { type RunningEgress, World } from "../egress/world/world.ts";

const caseSchema = z.strictObject({
  why: z.string().min(1),
  send: z.array(z.string()).min(1),
  answers: z.array(z.int()),
  origin: z.array(z.string()).default([]),
  closed: z.boolean().optional(),
  long: z.int().optional(),
});
const cases = z
  .array(caseSchema)
  .parse(parse(fs.readFileSync(path.join(import.meta.dirname, "http-framing.yaml"), "utf8")));

const host = "api.example.com";
const read = (method: string, ...paths: string[]): object[] =>
  paths.map((path) => ({ allow: { method, path } }));
const rules = [...read("GET", "/ok/**", "/chunked"), ...read("POST", "/ok/**", "/early")];

let world: World;
let egress: RunningEgress;
beforeAll(async () => {
  world = await World.make();
  const endpoints = [{ host, ports: [9443, 9080], protocol: "rest", rules }];
  egress = await world.egress({ base: { api: { endpoints } } as never });
});
afterAll(async () => {
  await egress.stop();
  await world.stop();
});

/** All cases of one port at once, each on a connection of its own; what the origin saw is told apart by a mark in the query. */
describe.each([
  { over: "TLS", port: 9443, secure: true },
  { over: "plain TCP", port: 9080, secure: false },
])("over $over", ({ port, secure }) => {
  let answers: { answer: string; closed: boolean }[] = [];
  let seen: Seen[] = [];
  beforeAll(async () => {
    const before = seenBy(world).length;
    const bytes = cases.map(({ send, long = 0 }, index) => ({
      send: send.map((piece) => marked(piece, index, `${host}:${port}`).replace("LONG", "x".repeat(long))),
    }));
    const ran = await world.raw({ host, port, secure, cases: bytes });
    expect(ran.error).toBe("");
    answers = JSON.parse(ran.out) as typeof answers;
    seen = seenBy(world).slice(before);
  }, 60_000);

  test.each(cases.map((one, index) => ({ ...one, index })))("$why", ({ index, ...expected }) => {
    const got = answers[index];
    expect(statuses(got?.answer ?? ""), got?.answer.slice(0, 600)).toEqual(expected.answers);
    expect(seen.filter(({ mark }) => mark === index).map(({ text }) => text)).toEqual(expected.origin);
    if (expected.closed !== undefined) expect(got?.closed).toBe(expected.closed);
  });
});

interface Seen {
  readonly mark: number;
  readonly text: string;
}

/** The case's number goes into a field of every request, which reaches the origin with it. */
const marked = (piece: string, index: number, authority: string): string =>
  piece
    .replace(/(Host: (?:HOST|API\.example\.com\.:PORT)\r\n)/g, `$1X-Case: ${index}\r\n`)
    .replaceAll("HOST", authority)
    .replaceAll("PORT", authority.split(":")[1] ?? "");

function seenBy(world: World): Seen[] {
  return world.seen().map((said) => {
    const fields = pairs(said.headers);
    const known = ["host", "x-case", "connection", "content-length", "transfer-encoding", "expect"];
    const others = [
      ...fields.filter(([name]) => !known.includes(name.toLowerCase())),
      ...pairs(said.trailers ?? []),
    ];
    const text = [
      `${said.method} ${said.url}`,
      ...(said.body === undefined || said.body === "" ? [] : [said.body]),
      ...others.map(([name, value]) => `${name}=${value}`),
    ].join(" ");
    return { mark: Number(fields.find(([name]) => name === "X-Case")?.[1] ?? -1), text };
  });
}

const pairs = (flat: readonly string[]): [string, string][] =>
  flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ""] as [string, string]] : []));

/** The statuses of the answers in a stream of them, each read by its length. */
function statuses(stream: string): number[] {
  return [...stream.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
