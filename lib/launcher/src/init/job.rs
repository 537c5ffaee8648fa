use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use super::connection::again;
use super::owner::{Identity, Owner};
use crate::process;

/// Work that takes long, done in a copy of init, so that init itself always answers. Its answer is one line.
pub struct Job {
    pub connection: u64,
    pub purpose: Purpose,
    pipe: File,
    text: Vec<u8>,
}

/// What its answer is for.
pub enum Purpose {
    /// It is the connection's answer as it is.
    Answer,
    /// The same, of probes: they make connections that show no owner.
    Probe,
    /// It is the digest of a program.
    Digest { owner: Owner, identity: Identity },
    /// It was given.
    Done,
}

impl Job {
    /// `work` runs in the copy and gives the line.
    pub fn start(
        connection: u64,
        purpose: Purpose,
        work: impl FnOnce() -> String,
    ) -> std::io::Result<Self> {
        let (report, answer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        process::fork(|| {
            let line = work();
            let written = answer
                .try_clone()
                .and_then(|pipe| File::from(pipe).write_all(line.as_bytes()));
            i32::from(written.is_err())
        })?;
        rustix::io::ioctl_fionbio(&report, true)?;
        Ok(Job {
            connection,
            purpose,
            pipe: File::from(report),
            text: Vec::new(),
        })
    }

    /// Its answer, when it has come whole.
    pub fn advance(&mut self) -> Option<String> {
        let mut buffer = [0; 16 << 10];
        match self.pipe.read(&mut buffer) {
            Ok(0) => Some(String::from_utf8_lossy(&self.text).into_owned()),
            Ok(length) => {
                self.text.extend_from_slice(&buffer[..length]);
                None
            }
            Err(error) if again(&error) => None,
            Err(_) => Some(String::new()),
        }
    }
}

impl AsFd for Job {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
