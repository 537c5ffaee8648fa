use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{chdir, fchdir, pivot_root};

use super::mount::{self, Detached, NODEV, NOEXEC, NOSUID, RO};
use super::site::CANARY;
use crate::error::{Because, Result, WallError};

/// What `/proc` says of the host or lets a privileged process change. Files become empty, folders too.
const MASKED: [&str; 21] = [
    "acpi",
    "asound",
    "bus",
    "config.gz",
    "driver",
    "fs",
    "interrupts",
    "irq",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecount",
    "latency_stats",
    "modules",
    "sched_debug",
    "scsi",
    "sysrq-trigger",
    "timer_list",
    "vmallocinfo",
];

/// The kinds of namespaces whose number is set to 0 for the sandbox' own user namespace: a wall behind seccomp's.
const NO_MORE: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// Whether `/proc` is a new instance (for a process id namespace of our own) or the host's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Proc {
    Own,
    Hosts,
}

/// Makes the working folder this process' root and lets go of the host's. Called in a mount namespace of our own.
pub fn enter(proc: Proc, private: bool, no_more_namespaces: bool) -> Result<()> {
    // A mount that came from a more privileged namespace is locked and cannot be a root; a copy on top of it can.
    let copy = Detached::copy_of(".").because("mount_failed", "root")?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let here = openat(CWD, ".", flags, Mode::empty()).because("mount_failed", "root")?;
    let root = copy.attach(&here).because("mount_failed", "root")?;
    fchdir(&root).because("mount_failed", "root")?;
    let mounted = mount_proc(proc)?;
    if private {
        mask().because("mount_failed", "/proc inside")?;
    }
    if no_more_namespaces {
        // After the last mount: a mount that hangs nowhere yet counts as a namespace.
        forbid_namespaces()?;
    }
    if proc == Proc::Own {
        mount::restrict(&mounted, RO).because("mount_failed", "/proc inside")?;
    }
    let old = openat(CWD, "/", flags, Mode::empty()).because("mount_failed", "old root")?;
    pivot_root(".", ".").because("mount_failed", "root")?;
    // The old root lies over the new one now.
    fchdir(&old).because("mount_failed", "old root")?;
    unmount(".", UnmountFlags::DETACH).because("mount_failed", "old root")?;
    chdir("/").because("mount_failed", "root")
}

fn mount_proc(proc: Proc) -> Result<OwnedFd> {
    let made = match proc {
        Proc::Own => Detached::new("proc", &[], NOSUID | NODEV | NOEXEC),
        Proc::Hosts => Detached::copy_of("/proc"),
    };
    let made = made.map_err(|error| {
        WallError::new("mount_failed", "/proc inside", &error).hint(
            "in a container whose /proc is masked the kernel lets nobody mount another: run Nacre on the host",
        )
    })?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place =
        openat(CWD, "proc", flags, Mode::empty()).because("mount_failed", "/proc inside")?;
    made.attach(&place).because("mount_failed", "/proc inside")
}

fn forbid_namespaces() -> Result<()> {
    for kind in NO_MORE {
        let path = format!("proc/sys/user/max_{kind}_namespaces");
        fs::write(&path, "0").because("namespaces_failed", format!("/{path}"))?;
    }
    Ok(())
}

fn mask() -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let proc = openat(CWD, "proc", flags, Mode::empty())?;
    for name in MASKED {
        let Ok(place) = openat(&proc, name, flags, Mode::empty()) else {
            continue;
        };
        let folder =
            rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode).is_dir();
        let cover = if folder { &CANARY[1..] } else { "dev/null" };
        let cover = Detached::copy_of(cover)?;
        cover.restrict(RO)?;
        cover.attach(&place)?;
    }
    Ok(())
}
