//! The launcher: builds the walls of a sandbox, then executes the agent behind them. Each mode reads one JSON spec from
//! descriptor 3; what the walls are is said in `lib/host/launch-spec.ts`.

mod behind;
mod cgroup;
mod changes;
mod check;
mod child;
mod egress;
mod error;
mod exec;
mod files;
mod foreground;
mod ids;
mod init;
mod launch;
mod limits;
mod mounts;
mod network;
mod posture;
mod process;
mod seccomp;
mod spec;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use error::{Result, WallError};

/// As `docker run` has it: the launcher itself failed, so no code of the command is there.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    // What is made for the inside must be readable there, whatever the caller's mask; what must not be says its mode.
    rustix::process::umask(rustix::fs::Mode::from(0o022));
    let mode = std::env::args().nth(1).unwrap_or_default();
    match mode.as_str() {
        "sandbox" => sandbox(),
        "egress" => finish(
            spec::read().and_then(|spec| egress::run(&spec)),
            WallError::to_line,
        ),
        "exec" => finish(
            spec::read().and_then(|spec| exec::run(&spec)),
            WallError::to_report,
        ),
        "changes" => finish(
            spec::read().and_then(|spec| changes::print(&spec)),
            WallError::to_line,
        ),
        "apply" => finish(
            spec::read().and_then(|spec| changes::apply::run(&spec)),
            WallError::to_line,
        ),
        "check" => say(&check::run().to_string(), 0),
        _ => {
            eprintln!(
                "use: nacre-launcher sandbox|egress|exec|changes|apply|check, with a JSON spec on descriptor 3"
            );
            ExitCode::from(2)
        }
    }
}

fn sandbox() -> ExitCode {
    match spec::read::<spec::Sandbox>() {
        Ok(spec) if spec.wait => finish(launch::run_once(&spec), WallError::to_line),
        Ok(spec) => match launch::launch(&spec, None) {
            Ok(launched) => say(&launched.answer.to_string(), 0),
            Err(error) => say(&error.to_line(), 1),
        },
        Err(error) => say(&error.to_line(), 1),
    }
}

/// For modes whose output belongs to somebody else: an error goes to stderr.
fn finish(result: Result<u8>, word: impl Fn(&WallError) -> String) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{}", word(&error));
            ExitCode::from(FAILED)
        }
    }
}

fn say(line: &str, code: u8) -> ExitCode {
    let said = writeln!(std::io::stdout(), "{line}");
    if said.is_ok() {
        ExitCode::from(code)
    } else {
        ExitCode::FAILURE
    }
}
