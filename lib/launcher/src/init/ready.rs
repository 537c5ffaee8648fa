use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::Connection;
use super::run::Init;

/// Conversations at one time; an egress and a daemon need a handful.
const MOST_CONNECTIONS: usize = 1024;

/// What a descriptor that is ready belongs to.
#[derive(Clone, Copy)]
pub(super) enum Ready {
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
    pub(super) fn wait(&self) -> Vec<(Ready, PollFlags)> {
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
        let mut list = vec![(
            Ready::Signals,
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        )];
        let mut add = |ready, descriptor, flags| {
            list.push((ready, PollFd::from_borrowed_fd(descriptor, flags)))
        };
        if self.connections.len() < MOST_CONNECTIONS {
            for (number, (_, socket)) in self.listening.iter().enumerate() {
                add(Ready::Listening(number), socket.as_fd(), PollFlags::IN);
            }
        }
        for (id, connection) in &self.connections {
            add(
                Ready::Connection(*id),
                connection.as_fd(),
                interest(connection),
            );
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
                    add(
                        Ready::Relay(number, end),
                        relay.end(end),
                        relay.interest(end),
                    );
                }
            }
        }
        list.into_iter().unzip()
    }

    fn next_time(&self) -> Option<Instant> {
        let agent = self.agent.as_ref();
        let stop = self.stop.as_ref().map(|stop| {
            if stop.killed {
                Instant::now() + Duration::from_millis(20)
            } else {
                stop.deadline
            }
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

    pub(super) fn advance(&mut self, ready: Ready, flags: PollFlags) {
        match ready {
            Ready::Signals => super::life::drain(&self.signals),
            Ready::Listening(number) => self.accept(number),
            Ready::Connection(id) => self.converse(id, flags),
            Ready::Foreground => self.hear_foreground(flags),
            Ready::Output(number) => self.log_output(number),
            Ready::Job(number) => self.advance_job(number),
            Ready::Dial(id) => self.advance_dial(id),
            Ready::Relay(number, end) => self.relays[number].advance(end, flags),
        }
    }
}

fn interest(connection: &Connection) -> PollFlags {
    if connection.wants_write() {
        PollFlags::IN | PollFlags::OUT
    } else {
        PollFlags::IN
    }
}
