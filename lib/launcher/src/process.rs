//! Processes made without a thread: every process of the launcher has one, so a copy of it is whole.

use std::io;

use rustix::process::Pid;

/// Runs `body` in a copy of this process, which ends with the code that it returns.
pub fn fork(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    clone(0, body)
}

/// As [`fork`], in new namespaces (`CLONE_NEW*`).
pub fn clone(namespaces: i32, body: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: without CLONE_VM the child has its own memory; this process has one thread, so no lock is held elsewhere.
    let made = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(namespaces | libc::SIGCHLD),
            0,
            0,
            0,
            0,
        )
    };
    match made {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = body();
            // SAFETY: ends the child at once; nothing of the parent's is run or flushed.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(Pid::from_raw(pid as i32).expect("a process id is positive")),
    }
}

/// Gives every signal its default meaning and blocks none, as a program expects to find it.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is always valid; numbers that cannot be changed give an error that does not matter.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an empty set, then taken as the whole mask.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Blocks `signals` and gives a descriptor that they arrive at.
pub fn signal_descriptor(signals: &[i32]) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: the set is built first; the descriptor is new and ours.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        let made = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if made < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(std::os::fd::OwnedFd::from_raw_fd(made))
    }
}

/// `TERM` of `SIGTERM`, and the reverse.
pub fn signal_name(number: i32) -> String {
    SIGNALS
        .iter()
        .find(|(_, known)| *known == number)
        .map_or_else(|| number.to_string(), |(name, _)| format!("SIG{name}"))
}

pub fn signal_number(name: &str) -> Option<i32> {
    let short = name.strip_prefix("SIG").unwrap_or(name);
    SIGNALS
        .iter()
        .find(|(known, _)| *known == short)
        .map(|(_, number)| *number)
}

const SIGNALS: [(&str, i32); 27] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("SYS", libc::SIGSYS),
];
