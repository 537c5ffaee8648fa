//! The capture rules, as nf_tables messages (`include/uapi/linux/netfilter/nf_tables.h`). In nft's own words:
//!
//! ```text
//! table inet nacre {
//!   chain out { type filter hook output priority mangle; policy drop;
//!     ip daddr 127.0.0.0/8 accept
//!     ip6 daddr ::1 accept
//!     meta l4proto tcp accept
//!     ip daddr 0.0.0.0/0 udp dport 53 accept
//!     ip daddr 0.0.0.0/0 udp sport 53 accept   # answers; port 53 itself cannot be bound by an agent
//!   }
//!   chain in { type filter hook prerouting priority mangle; policy accept;
//!     ip daddr != 127.0.0.0/8 meta l4proto tcp tproxy ip to 127.0.0.1:PORT accept
//!     ip6 daddr != ::1 meta l4proto tcp tproxy ip6 to [::1]:PORT accept
//!   }
//! }
//! ```
//!
//! A DNS server with an IPv6 address is refused at once, so that a resolver takes the next: an answer to it would come
//! from ::1, the one address that the kernel can choose there, and be dropped by who asked.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use rustix::net::netlink::NETFILTER;

use super::netlink::{ACK, APPEND, Attributes, CREATE, DUMP, Message, Socket};

const TABLE: &str = "nacre";
const INET: u8 = 1;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NF_TABLES: u16 = 10;
const NEW_TABLE: u16 = NF_TABLES << 8;
const NEW_CHAIN: u16 = NF_TABLES << 8 | 3;
const NEW_RULE: u16 = NF_TABLES << 8 | 6;
const GET_RULE: u16 = NF_TABLES << 8 | 7;

const PREROUTING: u32 = 0;
const OUTPUT: u32 = 3;
const PRIORITY_MANGLE: i32 = -150;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;

const VERDICT_REGISTER: u32 = 0;
const REGISTER_1: u32 = 1;
const REGISTER_2: u32 = 2;

const META_PROTOCOL_FAMILY: u32 = 15;
const META_L4_PROTOCOL: u32 = 16;
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

const IPV4: u8 = 2;
const IPV6: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Sets the rules and counts them in the kernel.
pub fn capture(port: u16) -> io::Result<usize> {
    let mut socket = Socket::open(Some(NETFILTER))?;
    let out: [Vec<Attributes>; 5] = [
        [ipv4(), daddr4(EQUAL)]
            .into_iter()
            .flatten()
            .chain([accept()])
            .collect(),
        [ipv6(), daddr6(EQUAL)]
            .into_iter()
            .flatten()
            .chain([accept()])
            .collect(),
        l4(TCP).into_iter().chain([accept()]).collect(),
        [ipv4(), l4(UDP), udp_port(2)]
            .into_iter()
            .flatten()
            .chain([accept()])
            .collect(),
        [ipv4(), l4(UDP), udp_port(0)]
            .into_iter()
            .flatten()
            .chain([accept()])
            .collect(),
    ];
    let into: [Vec<Attributes>; 2] = [
        [
            ipv4(),
            l4(TCP),
            daddr4(NOT_EQUAL),
            to(IPV4, &Ipv4Addr::LOCALHOST.octets(), port),
        ]
        .into_iter()
        .flatten()
        .collect(),
        [
            ipv6(),
            l4(TCP),
            daddr6(NOT_EQUAL),
            to(IPV6, &Ipv6Addr::LOCALHOST.octets(), port),
        ]
        .into_iter()
        .flatten()
        .collect(),
    ];
    let mut batch = vec![
        Message::new(BATCH_BEGIN, 0, &batch_header()),
        Message::new(NEW_TABLE, CREATE | ACK, &header(INET)).text(1, TABLE),
        chain("out", OUTPUT, DROP),
        chain("in", PREROUTING, ACCEPT),
    ];
    batch.extend(out.iter().map(|expressions| rule("out", expressions)));
    batch.extend(into.iter().map(|expressions| rule("in", expressions)));
    batch.push(Message::new(BATCH_END, 0, &batch_header()));
    socket.send(batch)?;
    count(&mut socket)
}

