//! The other end: asks init for the changes of a throw-away sandbox.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};

use serde_json::json;

use super::Contents;
use super::record::{LONGEST_RECORD, Record};
use crate::error::{Because, Result};
use crate::exec::dial;
use crate::spec::Changes;
use crate::wire::Channel;

/// `nacre-launcher changes`: the stream as it is, on stdout.
pub fn print(spec: &Changes) -> Result<u8> {
    let mut asked = Asked::new(&spec.control, Contents::Small)?;
    io::copy(&mut asked.stream, &mut io::stdout().lock())
        .because("changes_failed", "the stream of changes")?;
    asked.end()?;
    Ok(0)
}

/// A stream that is under way.
pub struct Asked {
    channel: Channel,
    stream: BufReader<File>,
}

impl Asked {
    pub fn new(control: &str, contents: Contents) -> Result<Self> {
        let channel = Channel::new(dial(control)?);
        let (stream, out) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .because("changes_failed", "the stream of changes")?;
        let question = json!({ "op": "changes", "contents": contents }).to_string();
        channel
            .say(&question, &[out.as_fd()])
            .because("changes_failed", "init")?;
        drop::<OwnedFd>(out);
        Ok(Asked {
            channel,
            stream: BufReader::new(File::from(stream)),
        })
    }

    /// The next record; `None` at the end of the stream, which may be too early.
    pub fn next(&mut self) -> io::Result<Option<Record>> {
        let mut line = Vec::new();
        let length = (&mut self.stream)
            .take(LONGEST_RECORD as u64)
            .read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(None);
        }
        serde_json::from_slice(&line)
            .map(Some)
            .map_err(io::Error::other)
    }

    /// The bytes that the last record announced.
    pub fn content(&mut self, length: u64) -> impl Read + '_ {
        (&mut self.stream).take(length)
    }

    /// What init says of it, when the stream was read to its end.
    pub fn end(mut self) -> Result<()> {
        crate::launch::answer(&mut self.channel).map(drop)
    }
}
