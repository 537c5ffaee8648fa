//! The network wall: a namespace with loopback alone, in which every TCP connection comes to listeners that are handed
//! out, and every other packet goes nowhere.

mod capture;
pub mod diag;
mod netlink;
mod nft;
mod route;

use std::net::Ipv4Addr;

pub use capture::Listeners;

use crate::error::{Because, Result, WallError};

/// What the kernel said after the rules were set.
pub struct Captured {
    pub listeners: Listeners,
    /// Counted in the kernel, not in our list.
    pub rules: usize,
}

/// Brings loopback up. Called in the new namespace.
pub fn loopback() -> Result<()> {
    route::Route::open()
        .and_then(|mut route| route.bring_up_loopback())
        .because("network_failed", "loopback")
}

/// Brings every TCP port and DNS of every address to listeners of this process.
pub fn capture(address: Ipv4Addr, port: u16) -> Result<Captured> {
    let routed = || -> std::io::Result<()> {
        let mut route = route::Route::open()?;
        route.add_address(address)?;
        route.everything_is_local()
    };
    routed().because("network_failed", "routes of the sandbox")?;
    let rules = nft::capture(port).map_err(|error| {
        WallError::new(
            "nf_tables_unavailable",
            "network wall",
            format!("the capture rules cannot be set: {error}"),
        )
        .hint("load the kernel's nf_tables and nft_tproxy modules: modprobe nf_tables nft_tproxy")
    })?;
    Ok(Captured {
        listeners: Listeners::open(port).because("network_failed", "capture listeners")?,
        rules,
    })
}

/// The names of the interfaces that this process sees.
pub fn interfaces() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    table
        .lines()
        .skip(2)
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect()
}
