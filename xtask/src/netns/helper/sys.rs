//! Taking charge of a file descriptor that this process was started with.
#![expect(unsafe_code, reason = "a number becomes an owned descriptor")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Owns the descriptor that the command line named. Called once for a number.
pub(super) fn inherited(number: RawFd) -> OwnedFd {
    // SAFETY: whoever started this process opened the descriptor for it and named it on the
    // command line, and nothing else in this process knows the number.
    unsafe { OwnedFd::from_raw_fd(number) }
}
