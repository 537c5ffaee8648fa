//! The launcher as a stand-in for a process inside: its input, output, signals and exit code are the process' own.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use serde_json::Value;

use crate::init::terminal::{Size, resize};
use crate::process::{signal_descriptor, signal_name};
use crate::wire::Channel;

/// Signals that are passed on; the terminal's size comes as one too.
const PASSED: [i32; 7] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];

/// Our ends of the process' input and output. A terminal is both.
pub struct Ends {
    pub input: Option<OwnedFd>,
    pub output: Option<OwnedFd>,
    pub error: Option<OwnedFd>,
    pub terminal: bool,
}

/// Three pipes: the process' ends, and ours.
pub fn pipes() -> io::Result<([OwnedFd; 3], Ends)> {
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let ((input, to_input), (from_output, output), (from_error, error)) =
        (pipe()?, pipe()?, pipe()?);
    let ends = Ends {
        input: Some(to_input),
        output: Some(from_output),
        error: Some(from_error),
        terminal: false,
    };
    Ok(([input, output, error], ends))
}

/// The size of our terminal, or the usual one.
pub fn terminal_size() -> Size {
    match tcgetwinsize(rustix::stdio::stdin()) {
        Ok(size) if size.ws_row > 0 => Size {
            rows: size.ws_row,
            cols: size.ws_col,
        },
        _ => Size { rows: 24, cols: 80 },
    }
}

/// Blocks the signals that are passed on, before there is anything to pass them to.
pub fn hold_signals() -> io::Result<OwnedFd> {
    signal_descriptor(&PASSED)
}

/// Relays until the channel says how the process ended. `signal` words a signal for the channel.
pub fn relay(
    channel: &mut Channel,
    mut ends: Ends,
    signals: &OwnedFd,
    signal: impl Fn(&str) -> Value,
) -> io::Result<Option<Value>> {
    let _raw = if ends.terminal { Raw::enter() } else { None };
    for end in [&ends.input, &ends.output, &ends.error]
        .into_iter()
        .flatten()
    {
        rustix::io::ioctl_fionbio(end, true)?;
    }
    let mut pending: Vec<u8> = Vec::new();
    let mut input_open = true;
    let exit = loop {
        // It may have come together with the answer before.
        let exit = std::iter::from_fn(|| channel.take_line()).find_map(|line| exit_of(&line));
        if exit.is_some() {
            break exit;
        }
        let (ready, descriptors) = wait(channel, &ends, signals, &pending, input_open);
        let is = |what| {
            ready
                .iter()
                .zip(&descriptors)
                .any(|(name, flags)| *name == what && !flags.is_empty())
        };
        if is("signals") {
            pass_signals(channel, &ends, signals, &signal)?;
        }
        if is("stdin") {
            let mut buffer = [0; 16 << 10];
            match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
                Ok(0) => input_open = false,
                Ok(length) => pending.extend_from_slice(&buffer[..length]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => input_open = false,
            }
        }
        give_input(&mut ends, &mut pending, input_open);
        drain(&mut ends);
        if is("channel") && channel.fill()? == 0 {
            break None;
        }
    };
    // What the process wrote before it ended is in the pipes by now.
    drain(&mut ends);
    Ok(exit)
}

fn exit_of(line: &str) -> Option<Value> {
    let said: Value = serde_json::from_str(line).ok()?;
    said.get("exit").cloned()
}

type Waited = (Vec<&'static str>, Vec<PollFlags>);

fn wait(
    channel: &Channel,
    ends: &Ends,
    signals: &OwnedFd,
    pending: &[u8],
    input_open: bool,
) -> Waited {
    let mut names = vec!["channel", "signals"];
    let mut list = vec![
        PollFd::from_borrowed_fd(channel.as_fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
    ];
    let mut add = |name, end, flags| {
        names.push(name);
        list.push(PollFd::from_borrowed_fd(end, flags));
    };
    if let Some(input) = &ends.input {
        if !pending.is_empty() {
            add("input", input.as_fd(), PollFlags::OUT);
        } else if input_open {
            add("stdin", rustix::stdio::stdin(), PollFlags::IN);
        }
    }
    for end in [&ends.output, &ends.error].into_iter().flatten() {
        add("output", end.as_fd(), PollFlags::IN);
    }
    let _ = poll(&mut list, None);
    (names, list.iter().map(PollFd::revents).collect())
}

fn give_input(ends: &mut Ends, pending: &mut Vec<u8>, input_open: bool) {
    let Some(input) = &ends.input else { return };
    while !pending.is_empty() {
        match rustix::io::write(input, pending) {
            Ok(written) => drop(pending.drain(..written)),
            Err(Errno::AGAIN | Errno::INTR) => return,
            // Nobody reads it.
            Err(_) => {
                pending.clear();
                ends.input = None;
                return;
            }
        }
    }
    // A terminal is told of the end by its own means (Ctrl-D); closing it would hang it up.
    if !input_open && !ends.terminal {
        ends.input = None;
    }
}

fn drain(ends: &mut Ends) {
    copy(&mut ends.output, rustix::stdio::stdout());
    copy(&mut ends.error, rustix::stdio::stderr());
}

/// Copies what is there; forgets an end that is over, or whose reader here is gone.
fn copy(from: &mut Option<OwnedFd>, to: BorrowedFd<'_>) {
    let mut buffer = [0; 32 << 10];
    while let Some(end) = from {
        match rustix::io::read(&*end, &mut buffer) {
            Ok(0) => *from = None,
            Ok(length) => {
                if write_all(to, &buffer[..length]).is_err() {
                    *from = None;
                }
            }
            Err(Errno::AGAIN) => return,
            Err(Errno::INTR) => {}
            Err(_) => *from = None,
        }
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn pass_signals(
    channel: &Channel,
    ends: &Ends,
    signals: &OwnedFd,
    word: &impl Fn(&str) -> Value,
) -> io::Result<()> {
    let mut buffer = [0; size_of::<libc::signalfd_siginfo>()];
    while let Ok(length) = rustix::io::read(signals, &mut buffer) {
        if length < buffer.len() {
            break;
        }
        // `ssi_signo` is the first field.
        let number = u32::from_ne_bytes(buffer[..4].try_into().expect("4 bytes")) as i32;
        match (number, &ends.output) {
            (libc::SIGWINCH, Some(terminal)) if ends.terminal => {
                let _ = resize(terminal, terminal_size());
            }
            (libc::SIGWINCH, _) => {}
            _ => channel.say(&word(&signal_name(number)).to_string(), &[])?,
        }
    }
    Ok(())
}

/// Our terminal with nothing interpreted, until this goes.
struct Raw(Termios);

impl Raw {
    fn enter() -> Option<Self> {
        let terminal = rustix::stdio::stdin();
        if !isatty(terminal) {
            return None;
        }
        let before = tcgetattr(terminal).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(terminal, OptionalActions::Drain, &raw).ok()?;
        Some(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.0);
    }
}
