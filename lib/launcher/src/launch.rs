//! `nacre-launcher sandbox`: builds the walls from outside, and starts init behind them.

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, mkdirat, openat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, socketpair,
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde_json::{Value, json};

use crate::error::{Because, Result, WallError};
use crate::mounts::root::{self, Sources};
use crate::seccomp::{self, Program};
use crate::spec::{Ids, Requirement, Sandbox, Seccomp, Wall};
use crate::wire::Channel;
use crate::{behind, cgroup, files, foreground, ids, posture, process};

/// What a launched sandbox is known by.
pub struct Launched {
    pub pid: Pid,
    pub channel: Channel,
    pub cgroup: Option<cgroup::Group>,
    pub answer: Value,
}

/// Descriptors of the sandbox' folder, opened before anything is built.
pub struct Folder {
    pub lock: OwnedFd,
    pub control: OwnedFd,
    pub egress: OwnedFd,
    pub logs: OwnedFd,
}

/// Builds everything and answers when the agent has been executed. `stdio`: the agent's own, for a one-shot sandbox.
pub fn launch(spec: &Sandbox, stdio: Option<[OwnedFd; 3]>) -> Result<Launched> {
    let privileged = ids::is_root();
    let off = |wall| spec.off.contains(&wall);
    check_ids(&spec.identity.outside, privileged)?;
    check_files(&spec.landlock, off(Wall::Files))?;
    let calls = compile(&spec.seccomp, off(Wall::Syscalls))?;
    let mut group = cgroup::create(&format!("{}\0{}", spec.directory, spec.id), &spec.limits)?;
    let folder = open_folder(&spec.directory, &spec.identity.outside, privileged)?;
    let hosts_namespaces = posture::namespaces();

    // Its own user namespace comes now for an ordinary user, who can mount nothing without; for root it comes with init,
    // since root's files could not be taken from within.
    let new_user = !(privileged && off(Wall::Ids));
    separate(&spec.identity, privileged)?;
    root::cut_off()?;
    let owner = if privileged {
        spec.identity.outside
    } else {
        spec.identity.inside
    };
    let sources = Sources::of_host(&spec.root, owner, privileged)?;
    let planted = root::plant(!off(Wall::Mounts))?;

    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .because("start_failed", "channel to init")?;
    // The other namespaces are init's work, beside ours on the root.
    let mut flags = 0;
    if privileged && new_user {
        flags |= libc::CLONE_NEWUSER;
    }
    if !off(Wall::Pids) {
        flags |= libc::CLONE_NEWPID;
    }
    let behind = behind::Behind {
        spec,
        privileged,
        hosts_namespaces,
        calls,
        group: group.as_ref().map(|group| group.posture.clone()),
        pids_by: cgroup::pids_by(&spec.limits, group.as_ref()),
    };
    let mut given = Some((folder, theirs, behind, stdio));
    let pid = process::clone(flags, || {
        let (folder, channel, behind, stdio) = given.take().expect("given once");
        behind.run(folder, Channel::new(channel), stdio)
    })
    .map_err(|error| namespaces_failed(&error))?;
    drop(given);

    let mut channel = Channel::new(ours);
    let built = (|| {
        if privileged && new_user {
            ids::map(&pid.as_raw_nonzero().to_string(), &spec.identity, true)?;
        }
        if let Some(group) = &mut group {
            group.admit(pid)?;
        }
        if off(Wall::Mounts) {
            root::fill_open(&spec.root, sources);
        } else {
            root::fill(planted, &spec.root, sources, owner)?;
        }
        channel
            .say("{\"built\":true}", &[])
            .because("start_failed", "init")?;
        answer(&mut channel)
    })();
    match built {
        Ok(mut answer) => {
            answer["pid"] = pid.as_raw_nonzero().get().into();
            answer["start_time"] = start_time(pid).into();
            Ok(Launched {
                pid,
                channel,
                cgroup: group,
                answer,
            })
        }
        Err(error) => {
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
            if let Some(group) = group {
                group.remove();
            }
            Err(first_told(&mut channel, error))
        }
    }
}

/// Launches, relays the agent's input, output and signals, and waits for the end of everything: the agent's exit code.
pub fn run_once(spec: &Sandbox) -> Result<u8> {
    let signals = foreground::hold_signals().because("start_failed", "signals")?;
    let (theirs, ours) = foreground::pipes().because("start_failed", "pipes")?;
    let mut launched = launch(spec, Some(theirs))?;
    let word = |signal: &str| json!({ "signal": signal });
    let exit = foreground::relay(&mut launched.channel, ours, &signals, word)
        .because("start_failed", "relay")?;
    // The kernel ends every process of the sandbox with its first, before the wait is over.
    let _ = waitpid(Some(launched.pid), WaitOptions::empty());
    if let Some(group) = launched.cgroup {
        group.remove();
    }
    let code = exit.and_then(|exit| exit.as_i64());
    code.map(|code| code as u8)
        .ok_or_else(|| WallError::new("sandbox_ended", &spec.id, "it ended before its agent did"))
}

