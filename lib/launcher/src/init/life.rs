use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use serde_json::json;

use super::agent::{Agent, Exit};
use super::connection::Connection;
use super::processes;
use super::run::{Init, Output};
use super::stop::{Stop, everyone};
use crate::child::{self, Stdio};
use crate::error::{Because, Result};
use crate::spec::Wall;

impl Init {
    pub(super) fn start_agent(&mut self) -> Result<()> {
        let Some(agent) = &mut self.agent else {
            return Ok(());
        };
        let command = agent.process.command();
        let stdio = match self
            .foreground
            .as_mut()
            .and_then(|foreground| foreground.stdio.take())
        {
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

    pub(super) fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let Some(exit) = Exit::of(status) else {
                continue;
            };
            if self
                .agent
                .as_ref()
                .is_some_and(|agent| agent.pid == Some(pid))
            {
                self.agent_ended(pid, exit);
            }
            let exec = self.execs.remove(&pid.as_raw_nonzero().get());
            let asked = exec.and_then(|exec| self.connections.get_mut(&exec.connection));
            if let Some(connection) = asked {
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
            Some(pause) if !stopping => {
                format!("; it is started again in {} ms", pause.as_millis())
            }
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
            self.log
                .note(&format!("the agent ended with {how}{follows}"));
        } else if self.stop.is_none() {
            self.begin_stop(self.grace);
        }
    }

    pub(super) fn begin_stop(&mut self, grace: Duration) {
        if let Some(agent) = &mut self.agent {
            agent.stop();
        }
        self.signal_everyone(libc::SIGTERM);
        let waiting = self
            .stop
            .take()
            .map(|stop| stop.waiting)
            .unwrap_or_default();
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
        let known: Vec<i32> = agent
            .into_iter()
            .chain(self.execs.keys().copied())
            .collect();
        for pid in &known {
            // SAFETY: takes two numbers.
            unsafe { libc::kill(-pid, signal) };
        }
        !known.is_empty()
    }

    /// Every process but init is gone when this returns.
    pub(super) fn end_everyone(&mut self) -> Result<()> {
        let patience = Instant::now() + Duration::from_secs(5);
        while self.signal_everyone(libc::SIGKILL) {
            if Instant::now() > patience {
                return Err(super::operations::failed("a process of it does not end"));
            }
            std::thread::sleep(Duration::from_millis(1));
            self.reap();
        }
        Ok(())
    }

    /// What is due.
    pub(super) fn keep_time(&mut self) {
        let now = Instant::now();
        let late = self
            .stop
            .as_mut()
            .filter(|stop| stop.killed || now >= stop.deadline);
        if let Some(stop) = late {
            stop.killed = true;
            self.signal_everyone(libc::SIGKILL);
        }
        let agent = self.agent.as_ref();
        let restarting =
            agent.is_some_and(|agent| agent.restarting.is_some_and(|deadline| now >= deadline));
        if let Some(pid) = agent.and_then(|agent| agent.pid).filter(|_| restarting) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let due = agent.is_some_and(|agent| agent.next_start.is_some_and(|at| now >= at));
        if self.stop.is_none() && due {
            self.try_to_start();
        }
        let late = self
            .dials
            .iter()
            .filter(|(_, (_, deadline))| now >= *deadline);
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.dials.remove(&id);
            self.refuse_dial(id, "nobody took the connection in time");
        }
    }

    fn try_to_start(&mut self) {
        let Err(error) = self.start_agent() else {
            return;
        };
        self.log
            .note(&format!("the agent cannot be started: {}", error.to_text()));
        if let Some(agent) = &mut self.agent {
            agent.failed();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        if self.waiting_launcher().is_some_and(Connection::is_over) {
            self.signal_everyone(libc::SIGKILL);
            return true;
        }
        self.stop.is_some() && !self.signal_everyone(0)
    }

    pub(super) fn finish(&mut self) -> i32 {
        // Nothing runs any more: whoever hears that may start the next one.
        self.lock = None;
        for number in 0..self.outputs.len() {
            self.log_output(number);
        }
        let exit = self.agent.as_ref().and_then(Agent::last_exit);
        if let Some(channel) = self
            .foreground
            .as_mut()
            .and_then(|foreground| foreground.channel.as_mut())
        {
            let code = exit.map_or(125, Exit::code);
            channel.say(&json!({ "exit": code }).to_string());
        }
        let waiting = self
            .stop
            .take()
            .map(|stop| stop.waiting)
            .unwrap_or_default();
        for id in waiting {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.say(&json!({ "ok": true }).to_string());
            }
        }
        0
    }
}

pub(super) fn drain(signals: &OwnedFd) {
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
