use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::agent::Agent;
use super::connection::{Connection, Kind};
use super::dial::{Dialling, Relay};
use super::job::Job;
use super::log::Log;
use super::owner::Digests;
use super::stop::Stop;
use crate::changes::Layered;
use crate::child::{self, Walls};
use crate::error::Result;
use crate::network::Listeners;
use crate::spec::Process;

/// A command that runs for a connection.
pub struct Exec {
    pub connection: u64,
    /// Our copy of the terminal, for its size. Gone with the connection, so that its end hangs it up.
    pub terminal: Option<OwnedFd>,
}

/// What init is made of.
pub struct Parts {
    pub id: String,
    /// Outside; nothing inside can see it.
    pub directory: String,
    pub generation: u64,
    pub ports: Vec<u16>,
    pub grace: Duration,
    pub process: Option<Process>,
    pub foreground: Option<Foreground>,
    pub walls: Walls,
    pub lock: OwnedFd,
    pub control: OwnedFd,
    pub egress: OwnedFd,
    pub logs: OwnedFd,
    pub listeners: Option<Listeners>,
    pub layered: Option<Layered>,
    pub signals: OwnedFd,
}

/// Process 1, over its whole life.
pub struct Init {
    pub(super) id: String,
    pub(super) directory: String,
    pub(super) generation: u64,
    pub(super) walls: Walls,
    pub(super) ports: Vec<u16>,
    pub(super) grace: Duration,
    pub(super) listening: [(Kind, OwnedFd); 2],
    pub(super) listeners: Option<Listeners>,
    /// The folder that it sees through an overlay.
    pub(super) layered: Option<Layered>,
    pub(super) log: Log,
    pub(super) agent: Option<Agent>,
    /// Of a process that only entered the walls, where there is no agent.
    pub(super) posture: Value,
    pub(super) signals: OwnedFd,
    pub foreground: Option<Foreground>,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) last_connection: u64,
    pub(super) outputs: Vec<Output>,
    /// By connection, with the time when it is given up.
    pub(super) dials: BTreeMap<u64, (Dialling, Instant)>,
    pub(super) relays: Vec<Relay>,
    pub(super) jobs: Vec<Job>,
    pub(super) execs: BTreeMap<i32, Exec>,
    pub(super) digests: Digests,
    pub(super) stop: Option<Stop>,
    /// Held for life: at most one init per folder.
    pub(super) lock: Option<OwnedFd>,
}

/// What a life of the agent says, for the log.
pub struct Output {
    pub pipe: File,
    pub ended: bool,
}

/// Who launched a one-shot sandbox and waits for it: its end ends everything.
pub struct Foreground {
    pub(super) channel: Option<Connection>,
    /// The agent's input and output, until it is started.
    pub(super) stdio: Option<[OwnedFd; 3]>,
}

impl Foreground {
    pub fn new(stdio: [OwnedFd; 3]) -> Self {
        Foreground {
            channel: None,
            stdio: Some(stdio),
        }
    }

    /// Called when the agent has been started.
    pub fn connect(&mut self, channel: OwnedFd) {
        let _ = rustix::io::ioctl_fionbio(&channel, true);
        self.channel = Some(Connection::new(Kind::Control, channel));
    }
}

impl Init {
    pub fn new(parts: Parts) -> Self {
        Init {
            id: parts.id,
            directory: parts.directory,
            generation: parts.generation,
            walls: parts.walls,
            ports: parts.ports,
            grace: parts.grace,
            listening: [(Kind::Control, parts.control), (Kind::Egress, parts.egress)],
            listeners: parts.listeners,
            layered: parts.layered,
            log: Log::new(parts.logs),
            agent: parts.process.map(Agent::new),
            posture: Value::Null,
            signals: parts.signals,
            foreground: parts.foreground,
            connections: BTreeMap::new(),
            last_connection: 0,
            outputs: vec![],
            dials: BTreeMap::new(),
            relays: vec![],
            jobs: vec![],
            execs: BTreeMap::new(),
            digests: Digests::default(),
            stop: None,
            lock: Some(parts.lock),
        }
    }

    /// Starts the agent, or measures the walls where there is none. Gives the posture.
    pub fn begin(&mut self) -> Result<Value> {
        if self.agent.is_some() {
            self.start_agent()?;
        } else {
            self.posture = child::measure(&self.walls)?;
        }
        Ok(self.current_posture())
    }

    /// Answers until the sandbox ends; the exit code of process 1.
    pub fn run(&mut self) -> i32 {
        loop {
            self.reap();
            self.keep_time();
            if self.is_over() {
                return self.finish();
            }
            for (ready, flags) in self.wait() {
                self.advance(ready, flags);
            }
            self.tidy();
        }
    }

    pub(super) fn waiting_launcher(&self) -> Option<&Connection> {
        self.foreground
            .as_ref()
            .and_then(|foreground| foreground.channel.as_ref())
    }
}
