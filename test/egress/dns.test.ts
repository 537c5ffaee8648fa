import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import * as packet from "dns-packet";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { PolicyDns } from "../../lib/egress/dns.ts";
import { limits } from "../../lib/egress/limits.ts";
import { AddressPool } from "../../lib/egress/pool.ts";
import { compile } from "../../lib/policy/compile.ts";
import { resolvable } from "../../lib/policy/decide.ts";
import { networkPoliciesSchema } from "../../lib/policy/language.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nacre-dns-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const fresh = (prefix = "25.255.0.0/16", name = `${Math.random()}.json`): AddressPool =>
  new AddressPool(prefix, path.join(folder, name));
const policy = compile({
  base: networkPoliciesSchema.parse({
    r: {
      endpoints: [
        { host: "api.example.com", port: 443 },
        { host: "**.wild.example", port: 443 },
      ],
    },
  }),
  allows: [],
  blocks: [],
});
const dns = (pool = fresh()): PolicyDns => new PolicyDns(pool, (name) => resolvable(policy, name));
const query = (name: string, type: string, edns = false): Buffer =>
  packet.encode({
    type: "query",
    id: 7,
    flags: packet.RECURSION_DESIRED,
    questions: [{ name, type: type as "A" }],
    additionals: edns ? [{ type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0 } as never] : [],
  });
const ask = (name: string, type: string, edns = false, from = dns()): packet.DecodedPacket => {
  const outcome = from.answer(query(name, type, edns));
  if (outcome === undefined) throw new Error("no answer");
  return packet.decode(outcome.answer);
};
const code = (answer: packet.DecodedPacket): number => (answer.flags ?? 0) & 15;

afterEach(() => vi.useRealTimers());

