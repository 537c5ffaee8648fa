//! What the daemon asks for. The TypeScript side is `lib/host/launch-spec.ts`; fields that neither knows are refused.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Because, Result, WallError};
use crate::seccomp::profile::Profile;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    pub id: String,
    pub generation: u64,
    pub hostname: String,
    pub directory: String,
    pub identity: Identity,
    pub root: Root,
    pub landlock: Landlock,
    pub seccomp: Seccomp,
    pub network: Network,
    pub limits: Limits,
    pub process: Option<Process>,
    pub ports: Vec<u16>,
    pub grace_ms: u64,
    #[serde(default)]
    pub wait: bool,
    #[serde(default)]
    pub off: Vec<Wall>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    #[serde(default, rename = "id")]
    pub _id: Option<String>,
    pub directory: String,
    pub egress_socket: Option<String>,
    pub identity: Identity,
    pub root: Root,
    pub landlock: Landlock,
    pub seccomp: Seccomp,
    pub limits: Limits,
    pub process: Command,
    #[serde(default)]
    pub off: Vec<Wall>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    pub control: String,
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub cwd: String,
    pub tty: bool,
}

/// The changes of a throw-away sandbox, asked of its init.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    pub control: String,
}

/// Makes them in the folder that it saw.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    pub control: String,
    pub folder: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub inside: Ids,
    pub outside: Ids,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    pub binds: Vec<Bind>,
    #[serde(default)]
    pub symlinks: Vec<Symlink>,
    #[serde(default)]
    pub files: Vec<FileSpec>,
    #[serde(default)]
    pub tmpfs: Vec<Tmpfs>,
    #[serde(default)]
    pub overlay: Option<Overlay>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    pub from: String,
    pub to: String,
    pub mode: BindMode,
    #[serde(default)]
    pub optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindMode {
    Ro,
    Rw,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symlink {
    pub at: String,
    pub to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    pub at: String,
    pub content: String,
    #[serde(default)]
    pub mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tmpfs {
    pub at: String,
    pub size_bytes: u64,
    #[serde(default)]
    pub mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    pub at: String,
    pub lower: String,
    pub upper: String,
    pub work: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    Required,
    BestEffort,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landlock {
    pub requirement: Requirement,
    pub rules: Vec<FileRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRule {
    pub path: String,
    pub access: FileAccess,
    #[serde(default)]
    pub optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileAccess {
    Read,
    /// Read and execute.
    Execute,
    /// Everything.
    Write,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seccomp {
    pub requirement: Requirement,
    pub profile: Profile,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Network {
    Capture {
        address: std::net::Ipv4Addr,
        port: u16,
    },
    None,
    Host,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    #[serde(default)]
    pub cpu: Option<f64>,
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    #[serde(default)]
    pub pids: Option<u64>,
    #[serde(default)]
    pub open_files: Option<u64>,
    #[serde(default)]
    pub cgroup: CgroupUse,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CgroupUse {
    #[default]
    Auto,
    None,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub cwd: String,
    pub restart: Restart,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub cwd: String,
}

impl Process {
    pub fn command(&self) -> Command {
        Command {
            argv: self.argv.clone(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    pub policy: RestartPolicy,
    pub initial_ms: u64,
    pub max_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// A wall that a test build can leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wall {
    /// Landlock.
    Files,
    /// seccomp.
    Syscalls,
    /// The network namespace and the capture in it.
    Network,
    /// The private root.
    Mounts,
    /// The process id namespace.
    Pids,
    /// Empty capability sets, no new privileges, and (as root) the user namespace.
    Ids,
}

/// A spec that reads well but cannot be meant.
pub trait Checked {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Checked for Sandbox {
    fn check(&self) -> Result<()> {
        check_identity(&self.identity, &self.off)?;
        check_off(&self.off)?;
        match &self.process {
            Some(process) if process.argv.is_empty() => {
                return Err(bad("process.argv", "is empty"));
            }
            Some(process) if self.wait && process.restart.policy != RestartPolicy::Never => {
                return Err(bad("wait", "needs process.restart.policy never"));
            }
            None if self.wait => return Err(bad("wait", "needs a process")),
            _ => {}
        }
        check_paths(&self.root)
    }
}

impl Checked for Egress {
    fn check(&self) -> Result<()> {
        check_identity(&self.identity, &self.off)?;
        check_off(&self.off)?;
        if self.process.argv.is_empty() {
            return Err(bad("process.argv", "is empty"));
        }
        check_paths(&self.root)
    }
}

impl Checked for Changes {}
impl Checked for Apply {}

impl Checked for Exec {
    fn check(&self) -> Result<()> {
        if self.argv.is_empty() {
            return Err(bad("argv", "is empty"));
        }
        Ok(())
    }
}

fn check_identity(identity: &Identity, off: &[Wall]) -> Result<()> {
    if off.contains(&Wall::Ids) {
        return Ok(());
    }
    if identity.outside.uid == 0 || identity.outside.gid == 0 {
        return Err(bad(
            "identity.outside",
            "0 is root: an agent never runs as root outside",
        )
        .hint("give the sandbox an id of its own, from 700000 upward"));
    }
    Ok(())
}

fn check_off(off: &[Wall]) -> Result<()> {
    if off.is_empty() || cfg!(feature = "switchable-walls") {
        return Ok(());
    }
    Err(bad("off", "this launcher cannot leave a wall out")
        .hint("only a test build can: cargo build --features switchable-walls"))
}

fn check_paths(root: &Root) -> Result<()> {
    let inside = root
        .binds
        .iter()
        .map(|bind| &bind.to)
        .chain(root.symlinks.iter().map(|link| &link.at))
        .chain(root.files.iter().map(|file| &file.at))
        .chain(root.tmpfs.iter().map(|tmpfs| &tmpfs.at))
        .chain(root.overlay.iter().map(|overlay| &overlay.at));
    for path in inside {
        let plain = path.starts_with('/')
            && path[1..]
                .split('/')
                .all(|part| !matches!(part, "" | "." | ".."));
        if !plain {
            return Err(bad(path, "is no plain absolute path below /"));
        }
        let own = ["/dev", "/proc", "/.nacre"];
        if own
            .iter()
            .any(|own| path == own || path.starts_with(&format!("{own}/")))
        {
            return Err(bad(path, "is made by the launcher itself"));
        }
    }
    Ok(())
}

fn bad(subject: &str, message: &str) -> WallError {
    WallError::new("bad_spec", format!("spec, {subject}"), message)
}

/// Reads a whole spec from descriptor 3, which is closed then.
pub fn read<T: DeserializeOwned + Checked>() -> Result<T> {
    // SAFETY: the caller gives us descriptor 3 and nothing else in this process uses it; a closed one is an error below.
    let mut input = unsafe { File::from_raw_fd(3) };
    let mut text = String::new();
    input
        .read_to_string(&mut text)
        .because("bad_spec", "descriptor 3")?;
    let spec: T =
        serde_json::from_str(&text).map_err(|error| WallError::new("bad_spec", "spec", error))?;
    spec.check()?;
    Ok(spec)
}

/// Permission bits in octal, as a spec has them.
pub fn permission_bits(text: Option<&str>, default: u32) -> Result<u32> {
    match text {
        None => Ok(default),
        Some(text) => u32::from_str_radix(text, 8)
            .ok()
            .filter(|bits| *bits <= 0o7777)
            .ok_or_else(|| bad("mode", &format!("`{text}` is no permission bits in octal"))),
    }
}
