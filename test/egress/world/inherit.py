"""Opens the capture's sockets in the agent's network namespace and becomes a program outside of it, with them on
descriptors 10 to 13: what the launcher does. inherit.py AGENT-PID PROGRAM [ARGUMENT...]"""

import ctypes, os, socket, sys

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    fd = os.open(path, os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), path)
    os.close(fd)


home = os.open("/proc/self/ns/net", os.O_RDONLY)
enter(f"/proc/{sys.argv[1]}/ns/net")
sockets = []
for family, address, transparent in ((socket.AF_INET, "127.0.0.1", (0, 19)), (socket.AF_INET6, "::1", (41, 75))):
    tcp = socket.socket(family)
    tcp.setsockopt(*transparent, 1)  # IP_TRANSPARENT, IPV6_TRANSPARENT
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, 15001))
    tcp.listen(1024)
    sockets.append(tcp)
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    udp = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind((address, 53))
    sockets.append(udp)
if libc.setns(home, CLONE_NEWNET) != 0:
    raise OSError(ctypes.get_errno(), "home")
held = [os.dup2(each.fileno(), 20 + index) for index, each in enumerate(sockets)]
for index, fd in enumerate(held):
    os.dup2(fd, 10 + index, inheritable=True)
os.closerange(14, 64)
os.execv(sys.argv[2], sys.argv[2:])
