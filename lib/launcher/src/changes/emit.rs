//! Behind the walls: the comparison, and its stream into a pipe.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use serde_json::json;

use super::Contents;
use super::compare::{Comparison, Found, Views};
use super::record::{Change, Kind, Record};
use super::tree::{FOLDER, beneath, parent};
use crate::child::{self, Stdio, Walls};
use crate::error::{Because, Result, WallError};
use crate::files::FileWall;
use crate::mounts::{LOWER, UPPER};
use crate::spec::{FileAccess, FileRule, Landlock, Overlay, Requirement};

/// Bytes of a file that a person would read.
const READABLE: u64 = 1 << 20;
/// Bytes that a person is shown altogether.
const SHOWN: u64 = 64 << 20;

/// A folder of the host that is seen through an overlay.
pub struct Layered {
    at: String,
    since: (i64, u64),
    /// A file wall that gives the layers and nothing else.
    files: FileWall,
}

impl Layered {
    /// Called once the root is whole and before anything inside runs.
    pub fn new(overlay: &Overlay, requirement: Requirement, left_out: bool) -> Result<Self> {
        let rule = |path: String| FileRule {
            path,
            access: FileAccess::Read,
            optional: false,
        };
        let rules = vec![
            rule(overlay.at.clone()),
            rule(LOWER.to_owned()),
            rule(UPPER.to_owned()),
        ];
        let files = FileWall::prepare(&Landlock { requirement, rules }, left_out, false)?;
        Ok(Layered {
            at: overlay.at.clone(),
            since: this_tick(),
            files,
        })
    }

    fn views(&self) -> io::Result<Views> {
        let open = |path: &str| openat(CWD, path, FOLDER, Mode::empty());
        Ok(Views {
            merged: open(&self.at)?,
            upper: open(UPPER)?,
            lower: Some(open(LOWER)?),
        })
    }
}

/// What is changed from now on is stamped with a later time: the clock of file systems advances in steps of some
/// milliseconds, and this waits for one.
fn this_tick() -> (i64, u64) {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        (time.tv_sec, time.tv_nsec as u64)
    };
    let tick = now();
    while now() == tick {
        std::thread::sleep(std::time::Duration::from_micros(500));
    }
    tick
}

/// Enters the walls, compares, and writes the stream into `out`. The line for the one who asked.
pub fn run(walls: &Walls, layered: &Layered, contents: Contents, out: OwnedFd) -> String {
    let done = (|| {
        child::enter_by(walls, &layered.files, &Stdio::nothing()?, None)?;
        let views = layered
            .views()
            .because("changes_failed", "the layers of the folder")?;
        let folder = views
            .lower
            .as_ref()
            .map_or(Ok(0), |lower| fstat(lower).map(|stat| stat.st_ino));
        let folder = folder.because("changes_failed", "the folder")?;
        let mut comparison = Comparison {
            since: layered.since,
            found: Found::default(),
        };
        comparison
            .folder("", &views, 0)
            .because("changes_failed", "comparing")?;
        let mut stream = Stream {
            out: BufWriter::new(File::from(out)),
            views,
            shown: 0,
            contents,
        };
        stream
            .all(comparison.found, folder)
            .because("changes_failed", "what was changed")
    })();
    match done {
        Ok(()) => json!({ "ok": true }).to_string(),
        Err(error) => WallError::to_line(&error),
    }
}

struct Stream {
    out: BufWriter<File>,
    views: Views,
    shown: u64,
    contents: Contents,
}

impl Stream {
    fn all(&mut self, found: Found, folder: u64) -> io::Result<()> {
        for (path, reason) in found.conflicts {
            self.line(&Record::Conflict { path, reason })?;
        }
        for (path, reason) in found.left {
            self.line(&Record::Left { path, reason })?;
        }
        for change in found.gone.into_iter().chain(found.come) {
            self.change(change)?;
        }
        self.line(&Record::Done { folder })?;
        self.out.flush()
    }

    fn line(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, record)?;
        self.out.write_all(b"\n")
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        let kind = |part: Option<Kind>| part.filter(|kind| *kind != Kind::Folder);
        let before = kind(change.before.as_ref().map(|before| before.kind));
        let after = kind(change.after.as_ref().map(|after| after.kind));
        let sizes = (
            change.before.as_ref().map_or(0, |before| before.size),
            change.after.as_ref().map_or(0, |after| after.size),
        );
        let small =
            sizes.0 <= READABLE && sizes.1 <= READABLE && self.shown + sizes.0 + sizes.1 <= SHOWN;
        let (tell_old, tell_new) = match self.contents {
            Contents::New => (false, true),
            Contents::Small => (small, small),
        };
        let mut old = None;
        if let (Some(kind), true, Some(lower)) = (before, tell_old, &self.views.lower) {
            old = Some(open(lower, &change.path, kind)?);
        }
        let mut new = None;
        if let (Some(kind), true) = (after, tell_new) {
            new = Some(open(&self.views.merged, &change.path, kind)?);
        }
        if self.contents == Contents::Small && small {
            self.shown += sizes.0 + sizes.1;
        }
        self.line(&Record::Change {
            change,
            old: old.as_ref().map(|content| content.length),
            new: new.as_ref().map(|content| content.length),
        })?;
        for content in [old, new].into_iter().flatten() {
            self.copy(content)?;
        }
        Ok(())
    }

    fn copy(&mut self, content: Content) -> io::Result<()> {
        let copied = io::copy(&mut content.reader.take(content.length), &mut self.out)?;
        if copied == content.length {
            Ok(())
        } else {
            Err(io::Error::other("a file became shorter while it was read"))
        }
    }
}

struct Content {
    reader: Box<dyn Read>,
    length: u64,
}

fn open(root: &OwnedFd, path: &str, kind: Kind) -> io::Result<Content> {
    if kind == Kind::Symlink {
        let (folder, name) = parent(root, path)?;
        let target = rustix::fs::readlinkat(&folder, name, Vec::new())?.into_bytes();
        return Ok(Content {
            length: target.len() as u64,
            reader: Box::new(io::Cursor::new(target)),
        });
    }
    let file = File::from(beneath(
        root,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK,
        Mode::empty(),
    )?);
    Ok(Content {
        length: file.metadata()?.len(),
        reader: Box::new(file),
    })
}
