//! Waking a thread that waits for descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use layer::Instant;
use rustix::event::{EventfdFlags, eventfd};

use crate::alarm::Wake;
use crate::lane::Ring;

/// An eventfd: readable once somebody woke its owner.
#[derive(Debug)]
pub struct EventFd {
    fd: OwnedFd,
}

impl EventFd {
    /// A new one, not readable yet.
    ///
    /// # Errors
    ///
    /// No descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// Makes it unreadable again.
    pub fn clear(&self) {
        // Already so: nothing to read. There is no other error.
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Wake for EventFd {
    fn wake(&self) {
        // Fails only when 2^64 - 2 wakes are pending, and then it is readable anyway.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }
}

impl Ring for EventFd {
    fn ring(&self, _: Option<Instant>) {
        self.wake();
    }
}
