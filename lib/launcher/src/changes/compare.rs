//! The agent's view against the folder as it is now. The upper layer says where to look: what is not in it is the
//! folder's own.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, Stat, fstat, openat, readlinkat};

use super::record::{After, Change, Kind};
use super::tree::{before_of, changed, enter, is_whiteout, kind_of, look, names};

/// More than any work of a person; what makes more is told to make fewer.
const MOST_PATHS: usize = 200_000;
const DEEPEST: usize = 120;

/// All that was found, in the order in which it can be applied: what goes, then what comes.
#[derive(Default)]
pub struct Found {
    pub gone: Vec<Change>,
    pub come: Vec<Change>,
    pub left: Vec<(String, String)>,
    pub conflicts: Vec<(String, String)>,
}

pub struct Comparison {
    /// Clock time at which nothing inside had read anything yet.
    pub since: (i64, u64),
    pub found: Found,
}

/// The three views of one folder. `lower: None`: the folder has no such folder.
pub struct Views {
    pub merged: OwnedFd,
    pub upper: OwnedFd,
    pub lower: Option<OwnedFd>,
}

impl Comparison {
    /// Compares what is in one folder and below. `path` is its own, empty for the first.
    pub fn folder(&mut self, path: &str, views: &Views, depth: usize) -> io::Result<()> {
        if depth > DEEPEST {
            self.leave(path, "it lies too deep");
            return Ok(());
        }
        let mut all: BTreeSet<CString> = names(&views.upper)?.into_iter().collect();
        all.extend(names(&views.merged)?);
        if let Some(lower) = &views.lower {
            // Of these some may be hidden: by a deletion, or by a folder that was made anew.
            all.extend(names(lower)?);
        }
        if let Some(reason) = repository(&all) {
            self.leave(path, reason);
            return Ok(());
        }
        for name in all {
            let Ok(text) = name.to_str() else {
                self.leave(
                    &join(path, &name.to_string_lossy()),
                    "its name is not UTF-8",
                );
                continue;
            };
            self.entry(&join(path, text), &name, views, depth)?;
            if self.found.gone.len() + self.found.come.len() > MOST_PATHS {
                return Err(io::Error::other(format!(
                    "more than {MOST_PATHS} paths were changed"
                )));
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, name: &CStr, views: &Views, depth: usize) -> io::Result<()> {
        let upper = look(&views.upper, name)?;
        let merged = look(&views.merged, name)?;
        let lower = match &views.lower {
            Some(lower) => look(lower, name)?,
            None => None,
        };
        match (&upper, &merged) {
            (None, Some(_)) => return Ok(()),
            (None, None) if lower.is_none() => return Ok(()),
            _ => {}
        }
        if is_git(name) {
            self.leave(path, "git's own");
            return Ok(());
        }
        let Some(merged) = merged else {
            return match (lower, &views.lower) {
                (Some(stat), Some(folder)) => self.goes(path, name, folder, &stat, depth),
                _ if upper.is_some_and(|stat| is_whiteout(&stat)) => {
                    self.conflict(path, "it was deleted outside too");
                    Ok(())
                }
                _ => Ok(()),
            };
        };
        let Some(kind) = kind_of(&merged) else {
            self.leave(path, "neither a file nor a link");
            return Ok(());
        };
        match &lower {
            None => {
                let folder = views.lower.as_ref().map(fstat).transpose()?;
                if folder.is_some_and(|stat| changed(&stat) > self.since) {
                    let reason = "its folder was changed outside: whether it was there before cannot be told";
                    self.conflict(path, reason);
                    return Ok(());
                }
            }
            // A folder that is merged is compared by what is in it.
            Some(stat)
                if changed(stat) > self.since
                    && !(kind == Kind::Folder && is_merged(&views.upper, name)) =>
            {
                self.conflict(path, "it was changed outside");
                return Ok(());
            }
            Some(_) => {}
        }
        let before = lower.as_ref().and_then(before_of);
        if lower.is_some() && before.is_none() {
            self.leave(
                path,
                "it takes the place of what is neither a file nor a link",
            );
            return Ok(());
        }
        let was_folder = before
            .as_ref()
            .is_some_and(|before| before.kind == Kind::Folder);
        if kind == Kind::Folder {
            let lower_folder = match (&before, &views.lower) {
                (Some(before), Some(folder)) if before.kind == Kind::Folder => {
                    Some(enter(folder, name)?)
                }
                (Some(before), _) => {
                    self.found.gone.push(Change {
                        path: path.to_owned(),
                        before: Some(before.clone()),
                        after: None,
                    });
                    None
                }
                _ => None,
            };
            let (Ok(merged), Ok(upper)) = (enter(&views.merged, name), enter(&views.upper, name))
            else {
                self.leave(path, "it cannot be read");
                return Ok(());
            };
            let views = Views {
                merged,
                upper,
                lower: lower_folder,
            };
            return self.folder(path, &views, depth + 1);
        }
        if let (true, Some(folder), Some(stat)) = (was_folder, &views.lower, &lower) {
            let left = self.found.left.len();
            self.goes(path, name, folder, stat, depth)?;
            if self.found.left.len() > left {
                self.leave(path, "it takes the place of a folder that stays");
                return Ok(());
            }
        }
        let before = before.filter(|before| before.kind != Kind::Folder);
        let after = After {
            kind,
            executable: kind == Kind::File && merged.st_mode & 0o100 != 0,
            size: merged.st_size as u64,
        };
        let alike = before.as_ref().is_some_and(|before| {
            before.kind == kind
                && (kind == Kind::Symlink || (before.mode & 0o100 != 0) == after.executable)
                && before.size == after.size
        });
        if let (true, Some(lower)) = (alike, &views.lower) {
            match same(&views.merged, lower, name, kind) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(_) => {
                    self.leave(path, "it cannot be read");
                    return Ok(());
                }
            }
        }
        self.found.come.push(Change {
            path: path.to_owned(),
            before,
            after: Some(after),
        });
        Ok(())
    }

    /// It is in the folder still, and not in the agent's view.
    fn goes(
        &mut self,
        path: &str,
        name: &CStr,
        folder: &OwnedFd,
        stat: &Stat,
        depth: usize,
    ) -> io::Result<()> {
        if is_git(name) {
            self.leave(path, "git's own");
            return Ok(());
        }
        if changed(stat) > self.since {
            self.conflict(path, "it was changed outside");
            return Ok(());
        }
        let Some(before) = before_of(stat) else {
            self.leave(path, "neither a file nor a link");
            return Ok(());
        };
        if before.kind == Kind::Folder {
            if depth > DEEPEST {
                self.leave(path, "it lies too deep");
                return Ok(());
            }
            let left = self.found.left.len();
            let inner = enter(folder, name)?;
            let all: BTreeSet<CString> = names(&inner)?.into_iter().collect();
            if let Some(reason) = repository(&all) {
                self.leave(path, reason);
                return Ok(());
            }
            for name in all {
                let below = join(path, &name.to_string_lossy());
                match (name.to_str(), look(&inner, &name)?) {
                    (Err(_), _) => self.leave(&below, "its name is not UTF-8"),
                    (Ok(_), Some(stat)) => self.goes(&below, &name, &inner, &stat, depth + 1)?,
                    (Ok(_), None) => {}
                }
            }
            if self.found.left.len() > left {
                return Ok(()); // Something stays in it, so it stays.
            }
        }
        self.found.gone.push(Change {
            path: path.to_owned(),
            before: Some(before),
            after: None,
        });
        Ok(())
    }

    fn leave(&mut self, path: &str, reason: &str) {
        self.found.left.push((path.to_owned(), reason.to_owned()));
    }

    fn conflict(&mut self, path: &str, reason: &str) {
        self.found
            .conflicts
            .push((path.to_owned(), reason.to_owned()));
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

/// `git~1` is what some file systems call it too.
pub fn is_git(name: &CStr) -> bool {
    let name = name.to_bytes();
    name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1")
}

/// Whether git would take a folder with these names for a repository, whose configuration it would obey
/// (`is_git_directory` in git's setup.c: HEAD, and objects and refs here or in a common folder).
fn repository(names: &BTreeSet<CString>) -> Option<&'static str> {
    let has = |wanted: &str| {
        names
            .iter()
            .any(|name| name.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let found = has("HEAD") && (has("commondir") || has("objects") && has("refs"));
    found.then_some("git would take it for a repository")
}

/// Whether a folder of the upper layer is one with that below: the kernel notes where it came from. One that was made
/// anew has no such note.
fn is_merged(upper: &OwnedFd, name: &CStr) -> bool {
    let mut nothing: [u8; 0] = [];
    enter(upper, name).is_ok_and(|folder| {
        rustix::fs::fgetxattr(&folder, c"user.overlay.origin", &mut nothing).is_ok()
    })
}

fn same(merged: impl AsFd, lower: impl AsFd, name: &CStr, kind: Kind) -> io::Result<bool> {
    if kind == Kind::Symlink {
        let links = (
            readlinkat(merged, name, Vec::new())?,
            readlinkat(lower, name, Vec::new())?,
        );
        return Ok(links.0 == links.1);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut files = [
        std::fs::File::from(openat(merged, name, flags, Mode::empty())?),
        std::fs::File::from(openat(lower, name, flags, Mode::empty())?),
    ];
    let mut buffers = [vec![0; 64 << 10], vec![0; 64 << 10]];
    loop {
        let length = files[0].read(&mut buffers[0])?;
        if length == 0 {
            return Ok(files[1].read(&mut buffers[1])? == 0);
        }
        if files[1].read_exact(&mut buffers[1][..length]).is_err()
            || buffers[0][..length] != buffers[1][..length]
        {
            return Ok(false);
        }
    }
}
