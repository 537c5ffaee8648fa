//! `nacre-launcher egress`: an egress on the host's network, with the sandbox' listeners, behind walls of its own. This
//! process stays: its end is the egress' end, and the reverse.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{
    Signal, WaitOptions, kill_process, set_parent_process_death_signal, waitpid,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde_json::{Value, json};

use crate::child::{self, Facts, Stdio, Walls};
use crate::error::{Because, Result, WallError};
use crate::files::FileWall;
use crate::init::Exit;
use crate::limits::ProcessLimits;
use crate::mounts::enter::{Proc, enter};
use crate::mounts::root::{self, Sources};
use crate::posture::NetworkPosture;
use crate::seccomp::Program;
use crate::spec::{Egress, Wall};
use crate::wire::Channel;
use crate::{cgroup, exec, ids, launch, network, posture, process};

/// Where an egress finds its listeners: tcp4, tcp6, dns4, dns6.
const LISTENERS: [(&str, i32); 4] = [("tcp4", 10), ("tcp6", 11), ("dns4", 12), ("dns6", 13)];

/// Runs it to its end; its exit code, 128 + n for a signal.
pub fn run(spec: &Egress) -> Result<u8> {
    reserve().because("start_failed", "descriptors")?;
    let privileged = ids::is_root();
    let off = |wall| spec.off.contains(&wall);
    launch::check_ids(&spec.identity.outside, privileged)?;
    launch::check_files(&spec.landlock, off(Wall::Files))?;
    let calls = launch::compile(&spec.seccomp, off(Wall::Syscalls))?;
    let group = cgroup::create(&format!("{}\0egress", spec.directory), &spec.limits)?;
    if let Some(socket) = &spec.egress_socket {
        attach(socket)?;
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, spec.directory.as_str(), flags, Mode::empty())
        .because("start_failed", &spec.directory)?;
    rustix::process::fchdir(&folder).because("start_failed", &spec.directory)?;
    let hosts_namespaces = posture::namespaces();
    launch::separate(&spec.identity, privileged)?;
    root::cut_off()?;
    let owner = if privileged {
        spec.identity.outside
    } else {
        spec.identity.inside
    };
    let sources = Sources::of_host(&spec.root, owner, privileged)?;
    let planted = root::plant(true)?;
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .because("start_failed", "channel")?;
    let signals =
        process::signal_descriptor(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP])
            .because("start_failed", "signals")?;
    let inside = Inside {
        spec,
        privileged,
        calls,
        facts: Facts {
            hosts_namespaces,
            cgroup: group.as_ref().map(|group| group.posture.clone()),
            pids_by: cgroup::pids_by(&spec.limits, group.as_ref()),
            network: NetworkPosture {
                interfaces: network::interfaces(),
                capture: false,
                rules: 0,
            },
            off: spec.off.clone(),
        },
    };
    let mut flags = libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if privileged {
        flags |= libc::CLONE_NEWUSER;
    }
    let mut given = Some((inside, theirs));
    let ours_number = ours.as_raw_fd();
    let pid = process::clone(flags, || {
        // SAFETY: the parent's end; this copy never uses it, and would never learn of the parent's end with it.
        unsafe { libc::close(ours_number) };
        let (inside, channel) = given.take().expect("given once");
        let mut channel = Channel::new(channel);
        let Err(error) = inside.become_egress(&mut channel);
        let _ = channel.say(&error.to_line(), &[]);
        127
    })
    .map_err(|error| launch::namespaces_failed(&error))?;
    drop(given);
    let mut channel = Channel::new(ours);
    let built = (|| {
        if privileged {
            ids::map(&pid.as_raw_nonzero().to_string(), &spec.identity, true)?;
        }
        if let Some(group) = &group {
            group.admit(pid)?;
        }
        root::fill(planted, &spec.root, sources, owner)?;
        channel.say("{}", &[]).because("start_failed", "egress")?;
        started(&mut channel)
    })();
    let mut code = built.and_then(|()| wait(pid, &signals));
    if let Err(error) = code {
        let _ = kill_process(pid, Signal::KILL);
        let _ = waitpid(Some(pid), WaitOptions::empty());
        code = Err(launch::first_told(&mut channel, error));
    }
    if let Some(group) = group {
        group.remove();
    }
    code
}

/// Takes the numbers before anything else can.
fn reserve() -> std::io::Result<()> {
    let nothing = std::fs::File::open("/dev/null")?;
    for (_, number) in LISTENERS {
        put(&nothing, number)?;
    }
    Ok(())
}