describe("policy DNS", () => {
  test("gives an allowed name one synthetic IPv4 address, the same each time and whatever its case", () => {
    const one = dns();
    const first = ask("api.example.com", "A", false, one);
    expect(first.answers).toMatchObject([{ name: "api.example.com", type: "A", data: "25.255.0.2" }]);
    expect(first.id).toBe(7);
    expect(ask("API.Example.com", "A", false, one).answers).toMatchObject([
      { name: "API.Example.com", data: "25.255.0.2" },
    ]);
    expect(ask("a.wild.example", "A", false, one).answers).toMatchObject([{ data: "25.255.0.3" }]);
  });

  test.each(["AAAA", "UNKNOWN_65", "MX", "TXT", "SRV", "NS", "CNAME"])(
    "has no %s of an allowed name",
    (type) => {
      const answer = ask("api.example.com", type);
      expect(code(answer)).toBe(0);
      expect(answer.answers).toEqual([]);
      expect(answer.authorities?.[0]).toMatchObject({ type: "SOA" });
    },
  );

  test.each([
    "evil.example",
    "example.com",
    "wild.example",
    "notapi.example.com",
    "com",
    "inference.local",
    "x.api.example.com",
  ])("does not know %s", (name) => {
    for (const type of ["A", "AAAA", "TXT"]) expect(code(ask(name, type))).toBe(3);
  });

  test("tells the reason to who understands EDNS, and to nobody else", () => {
    const answer = ask("evil.example", "A", true);
    const [option] =
      (answer.additionals?.[0] as { options?: { code: number; data: Buffer }[] }).options ?? [];
    expect(option?.code).toBe(15);
    expect(option?.data.readUInt16BE(0)).toBe(15);
    expect(option?.data.subarray(2).toString()).toBe("no rule names evil.example");
    expect(ask("evil.example", "A").additionals).toEqual([]);
  });

  test("keeps localhost at home and knows no reverse names", () => {
    expect(ask("localhost", "A").answers).toMatchObject([{ data: "127.0.0.1" }]);
    expect(ask("x.localhost", "AAAA").answers).toMatchObject([{ data: "::1" }]);
    expect(code(ask("2.0.255.25.in-addr.arpa", "PTR"))).toBe(3);
  });

  test("answers no answers, and says so where it cannot read a question", () => {
    expect(dns().answer(Buffer.alloc(11))).toBeUndefined();
    expect(dns().answer(packet.encode({ type: "response", id: 1, questions: [] }))).toBeUndefined();
    const two = packet.encode({
      type: "query",
      id: 9,
      questions: [
        { name: "api.example.com", type: "A" },
        { name: "evil.example", type: "A" },
      ],
    });
    expect(dns().answer(two)?.answer.readUInt16BE(2)).toBe(0x8001);
    const update = query("api.example.com", "A");
    update.writeUInt16BE(5 << 11, 2);
    expect((dns().answer(update)?.answer.readUInt16BE(2) ?? 0) & 15).toBe(4);
  });

  test("survives any bytes", () => {
    const whole = query("api.example.com", "A", true);
    const one = dns();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(),
        (changes, cut) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          one.answer(bytes);
          one.answer(bytes.subarray(0, cut % bytes.length));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe("the pool of addresses", () => {
  test("keeps names over a restart, and a line that a kill cut short is not one", () => {
    const name = "kept.json";
    const first = fresh("25.255.0.0/16", name);
    const addresses = ["a.example", "b.example"].map((each) => first.addressFor(each)?.text);
    fs.appendFileSync(path.join(folder, name), '{"name":"c.exa');
    const second = fresh("25.255.0.0/16", name);
    expect(["a.example", "b.example"].map((each) => second.addressFor(each)?.text)).toEqual(addresses);
    expect(second.addressFor("c.example")?.text).toBe("25.255.0.4");
    expect(fs.statSync(path.join(folder, name)).mode & 0o777).toBe(0o600);
  });

  test("a corrupt file is an error that names its line, never an empty pool", () => {
    fs.writeFileSync(
      path.join(folder, "bad.json"),
      '{"name":"a.example","address":"25.255.0.2"}\nnonsense\n',
    );
    expect(() => fresh("25.255.0.0/16", "bad.json")).toThrow("is no line of a name");
  });

  test("when full, gives an address on only after its name was silent for an hour", () => {
    vi.useFakeTimers();
    const pool = fresh("25.255.9.0/24");
    const names = Array.from({ length: 252 }, (_, index) => `n${index}.example`);
    const given = new Set(names.map((name) => pool.addressFor(name)?.text));
    expect(given.size).toBe(252);
    expect(given.has("25.255.9.0") || given.has("25.255.9.1") || given.has("25.255.9.255")).toBe(false);
    expect(pool.addressFor("late.example")).toBeUndefined();
    vi.advanceTimersByTime(limits.nameMs + 1);
    pool.addressFor("n0.example");
    const reused = pool.addressFor("late.example");
    expect(reused && pool.nameOf(reused)).toBe("late.example");
    expect(pool.addressFor("n0.example")?.text).toBe("25.255.9.2");
    expect(reused?.text).toBe("25.255.9.3");
  });

  test("answers with a failure, not with another's address, when full", () => {
    const pool = fresh("25.255.8.0/24");
    for (let index = 0; index < 252; index++) pool.addressFor(`n${index}.example`);
    expect(code(ask("api.example.com", "A", false, dns(pool)))).toBe(2);
  });

  test("gives no address that it could not keep, and says so", () => {
    const complaints: string[] = [];
    const pool = new AddressPool("25.255.0.0/16", path.join(folder, "absent", "pool.json"), (text) =>
      complaints.push(text),
    );
    expect(code(ask("api.example.com", "A", false, dns(pool)))).toBe(2);
    expect(complaints[0]).toContain("ENOENT");
  });

  test("takes IPv4 blocks of a useful size only", () => {
    for (const prefix of ["25.255.0.0/25", "fd00::/64", "25.255.0.1/16", "x"]) {
      expect(() => fresh(prefix)).toThrow("not an IPv4 block");
    }
  });
});
