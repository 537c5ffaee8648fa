use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, openat, renameat};
use rustix::io::Errno;

/// Bytes of one file, and how many older ones are kept.
const MOST_BYTES: u64 = 10 << 20;
const OLDER: u32 = 2;
const NAME: &str = "agent.log";

/// What the agent says, in a folder outside that only this descriptor reaches.
pub struct Log {
    folder: OwnedFd,
    file: Option<File>,
    length: u64,
}

impl Log {
    pub fn new(folder: OwnedFd) -> Self {
        Log {
            folder,
            file: None,
            length: 0,
        }
    }

    /// Never fails: an agent whose log cannot be written goes on, and what it said is lost.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() as u64 > MOST_BYTES && self.length > 0 {
            self.rotate();
        }
        if self.file.is_none() {
            self.file = self.open().ok();
        }
        let written = self.file.as_mut().map(|file| file.write_all(bytes));
        if matches!(written, Some(Ok(()))) {
            self.length += bytes.len() as u64;
        }
    }

    /// A line of our own among the agent's.
    pub fn note(&mut self, text: &str) {
        self.write(format!("[nacre] {text}\n").as_bytes());
    }

    fn open(&mut self) -> io::Result<File> {
        let flags =
            OFlags::CREATE | OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&self.folder, NAME, flags, Mode::from(0o600))?);
        self.length = file.metadata()?.len();
        Ok(file)
    }

    fn rotate(&mut self) {
        self.file = None;
        self.length = 0;
        for number in (0..OLDER).rev() {
            let from = if number == 0 {
                NAME.to_owned()
            } else {
                format!("{NAME}.{number}")
            };
            match renameat(
                &self.folder,
                &from,
                &self.folder,
                format!("{NAME}.{}", number + 1),
            ) {
                Ok(()) | Err(Errno::NOENT) => {}
                // Without a rename it grows on rather than being cut.
                Err(_) => return,
            }
        }
    }
}
