import { type Cidr, contains, parseAddress, parseCidr } from "./address.ts";
import type { Problem } from "./problem.ts";

/** Blocks that no policy opens: what is there belongs to the machine that dials. */
const own = [
  "127.0.0.0/8",
  "169.254.0.0/16",
  "0.0.0.0/8",
  "::/127",
  "fe80::/10",
  "::ffff:0.0.0.0/96",
] as const;
const ownBlocks = own.map((text) => parseCidr(text)).filter((block) => block !== undefined);

/** What is wrong with one of `allowed_ips`, if anything. */
export function addressRangeProblem(written: string): Problem | undefined {
  const block = parseCidr(written);
  if (block === undefined) {
    const [address = "", bits] = written.split("/");
    if (bits === undefined || parseAddress(address) === undefined)
      return {
        reason: `"${written}" is not an address or a block of them`,
        fix: "write 10.1.2.3 or 10.1.2.0/24",
      };
    const most = address.includes(":") ? 128 : 32;
    const isPrefix = /^\d+$/.test(bits) && Number(bits) <= most;
    const fault = isPrefix ? "bits set behind its prefix" : `no prefix from 0 to ${most}`;
    return { reason: `"${written}" has ${fault}`, fix: "write 10.1.2.0/24, or one address" };
  }
  if (ownBlocks.some((other) => overlap(block, other))) {
    return {
      reason: `"${written}" reaches loopback, link-local or unspecified addresses`,
      fix: "write the narrower block that is meant; IPv4 as a.b.c.d/n",
    };
  }
  return undefined;
}

/** One spelling: the address and the length of its prefix. */
export function normalRange(written: string): string {
  const block = parseCidr(written);
  const text = parseAddress(written.split("/", 1)[0] ?? "")?.text;
  return block === undefined || text === undefined ? written : `${text}/${block.bits}`;
}

/** Two blocks overlap where one holds the other. */
export function overlap(a: Cidr, b: Cidr): boolean {
  const [wide, narrow] = a.bits <= b.bits ? [a, b] : [b, a];
  return contains(wide, { family: narrow.family, value: narrow.value, text: "" });
}
