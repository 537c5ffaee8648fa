"""Prints every IP packet of an interface, or of all, one a line: protocol, from, to, and the name in it where it is of
DNS. Neighbour discovery is left out. A line on the input is printed in its turn, when all that was on the wire before it
has been. sniff.py INTERFACE|any (tcpdump cannot drop its privileges in a user namespace)."""

import select, socket, struct, sys

wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
if sys.argv[1] != "any":
    wire.bind((sys.argv[1], 3))
lines = open(0, "rb", buffering=0)
print("sniffing", flush=True)

# Neighbour and listener discovery (RFC 4861, 2710, 3810): what interfaces say by themselves.
discovery = {130, 131, 132, 133, 134, 135, 136, 137, 143}


def name_of(query):
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin1"))
        at += 1 + query[at]
    return ".".join(labels)


def told(packet, kind):
    if kind == 0x0800:
        protocol, rest = packet[9], packet[(packet[0] & 15) * 4 :]
        ends = [socket.inet_ntop(socket.AF_INET, packet[at : at + 4]) for at in (12, 16)]
    elif kind == 0x86DD:
        protocol, rest = packet[6], packet[40:]
        ends = [socket.inet_ntop(socket.AF_INET6, packet[at : at + 16]) for at in (8, 24)]
        if protocol == 0:  # Hop-by-hop options stand before listener discovery.
            protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
        if protocol == 58 and rest[0] in discovery:
            return
    else:
        return
    label = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}.get(protocol, str(protocol))
    ports = struct.unpack("!HH", rest[:4]) if protocol in (6, 17) else (0, 0)
    query = f" {name_of(rest[8:])}" if protocol == 17 and 53 in ports else ""
    print(f"{label} {ends[0]} {ports[0]} > {ends[1]} {ports[1]}{query}", flush=True)


asked = [wire, lines]
while True:
    ready = select.select(asked, [], [])[0]
    try:
        while True:
            packet, (_, kind, *_) = wire.recvfrom(65535, socket.MSG_DONTWAIT)
            told(packet, kind)
    except BlockingIOError:
        pass
    if lines in ready:
        line = lines.readline()
        if line == b"":
            asked.remove(lines)
        print(line.decode(), end="", flush=True)
