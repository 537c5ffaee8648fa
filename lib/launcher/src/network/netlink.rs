//! Netlink messages: small enough here that a library would be longer.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto,
    socket_with,
};

const HEADER: usize = 16;
const NESTED: u16 = 0x8000;

pub const REQUEST: u16 = 0x001;
pub const ACK: u16 = 0x004;
pub const DUMP: u16 = 0x300;
pub const EXCLUSIVE: u16 = 0x200;
pub const CREATE: u16 = 0x400;
pub const APPEND: u16 = 0x800;

const ERROR: u16 = 2;
const DONE: u16 = 3;

pub struct Socket {
    socket: OwnedFd,
    sequence: u32,
}

/// A message that is being written: a header, a family's own header, attributes.
pub struct Message(Vec<u8>);

/// One answer: its type and what follows its header.
pub struct Answer {
    pub kind: u16,
    pub body: Vec<u8>,
}

impl Message {
    pub fn new(kind: u16, flags: u16, family_header: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(family_header);
        Message(bytes)
    }

    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        put(&mut self.0, kind, value);
        self
    }

    pub fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, format!("{value}\0").as_bytes())
    }

    pub fn nested(self, kind: u16, inner: &Attributes) -> Self {
        self.attribute(kind | NESTED, &inner.0)
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// Attributes inside an attribute.
#[derive(Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    pub fn new() -> Self {
        Attributes::default()
    }

    pub fn put(mut self, kind: u16, value: &[u8]) -> Self {
        put(&mut self.0, kind, value);
        self
    }

    /// Numbers of nf_tables are big-endian.
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.put(kind, &value.to_be_bytes())
    }

    pub fn text(self, kind: u16, value: &str) -> Self {
        self.put(kind, format!("{value}\0").as_bytes())
    }

    pub fn nested(self, kind: u16, inner: &Attributes) -> Self {
        self.put(kind | NESTED, &inner.0)
    }
}

fn put(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&((value.len() + 4) as u16).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

impl Socket {
    pub fn open(protocol: Option<rustix::net::Protocol>) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        // The kernel answers at once; a wait of seconds would be an error of ours.
        rustix::net::sockopt::set_socket_timeout(
            &socket,
            rustix::net::sockopt::Timeout::Recv,
            Some(std::time::Duration::from_secs(5)),
        )?;
        Ok(Socket {
            socket,
            sequence: 1,
        })
    }

    /// Sends messages in one go; the last that asks for an acknowledgement ends the wait. Every error is an error.
    pub fn send(&mut self, messages: Vec<Message>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut last = 0;
        for message in messages {
            self.sequence += 1;
            let asks = u16::from_ne_bytes([message.0[6], message.0[7]]) & ACK != 0;
            if asks {
                last = self.sequence;
            }
            bytes.extend(message.finish(self.sequence));
        }
        self.write(&bytes)?;
        self.read(|sequence, answer| {
            Ok(answer.kind == ERROR && {
                acknowledged(&answer)?;
                sequence == last
            })
        })
    }

    /// Asks for one thing or, with `DUMP`, a list of them.
    pub fn ask(&mut self, message: Message) -> io::Result<Vec<Answer>> {
        self.sequence += 1;
        let list = u16::from_ne_bytes([message.0[6], message.0[7]]) & DUMP == DUMP;
        let bytes = message.finish(self.sequence);
        self.write(&bytes)?;
        let mut answers = Vec::new();
        self.read(|_, answer| {
            match answer.kind {
                DONE => return Ok(true),
                ERROR => acknowledged(&answer)?,
                _ => answers.push(answer),
            }
            Ok(!list)
        })?;
        Ok(answers)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, bytes, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Hands out answers until `finished` says so.
    fn read(&self, mut finished: impl FnMut(u32, Answer) -> io::Result<bool>) -> io::Result<()> {
        let mut buffer = vec![0; 8 << 10];
        loop {
            let (length, _) = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            let mut rest = &buffer[..length];
            while rest.len() >= HEADER {
                let word =
                    |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().expect("4 bytes"));
                let (size, sequence) = (word(0) as usize, word(8));
                if size < HEADER || size > rest.len() {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let answer = Answer {
                    kind: u16::from_ne_bytes([rest[4], rest[5]]),
                    body: rest[HEADER..size].to_vec(),
                };
                rest = &rest[size.next_multiple_of(4).min(rest.len())..];
                if finished(sequence, answer)? {
                    return Ok(());
                }
            }
        }
    }
}

fn acknowledged(answer: &Answer) -> io::Result<()> {
    match answer.body.get(..4) {
        Some(number) => match i32::from_ne_bytes(number.try_into().expect("4 bytes")) {
            0 => Ok(()),
            negative => Err(io::Error::from_raw_os_error(-negative)),
        },
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}
