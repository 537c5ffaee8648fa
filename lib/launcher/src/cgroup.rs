//! Control groups, version 1 and 2: where this user may make one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;
use sha2::{Digest, Sha256};

use crate::error::{Because, Result, WallError};
use crate::limits::CgroupPosture;
use crate::spec::{CgroupUse, Limits};

/// Microseconds over which processor time is counted.
const PERIOD: u64 = 100_000;

/// How long an empty group may belong to a start.
const ABANDONED: Duration = Duration::from_secs(600);

/// The group of one sandbox: one folder in version 2, one for each controller in version 1.
pub struct Group {
    folders: Vec<PathBuf>,
    pub posture: CgroupPosture,
}

/// Makes a group with the limits that were asked for. `None` when none is needed, or when only `pids` was asked for and
/// no group can be made: [`pids_by`] says what keeps it then.
pub fn create(name: &str, limits: &Limits) -> Result<Option<Group>> {
    let wanted: Vec<&str> = [
        ("cpu", limits.cpu.is_some()),
        ("memory", limits.memory_bytes.is_some()),
        ("pids", limits.pids.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, wanted)| wanted.then_some(name))
    .collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let made = match limits.cgroup {
        CgroupUse::None => Err("the spec wants no control group".to_owned()),
        CgroupUse::Auto => make(&folder_name(name), &wanted, limits),
    };
    match made {
        Ok(group) => Ok(Some(group)),
        Err(_) if wanted == ["pids"] => Ok(None),
        Err(reason) => Err(WallError::new(
            "limit_unkept",
            format!("limit {}", wanted.join(", ")),
            format!("cannot be kept here: {reason}"),
        )
        .hint("run Nacre as root or under `systemd-run --user --scope -p Delegate=yes`, or remove the limit")),
    }
}

/// What keeps the number of processes.
pub fn pids_by(limits: &Limits, group: Option<&Group>) -> Option<&'static str> {
    limits.pids?;
    Some(if group.is_some() { "cgroup" } else { "rlimit" })
}

/// What this user can set, and with which version; for `check`.
pub fn offer() -> (Option<u8>, Vec<String>, Option<String>) {
    let mut kept = Vec::new();
    let (mut version, mut reason) = (None, None);
    for name in ["cpu", "memory", "pids"] {
        let limits = Limits {
            cpu: (name == "cpu").then_some(1.0),
            memory_bytes: (name == "memory").then_some(1 << 30),
            pids: (name == "pids").then_some(1000),
            open_files: None,
            cgroup: CgroupUse::Auto,
        };
        match make(
            &folder_name(&format!("check-{}", std::process::id())),
            &[name],
            &limits,
        ) {
            Ok(group) => {
                version = Some(group.posture.version);
                kept.push(name.to_owned());
                group.remove();
            }
            Err(error) => reason = Some(error),
        }
    }
    (version, kept, reason)
}

impl Group {
    /// Puts a process, and so all that it becomes, into the group.
    pub fn admit(&self, pid: Pid) -> Result<()> {
        for folder in &self.folders {
            fs::write(
                folder.join("cgroup.procs"),
                pid.as_raw_nonzero().to_string(),
            )
            .because(
                "limits_failed",
                format!("control group {}", folder.display()),
            )?;
        }
        Ok(())
    }

