use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process_group};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::Kind;
use super::dial::Dialling;
use super::job::{Job, Purpose};
use super::run::{Exec, Init};
use super::terminal::{self, Size};
use super::traffic::DIAL_PATIENCE;
use super::{owner, probe, processes};
use crate::changes::{self, Contents};
use crate::child::{self, Stdio};
use crate::error::{Because, Result, WallError};
use crate::posture::Status;
use crate::process::signal_number;
use crate::spec::Command;

/// What a connection may ask, one JSON line each.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Question {
    State,
    Start,
    Stop {
        #[serde(default)]
        grace_ms: Option<u64>,
    },
    Restart,
    Exec {
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        cwd: String,
        tty: Option<Size>,
    },
    Signal {
        signal: String,
    },
    Resize {
        rows: u16,
        cols: u16,
    },
    Probe,
    Processes,
    Attach,
    /// Ends every process of a sandbox without an agent, then streams what changed into the descriptor beside it.
    Changes {
        contents: Contents,
    },
    Owner {
        proto: String,
        local: String,
        remote: String,
    },
    Dial {
        port: u16,
    },
}

impl Question {
    /// What an egress needs; it parses an agent's bytes, so it may ask nothing else.
    fn is_for_egress(&self) -> bool {
        matches!(
            self,
            Question::Attach | Question::Owner { .. } | Question::Dial { .. }
        )
    }
}

