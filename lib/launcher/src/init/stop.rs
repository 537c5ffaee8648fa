use std::time::{Duration, Instant};

/// The end of a sandbox: asked to end, then ended.
pub struct Stop {
    /// When those that did not listen are killed.
    pub deadline: Instant,
    pub killed: bool,
    /// Who waits for it.
    pub waiting: Vec<u64>,
}

impl Stop {
    pub fn within(grace: Duration) -> Self {
        Stop {
            deadline: Instant::now() + grace,
            killed: false,
            waiting: vec![],
        }
    }
}

/// Sends a signal to every process of the sandbox but init; says whether there is one. Signal 0 only asks.
pub fn everyone(signal: i32) -> bool {
    // SAFETY: takes two numbers. Process 1 of a namespace reaches that namespace alone.
    unsafe { libc::kill(-1, signal) == 0 }
}
