//! How much a sandbox may take.

use rustix::process::{Resource as Kernels, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use crate::error::{Because, Result};

/// What a control group holds the sandbox to, as read back.
#[derive(Debug, Clone, Serialize)]
pub struct CgroupPosture {
    pub version: u8,
    /// Outside; whoever ends the sandbox removes them.
    pub paths: Vec<String>,
    pub cpu: Option<f64>,
    pub memory_bytes: Option<u64>,
    pub pids: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
pub enum Resource {
    OpenFiles,
    Processes,
    CoreBytes,
}

impl From<Resource> for Kernels {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::OpenFiles => Kernels::Nofile,
            Resource::Processes => Kernels::Nproc,
            Resource::CoreBytes => Kernels::Core,
        }
    }
}

/// The limits of a process that its children cannot raise.
#[derive(Debug, Clone)]
pub struct ProcessLimits {
    pub open_files: Option<u64>,
    pub processes: Option<u64>,
}

impl ProcessLimits {
    pub fn apply(&self) -> Result<()> {
        lower(Resource::CoreBytes, 0)?;
        if let Some(most) = self.open_files {
            lower(Resource::OpenFiles, most)?;
        }
        if let Some(most) = self.processes {
            lower(Resource::Processes, most)?;
        }
        Ok(())
    }
}

/// Soft and hard; a lower hard limit of the host's stays, since it keeps the promise too.
fn lower(resource: Resource, most: u64) -> Result<()> {
    let now = getrlimit(resource.into());
    let most = now.maximum.map_or(most, |hard| hard.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource.into(), limit).because("limits_failed", format!("limit {resource:?}"))
}
