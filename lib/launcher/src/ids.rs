//! Who runs: ids inside and outside, capabilities, no new privileges.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, clear_ambient_capability_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::error::{Because, Result, WallError};
use crate::process;
use crate::spec::Identity;

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Maps the one identity of the sandbox for process `pid`, which is in a user namespace that this process' child made.
pub fn map(pid: &str, identity: &Identity, privileged: bool) -> Result<()> {
    let folder = format!("/proc/{pid}");
    let (inside, outside) = (identity.inside, identity.outside);
    if !privileged {
        // Without this an ordinary user may not map a group: dropping one could be a way round a denial.
        fs::write(format!("{folder}/setgroups"), "deny").because("ids_failed", "groups")?;
    }
    fs::write(
        format!("{folder}/uid_map"),
        format!("{} {} 1", inside.uid, outside.uid),
    )
    .because(
        "ids_failed",
        format!("user id {} as {}", outside.uid, inside.uid),
    )?;
    fs::write(
        format!("{folder}/gid_map"),
        format!("{} {} 1", inside.gid, outside.gid),
    )
    .because(
        "ids_failed",
        format!("group id {} as {}", outside.gid, inside.gid),
    )
}

/// Becomes the sandbox' identity. Capabilities stay: none of them depends on id 0, which is mapped to nobody here.
pub fn assume(identity: &Identity, privileged: bool) -> Result<()> {
    let user = rustix::fs::Uid::from_raw(identity.inside.uid);
    let group = rustix::fs::Gid::from_raw(identity.inside.gid);
    if privileged {
        set_thread_groups(&[]).because("ids_failed", "groups")?;
    }
    set_thread_res_gid(group, group, group).because("ids_failed", "group id")?;
    set_thread_res_uid(user, user, user).because("ids_failed", "user id")
}

/// Empties every capability set, the bounding set first, and forbids any way to new privileges. For good.
pub fn renounce() -> Result<()> {
    for capability in 0..64 {
        // SAFETY: PR_CAPBSET_DROP takes one number.
        let done = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        if done != 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() == Some(libc::EINVAL) {
                break; // The kernel's last capability was the one before.
            }
            return Err(error).because("capabilities_failed", format!("capability {capability}"));
        }
    }
    clear_ambient_capability_set().because("capabilities_failed", "ambient capabilities")?;
    let empty = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: empty,
            permitted: empty,
            inheritable: empty,
        },
    )
    .because("capabilities_failed", "capabilities")?;
    set_no_new_privs(true).because("capabilities_failed", "no_new_privs")
}

/// A test build without this wall: what is allowed now stays allowed in every program.
pub fn keep() -> Result<()> {
    let held = rustix::thread::capabilities(None).because("capabilities_failed", "capabilities")?;
    set_capabilities(
        None,
        CapabilitySets {
            inheritable: held.permitted,
            ..held
        },
    )
    .because("capabilities_failed", "capabilities")?;
    for capability in held.permitted.iter() {
        rustix::thread::configure_capability_in_ambient_set(capability, true)
            .because("capabilities_failed", "ambient capabilities")?;
    }
    Ok(())
}

/// A user namespace that exists only to say `from → to` for a mount.
pub fn mapping(uid: (u32, u32), gid: (u32, u32)) -> Result<OwnedFd> {
    let subject = "id mapping of a mount";
    let failed = |error: io::Error| WallError::new("ids_failed", subject, error);
    let child = process::fork(|| {
        // SAFETY: a fresh single-threaded child; no descriptor table is shared.
        if unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }.is_err() {
            return 1;
        }
        let _ = kill_process(rustix::process::getpid(), Signal::STOP);
        0
    })
    .map_err(failed)?;
    let result = stopped(child).and_then(|()| {
        let folder = format!("/proc/{}", child.as_raw_nonzero());
        fs::write(
            format!("{folder}/uid_map"),
            format!("{} {} 1", uid.0, uid.1),
        )?;
        fs::write(
            format!("{folder}/gid_map"),
            format!("{} {} 1", gid.0, gid.1),
        )?;
        Ok(OwnedFd::from(File::open(format!("{folder}/ns/user"))?))
    });
    let _ = kill_process(child, Signal::KILL);
    let _ = waitpid(Some(child), WaitOptions::empty());
    let namespace = result.map_err(failed)?;
    let _ = namespace.as_fd();
    Ok(namespace)
}

fn stopped(child: Pid) -> io::Result<()> {
    match waitpid(Some(child), WaitOptions::UNTRACED)? {
        Some((_, status)) if status.stopped() => Ok(()),
        _ => Err(io::Error::other("this kernel makes no user namespace")),
    }
}
