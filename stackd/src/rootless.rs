//! Running as an ordinary user: a user and network namespace of our own, with the TAP inside it.
//!
//! Entering namespaces is for processes of one thread only, so this happens first in `main`. What
//! the kernel or its administrator forbids is answered with the command that, run once, would
//! allow it. Left out: connecting the new namespace to the world (the stack itself is its world).

mod sys;

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::{getgid, getuid};
use rustix::thread::{CapabilitySet, capabilities};

/// The node that makes TAPs.
const TUN: &str = "/dev/net/tun";

/// Why there is no namespace of our own. Each message ends with what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootlessError {
    /// No driver.
    #[error(
        "there is no {TUN} here\n  help: `sudo modprobe tun` makes it; in a container, pass the \
         device in (docker: --device {TUN})"
    )]
    NoTun,
    /// The node is closed to us.
    #[error(
        "{TUN} may not be opened by this user\n  help: run once: sudo chmod 0666 {TUN}\n  \
         (opening it gives no right to touch any interface; most systems ship it open)"
    )]
    TunClosed,
    /// The kernel refuses namespaces.
    #[error("the kernel refuses this user a namespace of its own: {source}\n  help: {advice}")]
    Refused {
        /// What it said.
        source: io::Error,
        /// What to do.
        advice: String,
    },
    /// The namespace is there, but without power.
    #[error("cannot map this user into its namespace: {source}\n  help: {advice}")]
    NotMapped {
        /// What the kernel said.
        source: io::Error,
        /// What to do.
        advice: String,
    },
}

/// Whether this process may configure interfaces where it is.
pub(crate) fn is_privileged() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN))
}

/// Moves this process, which must have one thread only, into a user and network namespace of its
/// own, where it is root.
pub(crate) fn enter(tap: &str) -> Result<(), RootlessError> {
    if !Path::new(TUN).exists() {
        return Err(RootlessError::NoTun);
    }
    access(TUN, Access::READ_OK | Access::WRITE_OK).map_err(|_| RootlessError::TunClosed)?;
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    sys::unshare_user_and_network()
        .map_err(|source| RootlessError::Refused { source, advice: advice(tap) })?;
    map(uid, gid).map_err(|source| RootlessError::NotMapped { source, advice: advice(tap) })
}

/// Root inside is this user outside.
fn map(uid: u32, gid: u32) -> io::Result<()> {
    // Without this an unprivileged process may not map its group (user_namespaces(7)).
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Which switch stands in the way here, and how to go without.
fn advice(tap: &str) -> String {
    let is = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|v| v.trim() == value);
    let switch = if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "run once: sudo sysctl -w kernel.unprivileged_userns_clone=1\n  "
    } else if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "run once: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n  "
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        "run once: sudo sysctl -w user.max_user_namespaces=10000\n  "
    } else {
        "in a container, start it with the rights to make namespaces (docker: --privileged)\n  "
    };
    format!("{switch}or, without namespaces, let root make the TAP once:\n{}", tap_by_root(tap))
}

/// The commands with which root prepares a TAP for this user.
pub(crate) fn tap_by_root(tap: &str) -> String {
    format!(
        "    sudo ip tuntap add dev {tap} mode tap user $USER\n    \
         sudo ip address add 10.9.0.1/24 dev {tap} && sudo ip link set {tap} up"
    )
}
