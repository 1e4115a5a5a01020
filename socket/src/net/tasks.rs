//! [`Tasks`]: futures that wait for a socket, and the count of its changes.
//!
//! ```text
//!    a future                                 the stack
//!    1 seen = epoch()                         a epoch + 1
//!    2 try: EAGAIN                            b lock, take all wakers, unlock
//!    3 lock, leave the waker, look at the     c wake them
//!      epoch again, unlock
//! ```
//!
//! Either 3 comes before b, and the waker is found there; or after it, and the epoch has moved:
//! the future tries again. `tests/loom_tasks.rs` checks it in every interleaving.
//!
//! Each direction of a socket has one place, where the last waker counts, as `poll_*` functions
//! are used; further futures have places of their own, which they give back. So the list is as
//! long as there are futures.

use core::task::Waker;

use super::sync::{AtomicU64, Guard, Mutex, Ordering};

/// The place of `poll_read`, `poll_accept`, `poll_recv`.
pub(super) const READ: u64 = 0;
/// The place of `poll_write`, `poll_send`, `poll_connected`.
pub(super) const WRITE: u64 = 1;
/// The first place of futures that stand beside these.
const OTHERS: u64 = 2;

/// Wakers by place.
pub(super) type Waiting = Vec<(u64, Waker)>;

/// Who is woken by a change. See the module's head.
#[derive(Debug)]
pub(super) struct Tasks {
    /// Counts changes.
    epoch: AtomicU64,
    next_place: AtomicU64,
    waiting: Mutex<Waiting>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            next_place: AtomicU64::new(OTHERS),
            waiting: Mutex::new(Waiting::new()),
        }
    }
}

impl Tasks {
    /// To be read before an attempt, and given to `wait` if it failed.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// A place for one more future.
    pub(super) fn place(&self) -> u64 {
        self.next_place.fetch_add(1, Ordering::Relaxed)
    }

    /// Leaves `waker` to be woken by the next change. False if there was one since `seen`: try
    /// again instead.
    pub(super) fn wait(&self, seen: u64, place: u64, waker: &Waker) -> bool {
        let mut waiting = self.waiting.lock();
        if self.epoch() != seen {
            return false;
        }
        let replaced = match waiting.iter_mut().find(|(of, _)| *of == place) {
            Some((_, before)) if before.will_wake(waker) => None,
            Some((_, before)) => Some(core::mem::replace(before, waker.clone())),
            None => {
                waiting.push((place, waker.clone()));
                None
            }
        };
        drop(waiting);
        // Dropping a waker may run anything: not under the lock.
        drop(replaced);
        true
    }

    /// A future that stood here is no more.
    pub(super) fn forget(&self, place: u64) {
        let mut waiting = self.waiting.lock();
        let found = waiting.iter().position(|(of, _)| *of == place);
        let waker = found.map(|index| waiting.swap_remove(index));
        drop(waiting);
        drop(waker);
    }

    /// Something changed: counts it and wakes all that wait.
    pub(super) fn changed(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        // Whoever waits has seen the old epoch under this lock, or will see the new one.
        let waiting = core::mem::take(&mut *self.waiting.lock());
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// The lock under which the epoch is looked at: for threads that sleep on a condition.
    pub(super) fn lock(&self) -> Guard<'_, Waiting> {
        self.waiting.lock()
    }
}
