use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use serde_json::{Value, json};

use super::agent::{Agent, Exit};
use super::connection::{Connection, Kind, again};
use super::dial::{Dialling, Progress, Relay};
use super::job::{Job, Purpose};
use super::log::Log;
use super::owner::Digests;
use super::processes;
use super::stop::{Stop, everyone};
use crate::child::{self, Stdio, Walls};
use crate::error::{Because, Result};
use crate::network::Listeners;
use crate::process::signal_number;
use crate::spec::{Process, Wall};

/// Conversations at one time; an egress and a daemon need a handful.
const MOST_CONNECTIONS: usize = 1024;
pub const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// A command that runs for a connection.
pub struct Exec {
    pub connection: u64,
    /// Our copy of the terminal, for its size. Gone with the connection, so that its end hangs it up.
    pub terminal: Option<OwnedFd>,
}

/// What init is made of.
pub struct Parts {
    pub id: String,
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
    pub signals: OwnedFd,
}

pub struct Init {
    pub(super) id: String,
    pub(super) generation: u64,
    pub(super) walls: Walls,
    pub(super) ports: Vec<u16>,
    pub(super) grace: Duration,
    listening: [(Kind, OwnedFd); 2],
    pub(super) listeners: Option<Listeners>,
    log: Log,
    pub(super) agent: Option<Agent>,
    /// Of a process that only entered the walls, where there is no agent.
    pub(super) posture: Value,
    signals: OwnedFd,
    pub foreground: Option<Foreground>,
    pub(super) connections: BTreeMap<u64, Connection>,
    last_connection: u64,
    outputs: Vec<Output>,
    /// By connection, with the time when it is given up.
    pub(super) dials: BTreeMap<u64, (Dialling, Instant)>,
    relays: Vec<Relay>,
    pub(super) jobs: Vec<Job>,
    pub(super) execs: BTreeMap<i32, Exec>,
    pub(super) digests: Digests,
    pub(super) stop: Option<Stop>,
    /// Held for life: at most one init per folder.
    _lock: OwnedFd,
}

/// What a life of the agent says, for the log.
pub struct Output {
    pipe: File,
    ended: bool,
}

