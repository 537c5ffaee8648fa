//! `nacre-launcher apply`: the changes of a throw-away sandbox, made in the folder itself, as whoever runs it. All
//! content is staged beside first, so that a full disk or a conflict leaves everything as it was; then each path is
//! looked at once more and changed in one step.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, Gid, Mode, RenameFlags, Stat, Uid, fchown, fstat, mkdirat, openat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;
use serde_json::json;

use super::Contents;
use super::client::Asked;
use super::compare::is_git;
use super::record::{Change, Kind, Record};
use super::stage::Stage;
use super::tree::{FOLDER, before_of, look, parent};
use crate::error::{Because, Result, WallError, describe};
use crate::spec::Apply;

/// Prints `{"ok":true,"applied":n}`.
pub fn run(spec: &Apply) -> Result<u8> {
    let folder =
        openat(CWD, &spec.folder, FOLDER, Mode::empty()).because("apply_failed", &spec.folder)?;
    let stat = fstat(&folder).because("apply_failed", &spec.folder)?;
    let target = Target {
        owner: (stat.st_uid, stat.st_gid),
        root: folder,
        privileged: crate::ids::is_root(),
    };
    let mut asked = Asked::new(&spec.control, Contents::New)?;
    let mut changes = Vec::new();
    let mut conflicts = Vec::new();
    let mut whole = false;
    let mut stage = None;
    while let Some(record) = asked
        .next()
        .because("apply_failed", "the stream of changes")?
    {
        match record {
            Record::Left { .. } => {}
            Record::Conflict { path, reason } => conflicts.push((path, reason)),
            Record::Done { folder } => {
                whole = true;
                if folder != stat.st_ino {
                    conflicts.push((".".to_owned(), "it is another folder now".to_owned()));
                }
            }
            Record::Change {
                change,
                old: _,
                new,
            } => {
                check(&change.path)?;
                if conflicts.is_empty() {
                    // Not before: by the first change all is compared, and the folder may be touched.
                    let stage = match &mut stage {
                        Some(stage) => stage,
                        None => stage.insert(Stage::new(&target)?),
                    };
                    stage
                        .put(changes.len(), &change, asked.content(new.unwrap_or(0)))
                        .because("apply_failed", &change.path)?;
                } else {
                    io::copy(&mut asked.content(new.unwrap_or(0)), &mut io::sink())
                        .because("apply_failed", "the stream of changes")?;
                }
                changes.push(change);
            }
        }
    }
    asked.end()?;
    if !whole {
        return Err(WallError::new(
            "apply_failed",
            "the stream of changes",
            "it ended early: nothing was applied",
        ));
    }
    let going: HashSet<&str> = changes
        .iter()
        .filter(|change| change.after.is_none())
        .map(|change| change.path.as_str())
        .collect();
    for change in &changes {
        if let Some(reason) = target.conflict(change, &going) {
            conflicts.push((change.path.clone(), reason));
        }
    }
    if !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }
    if let Some(stage) = stage {
        rustix::fs::syncfs(&stage.folder).because("apply_failed", &spec.folder)?;
        for (number, change) in changes.iter().enumerate() {
            target
                .make(number, change, &stage)
                .map_err(|error| partly(&changes, number, &describe(&error)))?;
        }
    }
    println!("{}", json!({ "ok": true, "applied": changes.len() }));
    Ok(0)
}

/// What comes from a sandbox is believed in nothing.
fn check(path: &str) -> Result<()> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let git = |part: &str| std::ffi::CString::new(part).is_ok_and(|name| is_git(&name));
    if path.split('/').all(|part| plain(part) && !git(part)) && !path.contains('\0') {
        return Ok(());
    }
    Err(WallError::new(
        "apply_failed",
        "the stream of changes",
        format!("`{path}` is no path to write"),
    ))
}

