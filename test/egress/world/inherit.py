"""Becomes a program outside of the agent's network namespace, with its four sockets on descriptors 10 to 13: what the
launcher does. The sockets are made here, inside the namespace of process AGENT, or handed over by a sandbox's init.
inherit.py AGENT|SOCKET PROGRAM [ARGUMENT...]"""

import array, ctypes, os, socket, sys

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def enter(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def made(agent):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    enter(os.open(f"/proc/{agent}/ns/net", os.O_RDONLY))
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
    enter(home)
    return [each.detach() for each in sockets]


def handed_over(path):
    init = socket.socket(socket.AF_UNIX)
    init.connect(path)
    init.sendall(b'{"op":"attach"}\n')
    fds, said = array.array("i"), b""
    while not said.endswith(b"\n"):
        part, extra, _, _ = init.recvmsg(4096, socket.CMSG_SPACE(64))
        if not part:
            sys.exit("init closed: " + said.decode())
        said += part
        for _, kind, data in extra:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(data)
    if len(fds) != 4:
        sys.exit("init answered: " + said.decode())
    return list(fds)


source = sys.argv[1]
sockets = handed_over(source) if source.startswith("/") else made(source)
held = [os.dup2(fd, 20 + index) for index, fd in enumerate(sockets)]
for index, fd in enumerate(held):
    os.dup2(fd, 10 + index, inheritable=True)
os.closerange(14, 64)
os.execv(sys.argv[2], sys.argv[2:])
