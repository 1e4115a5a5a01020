//! [`News`]: sockets that the hub said something about, and how a sleeping exchange hears of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use layer::boundary::SocketId;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use socket::net::Watch;

/// Sockets that changed, each as often as it did.
pub(super) struct News {
    changed: Mutex<Vec<SocketId>>,
    /// The exchange will look before it sleeps; or the event descriptor was written to.
    awake: AtomicBool,
    bell: OwnedFd,
}

impl News {
    pub(super) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { changed: Mutex::default(), awake: AtomicBool::new(true), bell })
    }

    /// Readable, edge by edge, when there is news for a sleeper. It is never read.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Whether there is nothing to do. Whatever comes from here on rings the bell.
    pub(super) fn may_sleep(&self) -> bool {
        self.awake.store(false, Ordering::SeqCst);
        let empty = self.changed.lock().is_empty();
        if !empty {
            self.awake.store(true, Ordering::SeqCst);
        }
        empty
    }

    /// Nobody sleeps: no bell is needed.
    pub(super) fn woke(&self) {
        self.awake.store(true, Ordering::SeqCst);
    }

    /// What came since.
    pub(super) fn take(&self) -> Vec<SocketId> {
        core::mem::take(&mut *self.changed.lock())
    }
}

impl Watch for News {
    fn changed(&self, socket: SocketId) {
        self.changed.lock().push(socket);
        if !self.awake.swap(true, Ordering::SeqCst) {
            // It fails only where it is full, and then it rings.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(news: &News) -> bool {
        rustix::io::read(news.descriptor(), &mut [0u8; 8]).is_ok()
    }

    #[test]
    fn a_sleeper_is_rung_for_once_and_who_is_awake_is_not() {
        let news = News::new().unwrap();
        news.changed(SocketId(1));
        assert!(!rung(&news), "awake: it looks by itself");
        assert!(!news.may_sleep(), "there is something to look at");
        assert_eq!(news.take(), [SocketId(1)]);
        assert!(news.may_sleep());
        news.changed(SocketId(2));
        assert!(rung(&news));
        news.changed(SocketId(3));
        assert!(!rung(&news), "it is awake by now");
        news.woke();
        assert_eq!(news.take(), [SocketId(2), SocketId(3)]);
    }
}
