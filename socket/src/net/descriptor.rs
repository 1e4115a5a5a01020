//! [`ReadyFd`]: a socket's readiness as a file descriptor, for `poll`, `epoll` and every event
//! loop that knows only those.
//!
//! An eventfd that is readable (POLLIN) while the socket is ready for what was asked: raised by
//! what the hub tells, lowered by the calls on the socket that find nothing more. Level-triggered,
//! with spurious wake-ups as everywhere: a non-blocking attempt answers `WouldBlock` then.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use crate::hub::Readiness;

/// What readiness is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Reading or accepting would not wait.
    Readable,
    /// Writing would not wait, or a connect is over.
    Writable,
    /// Either.
    Both,
}

impl Interest {
    /// An error or the end is news for everybody.
    pub(super) fn is_met(self, ready: Readiness) -> bool {
        let over = ready.hangup || ready.error;
        let (readable, writable) = (ready.readable || ready.read_hangup, ready.writable);
        over || match self {
            Self::Readable => readable,
            Self::Writable => writable,
            Self::Both => readable || writable,
        }
    }
}

/// A descriptor that is readable while a socket is ready. It belongs to the socket it was made
/// from and says nothing any more once that is closed.
#[derive(Debug)]
pub struct ReadyFd {
    shared: Arc<Level>,
}

impl AsFd for ReadyFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.fd.as_fd()
    }
}

impl AsRawFd for ReadyFd {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.fd.as_raw_fd()
    }
}

#[derive(Debug)]
struct Level {
    fd: OwnedFd,
    interest: Interest,
    high: Mutex<bool>,
}

impl Level {
    fn set(&self, wanted: bool) {
        let mut high = self.high.lock();
        if wanted && !*high {
            // Cannot fail: the counter is 0.
            let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
        } else if !wanted && *high {
            let _ = rustix::io::read(&self.fd, &mut [0; 8]);
        }
        *high = wanted;
    }
}

/// All descriptors made for one socket.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    levels: Mutex<Vec<Weak<Level>>>,
}

impl Descriptors {
    /// One more. Descriptors are few; those that were dropped are forgotten here.
    pub(super) fn add(&self, interest: Interest) -> io::Result<ReadyFd> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Level { fd, interest, high: Mutex::new(false) });
        let mut levels = self.levels.lock();
        levels.retain(|level| level.strong_count() > 0);
        levels.push(Arc::downgrade(&shared));
        Ok(ReadyFd { shared })
    }

    /// The socket is ready for all this.
    pub(super) fn raise(&self, readiness: Readiness) {
        for level in self.levels.lock().iter().filter_map(Weak::upgrade) {
            if level.interest.is_met(readiness) {
                level.set(true);
            }
        }
    }

    /// The socket is ready for this and no more, unless `current` says that it changed meanwhile.
    pub(super) fn settle(&self, readiness: Readiness, current: impl FnOnce() -> bool) {
        let levels = self.levels.lock();
        // A change that is counted from here on waits for the lock, and raises after us.
        let current = current();
        for level in levels.iter().filter_map(Weak::upgrade) {
            let met = level.interest.is_met(readiness);
            if current || met {
                level.set(met);
            }
        }
    }
}
