/** An IP address, parsed once. `text` is its only spelling (RFC 5952 for IPv6), `value` its bits. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly text: string;
}

/** A block of addresses. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly bits: number;
}

/**
 * Strict: four decimal numbers without leading zeros, or RFC 4291 text without a zone. None of `127.1`, `0x7f.1`,
 * `0177.0.0.1`, `2130706433`: two parsers that disagree about an address are how a guard is passed.
 */
export function parseAddress(text: string): IpAddress | undefined {
  const four = parseFour(text);
  if (four !== undefined) return { family: 4, value: four, text };
  const six = parseSix(text);
  return six === undefined ? undefined : { family: 6, value: six, text: formatSix(six) };
}

export function addressOf(family: 4 | 6, value: bigint): IpAddress {
  return { family, value, text: family === 4 ? formatFour(value) : formatSix(value) };
}

/** `10.0.0.0/8`, or an address alone for itself. Bits set behind the prefix are refused as a slip. */
export function parseCidr(text: string): Cidr | undefined {
  const [head = "", tail, ...more] = text.split("/");
  const address = parseAddress(head);
  if (address === undefined || more.length > 0) return undefined;
  const width = address.family === 4 ? 32 : 128;
  if (tail !== undefined && !/^(0|[1-9][0-9]{0,2})$/.test(tail)) return undefined;
  const bits = tail === undefined ? width : Number(tail);
  if (bits > width) return undefined;
  const host = (1n << BigInt(width - bits)) - 1n;
  if ((address.value & host) !== 0n) return undefined;
  return { family: address.family, value: address.value, bits };
}

/** The range that holds this address alone. */
export const aloneIn = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;

export function contains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.family !== address.family) return false;
  const shift = BigInt((cidr.family === 4 ? 32 : 128) - cidr.bits);
  return cidr.value >> shift === address.value >> shift;
}

/** `::ffff:a.b.c.d` as the IPv4 address that a socket bound to both families means by it. */
export function unmapped(address: IpAddress): IpAddress {
  if (address.family === 4 || address.value >> 32n !== 0xffffn) return address;
  return addressOf(4, address.value & 0xffffffffn);
}

function parseFour(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    if ((part.length > 1 && part.startsWith("0")) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseSix(text: string): bigint | undefined {
  if (!/^[0-9a-f:.]{2,45}$/i.test(text)) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of `::`; a dotted quad may end the last side. */
function groupsOf(side: string, last: boolean): number[] | undefined {
  if (side === "") return [];
  const groups: number[] = [];
  const parts = side.split(":");
  for (const [index, part] of parts.entries()) {
    if (part.includes(".")) {
      const four = last && index === parts.length - 1 ? parseFour(part) : undefined;
      if (four === undefined) return undefined;
      groups.push(Number(four >> 16n), Number(four & 0xffffn));
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function formatFour(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join(".");
}

function formatSix(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn);
  if (value >> 32n === 0xffffn) return `::ffff:${formatFour(value & 0xffffffffn)}`;
  const { start, length } = longestZeros(groups);
  const words = groups.map((group) => group.toString(16));
  if (length < 2) return words.join(":");
  return `${words.slice(0, start).join(":")}::${words.slice(start + length).join(":")}`;
}

function longestZeros(groups: readonly bigint[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0n) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}
