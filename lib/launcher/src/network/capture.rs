use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

/// Connections that wait while no egress is there; it holds them until one is.
const BACKLOG: i32 = 512;

/// What captured traffic arrives at. Opened in the namespace, so whoever holds one serves it from anywhere.
pub struct Listeners {
    sockets: Vec<(&'static str, OwnedFd)>,
}

impl Listeners {
    pub fn open(port: u16) -> io::Result<Self> {
        let v4 = (Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED);
        let v6 = (Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED);
        let mut sockets = vec![("tcp4", stream((v4.0, port).into())?)];
        // A kernel that was booted without IPv6 has nothing to listen on.
        let six = optional(stream((v6.0, port).into()))?;
        sockets.extend(six.map(|socket| ("tcp6", socket)));
        sockets.push(("dns4", datagram((v4.1, 53).into())?));
        let six = optional(datagram((v6.1, 53).into()))?;
        sockets.extend(six.map(|socket| ("dns6", socket)));
        Ok(Listeners { sockets })
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.sockets.iter().map(|(name, _)| *name).collect()
    }

    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets
            .iter()
            .map(|(_, socket)| socket.as_fd())
            .collect()
    }
}

fn optional(socket: io::Result<OwnedFd>) -> io::Result<Option<OwnedFd>> {
    match socket {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// No SO_REUSEADDR or SO_REUSEPORT: nobody may bind the same port beside it.
fn stream(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = open(&address, SocketType::STREAM)?;
    transparent(&socket, &address)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn datagram(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = open(&address, SocketType::DGRAM)?;
    bind(&socket, &address)?;
    Ok(socket)
}

fn open(address: &SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(
        family,
        kind,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

/// Lets the socket take connections for addresses that are not its own.
fn transparent(socket: &OwnedFd, address: &SocketAddr) -> io::Result<()> {
    let (level, option) = match address {
        SocketAddr::V4(_) => (libc::SOL_IP, libc::IP_TRANSPARENT),
        SocketAddr::V6(_) => (libc::SOL_IPV6, libc::IPV6_TRANSPARENT),
    };
    let on: libc::c_int = 1;
    // SAFETY: the value is an int and lives through the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
