//! Looking into a layer without following anything: one name at a time, by descriptor.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, openat, openat2, statat,
};
use rustix::io::Errno;

use super::record::{Before, Kind};

pub const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What is at `name`, which is no path.
pub fn look(folder: impl AsFd, name: &CStr) -> rustix::io::Result<Option<Stat>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

pub fn enter(folder: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    openat(folder, name, FOLDER, Mode::empty())
}

/// The names in a folder, but for itself and its parent.
pub fn names(folder: impl AsFd) -> rustix::io::Result<Vec<CString>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            found.push(name);
        }
    }
    Ok(found)
}

/// Opens what is beneath a folder; no symbolic link on the way, no other file system.
pub fn beneath(
    root: impl AsFd,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let path = if path.is_empty() { "." } else { path };
    // EAGAIN: something was renamed at this moment.
    for _ in 0..16 {
        match openat2(&root, path, flags | OFlags::CLOEXEC, mode, resolve) {
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// The folder that `path` lies in, and its name there.
pub fn parent(root: impl AsFd, path: &str) -> rustix::io::Result<(OwnedFd, &str)> {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = beneath(
        root,
        parent,
        OFlags::PATH | OFlags::DIRECTORY,
        Mode::empty(),
    )?;
    Ok((folder, name))
}

/// `None`: neither a file nor a link nor a folder.
pub fn kind_of(stat: &Stat) -> Option<Kind> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Some(Kind::File),
        FileType::Symlink => Some(Kind::Symlink),
        FileType::Directory => Some(Kind::Folder),
        _ => None,
    }
}

pub fn before_of(stat: &Stat) -> Option<Before> {
    Some(Before {
        kind: kind_of(stat)?,
        inode: stat.st_ino,
        changed: changed(stat),
        mode: stat.st_mode & 0o7777,
        size: if kind_of(stat)? == Kind::Folder {
            0
        } else {
            stat.st_size as u64
        },
    })
}

pub fn changed(stat: &Stat) -> (i64, u64) {
    (stat.st_ctime, stat.st_ctime_nsec)
}

/// A deletion in the upper layer: a character device 0:0.
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
