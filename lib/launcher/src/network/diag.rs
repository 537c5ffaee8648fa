use std::io;
use std::net::SocketAddr;

use rustix::net::netlink::SOCK_DIAG;

use super::netlink::{Message, Socket};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NO_COOKIE: [u8; 8] = [0xff; 8];
/// Where the inode stands in `struct inet_diag_msg`.
const INODE: usize = 68;

/// The inode of the TCP socket whose own end is `own` and whose other end is `peer`, in this network namespace.
/// <https://man7.org/linux/man-pages/man7/sock_diag.7.html>
pub fn inode(own: SocketAddr, peer: SocketAddr) -> io::Result<u32> {
    let mut socket = Socket::open(Some(SOCK_DIAG))?;
    let family = if own.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // struct inet_diag_req_v2: family, protocol, extensions, padding, states, then inet_diag_sockid
    let mut request = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
    request.extend_from_slice(&u32::MAX.to_ne_bytes());
    request.extend_from_slice(&own.port().to_be_bytes());
    request.extend_from_slice(&peer.port().to_be_bytes());
    for address in [own, peer] {
        let mut bytes = [0; 16];
        match address {
            SocketAddr::V4(address) => bytes[..4].copy_from_slice(&address.ip().octets()),
            SocketAddr::V6(address) => bytes.copy_from_slice(&address.ip().octets()),
        }
        request.extend_from_slice(&bytes);
    }
    request.extend_from_slice(&0_u32.to_ne_bytes()); // any interface
    request.extend_from_slice(&NO_COOKIE);
    let answers = socket.ask(Message::new(SOCK_DIAG_BY_FAMILY, 0, &request))?;
    let inode = answers
        .first()
        .and_then(|answer| answer.body.get(INODE..INODE + 4))
        .map(|bytes| u32::from_ne_bytes(bytes.try_into().expect("4 bytes")));
    match inode {
        Some(inode) if inode != 0 => Ok(inode),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}
