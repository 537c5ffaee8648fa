#!/bin/bash
# Two network namespaces that nothing leaves: this process' own, where the daemon and every egress of a bench are, and one
# with servers on public addresses, joined by a veth. $1: a folder with hosts, resolv.conf and what servers.ts reads;
# $2: node; $3: servers.ts. Prints "ready" once the servers listen.
set -euo pipefail
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" "$(readlink -f /etc/resolv.conf)"
ip link set lo up
unshare --net sleep infinity & holder=$!
trap 'kill -KILL $holder ${servers:-} 2>/dev/null || true' EXIT
trap exit TERM
until [ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
ip link add up0 type veth peer name up1
ip link set up1 netns "$holder"
ip addr add 93.184.216.1/24 dev up0
ip link set up0 up
nsenter -t "$holder" -n bash -e <<'INSIDE'
ip link set lo up
for last in 34 35 53; do ip addr add 93.184.216.$last/24 dev up1; done
ip addr add 25.255.0.1/32 dev up1
ip addr add 2606:2800:220:1::35/64 dev up1 nodad
ip link set up1 up
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
INSIDE
ip route add default via 93.184.216.34
exec 4< <(exec nsenter -t "$holder" -n "$2" "$3" "$1")
servers=$!
read -r _ <&4
echo ready
wait "$holder"
