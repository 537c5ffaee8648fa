//! What the agent changed in a folder of the host that it saw through an overlay: compared behind the walls, streamed
//! out, and applied to the folder itself by whoever owns it.

pub mod apply;
mod client;
mod compare;
mod emit;
mod record;
mod stage;
mod tree;

pub use client::print;
pub use emit::{Layered, run};

use serde::Deserialize;

/// What of each changed file comes out beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// The old and the new, where a person could read them.
    Small,
    /// The new, whole.
    New,
}
