//! Whose socket it is: the executable of the process that holds the agent's end of a captured connection.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::processes;
use crate::error::{Result, WallError};
use crate::network::diag;

/// Digests that are kept; a sandbox runs few programs.
const MOST_DIGESTS: usize = 256;

/// What makes a file the same file with the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

pub struct Owner {
    pid: i32,
    path: String,
}

impl Owner {
    pub fn to_line(&self, sha256: &str) -> String {
        json!({ "ok": true, "pid": self.pid, "path": self.path, "sha256": sha256 }).to_string()
    }
}

#[derive(Default)]
pub struct Digests(BTreeMap<Identity, String>);

impl Digests {
    pub fn get(&self, identity: &Identity) -> Option<&String> {
        self.0.get(identity)
    }

    pub fn put(&mut self, identity: Identity, digest: String) {
        if self.0.len() >= MOST_DIGESTS {
            self.0.clear();
        }
        self.0.insert(identity, digest);
    }
}

/// The owner and its open executable. `local` is what the agent dialled, `remote` its own end: as an egress sees them.
pub fn find(local: &str, remote: &str) -> Result<(Owner, Identity, File)> {
    let lost = |message: String| {
        WallError::new(
            "owner_unknown",
            format!("connection {remote} to {local}"),
            message,
        )
    };
    let address = |text: &str| {
        text.parse::<SocketAddr>()
            .map_err(|_| lost(format!("`{text}` is no address with a port")))
    };
    let inode = diag::inode(plain(address(remote)?), plain(address(local)?))
        .map_err(|error| lost(format!("no such socket in the sandbox ({error})")))?;
    let pid = holder(inode).ok_or_else(|| lost("no process shows this socket".to_owned()))?;
    let opened = || -> io::Result<_> {
        let link = format!("/proc/{pid}/exe");
        let file = File::open(&link)?;
        let path = fs::read_link(&link)?.to_string_lossy().into_owned();
        let identity = identity(&file)?;
        Ok((Owner { pid, path }, identity, file))
    };
    opened().map_err(|error| {
        lost(format!(
            "the program of process {pid} cannot be read ({error})"
        ))
    })
}

/// An IPv4 address that is written as an IPv6 one is an IPv4 address.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Several may hold it; the oldest is the one that opened it.
fn holder(inode: u32) -> Option<i32> {
    let target = format!("socket:[{inode}]");
    let holds = |pid: i32| {
        fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == target.as_str())
            })
        })
    };
    let mut processes = processes::all();
    processes.sort_by_key(|process| (process.started, process.pid));
    processes
        .iter()
        .map(|process| process.pid)
        .find(|pid| holds(*pid))
}

fn identity(file: &File) -> io::Result<Identity> {
    let stat = file.metadata()?;
    Ok(Identity {
        device: stat.dev(),
        inode: stat.ino(),
        size: stat.size(),
        modified: (stat.mtime(), stat.mtime_nsec()),
        changed: (stat.ctime(), stat.ctime_nsec()),
    })
}

/// In lower-case hexadecimal; empty when the file cannot be read to its end.
pub fn digest(mut file: File) -> String {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => {
                return hash
                    .finalize()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
            }
            Ok(length) => hash.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return String::new(),
        }
    }
}
