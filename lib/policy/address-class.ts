import { addressOf, type Cidr, contains, type IpAddress, parseAddress, parseCidr } from "./address.ts";
import { overlap } from "./address-range.ts";

/** What an address is, as far as a guard cares. Only `public` is dialled without the operator's grant. */
export type AddressClass =
  | "public"
  | "unspecified"
  | "loopback"
  | "private"
  | "shared"
  | "link-local"
  | "metadata"
  | "multicast"
  | "broadcast"
  | "documentation"
  | "benchmark"
  | "transition"
  | "reserved";

interface Block {
  readonly cidr: Cidr;
  readonly class: AddressClass;
}

/**
 * The special blocks of IPv4 and IPv6 (IANA special-purpose registries, RFC 6890 and its updates), the first match
 * counts. Metadata services of the clouds come first: some live on addresses that are otherwise public.
 */
const table: readonly Block[] = (
  [
    ["metadata", "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "169.254.42.42"],
    ["metadata", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23"],
    ["metadata", "fd20:ce::254", "fd00:42::42", "fe80::a9fe:a9fe"],
    ["unspecified", "0.0.0.0/8", "::"],
    ["loopback", "127.0.0.0/8", "::1"],
    ["private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"],
    ["shared", "100.64.0.0/10"],
    ["link-local", "169.254.0.0/16", "fe80::/10"],
    ["documentation", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"],
    ["benchmark", "198.18.0.0/15", "2001:2::/48"],
    ["broadcast", "255.255.255.255"],
    ["multicast", "224.0.0.0/4", "ff00::/8"],
    ["transition", "192.88.99.0/24", "2002::/16", "2001::/32", "64:ff9b:1::/48", "::/96"],
    ["reserved", "192.0.0.0/24", "240.0.0.0/4", "2001::/23", "100::/64"],
    ["public", "0.0.0.0/0", "2000::/3"],
    ["reserved", "::/0"],
  ] as const
).flatMap(([name, ...blocks]) => blocks.map((text) => ({ cidr: cidr(text), class: name })));

/**
 * The class of an address, seen through every way of writing an IPv4 address inside an IPv6 one: v4-mapped
 * (::ffff:0:0/96), NAT64 (64:ff9b::/96, RFC 6052), v4-compatible (::/96), 6to4 (2002::/16, RFC 3056), Teredo
 * (2001::/32, RFC 4380) and ISATAP (RFC 5214). What carries a special address is of that address' class. Mapped and
 * NAT64 addresses of public ones are public (an IPv6-only host reaches IPv4 so); the deprecated tunnels never are.
 */
export function classify(address: IpAddress): AddressClass {
  const inner = embedded(address);
  if (inner !== undefined) {
    const innerClass = firstMatch(inner.address);
    if (innerClass !== "public") return innerClass;
    if (inner.transparent) return "public";
  }
  return firstMatch(address);
}

/** The IPv4 address inside an IPv6 one, and whether dialling the outer address simply reaches the inner. */
function embedded(address: IpAddress): { address: IpAddress; transparent: boolean } | undefined {
  if (address.family === 4) return undefined;
  const low = addressOf(4, address.value & 0xffffffffn);
  if (within("::ffff:0.0.0.0/96", address)) return { address: low, transparent: true };
  if (within("64:ff9b::/96", address)) return { address: low, transparent: true };
  if (within("64:ff9b:1::/48", address)) return { address: low, transparent: false };
  if (within("::/96", address) && address.value > 0xffffn) return { address: low, transparent: false };
  if (within("2002::/16", address)) {
    return { address: addressOf(4, (address.value >> 80n) & 0xffffffffn), transparent: false };
  }
  if (within("2001::/32", address)) {
    return { address: addressOf(4, (address.value & 0xffffffffn) ^ 0xffffffffn), transparent: false };
  }
  const interfaceId = (address.value >> 32n) & 0xffffffffn;
  if (interfaceId === 0x5efen || interfaceId === 0x02005efen) return { address: low, transparent: false };
  return undefined;
}

function firstMatch(address: IpAddress): AddressClass {
  for (const block of table) if (contains(block.cidr, address)) return block.class;
  return "reserved";
}

function within(text: keyof typeof embeddings, address: IpAddress): boolean {
  return contains(embeddings[text], address);
}

const embeddings = {
  "::ffff:0.0.0.0/96": cidr("::ffff:0.0.0.0/96"),
  "64:ff9b::/96": cidr("64:ff9b::/96"),
  "64:ff9b:1::/48": cidr("64:ff9b:1::/48"),
  "::/96": cidr("::/96"),
  "2002::/16": cidr("2002::/16"),
  "2001::/32": cidr("2001::/32"),
};

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new RangeError(`${text} is not a block of addresses`);
  return parsed;
}

/** A block of addresses, and the blocks in it that do not belong to it; in the form of a NetworkPolicy's `ipBlock`. */
export interface OpenBlock {
  readonly cidr: string;
  readonly except: readonly string[];
}

/**
 * All public addresses: the blocks that are public on the whole, each without what of it is special, or is in `more`.
 * None where `more` holds them all.
 */
export function publicBlocks(more: readonly string[] = []): readonly OpenBlock[] {
  const closed = more.map(cidr);
  const special = [
    ...table.filter((block) => block.class !== "public").map((block) => block.cidr),
    ...closed,
  ];
  return table
    .filter((block) => block.class === "public")
    .filter(
      ({ cidr: open }) => !closed.some((block) => block.bits <= open.bits && contains(block, first(open))),
    )
    .map(({ cidr: open }) => {
      const inside = special.filter((block) => block.bits > open.bits && contains(open, first(block)));
      const widest = inside.filter(
        (block) => !inside.some((other) => other.bits < block.bits && contains(other, first(block))),
      );
      return { cidr: textOf(open), except: [...new Set(widest.map(textOf))] };
    });
}

const first = ({ family, value }: Cidr): IpAddress => addressOf(family, value);
const textOf = (block: Cidr): string => `${first(block).text}/${block.bits}`;

/** Whether a block holds addresses of a metadata service, or link-local ones, among which those are. */
export function holdsMetadata(block: Cidr): boolean {
  const near: readonly AddressClass[] = ["metadata", "link-local"];
  return (
    near.includes(classify(first(block))) ||
    table.some((special) => near.includes(special.class) && overlap(block, special.cidr))
  );
}

/** For tables and commands: the class of a text, `undefined` where it is no address in its strict form. */
export function classOf(text: string): AddressClass | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : classify(address);
}
