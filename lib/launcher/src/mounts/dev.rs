use std::io;

use rustix::io::Errno;

use super::mount::{Detached, NODEV, NOEXEC, NOSUID};
use super::site::{Kind, Site};
use crate::error::{Because, Result};

/// The devices that programs expect; none of them reaches hardware or another process.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Copies of the host's device nodes: an unprivileged user namespace cannot make nodes.
pub struct Devices(Vec<(&'static str, Detached)>);

impl Devices {
    /// Taken before the new root hides the host's.
    pub fn of_host() -> Result<Self> {
        let mut nodes = Vec::new();
        for name in DEVICES {
            let path = format!("/dev/{name}");
            let node = Detached::copy_of(&path).because("mount_failed", &path)?;
            // Not nodev: it would close the very device.
            node.restrict(NOSUID | NOEXEC)
                .because("mount_failed", &path)?;
            nodes.push((name, node));
        }
        Ok(Devices(nodes))
    }

    pub fn install(self, site: &Site) -> Result<()> {
        for (name, node) in self.0 {
            let at = format!("/dev/{name}");
            let place = site.place(&at, Kind::File)?;
            node.attach(&place).because("mount_failed", &at)?;
        }
        mount(site, "/dev/pts", terminals())?;
        mount(site, "/dev/shm", shared_memory(site))?;
        for (name, to) in [
            ("ptmx", "pts/ptmx"),
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
        ] {
            site.symlink(&format!("/dev/{name}"), to)?;
        }
        Ok(())
    }
}

fn mount(site: &Site, at: &str, made: io::Result<Detached>) -> Result<()> {
    let place = site.place(at, Kind::Folder)?;
    made.and_then(|made| made.attach(&place))
        .because("mount_failed", at)?;
    Ok(())
}

fn terminals() -> io::Result<Detached> {
    let options = [
        ("newinstance", String::new()),
        ("ptmxmode", "0666".into()),
        ("mode", "0620".into()),
    ];
    match Detached::new("devpts", &options, NOSUID | NOEXEC) {
        // Every instance is a new one since Linux 4.7; the word may be gone.
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
            Detached::new("devpts", &options[1..], NOSUID | NOEXEC)
        }
        made => made,
    }
}

fn shared_memory(site: &Site) -> io::Result<Detached> {
    let options = [
        ("mode", "1777".into()),
        ("size", (256_u64 << 20).to_string()),
        ("uid", site.owner.uid.to_string()),
        ("gid", site.owner.gid.to_string()),
    ];
    Detached::new("tmpfs", &options, NOSUID | NODEV | NOEXEC)
}
