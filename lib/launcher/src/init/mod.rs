//! Process 1 of a sandbox: starts the agent, reaps, keeps the log, and is commanded by its sockets alone. No signal that
//! a process inside can send has any effect on it.

mod agent;
mod connection;
mod dial;
mod job;
mod life;
mod log;
mod operations;
mod owner;
pub mod probe;
mod processes;
mod ready;
mod run;
mod stop;
pub mod terminal;
mod traffic;

pub use agent::Exit;
pub use run::{Foreground, Init, Parts};
