//! The few mount operations that the root is made of. All by descriptor: no path is looked up twice.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// A mount that hangs nowhere yet.
pub struct Detached(OwnedFd);

pub const RO: u64 = libc::MOUNT_ATTR_RDONLY;
pub const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
pub const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

impl Detached {
    /// A copy of what is mounted at `path` (symbolic links followed) and below.
    pub fn copy_of(path: &str) -> io::Result<Self> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        Ok(Detached(open_tree(CWD, path, flags)?))
    }

    pub fn copy_of_fd(place: impl AsFd) -> io::Result<Self> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::AT_EMPTY_PATH;
        Ok(Detached(open_tree(place.as_fd(), c"", flags)?))
    }

    /// A new instance of a file system.
    pub fn new(kind: &str, options: &[(&str, String)], attributes: u64) -> io::Result<Self> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, value) in options {
            if value.is_empty() {
                rustix::mount::fsconfig_set_flag(&context, *key)?;
            } else {
                fsconfig_set_string(&context, *key, value.as_str())?;
            }
        }
        fsconfig_create(&context)?;
        let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
        Ok(Detached(fsmount(
            &context,
            FsMountFlags::FSMOUNT_CLOEXEC,
            attributes,
        )?))
    }

    /// Adds attributes to this mount and all below it.
    pub fn restrict(&self, attributes: u64) -> io::Result<()> {
        set_attributes(self.0.as_fd(), attributes, libc::AT_RECURSIVE)
    }

    /// Hangs it over `place`, and gives its root.
    pub fn attach(self, place: impl AsFd) -> io::Result<OwnedFd> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(self.0.as_fd(), c"", place.as_fd(), c"", flags)?;
        Ok(self.0)
    }

    /// Shows the files of `from` as if they were `to`'s (Linux 5.12).
    pub fn idmap(&self, namespace: impl AsFd) -> io::Result<()> {
        let request = libc::mount_attr {
            attr_set: libc::MOUNT_ATTR_IDMAP,
            attr_clr: 0,
            propagation: 0,
            userns_fd: namespace.as_fd().as_raw_fd() as u64,
        };
        mount_setattr(self.0.as_fd(), &request, libc::AT_RECURSIVE)
    }

    pub fn is_folder(&self) -> io::Result<bool> {
        let stat = rustix::fs::fstat(&self.0)?;
        Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
    }
}

/// Adds attributes to one mount.
pub fn restrict(mount: impl AsFd, attributes: u64) -> io::Result<()> {
    set_attributes(mount, attributes, 0)
}

fn set_attributes(mount: impl AsFd, attributes: u64, flags: i32) -> io::Result<()> {
    let request = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    mount_setattr(mount, &request, flags)
}

fn mount_setattr(mount: impl AsFd, request: &libc::mount_attr, flags: i32) -> io::Result<()> {
    // SAFETY: path and request outlive the call, and the size is the request's own.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            std::ptr::from_ref(request),
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