    /// When all of it has ended.
    pub fn remove(self) {
        for folder in self.folders {
            // A group that is left over is empty, and is taken over by the next start.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The same sandbox has the same group, and two state directories never share one.
fn folder_name(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let short: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("nacre-{short}")
}

fn make(name: &str, wanted: &[&str], limits: &Limits) -> std::result::Result<Group, String> {
    let places = Places::read().map_err(|error| error.to_string())?;
    let first: Vec<PathBuf> = wanted
        .iter()
        .filter_map(|controller| places.version_1(controller))
        .collect();
    if first.len() == wanted.len() {
        return version_1(name, wanted, first, limits);
    }
    match &places.unified {
        Some((mount, own)) => version_2(name, wanted, mount, own, limits),
        None => Err("no control groups are mounted".to_owned()),
    }
}

fn version_1(
    name: &str,
    wanted: &[&str],
    parents: Vec<PathBuf>,
    limits: &Limits,
) -> std::result::Result<Group, String> {
    let mut group = Group {
        folders: vec![],
        posture: empty(1),
    };
    for (controller, parent) in wanted.iter().zip(parents) {
        sweep(&parent);
        let folder = parent.join(name);
        let set = || -> io::Result<()> {
            make_folder(&folder)?;
            group.folders.push(folder.clone());
            match *controller {
                "cpu" => {
                    fs::write(folder.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                    fs::write(folder.join("cpu.cfs_quota_us"), quota(limits).to_string())?;
                    group.posture.cpu =
                        Some(read(&folder, "cpu.cfs_quota_us")? as f64 / PERIOD as f64);
                }
                "memory" => {
                    let bytes = limits.memory_bytes.unwrap_or_default().to_string();
                    // The limit with swap is never below the one without, so an older, smaller one goes first.
                    let with_swap = folder.join("memory.memsw.limit_in_bytes");
                    let _ = fs::write(&with_swap, "-1");
                    fs::write(folder.join("memory.limit_in_bytes"), &bytes)?;
                    let _ = fs::write(&with_swap, &bytes);
                    group.posture.memory_bytes = Some(read(&folder, "memory.limit_in_bytes")?);
                }
                _ => {
                    fs::write(
                        folder.join("pids.max"),
                        limits.pids.unwrap_or_default().to_string(),
                    )?;
                    group.posture.pids = Some(read(&folder, "pids.max")?);
                }
            }
            Ok(())
        };
        let mut set = set;
        if let Err(error) = set() {
            let reason = format!("{}: {error}", folder.display());
            group.remove();
            return Err(reason);
        }
    }
    group.posture.paths = group
        .folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    Ok(group)
}

/// The nearest group above that may have children with these controllers: only one without processes of its own may.
fn version_2(
    name: &str,
    wanted: &[&str],
    mount: &Path,
    own: &Path,
    limits: &Limits,
) -> std::result::Result<Group, String> {
    let mut reason = "no group above this process can have children".to_owned();
    for parent in own
        .ancestors()
        .take_while(|parent| parent.starts_with(mount))
    {
        match version_2_below(parent, name, wanted, limits) {
            Ok(group) => return Ok(group),
            Err(error) => reason = format!("{}: {error}", parent.display()),
        }
    }
    Err(reason)
}

fn version_2_below(
    parent: &Path,
    name: &str,
    wanted: &[&str],
    limits: &Limits,
) -> io::Result<Group> {
    let enabled = fs::read_to_string(parent.join("cgroup.subtree_control"))?;
    for controller in wanted {
        if !enabled.split_whitespace().any(|one| one == *controller) {
            fs::write(
                parent.join("cgroup.subtree_control"),
                format!("+{controller}"),
            )?;
        }
    }
    sweep(parent);
    let folder = parent.join(name);
    make_folder(&folder)?;
    let mut group = Group {
        folders: vec![folder.clone()],
        posture: empty(2),
    };
    let mut set = || -> io::Result<()> {
        if limits.cpu.is_some() {
            fs::write(
                folder.join("cpu.max"),
                format!("{} {PERIOD}", quota(limits)),
            )?;
            group.posture.cpu = Some(read(&folder, "cpu.max")? as f64 / PERIOD as f64);
        }
        if let Some(bytes) = limits.memory_bytes {
            fs::write(folder.join("memory.max"), bytes.to_string())?;
            let _ = fs::write(folder.join("memory.swap.max"), "0"); // Not there without swap.
            group.posture.memory_bytes = Some(read(&folder, "memory.max")?);
        }
        if let Some(most) = limits.pids {
            fs::write(folder.join("pids.max"), most.to_string())?;
            group.posture.pids = Some(read(&folder, "pids.max")?);
        }
        // Which of its processes the kernel would pick is luck; an agent that lost one is worse than one that ended.
        Ok(())
    };
    if let Err(error) = set() {
        group.remove();
        return Err(error);
    }
    group.posture.paths = vec![folder.display().to_string()];
    Ok(group)
}

fn empty(version: u8) -> CgroupPosture {
    CgroupPosture {
        version,
        paths: vec![],
        cpu: None,
        memory_bytes: None,
        pids: None,
    }
}

fn quota(limits: &Limits) -> u64 {
    (limits.cpu.unwrap_or_default() * PERIOD as f64).max(1000.0) as u64
}

/// One that was left is made anew, so that its age is that of this start.
fn make_folder(folder: &Path) -> io::Result<()> {
    let _ = fs::remove_dir(folder);
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Takes away what launchers left that were killed. The kernel removes no group that a process is in; a young one may
/// belong to a start that is under way.
fn sweep(parent: &Path) {
    let old = |entry: &fs::DirEntry| {
        let made = entry.metadata().and_then(|found| found.modified()).ok();
        made.and_then(|made| made.elapsed().ok())
            .is_some_and(|age| age > ABANDONED)
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("nacre-") && old(&entry) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn read(folder: &Path, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(folder.join(name))?;
    let first = text.split_whitespace().next().unwrap_or_default();
    first
        .parse()
        .map_err(|_| io::Error::other(format!("{name} says `{}`", text.trim())))
}

/// Where the hierarchies are mounted, and where this process is in them.
struct Places {
    /// Controllers of version 1 and the folder of this process' own group.
    first: Vec<(String, PathBuf)>,
    /// Mount point and own group of version 2.
    unified: Option<(PathBuf, PathBuf)>,
}

impl Places {
    fn read() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let mut places = Places {
            first: vec![],
            unified: None,
        };
        for line in mounts.lines() {
            let Some((before, after)) = line.split_once(" - ") else {
                continue;
            };
            let before: Vec<_> = before.split(' ').collect();
            let after: Vec<_> = after.split(' ').collect();
            let (Some(root), Some(point), Some(kind)) =
                (before.get(3), before.get(4), after.first())
            else {
                continue;
            };
            let options: Vec<_> = after.get(2).unwrap_or(&"").split(',').collect();
            match *kind {
                "cgroup2" => {
                    let path = own_path(&own, |controllers| controllers.is_empty());
                    places.unified = Some((point.into(), below(point, root, path)));
                }
                "cgroup" => {
                    for controller in ["cpu", "memory", "pids"] {
                        if options.contains(&controller) {
                            let path = own_path(&own, |listed| {
                                listed.split(',').any(|one| one == controller)
                            });
                            places
                                .first
                                .push((controller.to_owned(), below(point, root, path)));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(places)
    }

    fn version_1(&self, controller: &str) -> Option<PathBuf> {
        let found = self.first.iter().find(|(name, _)| name == controller);
        found.map(|(_, folder)| folder.clone())
    }
}

fn own_path(own: &str, matches: impl Fn(&str) -> bool) -> &str {
    let found = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        matches(fields.next()?).then(|| fields.next())?
    });
    found.unwrap_or("/")
}

/// A mount may show only a part of the hierarchy.
fn below(point: &str, root: &str, path: &str) -> PathBuf {
    let relative = path.strip_prefix(root).unwrap_or(path);
    Path::new(point).join(relative.trim_start_matches('/'))
}