/// Puts a copy at a number, to be closed at `execve` for now.
fn put(what: impl AsFd, number: i32) -> std::io::Result<()> {
    // SAFETY: the numbers are ours: they were reserved first of all.
    let done = unsafe { libc::dup3(what.as_fd().as_raw_fd(), number, libc::O_CLOEXEC) };
    if done < 0 {
        Err(std::io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Asks init for its listeners.
fn attach(socket: &str) -> Result<()> {
    let mut channel = Channel::new(exec::dial(socket)?);
    channel
        .say(&json!({ "op": "attach" }).to_string(), &[])
        .because("attach_failed", socket)?;
    let answer = launch::answer(&mut channel)?;
    let names = answer["sockets"].as_array().cloned().unwrap_or_default();
    let received: Vec<OwnedFd> = std::mem::take(&mut channel.descriptors);
    if names.len() != received.len() {
        return Err(WallError::new(
            "attach_failed",
            socket,
            "init gave fewer listeners than it named",
        ));
    }
    for (name, descriptor) in names.iter().zip(received) {
        let number = LISTENERS
            .iter()
            .find(|(known, _)| name == known)
            .map(|(_, number)| *number);
        if let Some(number) = number {
            put(descriptor, number).because("attach_failed", socket)?;
        }
    }
    Ok(())
}

/// The channel closes when the program is executed.
fn started(channel: &mut Channel) -> Result<()> {
    match channel.hear().because("start_failed", "egress")? {
        None => Ok(()),
        Some(line) => {
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            Err(WallError::from_json(&said["error"]))
        }
    }
}

/// Passes signals on until it has ended.
fn wait(pid: rustix::process::Pid, signals: &OwnedFd) -> Result<u8> {
    use rustix::event::{PollFd, PollFlags, poll};
    loop {
        let ended = waitpid(Some(pid), WaitOptions::NOHANG).because("start_failed", "egress")?;
        if let Some(exit) = ended.and_then(|(_, status)| Exit::of(status)) {
            return Ok(exit.code() as u8);
        }
        let _ = poll(
            &mut [PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)],
            None,
        );
        let mut buffer = [0; size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(signals, &mut buffer).is_ok_and(|length| length == buffer.len()) {
            let number = u32::from_ne_bytes(buffer[..4].try_into().expect("4 bytes")) as i32;
            if number != libc::SIGCHLD {
                // SAFETY: takes two numbers; the process was not waited for yet, so the number is its own.
                unsafe { libc::kill(pid.as_raw_nonzero().get(), number) };
            }
        }
    }
}

struct Inside<'a> {
    spec: &'a Egress,
    privileged: bool,
    calls: std::result::Result<Program, String>,
    facts: Facts,
}

impl Inside<'_> {
    /// Returns only when it failed.
    fn become_egress(self, channel: &mut Channel) -> Result<std::convert::Infallible> {
        let off = |wall| self.spec.off.contains(&wall);
        channel
            .hear()
            .because("start_failed", "egress")?
            .ok_or_else(|| WallError::new("start_failed", "launcher", "it is gone"))?;
        ids::assume(&self.spec.identity, self.privileged)?;
        // SAFETY: one thread, and no descriptor table is separated.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::NEWCGROUP) }
            .because("namespaces_unavailable", "namespaces")?;
        enter(Proc::Own, true, true)?;
        // SAFETY: takes numbers and a null name.
        unsafe { libc::syscall(libc::SYS_keyctl, 1, 0) };
        let files = FileWall::prepare(&self.spec.landlock, off(Wall::Files), false)?;
        let own_ids = !off(Wall::Ids);
        if own_ids {
            ids::renounce()
        } else {
            ids::keep()
        }?;
        set_parent_process_death_signal(Some(Signal::KILL)).because("start_failed", "egress")?;
        let by_rlimit = self.facts.pids_by == Some("rlimit");
        let walls = Walls {
            files,
            calls: self.calls,
            limits: ProcessLimits {
                open_files: self.spec.limits.open_files,
                processes: self.spec.limits.pids.filter(|_| by_rlimit),
            },
            no_new_privileges: own_ids,
            facts: self.facts,
        };
        let kept: &[i32] = if self.spec.egress_socket.is_some() {
            &[10, 11, 12, 13]
        } else {
            &[]
        };
        child::become_program(&walls, &self.spec.process, &Stdio::Inherited, kept)
    }
}
