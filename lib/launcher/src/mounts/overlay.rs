use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};

use super::mount::{Detached, NODEV, NOSUID};
use super::site::{Kind, Site};
use crate::error::{Because, Result};
use crate::ids;
use crate::spec::Overlay;

/// Where the layers lie inside: below the canary, so that no rule of an agent's gives them.
pub const LOWER: &str = "/.nacre/lower";
pub const UPPER: &str = "/.nacre/upper";

/// The layers of an overlay, taken before the new root hides the host.
pub struct Layers {
    at: String,
    lower: Detached,
    /// The upper layer once more, to be read.
    shown: Detached,
    upper: OwnedFd,
    work: OwnedFd,
}

impl Layers {
    pub fn of_host(overlay: &Overlay, site_owner: crate::spec::Ids, root: bool) -> Result<Self> {
        let subject = |path: &str| format!("overlay layer {path}");
        let lower =
            Detached::copy_of(&overlay.lower).because("overlay_failed", subject(&overlay.lower))?;
        lower
            .restrict(super::mount::RO | NOSUID | NODEV)
            .because("overlay_failed", subject(&overlay.lower))?;
        if root {
            // The folder's owner is shown as the agent, so that the agent can read and change what its owner can.
            let stat =
                fstat(&open(&overlay.lower)?).because("overlay_failed", subject(&overlay.lower))?;
            let namespace =
                ids::mapping((stat.st_uid, site_owner.uid), (stat.st_gid, site_owner.gid))?;
            lower.idmap(&namespace).because(
                "overlay_failed",
                format!("mapping the owner of {}", overlay.lower),
            )?;
        }
        let shown =
            Detached::copy_of(&overlay.upper).because("overlay_failed", subject(&overlay.upper))?;
        shown
            .restrict(super::mount::RO | NOSUID | NODEV)
            .because("overlay_failed", subject(&overlay.upper))?;
        Ok(Layers {
            at: overlay.at.clone(),
            lower,
            shown,
            upper: open(&overlay.upper)?,
            work: open(&overlay.work)?,
        })
    }

    pub fn install(self, site: &Site) -> Result<()> {
        let subject = format!("overlay {}", self.at);
        let seen = site.place(UPPER, Kind::Folder)?;
        self.shown
            .attach(&seen)
            .because("overlay_failed", &subject)?;
        let hung = site.place(LOWER, Kind::Folder)?;
        let lower = self
            .lower
            .attach(&hung)
            .because("overlay_failed", &subject)?;
        let mount = merged(&lower, &self.upper, &self.work).because("overlay_failed", &subject)?;
        let place = site.place(&self.at, Kind::Folder)?;
        mount.attach(&place).because("overlay_failed", &subject)?;
        Ok(())
    }
}

fn open(path: &str) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .because("overlay_failed", format!("overlay layer {path}"))
}

/// By descriptor: a path may hold colons and commas, which have a meaning here. `userxattr`, also as root: then a folder
/// that is moved is copied, and no entry of the upper layer stands for another place of the lower.
fn merged(lower: &OwnedFd, upper: &OwnedFd, work: &OwnedFd) -> io::Result<Detached> {
    let by_descriptor = |layer: &OwnedFd| format!("/proc/self/fd/{}", layer.as_raw_fd());
    let options = [
        ("lowerdir", by_descriptor(lower)),
        ("upperdir", by_descriptor(upper)),
        ("workdir", by_descriptor(work)),
        ("userxattr", String::new()),
    ];
    Detached::new("overlay", &options, NOSUID | NODEV)
}

/// Mounts an overlay on nothing but memory. Called in namespaces that are thrown away.
pub fn try_overlay() -> io::Result<()> {
    super::root::cut_off().map_err(|error| io::Error::other(error.message))?;
    let user = rustix::fs::Uid::from_raw(1000);
    let group = rustix::fs::Gid::from_raw(1000);
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place = openat(CWD, "/", flags, Mode::empty())?;
    let memory = Detached::new("tmpfs", &[], NOSUID | NODEV)?.attach(&place)?;
    let mut layers = Vec::new();
    for name in ["lower", "upper", "work"] {
        rustix::fs::mkdirat(&memory, name, Mode::from(0o755))?;
        layers.push(openat(&memory, name, flags, Mode::empty())?);
    }
    merged(&layers[0], &layers[1], &layers[2]).map(drop)
}
