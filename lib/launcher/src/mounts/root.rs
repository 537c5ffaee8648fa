use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountPropagationFlags, mount_change};

use super::dev::Devices;
use super::mount::{self, Detached, NODEV, NOSUID, RO};
use super::overlay::Layers;
use super::site::{CANARY, Kind, Site};
use crate::error::{Because, Result};
use crate::spec::{BindMode, Ids, Root, permission_bits};

/// Enough for folders, links and small files; nothing is written there once the agent runs.
const ROOT_BYTES: u64 = 16 << 20;

/// Cuts this mount namespace off the host's: what is mounted here is seen nowhere else, and the reverse.
pub fn cut_off() -> Result<()> {
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )
    .because("mount_failed", "mount namespace")
}

/// Everything of the host that will be seen inside, taken by descriptor before anything covers it.
pub struct Sources {
    binds: Vec<(usize, Detached)>,
    devices: Devices,
    layers: Option<Layers>,
}

impl Sources {
    pub fn of_host(root: &Root, owner: Ids, as_root: bool) -> Result<Self> {
        let mut binds = Vec::new();
        for (number, bind) in root.binds.iter().enumerate() {
            let source = match Detached::copy_of(&bind.from) {
                Err(error) if bind.optional && error.kind() == std::io::ErrorKind::NotFound => {
                    continue;
                }
                source => source.because("mount_failed", format!("bind {}", bind.from))?,
            };
            let read_only = if bind.mode == BindMode::Ro { RO } else { 0 };
            source
                .restrict(NOSUID | NODEV | read_only)
                .because("mount_failed", format!("bind {}", bind.from))?;
            binds.push((number, source));
        }
        let overlay = root.overlay.as_ref();
        let layers = overlay.map(|overlay| Layers::of_host(overlay, owner, as_root));
        Ok(Sources {
            binds,
            devices: Devices::of_host()?,
            layers: layers.transpose()?,
        })
    }
}

/// Hangs an empty root over the working folder (hidden from now on, in this mount namespace alone) and works there.
pub fn plant(private: bool) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place = openat(CWD, ".", flags, Mode::empty()).because("mount_failed", "root")?;
    let empty = if private {
        let options = [
            ("mode", "0755".to_owned()),
            ("size", ROOT_BYTES.to_string()),
        ];
        Detached::new("tmpfs", &options, NOSUID | NODEV)
    } else {
        Detached::copy_of("/")
    };
    let root = empty
        .and_then(|empty| empty.attach(place))
        .because("mount_failed", "root")?;
    rustix::process::fchdir(&root).because("mount_failed", "root")?;
    Ok(root)
}

/// Fills the root, then closes it: from here on its own files and folders are read-only.
pub fn fill(root: OwnedFd, wanted: &Root, sources: Sources, owner: Ids) -> Result<()> {
    let mut site = Site::new(root, owner)?;
    for folder in [CANARY, "/proc", "/dev"] {
        site.place(folder, Kind::Folder)?;
    }
    for tmpfs in &wanted.tmpfs {
        let options = [
            (
                "mode",
                format!("{:o}", permission_bits(tmpfs.mode.as_deref(), 0o755)?),
            ),
            ("size", tmpfs.size_bytes.to_string()),
            ("uid", owner.uid.to_string()),
            ("gid", owner.gid.to_string()),
        ];
        let place = site.place(&tmpfs.at, Kind::Folder)?;
        Detached::new("tmpfs", &options, NOSUID | NODEV)
            .and_then(|made| made.attach(&place))
            .because("mount_failed", &tmpfs.at)?;
    }
    for (number, source) in sources.binds {
        let at = &wanted.binds[number].to;
        let folder = source.is_folder().because("mount_failed", at)?;
        let kind = if folder { Kind::Folder } else { Kind::File };
        let place = site.place(at, kind)?;
        source.attach(&place).because("mount_failed", at)?;
    }
    if let Some(layers) = sources.layers {
        layers.install(&site)?;
    }
    for file in &wanted.files {
        let mode = permission_bits(file.mode.as_deref(), 0o444)?;
        site.file(&file.at, &file.content, mode)?;
    }
    for link in &wanted.symlinks {
        site.symlink(&link.at, &link.to)?;
    }
    sources.devices.install(&site)?;
    mount::restrict(site.root(), RO).because("mount_failed", "root")
}

/// A test build without this wall: the host's own tree, in which only the places that exist are covered.
pub fn fill_open(wanted: &Root, sources: Sources) {
    for (number, source) in sources.binds {
        let at = &wanted.binds[number].to;
        if wanted.binds[number].mode == BindMode::Ro {
            continue;
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        if let Ok(place) = openat(CWD, &at[1..], flags, Mode::empty()) {
            let _ = source.attach(place);
        }
    }
}
