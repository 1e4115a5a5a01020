//! [`Wakers`]: who sleeps for which socket.

use std::collections::HashMap;
use std::sync::Arc;

use layer::Duration;
use layer::boundary::SocketId;
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxBuildHasher;

use crate::hub::Ready;

/// Threads that sleep until a socket changes.
#[derive(Debug, Default)]
pub struct Wakers {
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    by_socket: HashMap<SocketId, Arc<Waiter>, FxBuildHasher>,
}

impl Wakers {
    /// Nobody sleeps yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Passes on what the hub put out. Called by the stack's owner for every item; it never waits
    /// for an application.
    pub fn notify(&self, ready: &Ready) {
        match ready {
            Ready::Changed { socket, readiness: _ } => {
                let waiter = self.waiters.lock().by_socket.get(socket).cloned();
                if let Some(waiter) = waiter {
                    waiter.wake();
                }
            }
            // Threads call the hub directly and get their answers there.
            Ready::Answer { .. } => {}
        }
    }

    /// Wakes everybody: the stack has ended, and their next attempt will say so.
    pub fn wake_all(&self) {
        let waiters = self.waiters.lock();
        #[expect(clippy::iter_over_hash_type, reason = "the order in which threads wake is free")]
        for waiter in waiters.by_socket.values() {
            waiter.wake();
        }
    }

    pub(super) fn register(&self, socket: SocketId) -> Arc<Waiter> {
        Arc::clone(self.waiters.lock().by_socket.entry(socket).or_default())
    }

    pub(super) fn forget(&self, socket: SocketId) {
        self.waiters.lock().by_socket.remove(&socket);
    }
}

/// Where the threads that use one socket sleep.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    /// Counts changes of the socket.
    epoch: Mutex<u64>,
    changed: Condvar,
}

impl Waiter {
    /// To be read before an attempt, and given to `wait` if it failed.
    pub(super) fn epoch(&self) -> u64 {
        *self.epoch.lock()
    }

    /// Sleeps until the socket has changed since `seen`, at most `limit`.
    pub(super) fn wait(&self, seen: u64, limit: Option<Duration>) {
        let mut epoch = self.epoch.lock();
        if *epoch != seen {
            return;
        }
        // A spurious wake-up costs the caller one more attempt.
        match limit {
            Some(limit) => {
                self.changed.wait_for(&mut epoch, limit);
            }
            None => self.changed.wait(&mut epoch),
        }
    }

    fn wake(&self) {
        *self.epoch.lock() += 1;
        self.changed.notify_all();
    }
}
