use std::io;
use std::net::Ipv4Addr;

use super::netlink::{ACK, CREATE, EXCLUSIVE, Message, Socket};

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;

/// Loopback is the first interface of every network namespace.
const LOOPBACK: u32 = 1;
const UP: u32 = 1;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Addresses and routes, over rtnetlink (<https://man7.org/linux/man-pages/man7/rtnetlink.7.html>).
pub struct Route(Socket);

impl Route {
    pub fn open() -> io::Result<Self> {
        Socket::open(None).map(Route) // NETLINK_ROUTE is 0
    }

    /// `ip link set lo up`
    pub fn bring_up_loopback(&mut self) -> io::Result<()> {
        // struct ifinfomsg: family, padding, type, index, flags, change
        let mut header = vec![0; 16];
        header[4..8].copy_from_slice(&LOOPBACK.to_ne_bytes());
        header[8..12].copy_from_slice(&UP.to_ne_bytes());
        header[12..16].copy_from_slice(&UP.to_ne_bytes());
        self.0.send(vec![Message::new(NEW_LINK, ACK, &header)])
    }

    /// `ip addr add ADDRESS/32 dev lo`: without an address beside loopback's, AI_ADDRCONFIG finds no IPv4.
    pub fn add_address(&mut self, address: Ipv4Addr) -> io::Result<()> {
        // struct ifaddrmsg: family, prefix length, flags, scope, index
        let mut header = vec![AF_INET, 32, 0, 0];
        header.extend_from_slice(&LOOPBACK.to_ne_bytes());
        let message = Message::new(NEW_ADDRESS, ACK | CREATE | EXCLUSIVE, &header)
            .attribute(1, &address.octets()) // IFA_ADDRESS
            .attribute(2, &address.octets()); // IFA_LOCAL
        self.0.send(vec![message])
    }

    /// `ip route add local default dev lo`, v4 and v6: every address is delivered here, so that the capture sees it.
    pub fn everything_is_local(&mut self) -> io::Result<()> {
        self.local_default(AF_INET)?;
        match self.local_default(AF_INET6) {
            // A kernel without IPv6 has no IPv6 to capture.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
            done => done,
        }
    }

    fn local_default(&mut self, family: u8) -> io::Result<()> {
        const TABLE_LOCAL: u8 = 255;
        const PROTOCOL_BOOT: u8 = 3;
        const SCOPE_HOST: u8 = 254;
        const TYPE_LOCAL: u8 = 2;
        // struct rtmsg: family, dst length, src length, tos, table, protocol, scope, type, flags
        let mut header = vec![
            family,
            0,
            0,
            0,
            TABLE_LOCAL,
            PROTOCOL_BOOT,
            SCOPE_HOST,
            TYPE_LOCAL,
        ];
        header.extend_from_slice(&0_u32.to_ne_bytes());
        let message = Message::new(NEW_ROUTE, ACK | CREATE | EXCLUSIVE, &header)
            .attribute(4, &LOOPBACK.to_ne_bytes()); // RTA_OIF
        self.0.send(vec![message])
    }
}
