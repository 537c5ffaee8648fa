#!/bin/bash
# A small world, made of network namespaces of this process' own user namespace, which nothing leaves:
#   agent (loopback only, captured)   world (where the egress runs) ── veth ── servers (public addresses)
# $1: a folder with `hosts` and `resolv.conf` for the egress, `agent-hosts` and `agent-resolv.conf`. Prints "ready AGENT SERVERS".
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin" # an ordinary user's has no nft
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" "$(readlink -f /etc/resolv.conf)"
ip link set lo up
unshare --net --mount sleep infinity & agent=$!
unshare --net sleep infinity & servers=$!
trap 'kill -KILL $agent $servers 2>/dev/null || true' EXIT
trap exit TERM
until [ "$(readlink /proc/$agent/ns/mnt)" != "$(readlink /proc/$$/ns/mnt)" ]; do sleep 0.01; done
until [ "$(readlink /proc/$servers/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done

ip link add up0 type veth peer name up1
ip link set up1 netns "$servers"
ip addr add 93.184.216.1/24 dev up0
ip -6 addr add 2606:2800:220:1::1/64 dev up0 nodad
ip link set up0 up
nsenter -t "$servers" -n bash -e <<'INSIDE'
ip link set lo up
for last in 34 35 53; do ip addr add 93.184.216.$last/24 dev up1; done
for last in 34 35; do ip -6 addr add 2606:2800:220:1::$last/64 dev up1 nodad; done
ip addr add 10.77.0.1/24 dev up1
# What an agent without walls would reach: a cloud's metadata service, and a name server at the address that it is told.
ip addr add 169.254.169.254/32 dev up1
ip addr add 25.255.0.1/32 dev up1
ip link set up1 up
INSIDE
ip route add default via 93.184.216.34
ip -6 route add default via 2606:2800:220:1::34

nsenter -t "$agent" -n -m bash -e <<INSIDE
mount --bind "$1/agent-resolv.conf" "$(readlink -f /etc/resolv.conf)"
mount --bind "$1/agent-hosts" /etc/hosts
# What the agent trusts lies over what its system does, as in a sandbox.
for place in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
  if [ -e "\$place" ]; then mount --bind "$1/agent-ca.crt" "\$place"; fi
done
if [ -e /etc/ssl/certs/java/cacerts ]; then mount --bind "$1/cacerts" /etc/ssl/certs/java/cacerts; fi
ip link set lo up
ip addr add 25.255.0.1/32 dev lo
ip route add local default dev lo
ip -6 route add local default dev lo
nft -f - <<'RULES'
table inet capture {
  chain out { type route hook output priority mangle; policy accept;
    meta l4proto tcp ip daddr != 127.0.0.0/8 meta mark set 1
    meta l4proto tcp ip6 daddr != ::1 meta mark set 1
  }
  chain in { type filter hook prerouting priority mangle; policy accept;
    meta l4proto tcp ip daddr != 127.0.0.0/8 tproxy ip to 127.0.0.1:15001 accept
    meta l4proto tcp ip6 daddr != ::1 tproxy ip6 to [::1]:15001 accept
  }
}
RULES
INSIDE
echo "ready $agent $servers"
wait
