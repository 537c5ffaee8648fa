use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Uid};
use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2, symlinkat};
use rustix::io::Errno;

use super::mount::{Detached, NODEV, NOSUID, RO};
use crate::error::{Because, Result, WallError};
use crate::spec::Ids;

/// A folder of the root that no Landlock rule gives: that it cannot be opened shows that Landlock holds.
pub const CANARY: &str = "/.nacre";

/// The root while it is built. Paths are looked up beneath it alone, whatever links an agent left in its workspace.
pub struct Site {
    root: OwnedFd,
    device: u64,
    /// Who owns what is writable, as this process counts ids.
    pub owner: Ids,
    staged: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
}

impl Site {
    pub fn new(root: OwnedFd, owner: Ids) -> Result<Self> {
        let device = fstat(&root).because("mount_failed", "root")?.st_dev;
        Ok(Site {
            root,
            device,
            owner,
            staged: 0,
        })
    }

    pub fn root(&self) -> impl AsFd + '_ {
        &self.root
    }

    /// What is at `path`; made where nothing is.
    pub fn place(&self, path: &str, kind: Kind) -> Result<OwnedFd> {
        match self.find(path, OFlags::empty()) {
            Err(Errno::NOENT) => {}
            found => return found.because("mount_failed", format!("{path} inside")),
        }
        if kind == Kind::Folder {
            return self.folder(path);
        }
        let (parent, name) = self.parent(path)?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&parent, name, flags, Mode::from(0o644))
            .because("mount_failed", format!("making {path} inside"))?;
        self.find(path, OFlags::empty())
            .because("mount_failed", format!("{path} inside"))
    }

    pub fn find(&self, path: &str, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
        let relative = path.strip_prefix('/').unwrap_or(path);
        let relative = if relative.is_empty() { "." } else { relative };
        openat2(
            &self.root,
            relative,
            OFlags::PATH | OFlags::CLOEXEC | flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }

    fn folder(&self, path: &str) -> Result<OwnedFd> {
        match self.find(path, OFlags::DIRECTORY) {
            Err(Errno::NOENT) => {}
            found => return found.because("mount_failed", format!("{path} inside")),
        }
        let (parent, name) = self.parent(path)?;
        match mkdirat(&parent, name, Mode::from(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => {
                return Err(error).because("mount_failed", format!("making {path} inside"));
            }
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&parent, name, flags, Mode::empty())
            .because("mount_failed", format!("{path} inside"))
    }

    fn parent<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() {
            return Err(WallError::new(
                "mount_failed",
                "/ inside",
                "is the root itself",
            ));
        }
        Ok((
            self.folder(if parent.is_empty() { "/" } else { parent })?,
            name,
        ))
    }

    pub fn symlink(&self, at: &str, to: &str) -> Result<()> {
        let (parent, name) = self.parent(at)?;
        match symlinkat(to, &parent, name) {
            Err(Errno::EXIST) => {
                let found = rustix::fs::readlinkat(&parent, name, Vec::new());
                if matches!(found, Ok(found) if found.as_bytes() == to.as_bytes()) {
                    return Ok(());
                }
                Err(WallError::new(
                    "mount_failed",
                    format!("{at} inside"),
                    "something else is there already",
                ))
            }
            done => done.because("mount_failed", format!("making {at} inside")),
        }
    }

    /// A file of known content. Where the folder is not the root's own, it is shown there from the root's own: nothing
    /// is ever written into a folder of the host, or into one that an agent can write.
    pub fn file(&mut self, at: &str, content: &str, mode: u32) -> Result<()> {
        let (parent, name) = self.parent(at)?;
        let subject = || format!("{at} inside");
        if fstat(&parent).because("mount_failed", subject())?.st_dev == self.device {
            return write(&parent, name, content, mode, self.owner)
                .because("mount_failed", subject());
        }
        let store = self.folder(CANARY)?;
        let staged = format!("file-{}", self.staged);
        self.staged += 1;
        write(&store, &staged, content, mode, self.owner).because("mount_failed", subject())?;
        let source = self
            .find(&format!("{CANARY}/{staged}"), OFlags::empty())
            .because("mount_failed", subject())?;
        let copy = Detached::copy_of_fd(&source).because("mount_failed", subject())?;
        copy.restrict(RO | NOSUID | NODEV)
            .because("mount_failed", subject())?;
        let place = self.place(at, Kind::File)?;
        copy.attach(&place).because("mount_failed", subject())?;
        Ok(())
    }
}

/// The agent owns it: a file of mode 0400 is for it alone.
fn write(
    parent: &OwnedFd,
    name: &str,
    content: &str,
    mode: u32,
    owner: Ids,
) -> std::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::from(mode))?;
    rustix::fs::fchown(
        &file,
        Some(Uid::from_raw(owner.uid)),
        Some(Gid::from_raw(owner.gid)),
    )?;
    rustix::fs::fchmod(&file, Mode::from(mode))?;
    File::from(file).write_all(content.as_bytes())
}