impl Init {
    pub(super) fn answer(&mut self, id: u64, text: &str) {
        let line = match self.handle(id, text) {
            Ok(Some(value)) => value.to_string(),
            Ok(None) => return,
            Err(error) => error.to_line(),
        };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.descriptors.clear();
            connection.say(&line);
        }
    }

    /// `None`: the answer is said elsewhere.
    fn handle(&mut self, id: u64, text: &str) -> Result<Option<Value>> {
        let question: Question = serde_json::from_str(text)
            .map_err(|error| WallError::new("bad_request", "request to init", error))?;
        let kind = self.connections.get(&id).map(|connection| connection.kind);
        if kind != Some(Kind::Control) && !question.is_for_egress() {
            return Err(WallError::new(
                "not_allowed",
                "request to init",
                "not on this socket",
            ));
        }
        let done = Ok(Some(json!({ "ok": true })));
        match question {
            Question::State => Ok(Some(self.state())),
            Question::Processes => Ok(Some(processes::to_json())),
            Question::Start => self.start().and(done),
            Question::Stop { grace_ms } => {
                self.begin_stop(grace_ms.map_or(self.grace, Duration::from_millis));
                if let Some(stop) = &mut self.stop {
                    stop.waiting.push(id);
                }
                self.busy(id);
                Ok(None)
            }
            Question::Restart => self.restart().and(done),
            Question::Exec {
                argv,
                env,
                cwd,
                tty,
            } => {
                self.exec(id, &Command { argv, env, cwd }, tty)?;
                Ok(None)
            }
            Question::Signal { signal } => self.signal_exec(id, &signal).and(done),
            Question::Resize { rows, cols } => self.resize(id, Size { rows, cols }).and(done),
            Question::Probe => self.probe(id),
            Question::Attach => self.attach(id),
            Question::Changes { contents } => self.changes(id, contents),
            Question::Owner {
                proto,
                local,
                remote,
            } => self.owner(id, &proto, &local, &remote),
            Question::Dial { port } => self.dial(id, port),
        }
    }

    fn busy(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.busy = true;
        }
    }

    fn state(&self) -> Value {
        json!({
            "ok": true,
            "id": self.id,
            "generation": self.generation,
            "main": self.agent.as_ref().map(super::agent::Agent::to_json),
            "posture": self.current_posture(),
        })
    }

    /// As the agent read it when it started, with what can change since read again now.
    pub(super) fn current_posture(&self) -> Value {
        let Some(agent) = &self.agent else {
            return self.posture.clone();
        };
        let mut posture = agent.posture.clone().unwrap_or(Value::Null);
        let live = agent
            .pid
            .and_then(|pid| {
                std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()
            })
            .and_then(|text| Status::parse(&text));
        if let (Some(live), Value::Object(fields)) = (live, &mut posture) {
            let reason = fields
                .get("seccomp")
                .and_then(|seccomp| seccomp.get("reason"))
                .cloned();
            let mut seccomp = json!(live.seccomp);
            if let Some(reason) = reason {
                seccomp["reason"] = reason;
            }
            fields.insert("seccomp".to_owned(), seccomp);
            fields.insert("no_new_privs".to_owned(), live.no_new_privs.into());
            fields.insert("capabilities".to_owned(), json!(live.capabilities));
            if let Some(ids) = fields.get_mut("ids") {
                ids["inside"] = json!(live.ids);
            }
        }
        posture
    }

    fn start(&mut self) -> Result<()> {
        match &self.agent {
            None => Err(failed("this sandbox has no agent")),
            Some(agent) if agent.pid.is_some() => Ok(()),
            Some(_) => self.start_agent(),
        }
    }

    fn restart(&mut self) -> Result<()> {
        let grace = self.grace;
        let Some(agent) = &mut self.agent else {
            return Err(failed("this sandbox has no agent"));
        };
        let Some(pid) = agent.pid else {
            return self.start_agent();
        };
        agent.restarting = Some(Instant::now() + grace);
        kill_process_group(pid, Signal::TERM).because("restart_failed", "agent")
    }

    fn exec(&mut self, id: u64, command: &Command, tty: Option<Size>) -> Result<()> {
        if command.argv.is_empty() {
            return Err(WallError::new("bad_request", "exec", "argv is empty"));
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        if connection.exec.is_some() {
            return Err(WallError::new(
                "bad_request",
                "exec",
                "a command runs on this connection already",
            ));
        }
        let received = std::mem::take(&mut connection.descriptors);
        let (stdio, handed_over, terminal) = match tty {
            None => {
                let pipes: [OwnedFd; 3] = received.try_into().map_err(|_| {
                    WallError::new(
                        "bad_request",
                        "exec",
                        "without tty it needs three descriptors",
                    )
                })?;
                (Stdio::Pipes(pipes), vec![], None)
            }
            Some(size) => {
                let (outside, inside) = terminal::open(size).because("start_failed", "terminal")?;
                let copy = outside.try_clone().because("start_failed", "terminal")?;
                (Stdio::Terminal(inside), vec![outside], Some(copy))
            }
        };
        let started = child::start(&self.walls, command, stdio)?;
        let exec = Exec {
            connection: id,
            terminal,
        };
        self.execs.insert(started.pid.as_raw_nonzero().get(), exec);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.exec = Some(started.pid);
            let answer = json!({
                "ok": true,
                "pid": started.pid.as_raw_nonzero().get(),
                "posture": started.posture,
            });
            connection.say_with(&answer.to_string(), handed_over);
        }
        Ok(())
    }

    fn signal_exec(&mut self, id: u64, name: &str) -> Result<()> {
        let running = self
            .connections
            .get(&id)
            .and_then(|connection| connection.exec);
        let pid = running.ok_or_else(|| failed("no command runs on this connection"))?;
        let signal =
            signal_number(name).ok_or_else(|| failed(&format!("no signal is called {name}")))?;
        // SAFETY: takes two numbers.
        unsafe { libc::kill(-pid.as_raw_nonzero().get(), signal) };
        Ok(())
    }

    fn resize(&mut self, id: u64, size: Size) -> Result<()> {
        let exec = self.execs.values().find(|exec| exec.connection == id);
        match exec.and_then(|exec| exec.terminal.as_ref()) {
            Some(terminal) => terminal::resize(terminal, size).because("resize_failed", "terminal"),
            None => Err(failed("no terminal belongs to this connection")),
        }
    }

    fn probe(&mut self, id: u64) -> Result<Option<Value>> {
        let job = Job::start(id, Purpose::Probe, || {
            probe::run(&self.walls, &self.directory)
        })
        .because("probe_failed", "probe")?;
        self.jobs.push(job);
        self.busy(id);
        Ok(None)
    }

    fn is_probing(&self) -> bool {
        self.jobs
            .iter()
            .any(|job| matches!(job.purpose, Purpose::Probe))
    }

    fn attach(&mut self, id: u64) -> Result<Option<Value>> {
        let listeners = self
            .listeners
            .as_ref()
            .ok_or_else(|| failed("this sandbox captures nothing"))?;
        let copies = listeners
            .descriptors()
            .into_iter()
            .map(|one| one.try_clone_to_owned());
        let copies: Vec<OwnedFd> = copies
            .collect::<std::io::Result<_>>()
            .because("attach_failed", "listeners")?;
        let answer = json!({ "ok": true, "sockets": listeners.names() });
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.say_with(&answer.to_string(), copies);
        }
        Ok(None)
    }

    fn changes(&mut self, id: u64, contents: Contents) -> Result<Option<Value>> {
        if self.agent.is_some() {
            return Err(failed("this sandbox has an agent, which changes on"));
        }
        if self.layered.is_none() {
            return Err(failed("this sandbox has no overlay"));
        }
        self.end_everyone()?;
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(None);
        };
        let [out]: [OwnedFd; 1] = std::mem::take(&mut connection.descriptors)
            .try_into()
            .map_err(|_| failed("changes needs one descriptor"))?;
        let mut out = Some(out);
        let (walls, layered) = (&self.walls, self.layered.as_ref());
        let job = Job::start(id, Purpose::Answer, || match (layered, out.take()) {
            (Some(layered), Some(out)) => changes::run(walls, layered, contents, out),
            _ => String::new(),
        })
        .because("changes_failed", "comparing")?;
        self.jobs.push(job);
        self.busy(id);
        Ok(None)
    }

    fn owner(&mut self, id: u64, proto: &str, local: &str, remote: &str) -> Result<Option<Value>> {
        if proto != "tcp" {
            return Err(WallError::new(
                "owner_unknown",
                proto,
                "only tcp has an owner",
            ));
        }
        let (owner, identity, file) = match owner::find(local, remote) {
            // A process that hides its descriptors may say the same of itself; it gains the name of a probe.
            Err(_) if self.is_probing() => {
                return Ok(Some(
                    json!({ "ok": true, "pid": 0, "path": probe::OWNER, "sha256": "" }),
                ));
            }
            found => found?,
        };
        if let Some(digest) = self.digests.get(&identity) {
            let line = owner.to_line(digest);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.say(&line);
            }
            return Ok(None);
        }
        let job = Job::start(id, Purpose::Digest { owner, identity }, || {
            owner::digest(file)
        })
        .because("owner_unknown", "digest")?;
        self.jobs.push(job);
        self.busy(id);
        Ok(None)
    }

    fn dial(&mut self, id: u64, port: u16) -> Result<Option<Value>> {
        if !self.ports.contains(&port) {
            return Err(WallError::new(
                "dial_failed",
                format!("port {port} inside"),
                "is not one of the sandbox' ports",
            )
            .hint(format!("add {port} to the agent's ports")));
        }
        let dialling =
            Dialling::start(port).because("dial_failed", format!("port {port} inside"))?;
        self.dials
            .insert(id, (dialling, Instant::now() + DIAL_PATIENCE));
        self.busy(id);
        Ok(None)
    }
}

pub(super) fn failed(message: &str) -> WallError {
    WallError::new("bad_request", "request to init", message)
}
