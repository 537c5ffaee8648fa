use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::net::{SocketFlags, accept_with};
use serde_json::{Value, json};

use super::agent::Agent;
use super::connection::{Connection, again};
use super::dial::{Progress, Relay};
use super::job::Purpose;
use super::operations::failed;
use super::run::Init;
use crate::error::{WallError, describe};
use crate::process::signal_number;

pub(super) const DIAL_PATIENCE: Duration = Duration::from_secs(5);

impl Init {
    pub(super) fn accept(&mut self, number: usize) {
        let (kind, socket) = &self.listening[number];
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        if let Ok(socket) = accept_with(socket, flags) {
            self.last_connection += 1;
            let connection = Connection::new(*kind, socket);
            self.connections.insert(self.last_connection, connection);
        }
    }

    pub(super) fn converse(&mut self, id: u64, flags: PollFlags) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if flags.contains(PollFlags::OUT) {
            connection.send();
        }
        if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            connection.receive();
        }
        self.answer_questions(id);
    }

    pub(super) fn answer_questions(&mut self, id: u64) {
        while let Some(question) = self.connections.get_mut(&id).and_then(Connection::question) {
            self.answer(id, &question);
        }
    }

    pub(super) fn hear_foreground(&mut self, flags: PollFlags) {
        let Some(channel) = self
            .foreground
            .as_mut()
            .and_then(|foreground| foreground.channel.as_mut())
        else {
            return;
        };
        if flags.contains(PollFlags::OUT) {
            channel.send();
        }
        channel.receive();
        while let Some(question) = channel.question() {
            signal_agent(self.agent.as_ref(), &question);
        }
    }

    /// Logs what is there; never waits.
    pub(super) fn log_output(&mut self, number: usize) {
        let mut buffer = vec![0; 64 << 10];
        let output = &mut self.outputs[number];
        match output.pipe.read(&mut buffer) {
            Ok(0) => output.ended = true,
            Ok(length) => self.log.write(&buffer[..length]),
            Err(error) if again(&error) => {}
            Err(_) => output.ended = true,
        }
    }

    pub(super) fn advance_job(&mut self, number: usize) {
        let Some(text) = self.jobs[number].advance() else {
            return;
        };
        let job = &mut self.jobs[number];
        let connection = job.connection;
        let line = match std::mem::replace(&mut job.purpose, Purpose::Done) {
            Purpose::Answer | Purpose::Probe if !text.is_empty() => text,
            Purpose::Digest { owner, identity } if !text.is_empty() => {
                self.digests.put(identity, text.clone());
                owner.to_line(&text)
            }
            _ => failed("the work for it ended early").to_line(),
        };
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.busy = false;
            connection.say(&line);
        }
        self.answer_questions(connection);
    }

    pub(super) fn advance_dial(&mut self, id: u64) {
        let Some((dialling, deadline)) = self.dials.remove(&id) else {
            return;
        };
        match dialling.finish() {
            Ok(Progress::Again(dialling)) => drop(self.dials.insert(id, (dialling, deadline))),
            Ok(Progress::Done(inside)) => self.join(id, inside),
            Err(error) => self.refuse_dial(id, &describe(&error)),
        }
    }

    fn join(&mut self, id: u64, inside: OwnedFd) {
        let Some(mut connection) = self.connections.remove(&id) else {
            return;
        };
        connection.say(&json!({ "ok": true }).to_string());
        let (outside, first) = connection.into_stream();
        self.relays.push(Relay::new(outside, inside, first));
    }

    pub(super) fn refuse_dial(&mut self, id: u64, reason: &str) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let error = WallError::new("dial_failed", "port inside", reason)
                .hint("does the agent listen on 127.0.0.1 there?");
            connection.busy = false;
            connection.say(&error.to_line());
        }
    }

    pub(super) fn tidy(&mut self) {
        self.outputs.retain(|output| !output.ended);
        self.relays.retain(|relay| !relay.is_over());
        self.jobs
            .retain(|job| !matches!(job.purpose, Purpose::Done));
        let over: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_over())
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.connections.remove(&id);
            let running = self
                .execs
                .iter_mut()
                .find(|(_, exec)| exec.connection == id);
            if let Some((pid, exec)) = running {
                exec.terminal = None;
                // SAFETY: takes two numbers.
                unsafe { libc::kill(-pid, libc::SIGHUP) };
            }
        }
    }
}

/// `{"signal":"TERM"}` of the launcher that waits.
fn signal_agent(agent: Option<&Agent>, text: &str) {
    let asked = serde_json::from_str::<Value>(text).unwrap_or_default();
    let number = asked["signal"].as_str().and_then(signal_number);
    if let (Some(number), Some(pid)) = (number, agent.and_then(|agent| agent.pid)) {
        // SAFETY: takes two numbers.
        unsafe { libc::kill(-pid.as_raw_nonzero().get(), number) };
    }
}
