"""Prints every IP packet of an interface, one a line: protocol, from, to, and the name in it where it is a DNS query.
Neighbour discovery is left out. sniff.py INTERFACE (tcpdump cannot drop its privileges in a user namespace)."""

import socket, struct, sys

wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
wire.bind((sys.argv[1], 3))
print("sniffing", flush=True)


def name_of(query):
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin1"))
        at += 1 + query[at]
    return ".".join(labels)


while True:
    packet, (_, kind, *_) = wire.recvfrom(65535)
    if kind == 0x0800:
        protocol, rest = packet[9], packet[(packet[0] & 15) * 4 :]
        ends = [socket.inet_ntop(socket.AF_INET, packet[at : at + 4]) for at in (12, 16)]
    elif kind == 0x86DD:
        protocol, rest = packet[6], packet[40:]
        ends = [socket.inet_ntop(socket.AF_INET6, packet[at : at + 16]) for at in (8, 24)]
        if protocol in (0, 58):
            continue
    else:
        continue
    label = {6: "tcp", 17: "udp"}.get(protocol, str(protocol))
    ports = struct.unpack("!HH", rest[:4]) if protocol in (6, 17) else (0, 0)
    query = f" {name_of(rest[8:])}" if protocol == 17 and ports[1] == 53 else ""
    print(f"{label} {ends[0]} {ports[0]} > {ends[1]} {ports[1]}{query}", flush=True)
