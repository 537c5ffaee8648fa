//! One way in: the agent, every `exec` and every probe become a process behind the same walls here.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::process::{Pid, chdir, setsid};
use serde_json::Value;

use crate::error::{Because, Result, WallError, describe};
use crate::files::FileWall;
use crate::limits::{CgroupPosture, ProcessLimits, Resource};
use crate::posture::{self, LimitsPosture, Namespaces, NetworkPosture, Posture, Status};
use crate::process;
use crate::seccomp::{self, Program};
use crate::spec::{Command, Wall};

/// All that a process inside is put behind, and what is known of the sandbox that a process cannot read itself.
pub struct Walls {
    pub files: FileWall,
    /// `Err`: why there is no filter (best effort, or switched off).
    pub calls: std::result::Result<Program, String>,
    pub limits: ProcessLimits,
    pub no_new_privileges: bool,
    pub facts: Facts,
}

pub struct Facts {
    pub hosts_namespaces: BTreeMap<&'static str, u64>,
    pub cgroup: Option<CgroupPosture>,
    pub pids_by: Option<&'static str>,
    pub network: NetworkPosture,
    pub off: Vec<Wall>,
}

/// What a process' input and output are.
pub enum Stdio {
    Pipes([OwnedFd; 3]),
    /// What this process has already.
    Inherited,
    /// The inside end of a pseudo-terminal; it becomes the controlling one.
    Terminal(OwnedFd),
}

impl Stdio {
    pub fn nothing() -> Result<Self> {
        let open = || {
            File::options()
                .read(true)
                .write(true)
                .open("/dev/null")
                .map(OwnedFd::from)
        };
        let ends = || -> io::Result<_> { Ok([open()?, open()?, open()?]) };
        ends()
            .map(Stdio::Pipes)
            .because("start_failed", "/dev/null")
    }
}

/// A process that is behind the walls and has executed its program.
pub struct Started {
    pub pid: Pid,
    /// As it read it, behind the walls, just before it executed.
    pub posture: Value,
}

