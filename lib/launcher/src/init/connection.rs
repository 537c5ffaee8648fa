use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::Pid;

use crate::wire::{self, LONGEST_LINE};

/// Which socket it came from: what it may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `init.sock`: everything.
    Control,
    /// `egress.sock`: what an egress needs.
    Egress,
}

/// One conversation. Answers come in the order of the questions.
pub struct Connection {
    pub kind: Kind,
    socket: OwnedFd,
    read: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
    unsent: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    /// An answer is being worked out elsewhere; further questions wait.
    pub busy: bool,
    /// The command that runs for it.
    pub exec: Option<Pid>,
    /// Closes when all is sent.
    pub closing: bool,
    gone: bool,
}

impl Connection {
    /// `socket` does not block.
    pub fn new(kind: Kind, socket: OwnedFd) -> Self {
        Connection {
            kind,
            socket,
            read: Vec::new(),
            descriptors: Vec::new(),
            unsent: VecDeque::new(),
            busy: false,
            exec: None,
            closing: false,
            gone: false,
        }
    }

    pub fn is_over(&self) -> bool {
        self.gone || self.closing && self.unsent.is_empty()
    }

    pub fn wants_write(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Reads what has come.
    pub fn receive(&mut self) {
        let mut buffer = vec![0; 8 << 10];
        match wire::receive(&self.socket, &mut buffer, &mut self.descriptors) {
            Ok(0) => self.gone = true,
            Ok(length) => self.read.extend_from_slice(&buffer[..length]),
            Err(error) if again(&error) => {}
            Err(_) => self.gone = true,
        }
        // Whoever sends that much without a question, or descriptors without end, is no client of ours.
        if self.read.len() > LONGEST_LINE || self.descriptors.len() > 16 {
            self.gone = true;
        }
    }

    /// The next question, unless one is being answered.
    pub fn question(&mut self) -> Option<String> {
        if self.busy || self.closing || self.gone {
            return None;
        }
        wire::take_line(&mut self.read)
    }

    pub fn say(&mut self, line: &str) {
        self.say_with(line, Vec::new());
    }

    pub fn say_with(&mut self, line: &str, descriptors: Vec<OwnedFd>) {
        self.unsent
            .push_back((format!("{line}\n").into_bytes(), descriptors));
        self.send();
    }

    pub fn send(&mut self) {
        while let Some((bytes, descriptors)) = self.unsent.front_mut() {
            let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
            match wire::send(&self.socket, bytes, &borrowed) {
                Ok(sent) => {
                    descriptors.clear();
                    bytes.drain(..sent);
                    if bytes.is_empty() {
                        self.unsent.pop_front();
                    }
                }
                Err(error) if again(&error) => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    /// The stream and what of it was read ahead: it is no conversation any more.
    pub fn into_stream(self) -> (OwnedFd, Vec<u8>) {
        (self.socket, self.read)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

pub fn again(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
