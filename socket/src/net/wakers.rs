//! [`Wakers`]: who waits for which socket, and how.
//!
//! A thread that would only sleep may do the stack's own waiting ([`Carrier::lead`]): what
//! it waits for comes without another thread having to wake it, the dearest part of a round trip.
//! Where the carrier has no use for it, it sleeps on a condition variable.

use core::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use layer::Duration;
use layer::boundary::SocketId;
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxBuildHasher;

use super::Carrier;
use super::descriptor::Descriptors;
use super::poller::Registration;
use super::tasks::Tasks;
use super::watch::Watched;
use crate::hub::{Readiness, Ready};

thread_local! {
    /// This thread leads: it looks by itself whether what it waits for has come.
    static LEADS: Cell<bool> = const { Cell::new(false) };
}

/// Threads that wait until a socket changes.
#[derive(Default)]
pub struct Wakers {
    by_socket: Mutex<HashMap<SocketId, Arc<Waiter>, FxBuildHasher>>,
    carrier: OnceLock<Weak<dyn Carrier>>,
    /// Threads that sleep on a condition variable.
    sleepers: AtomicUsize,
}

impl std::fmt::Debug for Wakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wakers").field("sleepers", &self.sleepers).finish_non_exhaustive()
    }
}

impl Wakers {
    /// Nobody waits yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Passes on what the hub put out. Called by the stack's owner for every item; it never waits
    /// for an application.
    pub fn notify(&self, ready: &Ready) {
        match ready {
            Ready::Changed { socket, readiness } => {
                let waiter = self.by_socket.lock().get(socket).cloned();
                if let Some(waiter) = waiter {
                    self.tell(&waiter, *readiness);
                }
            }
            // Threads call the hub directly and get their answers there.
            Ready::Answer { .. } => {}
        }
    }

    /// Wakes everybody: the stack has ended, and their next attempt will say so.
    pub fn wake_all(&self) {
        // What is woken may close its socket: not under the lock.
        let waiters: Vec<Arc<Waiter>> = self.by_socket.lock().values().cloned().collect();
        let over = Readiness { error: true, ..Readiness::default() };
        waiters.iter().for_each(|waiter| self.tell(waiter, over));
    }

    fn tell(&self, waiter: &Waiter, readiness: Readiness) {
        self.wake(waiter);
        if let Some(descriptors) = waiter.descriptors.get() {
            descriptors.raise(readiness);
        }
    }

    /// Threads that sleep until somebody wakes them.
    pub fn sleepers(&self) -> usize {
        self.sleepers.load(Ordering::SeqCst)
    }

    pub(super) fn reach(&self, carrier: &Arc<dyn Carrier>) {
        // The first stack that uses these wakers is the only one.
        let _ = self.carrier.set(Arc::downgrade(carrier));
    }

    pub(super) fn register(&self, socket: SocketId) -> Arc<Waiter> {
        Arc::clone(self.by_socket.lock().entry(socket).or_default())
    }

    pub(super) fn forget(&self, socket: SocketId) {
        self.by_socket.lock().remove(&socket);
    }

    pub(super) fn wake(&self, waiter: &Waiter) {
        // Whoever sleeps has seen the old epoch under the lock that this takes, or will see the
        // new one.
        waiter.tasks.changed();
        if waiter.leading.load(Ordering::SeqCst) > 0
            && !LEADS.get()
            && let Some(carrier) = self.carrier.get().and_then(Weak::upgrade)
        {
            carrier.nudge();
        }
        waiter.changed.notify_all();
        if let Some(registration) = waiter.registration.get() {
            registration.changed(self);
        }
        if let Some(Watched { socket, watch }) = waiter.watched.get() {
            watch.changed(*socket);
        }
    }

    /// Waits until `waiter` was woken since `seen`, at most `limit`. May end early.
    pub(super) fn wait(&self, waiter: &Waiter, seen: u64, limit: Option<Duration>) {
        let changed = || waiter.epoch() != seen;
        if let Some(carrier) = self.carrier.get().and_then(Weak::upgrade) {
            waiter.leading.fetch_add(1, Ordering::SeqCst);
            LEADS.set(true);
            let led = carrier.lead(&changed, limit);
            LEADS.set(false);
            waiter.leading.fetch_sub(1, Ordering::SeqCst);
            if led {
                return;
            }
        }
        let mut sleep = waiter.tasks.lock();
        if changed() {
            return;
        }
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        // A spurious wake-up costs the caller one more attempt.
        match limit {
            Some(limit) => {
                waiter.changed.wait_for(&mut sleep, limit);
            }
            None => waiter.changed.wait(&mut sleep),
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Where the threads that use one socket, or one [`super::Poller`], wait.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    /// Futures, and the count of changes.
    pub(super) tasks: Tasks,
    /// Threads that lead the stack, or are about to, until this changes.
    leading: AtomicUsize,
    /// Threads that sleep, under the lock of `tasks`.
    changed: Condvar,
    /// The poller that watches this socket.
    pub(super) registration: OnceLock<Arc<Registration>>,
    /// Those who wait by `poll(2)`.
    pub(super) descriptors: OnceLock<Box<Descriptors>>,
    /// Who is told besides.
    pub(super) watched: OnceLock<Watched>,
}

impl Waiter {
    /// To be read before an attempt, and given to `wait` if it failed.
    pub(super) fn epoch(&self) -> u64 {
        self.tasks.epoch()
    }
}
