//! The stream: one JSON line a record, and after it the bytes that it announces. `lib/cli/changes.ts` reads the same.

use serde::{Deserialize, Serialize};

/// Bytes of one line: a path may have 4096, each of which JSON may write with six.
pub const LONGEST_RECORD: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    File,
    Symlink,
    Folder,
}

/// What lies in the folder on the host, and by what it is seen to be the same still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub kind: Kind,
    pub inode: u64,
    /// Of the last change of content or attributes: seconds and nanoseconds since 1970.
    pub changed: (i64, u64),
    /// Permission bits.
    pub mode: u32,
    pub size: u64,
}

/// What the agent left there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    pub kind: Kind,
    pub executable: bool,
    pub size: u64,
}

/// One path that differs. `before: None`: nothing was there; `after: None`: nothing is there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Relative to the folder.
    pub path: String,
    pub before: Option<Before>,
    pub after: Option<After>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// `old` and `new` bytes of content follow; absent: that content is not told.
    Change {
        #[serde(flatten)]
        change: Change,
        old: Option<u64>,
        new: Option<u64>,
    },
    /// It is never applied.
    Left { path: String, reason: String },
    /// Somebody changed it outside in the meantime: nothing can be applied.
    Conflict { path: String, reason: String },
    /// The last one. `folder`: the inode of the folder itself.
    Done { folder: u64 },
}