fn count(socket: &mut Socket) -> io::Result<usize> {
    let answers = socket.ask(Message::new(GET_RULE, DUMP, &header(INET)).text(1, TABLE))?;
    let rules = answers.iter().filter(|answer| answer.kind == NEW_RULE);
    Ok(rules.count())
}

/// struct nfgenmsg: family, version, resource (big-endian)
fn header(family: u8) -> [u8; 4] {
    [family, 0, 0, 0]
}

fn batch_header() -> [u8; 4] {
    let [high, low] = NF_TABLES.to_be_bytes();
    [0, 0, high, low]
}

fn chain(name: &str, hook: u32, policy: u32) -> Message {
    let hook = Attributes::new()
        .number(1, hook)
        .number(2, PRIORITY_MANGLE as u32);
    Message::new(NEW_CHAIN, CREATE | ACK, &header(INET))
        .text(1, TABLE)
        .text(3, name)
        .nested(4, &hook)
        .attribute(5, &policy.to_be_bytes())
        .text(7, "filter")
}

fn rule(chain: &str, expressions: &[Attributes]) -> Message {
    let list = expressions
        .iter()
        .fold(Attributes::new(), |list, expression| {
            list.nested(1, expression)
        });
    Message::new(NEW_RULE, CREATE | APPEND | ACK, &header(INET))
        .text(1, TABLE)
        .text(2, chain)
        .nested(4, &list)
}

fn expression(name: &str, data: &Attributes) -> Attributes {
    Attributes::new().text(1, name).nested(2, data)
}

fn meta(key: u32) -> Attributes {
    expression(
        "meta",
        &Attributes::new().number(1, REGISTER_1).number(2, key),
    )
}

fn payload(base: u32, offset: u32, length: u32) -> Attributes {
    let data = Attributes::new()
        .number(1, REGISTER_1)
        .number(2, base)
        .number(3, offset)
        .number(4, length);
    expression("payload", &data)
}

fn compare(operation: u32, value: &[u8]) -> Attributes {
    let data = Attributes::new()
        .number(1, REGISTER_1)
        .number(2, operation)
        .nested(3, &Attributes::new().put(1, value));
    expression("cmp", &data)
}

fn immediate(register: u32, value: &[u8]) -> Attributes {
    let data = Attributes::new()
        .number(1, register)
        .nested(2, &Attributes::new().put(1, value));
    expression("immediate", &data)
}

fn accept() -> Attributes {
    let verdict = Attributes::new().number(1, ACCEPT);
    let data = Attributes::new()
        .number(1, VERDICT_REGISTER)
        .nested(2, &Attributes::new().nested(2, &verdict));
    expression("immediate", &data)
}

fn ipv4() -> Vec<Attributes> {
    vec![meta(META_PROTOCOL_FAMILY), compare(EQUAL, &[IPV4])]
}

fn ipv6() -> Vec<Attributes> {
    vec![meta(META_PROTOCOL_FAMILY), compare(EQUAL, &[IPV6])]
}

fn l4(protocol: u8) -> Vec<Attributes> {
    vec![meta(META_L4_PROTOCOL), compare(EQUAL, &[protocol])]
}

/// The first byte of an IPv4 destination is 127 on loopback alone.
fn daddr4(operation: u32) -> Vec<Attributes> {
    vec![payload(NETWORK_HEADER, 16, 1), compare(operation, &[127])]
}

fn daddr6(operation: u32) -> Vec<Attributes> {
    vec![
        payload(NETWORK_HEADER, 24, 16),
        compare(operation, &Ipv6Addr::LOCALHOST.octets()),
    ]
}

fn udp_port(offset: u32) -> Vec<Attributes> {
    vec![
        payload(TRANSPORT_HEADER, offset, 2),
        compare(EQUAL, &53_u16.to_be_bytes()),
    ]
}

fn to(family: u8, address: &[u8], port: u16) -> Vec<Attributes> {
    let data = Attributes::new()
        .number(1, u32::from(family))
        .number(2, REGISTER_1)
        .number(3, REGISTER_2);
    vec![
        immediate(REGISTER_1, address),
        immediate(REGISTER_2, &port.to_be_bytes()),
        expression("tproxy", &data),
        accept(),
    ]
}
