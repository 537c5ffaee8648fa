//! Init's part of a start: from the first moment in the new namespaces to the moment when the agent has been executed.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::process::{DumpableBehavior, set_dumpable_behavior, setsid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde_json::{Value, json};

use crate::changes::Layered;
use crate::child::{Facts, Walls};
use crate::error::{Because, Result, WallError};
use crate::files::FileWall;
use crate::init::{Foreground, Init, Parts};
use crate::launch::{Folder, namespaces_failed};
use crate::limits::{CgroupPosture, ProcessLimits};
use crate::mounts::enter::{Proc, enter};
use crate::network::{self, Listeners};
use crate::posture::NetworkPosture;
use crate::seccomp::Program;
use crate::spec::{Network, Process, Sandbox, Wall};
use crate::wire::Channel;
use crate::{ids, process};

/// What is decided before init exists.
pub struct Behind<'a> {
    pub spec: &'a Sandbox,
    pub privileged: bool,
    pub hosts_namespaces: BTreeMap<&'static str, u64>,
    pub calls: std::result::Result<Program, String>,
    pub group: Option<CgroupPosture>,
    pub pids_by: Option<&'static str>,
}

impl Behind<'_> {
    /// The whole life of init; its exit code.
    pub fn run(self, folder: Folder, mut channel: Channel, stdio: Option<[OwnedFd; 3]>) -> i32 {
        match self.build(folder, &mut channel, stdio) {
            Ok((mut init, posture)) => {
                let line = json!({ "ok": true, "posture": posture }).to_string();
                if channel.say(&line, &[]).is_err() {
                    return 1; // Whoever asked is gone, and knows of no sandbox.
                }
                if let Some(foreground) = &mut init.foreground {
                    foreground.connect(channel.into_socket());
                } else {
                    drop(channel);
                }
                init.run()
            }
            Err(error) => {
                let _ = channel.say(&error.to_line(), &[]);
                1
            }
        }
    }

    fn off(&self, wall: Wall) -> bool {
        self.spec.off.contains(&wall)
    }

    fn build(
        self,
        folder: Folder,
        channel: &mut Channel,
        stdio: Option<[OwnedFd; 3]>,
    ) -> Result<(Init, Value)> {
        setsid().because("start_failed", "init")?;
        let signals =
            process::signal_descriptor(&[libc::SIGCHLD]).because("start_failed", "init")?;
        let kept = [
            &folder.lock,
            &folder.control,
            &folder.egress,
            &folder.logs,
            &signals,
        ];
        let kept = kept
            .into_iter()
            .chain(stdio.iter().flatten())
            .map(AsRawFd::as_raw_fd);
        close_all_but(kept.chain([channel.as_fd().as_raw_fd()]).collect());
        let (listeners, network) = self.open_network()?;
        // Ids are mapped and the root is filled when this comes.
        channel
            .hear()
            .because("start_failed", "init")?
            .ok_or_else(|| WallError::new("start_failed", "launcher", "it is gone"))?;
        self.enter_root()?;
        let files = FileWall::prepare(
            &self.spec.landlock,
            self.off(Wall::Files),
            self.off(Wall::Mounts),
        )?;
        let layered = match &self.spec.root.overlay {
            Some(overlay) if !self.off(Wall::Mounts) => Some(Layered::new(
                overlay,
                self.spec.landlock.requirement,
                self.off(Wall::Files),
            )?),
            _ => None,
        };
        let own_ids = !self.off(Wall::Ids);
        if own_ids {
            ids::renounce()
        } else {
            ids::keep()
        }?;
        // Neither its memory nor its environment can be read from inside.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).because("start_failed", "init")?;
        let limits = &self.spec.limits;
        let by_rlimit = self.pids_by == Some("rlimit");
        let mut init = Init::new(Parts {
            id: self.spec.id.clone(),
            directory: self.spec.directory.clone(),
            generation: self.spec.generation,
            ports: self.spec.ports.clone(),
            grace: Duration::from_millis(self.spec.grace_ms),
            process: self
                .spec
                .process
                .as_ref()
                .map(|process| self.placed(process)),
            foreground: stdio.map(Foreground::new),
            walls: Walls {
                files,
                limits: ProcessLimits {
                    open_files: limits.open_files,
                    processes: limits.pids.filter(|_| by_rlimit),
                },
                no_new_privileges: own_ids,
                facts: Facts {
                    hosts_namespaces: self.hosts_namespaces,
                    cgroup: self.group,
                    pids_by: self.pids_by,
                    network,
                    off: self.spec.off.clone(),
                },
                calls: self.calls,
            },
            lock: folder.lock,
            control: folder.control,
            egress: folder.egress,
            logs: folder.logs,
            listeners,
            layered,
            signals,
        });
        let posture = init.begin()?;
        Ok((init, posture))
    }

    fn open_network(&self) -> Result<(Option<Listeners>, NetworkPosture)> {
        let mut posture = NetworkPosture {
            interfaces: vec![],
            capture: false,
            rules: 0,
        };
        let mut listeners = None;
        let hosts = self.off(Wall::Network) || matches!(self.spec.network, Network::Host);
        let mut flags = UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
        if !hosts {
            flags |= UnshareFlags::NEWNET;
        }
        // SAFETY: one thread, and no descriptor table is separated.
        unsafe { unshare_unsafe(flags) }.map_err(|error| namespaces_failed(&error.into()))?;
        if !hosts {
            match self.spec.network {
                Network::Host => {}
                Network::None => network::loopback()?,
                Network::Capture { address, port } => {
                    network::loopback()?;
                    let captured = network::capture(address, port)?;
                    posture.capture = true;
                    posture.rules = captured.rules;
                    listeners = Some(captured.listeners);
                }
            }
        }
        posture.interfaces = network::interfaces();
        Ok((listeners, posture))
    }

    fn enter_root(&self) -> Result<()> {
        let own_user = !(self.privileged && self.off(Wall::Ids));
        if own_user {
            ids::assume(&self.spec.identity, self.privileged)?;
        }
        // SAFETY: one thread, and no descriptor table is separated.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::NEWCGROUP) }
            .map_err(|error| namespaces_failed(&error.into()))?;
        let proc = if self.off(Wall::Pids) {
            Proc::Hosts
        } else {
            Proc::Own
        };
        enter(
            proc,
            !self.off(Wall::Mounts),
            own_user && !self.off(Wall::Ids),
        )?;
        rustix::system::sethostname(self.spec.hostname.as_bytes())
            .because("start_failed", "hostname")?;
        // A keyring of our own: the launcher's holds its user's keys. Without keyrings there is nothing to leave.
        // SAFETY: takes numbers and a null name.
        unsafe { libc::syscall(libc::SYS_keyctl, 1, 0) };
        let nothing = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .because("start_failed", "/dev/null")?;
        let silence = || -> rustix::io::Result<()> {
            rustix::stdio::dup2_stdin(&nothing)?;
            rustix::stdio::dup2_stdout(&nothing)?;
            rustix::stdio::dup2_stderr(&nothing)
        };
        silence().because("start_failed", "init")?;
        if rustix::process::umask(rustix::fs::Mode::from(0o022)).is_empty() {
            // The old one does not matter.
        }
        Ok(())
    }

    /// Without the private root (a test build) the workspace is where it lies on the host.
    fn placed(&self, process: &Process) -> Process {
        let mut process = process.clone();
        let bind = self
            .spec
            .root
            .binds
            .iter()
            .find(|bind| bind.to == process.cwd);
        if let Some(bind) = bind.filter(|_| self.off(Wall::Mounts)) {
            process.cwd.clone_from(&bind.from);
        }
        process
    }
}

/// Nothing that whoever launched us left open gets any further.
fn close_all_but(mut kept: Vec<i32>) {
    kept.sort_unstable();
    let mut from = 3;
    for descriptor in kept.into_iter().chain([i32::MAX]) {
        if descriptor > from {
            // SAFETY: what is closed here belongs to values of the launcher that this copy never touches again.
            unsafe { libc::syscall(libc::SYS_close_range, from, descriptor - 1, 0) };
        }
        from = from.max(descriptor.saturating_add(1));
    }
}