fn conflict(conflicts: &[(String, String)]) -> WallError {
    let (path, reason) = &conflicts[0];
    let more = if conflicts.len() > 1 {
        format!(" (and {} more)", conflicts.len() - 1)
    } else {
        String::new()
    };
    WallError::new(
        "conflict",
        path,
        format!("{reason}; nothing was applied{more}"),
    )
    .hint("run it again: it then starts from the folder as it is now")
}

fn partly(changes: &[Change], number: usize, reason: &str) -> WallError {
    let done = if number == 0 {
        "nothing was applied".to_owned()
    } else {
        format!("the {number} paths before it were applied, it and those after were not")
    };
    WallError::new(
        "apply_failed",
        &changes[number].path,
        format!("{reason}; {done}"),
    )
}

/// The folder that is changed.
pub struct Target {
    pub root: OwnedFd,
    pub owner: (u32, u32),
    pub privileged: bool,
}

impl Target {
    pub fn now(&self, path: &str) -> rustix::io::Result<Option<Stat>> {
        match parent(&self.root, path) {
            Ok((folder, name)) => look(&folder, &c_string(name)?),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Why `change` cannot be made any more. `going`: what other changes take away.
    fn conflict(&self, change: &Change, going: &HashSet<&str>) -> Option<String> {
        let now = match self.now(&change.path) {
            Ok(now) => now,
            // A link that makes room for a folder.
            Err(Errno::LOOP) if ancestors(&change.path).any(|path| going.contains(path)) => None,
            Err(error) => return Some(format!("cannot be looked at: {}", describe(&error.into()))),
        };
        match (&change.before, now.as_ref().map(before_of)) {
            (None, None) => None,
            (None, Some(_)) if going.contains(change.path.as_str()) => None,
            (Some(before), Some(Some(now))) if *before == now => None,
            (Some(_), None) => Some("it was deleted outside".to_owned()),
            (None, Some(_)) => Some("it was made outside".to_owned()),
            (Some(_), Some(_)) => Some("it was changed outside".to_owned()),
        }
    }

    fn make(&self, number: usize, change: &Change, stage: &Stage) -> io::Result<()> {
        let is_folder = change
            .before
            .as_ref()
            .is_some_and(|before| before.kind == Kind::Folder);
        if change.after.is_none() && is_folder {
            let (folder, name) = parent(&self.root, &change.path)?;
            return match unlinkat(&folder, name, AtFlags::REMOVEDIR) {
                // Something was put there a moment ago; it stays.
                Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        if let Some(reason) = self.conflict(change, &HashSet::new()) {
            return Err(io::Error::other(reason));
        }
        if change.after.is_none() {
            let (folder, name) = parent(&self.root, &change.path)?;
            return Ok(unlinkat(&folder, name, AtFlags::empty())?);
        }
        self.make_folders(&change.path)?;
        let (folder, name) = parent(&self.root, &change.path)?;
        let flags = if change.before.is_none() {
            RenameFlags::NOREPLACE
        } else {
            RenameFlags::empty()
        };
        Ok(renameat_with(
            &stage.folder,
            number.to_string(),
            &folder,
            name,
            flags,
        )?)
    }

    fn make_folders(&self, path: &str) -> io::Result<()> {
        for folder in ancestors(path) {
            let (holder, name) = parent(&self.root, folder)?;
            match mkdirat(&holder, name, Mode::from(0o755)) {
                Ok(()) => {
                    let made = openat(&holder, name, FOLDER, Mode::empty())?;
                    self.give(&made, self.owner)?;
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What root makes in somebody's folder is theirs.
    pub fn give(&self, made: impl AsFd, (user, group): (u32, u32)) -> rustix::io::Result<()> {
        if self.privileged {
            fchown(made, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
        }
        Ok(())
    }
}

/// The folders on the way, the outermost first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

fn c_string(name: &str) -> rustix::io::Result<std::ffi::CString> {
    std::ffi::CString::new(name).map_err(|_| Errno::INVAL)
}
