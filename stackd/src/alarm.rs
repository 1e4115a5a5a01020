//! When a stage wants to be polled, and how its owner sleeps until then.
//!
//! Whoever runs a stage publishes its next deadline here, under the stage's lock. The owner's
//! thread sleeps until the deadline it saw when it lay down, and is woken only if a later run
//! found an earlier one: a retransmission timer that every acknowledgement pushes back costs a
//! store, not a wake-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use layer::Instant;
use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;

const NEVER: u64 = u64::MAX;
/// An owner that is up needs no waking, whatever the deadline.
const AWAKE: u64 = 0;

/// Somebody who sleeps and can be woken, once or many times, before or while it sleeps.
pub trait Wake: Send + Sync {
    /// Ends the present sleep, or else the next one.
    fn wake(&self);
}

/// A deadline with a sleeper. See the module's head.
pub struct Alarm {
    due: AtomicU64,
    until: AtomicU64,
    sleeper: Arc<dyn Wake>,
}

impl Alarm {
    /// An alarm that is due at once: whoever owns it looks once before it sleeps.
    pub fn new(sleeper: Arc<dyn Wake>) -> Self {
        Self { due: AtomicU64::new(AWAKE), until: AtomicU64::new(AWAKE), sleeper }
    }

    /// The next deadline is `due`. Call it under the lock of what the deadline belongs to, and
    /// [`Alarm::rouse`] after unlocking.
    pub fn set(&self, due: Option<Instant>) {
        let due = due.map_or(NEVER, Instant::as_nanos);
        if self.due.load(Ordering::Relaxed) != due {
            self.due.store(due, Ordering::SeqCst);
        }
    }

    /// Wakes the owner if it would sleep past the deadline.
    pub fn rouse(&self) {
        if self.due.load(Ordering::SeqCst) < self.until.load(Ordering::SeqCst) {
            self.sleeper.wake();
        }
    }

    /// Wakes the owner whatever the deadline.
    pub fn wake(&self) {
        self.sleeper.wake();
    }

    /// The next deadline.
    pub fn due(&self) -> Option<Instant> {
        let due = self.due.load(Ordering::SeqCst);
        (due != NEVER).then(|| Instant::from_nanos(due))
    }

    /// Owner: true if the deadline has come. It is cleared then: the run that must follow sets
    /// the next one.
    pub fn take_due(&self, now: Instant) -> bool {
        let due = self.due.load(Ordering::SeqCst);
        due <= now.as_nanos()
            && self.due.compare_exchange(due, NEVER, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Owner: about to sleep. Until when, at most?
    pub fn lie_down(&self) -> Option<Instant> {
        loop {
            let due = self.due.load(Ordering::SeqCst);
            self.until.store(due, Ordering::SeqCst);
            // A deadline published since then either is seen here, or its publisher saw `until`.
            if self.due.load(Ordering::SeqCst) >= due {
                return (due != NEVER).then(|| Instant::from_nanos(due));
            }
        }
    }

    /// Owner: slept enough.
    pub fn get_up(&self) {
        self.until.store(AWAKE, Ordering::SeqCst);
    }
}

/// Sleeping on a condition variable, for owners that wait for nothing but the clock.
#[derive(Default)]
pub struct Parker {
    woken: Mutex<bool>,
    condvar: Condvar,
}

impl Parker {
    /// Sleeps until `deadline` or until woken. Nanoseconds, as far as the kernel keeps them.
    pub fn sleep(&self, clock: Clock, deadline: Option<Instant>) {
        let mut woken = self.woken.lock();
        while !*woken {
            match deadline.and_then(|at| clock.at(at)) {
                Some(at) => {
                    if self.condvar.wait_until(&mut woken, at).timed_out() {
                        break;
                    }
                }
                None => self.condvar.wait(&mut woken),
            }
        }
        *woken = false;
    }
}

impl Wake for Parker {
    fn wake(&self) {
        *self.woken.lock() = true;
        self.condvar.notify_one();
    }
}
