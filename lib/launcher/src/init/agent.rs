use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Pid;
use serde_json::{Value, json};

use crate::process::signal_name;
use crate::spec::{Process, RestartPolicy};

/// Running that long, an agent counts as healthy: the next wait is the first again.
const HEALTHY: Duration = Duration::from_secs(60);

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    /// Of a status as `waitpid` gives it; `None` when it did not end.
    pub fn of(status: rustix::process::WaitStatus) -> Option<Self> {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Some(Exit::Code(code)),
            (_, Some(signal)) => Some(Exit::Signal(signal)),
            _ => None,
        }
    }

    pub fn to_json(self) -> Value {
        match self {
            Exit::Code(code) => json!({ "code": code }),
            Exit::Signal(signal) => json!({ "signal": signal_name(signal) }),
        }
    }

    /// As a shell has it.
    pub fn code(self) -> i32 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Backoff,
    /// It ended, and its policy starts it no more.
    Exited,
}

/// The sandbox' main process over all its lives.
pub struct Agent {
    pub process: Process,
    pub state: State,
    pub pid: Option<Pid>,
    pub posture: Option<Value>,
    /// When it starts next; in the past for at once.
    pub next_start: Option<Instant>,
    /// Somebody asked for it, so its policy is not asked.
    pub restarting: Option<Instant>,
    started: Option<(Instant, u64)>,
    next_start_ms: Option<u64>,
    last_exit: Option<(Exit, u64)>,
    restarts: u64,
    /// Ends in a row without a healthy life.
    failures: u32,
}

impl Agent {
    pub fn new(process: Process) -> Self {
        Agent {
            process,
            state: State::Exited,
            pid: None,
            posture: None,
            next_start: None,
            restarting: None,
            started: None,
            next_start_ms: None,
            last_exit: None,
            restarts: 0,
            failures: 0,
        }
    }

    pub fn started(&mut self, pid: Pid, posture: Value) {
        if self.started.is_some() {
            self.restarts += 1;
        }
        self.state = State::Running;
        self.pid = Some(pid);
        self.posture = Some(posture);
        self.started = Some((Instant::now(), now_ms()));
        self.next_start = None;
        self.next_start_ms = None;
        self.restarting = None;
    }

    /// Takes the end of its process, and decides what follows: the pause before its next start, if any.
    pub fn ended(&mut self, exit: Exit) -> Option<Duration> {
        self.pid = None;
        self.last_exit = Some((exit, now_ms()));
        if self.restarting.take().is_some() {
            self.failures = 0;
            return Some(self.wait(Duration::ZERO));
        }
        let again = match self.process.restart.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => exit.code() != 0,
            RestartPolicy::Never => false,
        };
        if !again {
            self.state = State::Exited;
            return None;
        }
        let healthy = self.started.is_some_and(|(at, _)| at.elapsed() >= HEALTHY);
        self.failures = if healthy { 0 } else { self.failures + 1 };
        Some(self.wait(self.backoff()))
    }

    /// It could not be started.
    pub fn failed(&mut self) {
        self.failures += 1;
        self.wait(self.backoff());
    }

    pub fn stop(&mut self) {
        self.state = State::Exited;
        self.next_start = None;
        self.next_start_ms = None;
    }

    fn wait(&mut self, pause: Duration) -> Duration {
        self.state = State::Backoff;
        self.next_start = Some(Instant::now() + pause);
        self.next_start_ms = Some(now_ms() + pause.as_millis() as u64);
        pause
    }

    /// Doubles with each end: initial, twice that, … up to the most.
    fn backoff(&self) -> Duration {
        let restart = self.process.restart;
        let doubled = restart.initial_ms << self.failures.saturating_sub(1).min(20);
        Duration::from_millis(doubled.min(restart.max_ms))
    }

    pub fn last_exit(&self) -> Option<Exit> {
        self.last_exit.map(|(exit, _)| exit)
    }

    pub fn to_json(&self) -> Value {
        let exit = self.last_exit.map(|(exit, at)| {
            let mut value = exit.to_json();
            value["at_ms"] = at.into();
            value
        });
        json!({
            // Its number outside is not known inside.
            "pid": 0,
            "inside_pid": self.pid.map_or(0, |pid| pid.as_raw_nonzero().get()),
            "state": match self.state {
                State::Running => "running",
                State::Backoff => "backoff",
                State::Exited => "exited",
            },
            "started_at_ms": self.started.map(|(_, at)| at),
            "restarts": self.restarts,
            "next_start_at_ms": self.next_start_ms,
            "last_exit": exit,
        })
    }
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
