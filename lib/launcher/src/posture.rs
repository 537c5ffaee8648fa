//! What is enforced on a process, read from the kernel.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use crate::files::FilesPosture;
use crate::limits::{CgroupPosture, Resource};
use crate::spec::Wall;

/// `lib/host/launch-spec.ts` has the meaning of the fields.
#[derive(Debug, Clone, Serialize)]
pub struct Posture {
    pub landlock: FilesPosture,
    pub seccomp: SeccompPosture,
    pub no_new_privs: bool,
    pub capabilities: Capabilities,
    pub namespaces: Namespaces,
    pub ids: IdsPosture,
    pub limits: LimitsPosture,
    pub network: NetworkPosture,
    pub mounts: MountsPosture,
    pub off: Vec<Wall>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SeccompPosture {
    pub mode: u32,
    pub filters: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Capabilities {
    pub effective: String,
    pub permitted: String,
    pub inheritable: String,
    pub bounding: String,
    pub ambient: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Namespaces {
    #[serde(flatten)]
    pub inodes: BTreeMap<&'static str, u64>,
    /// Those that are the host's own.
    pub shared: Vec<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
pub struct IdsPosture {
    pub inside: IdsInside,
    pub outside: IdsOutside,
}

#[derive(Debug, Clone, Serialize)]
pub struct IdsInside {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

#[derive(Debug, Clone, Serialize)]
pub struct IdsOutside {
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Clone, Serialize)]
pub struct LimitsPosture {
    pub open_files: Option<u64>,
    pub processes: Option<u64>,
    pub core_bytes: Option<u64>,
    pub cgroup: Option<CgroupPosture>,
    pub pids_by: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
pub struct NetworkPosture {
    pub interfaces: Vec<String>,
    pub capture: bool,
    pub rules: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct MountsPosture {
    pub count: usize,
    /// Mount points that can be written to.
    pub writable: Vec<String>,
    /// The kind of the root's file system: `tmpfs` where the root is private.
    pub root: String,
}

const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// The namespaces of this process.
pub fn namespaces() -> BTreeMap<&'static str, u64> {
    let inode = |kind: &&'static str| {
        let link = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
        let text = link.to_str()?;
        let number = text.split_once('[')?.1.strip_suffix(']')?.parse().ok()?;
        Some((*kind, number))
    };
    NAMESPACES.iter().filter_map(inode).collect()
}

/// The facts of `/proc/PID/status` (<https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
#[derive(Debug, Clone)]
pub struct Status {
    pub seccomp: SeccompPosture,
    pub no_new_privs: bool,
    pub capabilities: Capabilities,
    pub ids: IdsInside,
}

impl Status {
    pub fn parse(text: &str) -> Option<Self> {
        let fields: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
            .collect();
        let set = |name| {
            let digits = fields.get(name)?.trim_start_matches('0');
            Some(if digits.is_empty() { "0" } else { digits }.to_owned())
        };
        let effective_id = |name| fields.get(name)?.split_whitespace().nth(1)?.parse().ok();
        Some(Status {
            seccomp: SeccompPosture {
                mode: fields.get("Seccomp")?.parse().ok()?,
                // Counted since Linux 5.9.
                filters: fields
                    .get("Seccomp_filters")
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(0),
                reason: None,
            },
            no_new_privs: *fields.get("NoNewPrivs")? == "1",
            capabilities: Capabilities {
                effective: set("CapEff")?,
                permitted: set("CapPrm")?,
                inheritable: set("CapInh")?,
                bounding: set("CapBnd")?,
                ambient: set("CapAmb")?,
            },
            ids: IdsInside {
                uid: effective_id("Uid")?,
                gid: effective_id("Gid")?,
                groups: fields
                    .get("Groups")?
                    .split_whitespace()
                    .filter_map(|id| id.parse().ok())
                    .collect(),
            },
        })
    }
}

/// This process' ids as the host counts them, from its own maps.
pub fn outside_ids(inside: &IdsInside) -> IdsOutside {
    IdsOutside {
        uid: outside_id("uid_map", inside.uid),
        gid: outside_id("gid_map", inside.gid),
    }
}

fn outside_id(map: &str, inside: u32) -> u32 {
    let text = fs::read_to_string(format!("/proc/self/{map}")).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (from, to, count) = (
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
        );
        (inside >= from && inside - from < count).then(|| to + (inside - from))
    });
    found.unwrap_or(u32::MAX)
}

/// The mounts that this process sees.
pub fn mounts() -> MountsPosture {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut posture = MountsPosture {
        count: 0,
        writable: vec![],
        root: String::new(),
    };
    for line in table.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let (Some(point), Some(options)) = (fields.get(4), fields.get(5)) else {
            continue;
        };
        posture.count += 1;
        let kind = fields
            .iter()
            .position(|field| *field == "-")
            .and_then(|at| fields.get(at + 1));
        let device =
            kind == Some(&"devtmpfs") || point.starts_with("/dev/") && kind != Some(&"tmpfs");
        if options.split(',').all(|option| option != "ro") && !device {
            posture.writable.push((*point).to_owned());
        }
        if *point == "/" {
            posture.root = kind.unwrap_or(&"").to_string();
        }
    }
    posture
}

/// A soft limit; `None` is unlimited.
pub fn limit(resource: Resource) -> Option<u64> {
    rustix::process::getrlimit(resource.into()).current
}