/// An ordinary user can only stand behind its own ids.
pub fn check_ids(outside: &Ids, privileged: bool) -> Result<()> {
    let own = Ids {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    if privileged || *outside == own {
        return Ok(());
    }
    Err(WallError::new(
        "bad_spec",
        "spec, identity.outside",
        format!(
            "{}:{} is not this user, and only root can take another's",
            outside.uid, outside.gid
        ),
    )
    .hint(format!("{{\"uid\":{},\"gid\":{}}}", own.uid, own.gid)))
}

/// Said before anything is built.
pub fn check_files(spec: &crate::spec::Landlock, left_out: bool) -> Result<()> {
    match files::kernel_abi() {
        Err(reason) if !left_out && spec.requirement == Requirement::Required => {
            Err(files::unavailable(&reason))
        }
        _ => Ok(()),
    }
}

/// The filter, or why there is none.
pub fn compile(spec: &Seccomp, left_out: bool) -> Result<std::result::Result<Program, String>> {
    if left_out {
        return Ok(Err("switched off".to_owned()));
    }
    match seccomp::available() {
        Ok(()) => Ok(Ok(seccomp::compile(&spec.profile)?)),
        Err(reason) if spec.requirement == Requirement::BestEffort => Ok(Err(reason)),
        Err(reason) => Err(WallError::new("seccomp_unavailable", "system call wall", reason)
            .hint("use a kernel with CONFIG_SECCOMP_FILTER, or write walls: { syscalls: best_effort }")),
    }
}

fn open_folder(path: &str, owner: &Ids, privileged: bool) -> Result<Folder> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let itself = openat(CWD, path, flags, Mode::empty()).because("start_failed", path)?;
    let lock = openat(
        &itself,
        "lock",
        OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::from(0o600),
    )
    .because("start_failed", format!("{path}/lock"))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            return Err(WallError::new(
                "sandbox_running",
                path,
                "an init runs for this folder already",
            )
            .hint("stop it first: {\"op\":\"stop\"} on its init.sock"));
        }
        done => done.because("start_failed", format!("{path}/lock"))?,
    }
    match mkdirat(&itself, "logs", Mode::from(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error).because("start_failed", format!("{path}/logs")),
    }
    let logs = openat(&itself, "logs", flags, Mode::empty())
        .because("start_failed", format!("{path}/logs"))?;
    if privileged {
        let user = Some(rustix::fs::Uid::from_raw(owner.uid));
        let group = Some(rustix::fs::Gid::from_raw(owner.gid));
        rustix::fs::fchown(&logs, user, group).because("start_failed", format!("{path}/logs"))?;
    }
    // A socket's address holds 107 bytes: it is bound from within the folder.
    rustix::process::fchdir(&itself).because("start_failed", path)?;
    Ok(Folder {
        control: socket("init.sock", 0o600).because("start_failed", format!("{path}/init.sock"))?,
        // The folder is closed to everyone; the egress' user comes through a mount of this file alone.
        egress: socket("egress.sock", 0o666)
            .because("start_failed", format!("{path}/egress.sock"))?,
        lock,
        logs,
    })
}

/// The lock is ours, so a socket that is there has nobody behind it.
fn socket(name: &str, mode: u32) -> rustix::io::Result<OwnedFd> {
    match rustix::fs::unlink(name) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(name)?)?;
    rustix::fs::chmod(name, Mode::from(mode))?;
    listen(&socket, 128)?;
    Ok(socket)
}

/// As root a mount namespace; as an ordinary user a user namespace too, in which mounting is allowed.
pub fn separate(identity: &crate::spec::Identity, privileged: bool) -> Result<()> {
    let flags = if privileged {
        UnshareFlags::NEWNS
    } else {
        UnshareFlags::NEWNS | UnshareFlags::NEWUSER
    };
    // SAFETY: this process has one thread, and no descriptor table is separated.
    unsafe { unshare_unsafe(flags) }.map_err(|error| namespaces_failed(&error.into()))?;
    if privileged {
        Ok(())
    } else {
        ids::map("self", identity, false)
    }
}

pub fn namespaces_failed(error: &std::io::Error) -> WallError {
    WallError::new(
        "namespaces_unavailable",
        "namespaces",
        why_no_namespaces(error),
    )
    .hint(
        "allow user namespaces: sysctl user.max_user_namespaces=10000, and where they exist \
         kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0",
    )
}

/// The kernel's word for "no more namespaces" reads as a full disk (user_namespaces(7)).
pub fn why_no_namespaces(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => {
            "this system lets no more user namespaces be made (ENOSPC)".to_owned()
        }
        Some(libc::EPERM) => "this user may not make user namespaces (EPERM)".to_owned(),
        _ => error.to_string(),
    }
}

/// What init says when it is ready, or which wall failed.
pub fn answer(channel: &mut Channel) -> Result<Value> {
    let died = || WallError::new("start_failed", "init", "it ended before it was ready");
    let line = channel
        .hear()
        .because("start_failed", "init")?
        .ok_or_else(died)?;
    let said: Value = serde_json::from_str(&line).map_err(|_| died())?;
    if said["ok"] == true {
        return Ok(said);
    }
    Err(WallError::from_json(&said["error"]))
}

/// Of a child that has ended: why it failed by its own words. It may have done so while its builder was at work, who saw
/// only that it is gone.
pub fn first_told(channel: &mut Channel, seen: WallError) -> WallError {
    let line = channel.hear().ok().flatten();
    match line.and_then(|line| serde_json::from_str::<Value>(&line).ok()) {
        Some(said) if said["ok"] == false => WallError::from_json(&said["error"]),
        _ => seen,
    }
}

/// Field 22 of `/proc/PID/stat`: with the number, it names a process for good.
fn start_time(pid: Pid) -> u64 {
    let text =
        std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let after = text.rfind(')').map_or("", |end| &text[end + 1..]);
    after
        .split_whitespace()
        .nth(19)
        .and_then(|field| field.parse().ok())
        .unwrap_or(0)
}
