//! `nacre-launcher exec`: a command in a running sandbox, behind the same walls as its agent.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use serde_json::{Value, json};

use crate::error::{Because, Result, WallError};
use crate::foreground::{self, Ends};
use crate::process::signal_number;
use crate::spec::Exec;
use crate::wire::Channel;

/// Runs it to its end; its exit code, 128 + n for a signal.
pub fn run(spec: &Exec) -> Result<u8> {
    let mut channel = Channel::new(dial(&spec.control)?);
    let signals = foreground::hold_signals().because("exec_failed", "signals")?;
    let size = foreground::terminal_size();
    let request = json!({
        "op": "exec",
        "argv": spec.argv,
        "env": spec.env,
        "cwd": spec.cwd,
        "tty": spec.tty.then(|| json!({ "rows": size.rows, "cols": size.cols })),
    });
    let ends = if spec.tty {
        ask(&mut channel, &request, None)?;
        let terminal = channel.descriptors.pop();
        let terminal =
            terminal.ok_or_else(|| WallError::new("exec_failed", "init", "gave no terminal"))?;
        let output = terminal.try_clone().because("exec_failed", "terminal")?;
        Ends {
            input: Some(terminal),
            output: Some(output),
            error: None,
            terminal: true,
        }
    } else {
        let (theirs, ours) = foreground::pipes().because("exec_failed", "pipes")?;
        ask(&mut channel, &request, Some(theirs))?;
        ours
    };
    let word = |signal: &str| json!({ "op": "signal", "signal": signal });
    let exit =
        foreground::relay(&mut channel, ends, &signals, word).because("exec_failed", "relay")?;
    match exit {
        Some(exit) => Ok(code(&exit)),
        None => Err(WallError::new(
            "exec_failed",
            "sandbox",
            "it ended before the command did",
        )),
    }
}

fn ask(channel: &mut Channel, request: &Value, descriptors: Option<[OwnedFd; 3]>) -> Result<()> {
    let borrowed: Vec<_> = descriptors.iter().flatten().map(AsFd::as_fd).collect();
    channel
        .say(&request.to_string(), &borrowed)
        .because("exec_failed", "init")?;
    crate::launch::answer(channel).map(drop)
}

/// Connects to a socket whose path may be longer than an address can be.
pub fn dial(path: &str) -> Result<OwnedFd> {
    connect(path).because("init_silent", path)
}

pub fn connect(path: &str) -> rustix::io::Result<OwnedFd> {
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let short = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    rustix::net::connect(&socket, &SocketAddrUnix::new(short)?)?;
    Ok(socket)
}

fn code(exit: &Value) -> u8 {
    let signal = exit["signal"]
        .as_str()
        .map(|name| 128 + signal_number(name).unwrap_or(0));
    let code = signal.or_else(|| exit["code"].as_i64().map(|code| code as i32));
    code.map_or(125, |code| code as u8)
}
