//! The one system call of `rootless` that rustix leaves to its caller's judgement.
#![expect(unsafe_code, reason = "unshare can split what threads share")]

use std::io;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// New user and network namespaces for this process.
pub(super) fn unshare_user_and_network() -> io::Result<()> {
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNET;
    // SAFETY: descriptor tables stay shared (no FILES); namespaces are no matter of memory safety.
    // With more than one thread the kernel answers EINVAL.
    unsafe { unshare_unsafe(flags) }?;
    Ok(())
}