/// Who launched a one-shot sandbox and waits for it: its end ends everything.
pub struct Foreground {
    channel: Option<Connection>,
    /// The agent's input and output, until it is started.
    stdio: Option<[OwnedFd; 3]>,
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

/// What a descriptor that is ready belongs to.
#[derive(Clone, Copy)]
enum Ready {
    Signals,
    Listening(usize),
    Connection(u64),
    Foreground,
    Output(usize),
    Job(usize),
    Dial(u64),
    Relay(usize, usize),
}

impl Init {
    pub fn new(parts: Parts) -> Self {
        Init {
            id: parts.id,
            generation: parts.generation,
            walls: parts.walls,
            ports: parts.ports,
            grace: parts.grace,
            listening: [(Kind::Control, parts.control), (Kind::Egress, parts.egress)],
            listeners: parts.listeners,
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
            _lock: parts.lock,
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

    pub fn start_agent(&mut self) -> Result<()> {
        let Some(agent) = &mut self.agent else {
            return Ok(());
        };
        let command = agent.process.command();
        let stdio = match self.foreground.as_mut().and_then(|foreground| foreground.stdio.take()) {
            Some(stdio) => stdio,
            None => {
                let (output, input) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                    .because("start_failed", "log")?;
                rustix::io::ioctl_fionbio(&output, true).because("start_failed", "log")?;
                self.outputs.push(Output {
                    pipe: File::from(output),
                    ended: false,
                });
                let nothing = File::open("/dev/null").because("start_failed", "/dev/null")?;
                let copy = input.try_clone().because("start_failed", "log")?;
                [OwnedFd::from(nothing), input, copy]
            }
        };
        let started = child::start(&self.walls, &command, Stdio::Pipes(stdio))?;
        agent.started(started.pid, started.posture);
        Ok(())
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

    fn wait(&self) -> Vec<(Ready, PollFlags)> {
        let (what, mut descriptors) = self.interests();
        let timeout = self.next_time().map(|at| {
            let left = at.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let _ = poll(&mut descriptors, timeout.as_ref());
        what.into_iter()
            .zip(descriptors.iter().map(PollFd::revents))
            .filter(|(_, flags)| !flags.is_empty())
            .collect()
    }

    fn interests(&self) -> (Vec<Ready>, Vec<PollFd<'_>>) {
        let mut list = vec![(Ready::Signals, PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN))];
        let mut add = |ready, descriptor, flags| list.push((ready, PollFd::from_borrowed_fd(descriptor, flags)));
        if self.connections.len() < MOST_CONNECTIONS {
            for (number, (_, socket)) in self.listening.iter().enumerate() {
                add(Ready::Listening(number), socket.as_fd(), PollFlags::IN);
            }
        }
        for (id, connection) in &self.connections {
            add(Ready::Connection(*id), connection.as_fd(), interest(connection));
        }
        if let Some(channel) = self.waiting_launcher() {
            add(Ready::Foreground, channel.as_fd(), interest(channel));
        }
        for (number, output) in self.outputs.iter().enumerate() {
            add(Ready::Output(number), output.pipe.as_fd(), PollFlags::IN);
        }
        for (number, job) in self.jobs.iter().enumerate() {
            add(Ready::Job(number), job.as_fd(), PollFlags::IN);
        }
        for (id, (dialling, _)) in &self.dials {
            add(Ready::Dial(*id), dialling.as_fd(), PollFlags::OUT);
        }
        for (number, relay) in self.relays.iter().enumerate() {
            for end in [0, 1] {
                // An end that nothing is wanted of would report its hang-up again and again.
                if !relay.interest(end).is_empty() {
                    add(Ready::Relay(number, end), relay.end(end), relay.interest(end));
                }
            }
        }
        list.into_iter().unzip()
    }

    fn next_time(&self) -> Option<Instant> {
        let agent = self.agent.as_ref();
        let stop = self.stop.as_ref().map(|stop| {
            if stop.killed { Instant::now() + Duration::from_millis(20) } else { stop.deadline }
        });
        [
            agent.and_then(|agent| agent.next_start),
            agent.and_then(|agent| agent.restarting),
            stop,
            self.dials.values().map(|(_, deadline)| *deadline).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn advance(&mut self, ready: Ready, flags: PollFlags) {
        match ready {
            Ready::Signals => drain(&self.signals),
            Ready::Listening(number) => self.accept(number),
            Ready::Connection(id) => self.converse(id, flags),
            Ready::Foreground => self.hear_foreground(flags),
            Ready::Output(number) => self.log_output(number),
            Ready::Job(number) => self.advance_job(number),
            Ready::Dial(id) => self.advance_dial(id),
            Ready::Relay(number, end) => self.relays[number].advance(end, flags),
        }
    }

    fn waiting_launcher(&self) -> Option<&Connection> {
        self.foreground.as_ref().and_then(|foreground| foreground.channel.as_ref())
    }

    fn accept(&mut self, number: usize) {
        let (kind, socket) = &self.listening[number];
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        if let Ok(socket) = accept_with(socket, flags) {
            self.last_connection += 1;
            let connection = Connection::new(*kind, socket);
            self.connections.insert(self.last_connection, connection);
        }
    }

    fn converse(&mut self, id: u64, flags: PollFlags) {
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

    pub fn answer_questions(&mut self, id: u64) {
        while let Some(question) = self.connections.get_mut(&id).and_then(Connection::question) {
            self.answer(id, &question);
        }
    }

    fn hear_foreground(&mut self, flags: PollFlags) {
        let Some(channel) = self.foreground.as_mut().and_then(|foreground| foreground.channel.as_mut()) else {
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
    fn log_output(&mut self, number: usize) {
        let mut buffer = vec![0; 64 << 10];
        let output = &mut self.outputs[number];
        match output.pipe.read(&mut buffer) {
            Ok(0) => output.ended = true,
            Ok(length) => self.log.write(&buffer[..length]),
            Err(error) if again(&error) => {}
            Err(_) => output.ended = true,
        }
    }

    fn advance_job(&mut self, number: usize) {
        let Some(text) = self.jobs[number].advance() else {
            return;
        };
        let job = &mut self.jobs[number];
        let connection = job.connection;
        let line = match std::mem::replace(&mut job.purpose, Purpose::Done) {
            Purpose::Answer if !text.is_empty() => text,
            Purpose::Digest { owner, identity } if !text.is_empty() => {
                self.digests.put(identity, text.clone());
                owner.to_line(&text)
            }
            _ => super::operations::failed("the work for it ended early").to_line(),
        };
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.busy = false;
            connection.say(&line);
        }
        self.answer_questions(connection);
    }

    fn advance_dial(&mut self, id: u64) {
        let Some((dialling, deadline)) = self.dials.remove(&id) else {
            return;
        };
        match dialling.finish() {
            Ok(Progress::Again(dialling)) => drop(self.dials.insert(id, (dialling, deadline))),
            Ok(Progress::Done(inside)) => self.join(id, inside),
            Err(error) => self.refuse_dial(id, &error.to_string()),
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

    pub fn refuse_dial(&mut self, id: u64, reason: &str) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let error = crate::error::WallError::new("dial_failed", "port inside", reason)
                .hint("does the agent listen on 127.0.0.1 there?");
            connection.busy = false;
            connection.say(&error.to_line());
        }
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let Some(exit) = Exit::of(status) else {
                continue;
            };
            if self.agent.as_ref().is_some_and(|agent| agent.pid == Some(pid)) {
                self.agent_ended(pid, exit);
            }
            if let Some(exec) = self.execs.remove(&pid.as_raw_nonzero().get())
                && let Some(connection) = self.connections.get_mut(&exec.connection)
            {
                connection.exec = None;
                connection.say(&json!({ "exit": exit.to_json() }).to_string());
            }
        }
    }

    fn agent_ended(&mut self, pid: Pid, exit: Exit) {
        kill_session(pid);
        let stopping = self.stop.is_some();
        let Some(agent) = &mut self.agent else {
            return;
        };
        let pause = agent.ended(exit);
        if stopping {
            agent.stop();
        }
        let follows = match pause {
            Some(pause) if !stopping => format!("; it is started again in {} ms", pause.as_millis()),
            _ => String::new(),
        };
        if self.foreground.is_none() {
            let how = match exit {
                Exit::Code(code) => format!("code {code}"),
                Exit::Signal(signal) => crate::process::signal_name(signal),
            };
            // What it said last comes first.
            for number in 0..self.outputs.len() {
                self.log_output(number);
            }
            self.log.note(&format!("the agent ended with {how}{follows}"));
        } else if self.stop.is_none() {
            self.begin_stop(self.grace);
        }
    }

    pub fn begin_stop(&mut self, grace: Duration) {
        if let Some(agent) = &mut self.agent {
            agent.stop();
        }
        self.signal_everyone(libc::SIGTERM);
        let waiting = self.stop.take().map(|stop| stop.waiting).unwrap_or_default();
        let mut stop = Stop::within(grace);
        stop.waiting = waiting;
        self.stop = Some(stop);
    }

    fn signal_everyone(&self, signal: i32) -> bool {
        if !self.walls.facts.off.contains(&Wall::Pids) {
            return everyone(signal);
        }
        // A test build without the namespace: only those that we know.
        let agent = self.agent.as_ref().and_then(|agent| agent.pid);
        let agent = agent.map(|pid| pid.as_raw_nonzero().get());
        let known: Vec<i32> = agent.into_iter().chain(self.execs.keys().copied()).collect();
        for pid in &known {
            // SAFETY: takes two numbers.
            unsafe { libc::kill(-pid, signal) };
        }
        !known.is_empty()
    }

    /// What is due.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if let Some(stop) = &mut self.stop
            && (now >= stop.deadline || stop.killed)
        {
            stop.killed = true;
            self.signal_everyone(libc::SIGKILL);
        }
        if let Some(agent) = &mut self.agent {
            if let Some(pid) = agent.pid
                && agent.restarting.is_some_and(|deadline| now >= deadline)
            {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            if self.stop.is_none() && agent.next_start.is_some_and(|at| now >= at) {
                if let Err(error) = self.start_agent() {
                    self.log.note(&format!("the agent cannot be started: {}: {}", error.subject, error.message));
                    if let Some(agent) = &mut self.agent {
                        agent.failed();
                    }
                }
            }
        }
        let late = self.dials.extract_if(.., |_, (_, deadline)| now >= *deadline);
        for (id, _) in late.collect::<Vec<_>>() {
            self.refuse_dial(id, "nobody took the connection in time");
        }
    }

    fn tidy(&mut self) {
        self.outputs.retain(|output| !output.ended);
        self.relays.retain(|relay| !relay.is_over());
        self.jobs.retain(|job| !matches!(job.purpose, Purpose::Done));
        let over: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_over())
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.connections.remove(&id);
            let running = self.execs.iter_mut().find(|(_, exec)| exec.connection == id);
            if let Some((pid, exec)) = running {
                exec.terminal = None;
                // SAFETY: takes two numbers.
                unsafe { libc::kill(-pid, libc::SIGHUP) };
            }
        }
    }

    fn is_over(&self) -> bool {
        if self.waiting_launcher().is_some_and(Connection::is_over) {
            self.signal_everyone(libc::SIGKILL);
            return true;
        }
        self.stop.is_some() && !self.signal_everyone(0)
    }

    fn finish(&mut self) -> i32 {
        for number in 0..self.outputs.len() {
            self.log_output(number);
        }
        let exit = self.agent.as_ref().and_then(Agent::last_exit);
        if let Some(channel) = self.foreground.as_mut().and_then(|foreground| foreground.channel.as_mut()) {
            let code = exit.map_or(125, Exit::code);
            channel.say(&json!({ "exit": code }).to_string());
        }
        let waiting = self.stop.take().map(|stop| stop.waiting).unwrap_or_default();
        for id in waiting {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.say(&json!({ "ok": true }).to_string());
            }
        }
        0
    }
}

fn interest(connection: &Connection) -> PollFlags {
    if connection.wants_write() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
}

fn drain(signals: &OwnedFd) {
    let mut buffer = [0; 4096];
    while rustix::io::read(signals, &mut buffer).is_ok_and(|length| length > 0) {}
}

/// What the agent left running in its session would hold its ports and files when it starts again.
fn kill_session(leader: Pid) {
    let leader = leader.as_raw_nonzero().get();
    for process in processes::all() {
        if process.session == leader && process.pid != leader {
            // SAFETY: takes two numbers.
            unsafe { libc::kill(process.pid, libc::SIGKILL) };
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