/// Starts `command` behind the walls. `Err` when a wall or the program fails; nothing runs then.
pub fn start(walls: &Walls, command: &Command, stdio: Stdio) -> Result<Started> {
    let subject = || format!("program {}", command.argv[0]);
    let program = Executable::new(command)?;
    let folder = c_string(&command.cwd)?;
    let (report, answer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .because("start_failed", subject())?;
    let pid = process::fork(|| {
        let failed = match enter(walls, &stdio, Some(&folder)) {
            Ok(posture) => {
                say(
                    &answer,
                    &serde_json::to_string(&posture).unwrap_or_default(),
                );
                not_run(command, &program.execute())
            }
            Err(error) => error,
        };
        say(&answer, &failed.to_line());
        127
    })
    .because("start_failed", subject())?;
    drop(answer);
    let mut text = String::new();
    // Ends when the program is executed, since the pipe is closed then.
    File::from(report)
        .read_to_string(&mut text)
        .because("start_failed", subject())?;
    let mut lines = text.lines().map(serde_json::from_str::<Value>);
    match (lines.next(), lines.next()) {
        (Some(Ok(posture)), None) if posture.get("error").is_none() => Ok(Started { pid, posture }),
        (Some(Ok(failure)), None) | (Some(Ok(_)), Some(Ok(failure))) => {
            Err(WallError::from_json(&failure["error"]))
        }
        _ => Err(WallError::new(
            "start_failed",
            subject(),
            "it ended before it was executed",
        )),
    }
}

/// Becomes `command` behind the walls, with the descriptors `kept` besides 0, 1 and 2. Returns only when it failed.
pub fn become_program(
    walls: &Walls,
    command: &Command,
    stdio: &Stdio,
    kept: &[i32],
) -> Result<std::convert::Infallible> {
    let program = Executable::new(command)?;
    let folder = c_string(&command.cwd)?;
    enter(walls, stdio, Some(&folder))?;
    for number in kept {
        // SAFETY: takes numbers.
        unsafe { libc::fcntl(*number, libc::F_SETFD, 0) };
    }
    Err(not_run(command, &program.execute()))
}

fn not_run(command: &Command, error: &io::Error) -> WallError {
    let subject = format!("program {}", command.argv[0]);
    let failed = WallError::new("start_failed", subject, describe(error));
    match error.raw_os_error() {
        Some(libc::ENOENT) => {
            failed.hint("name a program that is there inside, or its whole path there")
        }
        Some(libc::EACCES) => failed.hint("make it executable for the user inside"),
        _ => failed,
    }
}

/// The posture of a process that only enters the walls.
pub fn measure(walls: &Walls) -> Result<Value> {
    let (report, answer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .because("start_failed", "measuring")?;
    process::fork(|| {
        let entered = Stdio::nothing().and_then(|stdio| enter(walls, &stdio, None));
        match entered {
            Ok(posture) => say(
                &answer,
                &serde_json::to_string(&posture).unwrap_or_default(),
            ),
            Err(error) => say(&answer, &error.to_line()),
        }
        0
    })
    .because("start_failed", "measuring")?;
    drop(answer);
    let mut text = String::new();
    File::from(report)
        .read_to_string(&mut text)
        .because("start_failed", "measuring")?;
    match serde_json::from_str::<Value>(text.trim()) {
        Ok(posture) if posture.get("error").is_none() => Ok(posture),
        Ok(failure) => Err(WallError::from_json(&failure["error"])),
        Err(error) => Err(WallError::new("start_failed", "measuring", error)),
    }
}

fn say(pipe: &OwnedFd, line: &str) {
    let Ok(pipe) = pipe.try_clone() else { return };
    let _ = File::from(pipe).write_all(format!("{line}\n").as_bytes());
}

/// Puts this process behind the walls and reads back what holds. Every descriptor but 0, 1 and 2 closes at `execve`.
pub fn enter(walls: &Walls, stdio: &Stdio, folder: Option<&CString>) -> Result<Posture> {
    enter_by(walls, &walls.files, stdio, folder)
}

/// With a file wall of its own, for work that nobody inside asked for.
pub fn enter_by(
    walls: &Walls,
    files: &FileWall,
    stdio: &Stdio,
    folder: Option<&CString>,
) -> Result<Posture> {
    process::reset_signals();
    setsid().because("start_failed", "session")?;
    connect(stdio).because("start_failed", "input and output")?;
    close_at_exec().because("start_failed", "descriptors")?;
    walls.limits.apply()?;
    if let Some(folder) = folder {
        chdir(folder.as_c_str()).because(
            "start_failed",
            format!("working folder {}", folder.to_string_lossy()),
        )?;
    }
    let status = File::open("/proc/self/status").because("posture_failed", "/proc/self/status")?;
    let before = read_status(&status).because("posture_failed", "/proc/self/status")?;
    let outside = posture::outside_ids(&before.ids);
    let namespaces = namespaces(&walls.facts.hosts_namespaces);
    let mounts = posture::mounts();
    let landlock = files.restrict(walls.no_new_privileges)?;
    if let Ok(program) = &walls.calls {
        seccomp::restrict(program)?;
    }
    // Opened before, read now: what it says was true behind the walls.
    let status = read_status(&status).because("posture_failed", "/proc/self/status")?;
    let mut seccomp = status.seccomp;
    seccomp.reason = walls.calls.as_ref().err().cloned();
    Ok(Posture {
        landlock,
        seccomp,
        no_new_privs: status.no_new_privs,
        capabilities: status.capabilities,
        namespaces,
        ids: posture::IdsPosture {
            outside,
            inside: status.ids,
        },
        limits: LimitsPosture {
            open_files: posture::limit(Resource::OpenFiles),
            processes: posture::limit(Resource::Processes),
            core_bytes: posture::limit(Resource::CoreBytes),
            cgroup: walls.facts.cgroup.clone(),
            pids_by: walls.facts.pids_by,
        },
        network: walls.facts.network.clone(),
        mounts,
        off: walls.facts.off.clone(),
    })
}

fn namespaces(hosts: &BTreeMap<&'static str, u64>) -> Namespaces {
    let inodes = posture::namespaces();
    let shared = inodes
        .iter()
        .filter(|(kind, inode)| hosts.get(*kind) == Some(inode));
    Namespaces {
        shared: shared.map(|(kind, _)| *kind).collect(),
        inodes: inodes.clone(),
    }
}

fn read_status(file: &File) -> io::Result<Status> {
    let mut buffer = vec![0; 8 << 10];
    let length = file.read_at(&mut buffer, 0)?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    Status::parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn connect(stdio: &Stdio) -> io::Result<()> {
    let ends = match stdio {
        Stdio::Inherited => return Ok(()),
        Stdio::Pipes([input, output, error]) => [input, output, error],
        Stdio::Terminal(terminal) => {
            // SAFETY: TIOCSCTTY takes a number.
            if unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
            [terminal, terminal, terminal]
        }
    };
    rustix::stdio::dup2_stdin(ends[0].as_fd())?;
    rustix::stdio::dup2_stdout(ends[1].as_fd())?;
    rustix::stdio::dup2_stderr(ends[2].as_fd())?;
    Ok(())
}

fn close_at_exec() -> io::Result<()> {
    // SAFETY: descriptors stay open until `execve`.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A program with all that `execve` wants, prepared before the copy of the process is made.
struct Executable {
    candidates: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Executable {
    fn new(command: &Command) -> Result<Self> {
        let name = &command.argv[0];
        let paths = if name.contains('/') {
            vec![name.clone()]
        } else {
            let path = command
                .env
                .get("PATH")
                .map_or("/usr/bin:/bin", String::as_str);
            path.split(':')
                .map(|folder| format!("{folder}/{name}"))
                .collect()
        };
        let pairs = command
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        Ok(Executable {
            candidates: paths
                .iter()
                .map(|path| c_string(path))
                .collect::<Result<_>>()?,
            arguments: command
                .argv
                .iter()
                .map(|argument| c_string(argument))
                .collect::<Result<_>>()?,
            environment: pairs.map(|pair| c_string(&pair)).collect::<Result<_>>()?,
        })
    }

    /// Returns only when it failed.
    fn execute(&self) -> io::Error {
        let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
            strings
                .iter()
                .map(|string| string.as_ptr())
                .chain([std::ptr::null()])
                .collect()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        let mut failed = io::Error::from_raw_os_error(libc::ENOENT);
        for candidate in &self.candidates {
            // SAFETY: both lists end with null, and their strings outlive the call.
            unsafe { libc::execve(candidate.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
            let error = io::Error::last_os_error();
            // As execvp: what is not there is looked for further on.
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                Some(libc::EACCES) => failed = error,
                _ => return error,
            }
        }
        failed
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| {
        WallError::new(
            "start_failed",
            "program",
            format!("`{text}` holds a null byte"),
        )
    })
}
