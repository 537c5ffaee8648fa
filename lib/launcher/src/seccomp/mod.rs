//! The system call wall: an allow-list in the kernel, compiled from OCI JSON.

mod compile;
#[cfg(test)]
mod compile_tests;
pub mod profile;

use crate::error::{Result, WallError};
use profile::Profile;

/// A classic BPF program. Opaque: only [`compile`] makes one.
pub struct Program(Vec<libc::sock_filter>);

/// Compiles a profile. Names that this architecture or this build does not know are left to the default action.
pub fn compile(profile: &Profile) -> Result<Program> {
    compile::program(profile).map(Program)
}

/// Whether this kernel takes filters and knows the action that everything depends on.
pub fn available() -> std::result::Result<(), String> {
    let action: u32 = libc::SECCOMP_RET_ERRNO;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(format!(
            "the kernel has no seccomp filters: {}",
            std::io::Error::last_os_error()
        ))
    }
}

/// Puts the filter over this process and all that it becomes. Needs `no_new_privs`.
pub fn restrict(program: &Program) -> Result<()> {
    let filter = libc::sock_fprog {
        len: program.0.len() as u16,
        filter: program.0.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which outlives the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    };
    if done == 0 {
        return Ok(());
    }
    Err(WallError::new(
        "seccomp_failed",
        "system call wall",
        std::io::Error::last_os_error(),
    )
    .hint("the kernel needs CONFIG_SECCOMP_FILTER"))
}
