//! `nacre-launcher check`: what this kernel offers for each wall, by trying it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Ipv4Addr;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::{Value, json};

use crate::spec::{Identity, Ids};
use crate::{cgroup, files, ids, mounts, network, process, seccomp};

pub fn run() -> Value {
    let inside = try_inside();
    let (version, controllers, reason) = cgroup::offer();
    let abi = files::kernel_abi();
    let number = *abi.as_ref().unwrap_or(&0);
    let mut landlock = found(abi.map(drop));
    landlock["abi"] = number.into();
    landlock["scopes"] = (number >= 6).into();
    let mut groups = found(match reason {
        Some(reason) if controllers.is_empty() => Err(reason),
        _ => Ok(()),
    });
    groups["version"] = json!(version);
    groups["controllers"] = json!(controllers);
    json!({
        "ok": true,
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "landlock": landlock,
        "namespaces": inside["namespaces"],
        "nf_tables": inside["nf_tables"],
        "seccomp": found(seccomp::available()),
        "overlay": inside["overlay"],
        "cgroup": groups,
    })
}

fn found(result: Result<(), String>) -> Value {
    match result {
        Ok(()) => json!({ "available": true }),
        Err(reason) => json!({ "available": false, "reason": reason }),
    }
}

/// In namespaces that are thrown away.
fn try_inside() -> Value {
    tried().unwrap_or_else(|reason| {
        let missing = found(Err(reason));
        let without = found(Err("cannot be tried without namespaces".to_owned()));
        json!({ "namespaces": missing, "nf_tables": without, "overlay": without })
    })
}

fn tried() -> Result<Value, String> {
    let text = |error: std::io::Error| error.to_string();
    let pipe = || {
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|error| text(error.into()))
    };
    let ((wait, go), (report, answer)) = (pipe()?, pipe()?);
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let (mut wait, mut answer) = (Some(File::from(wait)), Some(File::from(answer)));
    let pid = process::clone(flags, || {
        let _ = wait.take().map(|mut wait| wait.read(&mut [0]));
        let overlay = mounts::try_overlay().map_err(|error| error.to_string());
        let rules =
            network::loopback().and_then(|()| network::capture(Ipv4Addr::new(192, 0, 2, 1), 15001));
        let rules = rules.map(drop).map_err(|error| error.message);
        let line = json!({
            "namespaces": found(Ok(())),
            "nf_tables": found(rules),
            "overlay": found(overlay),
        });
        let _ = answer
            .take()
            .map(|mut answer| answer.write_all(line.to_string().as_bytes()));
        0
    })
    .map_err(|error| crate::launch::why_no_namespaces(&error))?;
    drop((wait, answer));
    let result = ask(pid, File::from(go), File::from(report));
    let _ = kill_process(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
    result
}

fn ask(pid: Pid, mut go: File, mut report: File) -> Result<Value, String> {
    let own = Ids {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let identity = Identity {
        inside: Ids {
            uid: 1000,
            gid: 1000,
        },
        outside: own,
    };
    ids::map(&pid.as_raw_nonzero().to_string(), &identity, ids::is_root())
        .map_err(|error| error.message)?;
    go.write_all(b"g").map_err(|error| error.to_string())?;
    let mut text = String::new();
    report
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}
