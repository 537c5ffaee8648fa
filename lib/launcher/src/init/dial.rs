use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketFlags, SocketType, connect, send, shutdown,
    socket_with, sockopt,
};

/// Bytes that wait in one direction; the sender waits beyond it.
const MOST_WAITING: usize = 64 << 10;

/// A connection being made to a port inside. It never blocks: an agent could leave it waiting.
pub struct Dialling {
    socket: OwnedFd,
    port: u16,
    six: bool,
}

pub enum Progress {
    Done(OwnedFd),
    /// Tried on the other loopback address.
    Again(Dialling),
}

impl Dialling {
    pub fn start(port: u16) -> io::Result<Self> {
        Ok(Dialling {
            socket: open(port, false)?,
            port,
            six: false,
        })
    }

    /// Called when the socket is ready.
    pub fn finish(mut self) -> io::Result<Progress> {
        match sockopt::socket_error(&self.socket)? {
            Ok(()) => Ok(Progress::Done(self.socket)),
            Err(Errno::CONNREFUSED) if !self.six => {
                self.socket = open(self.port, true)?;
                self.six = true;
                Ok(Progress::Again(self))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Dialling {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(port: u16, six: bool) -> io::Result<OwnedFd> {
    let address: SocketAddr = if six {
        (Ipv6Addr::LOCALHOST, port).into()
    } else {
        (Ipv4Addr::LOCALHOST, port).into()
    };
    let family = if six {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        // Said at once on loopback; the caller learns it when the socket is ready, as any other refusal.
        Err(Errno::CONNREFUSED) if !six => open(port, true),
        Err(error) => Err(error.into()),
    }
}

/// Two streams joined: what one says the other hears, each end on its own.
pub struct Relay {
    ends: [OwnedFd; 2],
    waiting: [Vec<u8>; 2],
    /// Nothing more comes from this end.
    ended: [bool; 2],
    /// This end was told so.
    told: [bool; 2],
    broken: bool,
}

impl Relay {
    /// `first`: bytes that were read of `outside` already.
    pub fn new(outside: OwnedFd, inside: OwnedFd, first: Vec<u8>) -> Self {
        Relay {
            ends: [outside, inside],
            waiting: [first, Vec::new()],
            ended: [false; 2],
            told: [false; 2],
            broken: false,
        }
    }

    pub fn end(&self, which: usize) -> BorrowedFd<'_> {
        self.ends[which].as_fd()
    }

    /// What to wait for at an end.
    pub fn interest(&self, which: usize) -> PollFlags {
        let mut flags = PollFlags::empty();
        if !self.ended[which] && self.waiting[which].len() < MOST_WAITING {
            flags |= PollFlags::IN;
        }
        if !self.waiting[1 - which].is_empty() {
            flags |= PollFlags::OUT;
        }
        flags
    }

    pub fn is_over(&self) -> bool {
        self.broken || self.told == [true, true]
    }

    /// Moves what can be moved.
    pub fn advance(&mut self, which: usize, ready: PollFlags) {
        if ready.intersects(PollFlags::IN | PollFlags::HUP)
            && self.interest(which).contains(PollFlags::IN)
        {
            self.read(which);
        }
        // A peer that is gone wholly and has nothing left to read will take nothing either.
        if ready.contains(PollFlags::ERR) {
            self.broken = true;
        }
        for to in [0, 1] {
            self.write(to);
        }
    }

    fn read(&mut self, from: usize) {
        let mut buffer = [0; 32 << 10];
        match rustix::io::read(&self.ends[from], &mut buffer) {
            Ok(0) => self.ended[from] = true,
            Ok(length) => self.waiting[from].extend_from_slice(&buffer[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.broken = true,
        }
    }

    fn write(&mut self, to: usize) {
        let from = 1 - to;
        while !self.waiting[from].is_empty() {
            match send(
                &self.ends[to],
                &self.waiting[from],
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(sent) => drop(self.waiting[from].drain(..sent)),
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) => {
                    self.broken = true;
                    return;
                }
            }
        }
        if self.ended[from] && !self.told[to] {
            self.told[to] = true;
            let _ = shutdown(&self.ends[to], Shutdown::Write);
        }
    }
}
