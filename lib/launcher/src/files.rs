//! The file wall: Landlock over the private root.

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use serde::Serialize;

use crate::error::{Because, Result, WallError};
use crate::mounts::CANARY;
use crate::spec::{FileAccess, Landlock, Requirement};

/// Rules whose paths are open already; every process inside is put behind the same ones.
pub struct FileWall {
    ruleset: Option<RulesetCreated>,
    offer: FilesPosture,
    /// Whether the canary is denied by the rules, so that it can tell.
    canary_tells: bool,
}

/// What the kernel enforces.
#[derive(Debug, Clone, Serialize)]
pub struct FilesPosture {
    pub abi: i32,
    pub enforced: &'static str,
    pub rights: Vec<String>,
    pub scopes: Vec<String>,
    pub rules: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The ABI of the running kernel, or why there is none.
pub fn kernel_abi() -> std::result::Result<i32, String> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call reads no memory.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0,
            VERSION,
        )
    };
    if abi > 0 {
        return Ok(abi as i32);
    }
    Err(match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EOPNOTSUPP) => "the kernel has Landlock, but it was not enabled at boot",
        _ => "the kernel was built without Landlock",
    }
    .to_owned())
}

impl FileWall {
    /// Opens the rules' paths as they are now. `lenient`: a missing path is no error (a test build without the root).
    pub fn prepare(spec: &Landlock, left_out: bool, lenient: bool) -> Result<Self> {
        let none = |abi, reason: &str| FileWall {
            ruleset: None,
            offer: FilesPosture {
                abi,
                enforced: "none",
                rights: vec![],
                scopes: vec![],
                rules: 0,
                reason: Some(reason.to_owned()),
            },
            canary_tells: false,
        };
        let abi = match kernel_abi() {
            Ok(abi) if left_out => return Ok(none(abi, "switched off")),
            Ok(abi) => abi,
            Err(reason) if left_out || spec.requirement == Requirement::BestEffort => {
                return Ok(none(0, &reason));
            }
            Err(reason) => return Err(unavailable(&reason)),
        };
        let known = ABI::from(abi);
        let rights = AccessFs::from_all(known);
        let scopes = Scope::from_all(known);
        let failed =
            |error: &dyn std::fmt::Display| WallError::new("landlock_failed", "file wall", error);
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(rights)
            .map_err(|error| failed(&error))?;
        if !scopes.is_empty() {
            ruleset = ruleset.scope(scopes).map_err(|error| failed(&error))?;
        }
        let mut created = ruleset.create().map_err(|error| failed(&error))?;
        let mut rules = 0;
        for rule in &spec.rules {
            let Some(opened) = open(&rule.path, rule.optional || lenient)? else {
                continue;
            };
            let access = granted(rule.access, known);
            let access = if is_folder(&opened)? {
                access
            } else {
                access & AccessFs::from_file(known)
            };
            created = created
                .add_rule(PathBeneath::new(opened, access))
                .map_err(|error| failed(&error))?;
            rules += 1;
        }
        Ok(FileWall {
            ruleset: Some(created),
            offer: FilesPosture {
                abi,
                enforced: "full",
                rights: names(rights.iter()),
                scopes: names(scopes.iter()),
                rules,
                reason: None,
            },
            canary_tells: !spec.rules.iter().any(|rule| rule.path == "/"),
        })
    }

    /// Puts this process and all that it becomes behind the rules. Says what the kernel said, then tries it.
    pub fn restrict(&self, no_new_privileges: bool) -> Result<FilesPosture> {
        let mut posture = self.offer.clone();
        let Some(ruleset) = &self.ruleset else {
            return Ok(posture);
        };
        let status = ruleset
            .try_clone()
            .because("landlock_failed", "file wall")?
            .no_new_privs(no_new_privileges)
            .restrict_self()
            .map_err(|error| WallError::new("landlock_failed", "file wall", error))?;
        posture.enforced = match status.ruleset {
            RulesetStatus::FullyEnforced => "full",
            RulesetStatus::PartiallyEnforced => "partial",
            RulesetStatus::NotEnforced => "none",
        };
        if self.canary_tells && std::fs::read_dir(CANARY).is_ok() {
            return Err(WallError::new(
                "landlock_failed",
                "file wall",
                format!("the kernel says that it is enforced, but {CANARY} can be read"),
            ));
        }
        Ok(posture)
    }
}

pub fn unavailable(reason: &str) -> WallError {
    WallError::new("landlock_unavailable", "file wall", reason)
        .hint("boot with lsm=landlock,... or write walls: { files: best_effort }")
}

fn granted(access: FileAccess, abi: ABI) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    match access {
        FileAccess::Read => read,
        FileAccess::Execute => read | AccessFs::Execute,
        FileAccess::Write => AccessFs::from_all(abi),
    }
}

fn open(path: &str, optional: bool) -> Result<Option<PathFd>> {
    match PathFd::new(path) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if optional => {
            let _ = error;
            Ok(None)
        }
        Err(error) => Err(
            WallError::new("landlock_failed", format!("file rule {path}"), error)
                .hint("remove the rule, or mount something there"),
        ),
    }
}

fn is_folder(opened: &PathFd) -> Result<bool> {
    use std::os::fd::AsFd;
    let stat = rustix::fs::fstat(opened.as_fd()).because("landlock_failed", "file rule")?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}

fn names(flags: impl Iterator<Item = impl std::fmt::Debug>) -> Vec<String> {
    flags.map(|flag| snake(&format!("{flag:?}"))).collect()
}

/// `MakeBlock` to `make_block`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
