import fs from "node:fs";
import net from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classOf, publicBlocks } from "../../lib/policy/address-class.ts";
import { addressOf, contains, parseAddress, parseCidr, unmapped } from "../../lib/policy/address.ts";

interface Row {
  class: string | null;
  why: string;
  addresses: string[];
}
const rows = JSON.parse(fs.readFileSync(new URL("addresses.json", import.meta.url), "utf8")) as Row[];

describe("the class of an address", () => {
  test.each(rows.flatMap((row) => row.addresses.map((address) => ({ ...row, address }))))(
    "$address is $class: $why",
    ({ address, class: expected }) => {
      expect(classOf(address) ?? null).toBe(expected);
    },
  );
});

test("a block that is closed as a whole is no public one, however it is written", () => {
  const left = (...more: string[]): string[] => publicBlocks(more).map(({ cidr }) => cidr);
  expect(left()).toEqual(["0.0.0.0/0", "2000::/3"]);
  expect(left("::/0")).toEqual(["0.0.0.0/0"]);
  expect(left("2000::/3")).toEqual(["0.0.0.0/0"]);
  expect(left("0.0.0.0/0", "::/1")).toEqual([]);
  expect(publicBlocks(["3000::/4"])[1]?.except).toEqual([
    "2001:db8::/32",
    "2002::/16",
    "2001::/23",
    "3000::/4",
  ]);
});

test("one spelling for an address, and the same one that the runtime's sockets use", () => {
  for (const [written, text] of [
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["::ffff:0808:0808", "::ffff:8.8.8.8"],
    ["1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"],
  ] as const) {
    expect(parseAddress(written)?.text).toBe(text);
  }
});

test("any IPv6 value survives being written and read, and is what the runtime takes for an address", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.nat(127), (random, zeros) => {
      const address = addressOf(6, random & ~(((1n << BigInt(zeros)) - 1n) << 16n));
      expect(parseAddress(address.text)).toEqual(address);
      expect(net.isIPv6(address.text)).toBe(true);
    }),
  );
});

test("what is no address to the runtime is none to us", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from("0123456789abcdef:.xX% /")) }), (text) => {
      if (parseAddress(text) !== undefined) expect(net.isIP(text)).not.toBe(0);
    }),
    { numRuns: 5000 },
  );
});

test("a block with bits set behind its prefix is a slip, not a wider block", () => {
  expect(parseCidr("10.0.0.1/8")).toBeUndefined();
  expect(parseCidr("10.0.0.0/33")).toBeUndefined();
  expect(parseCidr("10.0.0.0/08")).toBeUndefined();
  expect(parseCidr("10.0.0.0/8/8")).toBeUndefined();
  expect(parseCidr("::/129")).toBeUndefined();
});

test("blocks contain by family and prefix", () => {
  const ten = parseCidr("10.0.0.0/8");
  const all = parseCidr("0.0.0.0/0");
  const address = parseAddress("10.9.8.7");
  const mapped = parseAddress("::ffff:10.9.8.7");
  if (ten === undefined || all === undefined || address === undefined || mapped === undefined)
    throw new Error();
  expect(contains(ten, address)).toBe(true);
  expect(contains(ten, mapped)).toBe(false);
  expect(contains(ten, unmapped(mapped))).toBe(true);
  expect(contains(all, address)).toBe(true);
});
