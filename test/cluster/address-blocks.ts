import { addressOf, parseAddress, parseCidr, type IpAddress } from "../../lib/policy/address.ts";

/** Addresses from one to another, both included. */
export interface Range {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

const widths = { 4: 32n, 6: 128n } as const;

/** `10.0.0.0/8`, `10.0.0.0-10.0.0.9`, or an address alone. */
export function rangeOf(text: string): Range {
  const [from = "", to] = text.split("-");
  const block = parseCidr(from);
  if (block === undefined) throw new RangeError(`${text} is no range of addresses`);
  const { family, value } = block;
  if (to === undefined) {
    const size = 1n << (widths[family] - BigInt(block.bits));
    return { family, first: value, last: value + size - 1n };
  }
  const end = parseAddress(to);
  if (end?.family !== family) throw new RangeError(`${text} is no range of addresses`);
  return { family, first: value, last: end.value };
}

export const holds = (range: Range, { family, value }: IpAddress): boolean =>
  range.family === family && range.first <= value && value <= range.last;

/** As people write it: a block where it is one. */
export function textOf({ family, first, last }: Range): string {
  const size = last - first + 1n;
  const from = addressOf(family, first).text;
  if (size === 1n) return from;
  const isBlock = (size & (size - 1n)) === 0n && first % size === 0n;
  return isBlock
    ? `${from}/${Number(widths[family]) - (size.toString(2).length - 1)}`
    : `${from}-${addressOf(family, last).text}`;
}

/** Both ends of a range, what lies before and behind it, and one in between. */
export function probesOf({ family, first, last }: Range): IpAddress[] {
  const highest = (1n << widths[family]) - 1n;
  return [first - 1n, first, (first + last) / 2n, last, last + 1n]
    .filter((value) => value >= 0n && value <= highest)
    .map((value) => addressOf(family, value));
}

/**
 * What is not public, written down from IANA's registries of special-purpose addresses and the clouds' manuals, and not
 * taken from Nacre's own table: that one is on trial too. The first that holds an address says what it is.
 */
const written = {
  metadata: [
    ...["169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "169.254.42.42"],
    ...["168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"],
    ...["fd00:42::42", "fe80::a9fe:a9fe"],
  ],
  "this host": ["0.0.0.0/8", "::", "127.0.0.0/8", "::1"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"],
  shared: ["100.64.0.0/10"],
  "link-local": ["169.254.0.0/16", "fe80::/10"],
  documentation: ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"],
  benchmark: ["198.18.0.0/15", "2001:2::/48"],
  multicast: ["224.0.0.0/4", "255.255.255.255", "ff00::/8"],
  transition: ["192.88.99.0/24", "2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48", "::/96"],
  reserved: ["192.0.0.0/24", "240.0.0.0/4", "2001::/23", "100::/64"],
  public: ["0.0.0.0/0", "2000::/3"],
  unassigned: ["::/0"],
} as const;

export type Kind = keyof typeof written;
export const kinds = Object.keys(written) as Kind[];

export const blocks: readonly (Range & { readonly kind: Kind })[] = kinds.flatMap((kind) =>
  written[kind].map((text) => ({ ...rangeOf(text), kind })),
);

export function kindOf(address: IpAddress): Kind {
  return blocks.find((block) => holds(block, address))?.kind ?? "unassigned";
}
