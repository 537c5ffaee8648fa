//! The private root: what of the host is seen inside, and how.

pub mod dev;
pub mod enter;
mod mount;
mod overlay;
pub mod root;
mod site;

pub use overlay::{LOWER, UPPER, try_overlay};
pub use site::CANARY;
