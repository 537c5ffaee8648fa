//! JSON lines over a Unix socket, with descriptors beside them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Bytes of one line; more is an error of the other side.
pub const LONGEST_LINE: usize = 1 << 20;
/// Descriptors of one message.
const MOST_DESCRIPTORS: usize = 8;

/// Sends what fits; descriptors go with the first byte.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?)
}

/// Receives what is there. 0 bytes: the other side is gone.
pub fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [IoSliceMut::new(buffer)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            descriptors.extend(received);
        }
    }
    Ok(message.bytes)
}

/// Both ends of a blocking conversation.
pub struct Channel {
    socket: OwnedFd,
    read: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

impl Channel {
    pub fn new(socket: OwnedFd) -> Self {
        Channel {
            socket,
            read: Vec::new(),
            descriptors: Vec::new(),
        }
    }

    pub fn say(&self, line: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = format!("{line}\n").into_bytes();
        let mut sent = send(&self.socket, &bytes, descriptors)?;
        while sent < bytes.len() {
            sent += send(&self.socket, &bytes[sent..], &[])?;
        }
        Ok(())
    }

    /// The next line; `None` when the other side is gone.
    pub fn hear(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// A line that has come already.
    pub fn take_line(&mut self) -> Option<String> {
        take_line(&mut self.read)
    }

    pub fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = vec![0; 8 << 10];
        let length = loop {
            match receive(&self.socket, &mut buffer, &mut self.descriptors) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => break received?,
            }
        };
        self.read.extend_from_slice(&buffer[..length]);
        if self.read.len() > LONGEST_LINE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(length)
    }

    pub fn into_socket(self) -> OwnedFd {
        self.socket
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

pub fn take_line(bytes: &mut Vec<u8>) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line: Vec<u8> = bytes.drain(..=end).take(end).collect();
    Some(String::from_utf8_lossy(&line).into_owned())
}
