use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Uid, chownat, fchmod, mkdirat, openat, symlinkat, unlinkat,
};

use super::apply::Target;
use super::record::{Change, Kind};
use super::tree::FOLDER;
use crate::error::{Because, Result};

/// New content, on the folder's own file system, until it is moved into place.
pub struct Stage<'a> {
    target: &'a Target,
    name: String,
    pub folder: OwnedFd,
    count: usize,
}

impl<'a> Stage<'a> {
    pub fn new(target: &'a Target) -> Result<Self> {
        let name = format!(".nacre-apply-{}", std::process::id());
        let made = mkdirat(&target.root, &name, Mode::from(0o700))
            .and_then(|()| openat(&target.root, &name, FOLDER, Mode::empty()));
        let folder = made.because("apply_failed", format!("the folder {name}"))?;
        Ok(Stage {
            target,
            name,
            folder,
            count: 0,
        })
    }

    /// Takes the content of change `number`, with the owner and the mode that it will have.
    pub fn put(
        &mut self,
        number: usize,
        change: &Change,
        mut content: impl Read,
    ) -> io::Result<()> {
        let Some(after) = &change.after else {
            return Ok(());
        };
        self.count = number + 1;
        let target = self.target;
        let name = number.to_string();
        let replaced = target.now(&change.path)?;
        let owner = replaced
            .as_ref()
            .map_or(target.owner, |stat| (stat.st_uid, stat.st_gid));
        if after.kind == Kind::Symlink {
            let mut to = Vec::new();
            content.read_to_end(&mut to)?;
            symlinkat(&*to, &self.folder, &name)?;
            if target.privileged {
                let (user, group) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
                chownat(
                    &self.folder,
                    &name,
                    Some(user),
                    Some(group),
                    AtFlags::SYMLINK_NOFOLLOW,
                )?;
            }
            return Ok(());
        }
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, &name, flags, Mode::from(0o600))?);
        if io::copy(&mut content, &mut file)? != after.size {
            return Err(io::Error::other("its content was cut off"));
        }
        target.give(&file, owner)?;
        let before = change
            .before
            .as_ref()
            .filter(|before| before.kind == Kind::File);
        let mode = mode(before.map(|before| before.mode), after.executable);
        Ok(fchmod(&file, Mode::from(mode))?)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        for number in 0..self.count {
            let _ = unlinkat(&self.folder, number.to_string(), AtFlags::empty());
        }
        let _ = unlinkat(&self.target.root, &self.name, AtFlags::REMOVEDIR);
    }
}

/// 644 or 755; what was there keeps its own, but for whether it can be executed.
fn mode(before: Option<u32>, executable: bool) -> u32 {
    let Some(before) = before.map(|mode| mode & 0o777) else {
        return if executable { 0o755 } else { 0o644 };
    };
    match (before & 0o100 != 0, executable) {
        (false, true) => before | (before & 0o444) >> 2,
        (true, false) => before & !0o111,
        _ => before,
    }
}
