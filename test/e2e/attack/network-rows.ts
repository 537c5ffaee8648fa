import { calls, connects, gets, line, looksUp, sends, speaks } from "./programs.ts";
import type { Row } from "./rows.ts";

const answered = /plain at \S+|the host's own service|from the repository/;
const page = { done: answered, packets: true, walls: ["network"] } as const;
const got = { done: /got a datagram/, packets: true, walls: ["network"] } as const;

/** A name that a rule has, and that answers with what the address guard refuses: its lookup leaves, and nothing else. */
const guarded = (name: string, port: number): Row => ({
  what: `an allowed name that answers with ${name}`,
  ...page,
  attempts: () => gets(`${names[name] ?? ""}.example.com`, port),
});
const names: Readonly<Record<string, string>> = {
  "an address of the host": "own",
  "the host's loopback": "rebound",
  "the metadata service": "metadata",
  "a private address": "private",
};

/** What the product itself sends, to find out that such a name is to be refused. */
export const lookups = new RegExp(
  `^udp \\S+ \\d+ > \\S+ \\d+ (${Object.values(names).join("|")})\\.example\\.com$`,
);

/** An ICMP echo request, and its answer. */
const echo = (family: "AF_INET" | "AF_INET6", kind: "SOCK_DGRAM" | "SOCK_RAW", address: string) => {
  const six = family === "AF_INET6";
  const [protocol, request, reply] = six ? ["IPPROTO_ICMPV6", 128, 129] : ["IPPROTO_ICMP", 8, 0];
  // A raw socket hears its own request on loopback too, and gets the header of IPv4.
  return calls(`
s = socket.socket(socket.${family}, socket.${kind}, socket.${protocol}); s.settimeout(3)
head = struct.pack("!BBHHH", ${request}, 0, 0, 7, 7) + b"marker"
total = sum(struct.unpack("!7H", head)); total = (total >> 16) + (total & 0xffff)
s.sendto(struct.pack("!BBHHH", ${request}, 0, ~total & 0xffff, 7, 7) + b"marker", ("${address}", 0))
while True:
    said = s.recv(99)[${kind === "SOCK_RAW" && !six ? 20 : 0}:]
    if said[0] == ${reply}: break`);
};

/** What is tried over the network; nothing of it may be on a wire. */
export const networkRows: readonly Row[] = [
  { what: "a denied name", ...page, attempts: () => gets("other.example.com", 80) },
  { what: "an IPv4 address", ...page, attempts: () => gets("93.184.216.35", 80) },
  { what: "an IPv6 address", ...page, attempts: () => gets("2606:2800:220:1::35", 80) },
  { what: "the address of an allowed host", ...page, attempts: () => gets("93.184.216.34", 80) },
  { what: "the metadata service", ...page, attempts: () => gets("169.254.169.254", 80) },
  { what: "the host's loopback", ...page, attempts: ({ port }) => gets("127.0.0.1", port) },
  { what: "the host's IPv6 loopback", ...page, attempts: ({ port }) => gets("::1", port) },
  { what: "an address of the host", ...page, attempts: ({ port }) => gets("93.184.216.1", port) },
  guarded("an address of the host", 8081),
  guarded("the host's loopback", 8081),
  guarded("the metadata service", 80),
  guarded("a private address", 80),
  { what: "UDP to an address", ...got, attempts: () => sends("93.184.216.35", 7000) },
  { what: "UDP to an IPv6 address", ...got, attempts: () => sends("2606:2800:220:1::35", 7000) },
  { what: "UDP to the host's loopback", ...got, attempts: ({ port }) => sends("127.0.0.1", port) },
  { what: "UDP to the host's IPv6 loopback", ...got, attempts: ({ port }) => sends("::1", port) },
  {
    what: "a name server for a denied name",
    walls: ["network"],
    packets: true,
    done: /93, ?184, ?216, ?35|93\.184\.216\.35/,
    attempts: () => looksUp("93.184.216.53", "other.example.com"),
  },
  {
    what: "ICMP",
    walls: ["network", "syscalls"],
    packets: true,
    done: /^done$/m,
    attempts: () => [
      echo("AF_INET", "SOCK_DGRAM", "93.184.216.35"),
      echo("AF_INET6", "SOCK_DGRAM", "2606:2800:220:1::35"),
    ],
  },
  {
    what: "a raw socket",
    walls: ["network", "syscalls", "ids"],
    packets: true,
    who: "root",
    done: /^done$/m,
    attempts: () => [
      echo("AF_INET", "SOCK_RAW", "93.184.216.35"),
      echo("AF_INET6", "SOCK_RAW", "2606:2800:220:1::35"),
    ],
  },
  {
    what: "a packet socket",
    walls: ["syscalls", "ids"],
    who: "root",
    done: /^done$/m,
    attempts: () => [
      calls("socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))"),
      line("tcpdump", 'timeout 2 tcpdump -Z root -n -i lo 2>&1 | grep "listening on lo"'),
    ],
  },
  {
    what: "an abstract unix socket of the host",
    walls: ["network", "files"],
    done: /^connected$/m,
    attempts: ({ abstract }) => [...connects({ abstract }), speaks("--abstract-unix-socket", abstract)],
  },
];
