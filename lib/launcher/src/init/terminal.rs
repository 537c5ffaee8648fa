use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

/// Size of a terminal, in characters.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    pub rows: u16,
    pub cols: u16,
}

/// The outside end of a pseudo-terminal of the sandbox, and its inside end.
pub fn open(size: Size) -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
    let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    unlockpt(&outside)?;
    let name = ptsname(&outside, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let inside = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty())?;
    resize(&outside, size)?;
    Ok((outside, inside))
}

pub fn resize(terminal: impl AsFd, size: Size) -> Result<(), Errno> {
    rustix::termios::tcsetwinsize(
        terminal,
        rustix::termios::Winsize {
            ws_row: size.rows,
            ws_col: size.cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
}
