//! [`Poller`]: one thread that serves many sockets.
//!
//! Edge-triggered: a token is reported when its socket was added and whenever something may have
//! changed since it was last reported. Who is told tries until `WouldBlock`.
//!
//! ```text
//!   hub --Changed--> Wakers::wake(waiter) --> Registration --> queue of tokens --> Poller::wait
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use layer::Duration;
use parking_lot::Mutex;

use super::handle::Handle;
use super::wakers::{Waiter, Wakers};
use super::{Stack, TcpListener, TcpStream, UdpSocket};

/// Tells one thread which of many sockets can go on. See the module's head.
#[derive(Debug)]
pub struct Poller {
    stack: Stack,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiter: Waiter,
    queue: Mutex<VecDeque<Arc<Registration>>>,
}

/// A socket that a poller watches.
#[derive(Debug)]
pub(super) struct Registration {
    token: usize,
    /// It stands in the queue.
    queued: AtomicBool,
    shared: Arc<Shared>,
}

impl Registration {
    /// Its socket changed.
    pub(super) fn changed(self: &Arc<Self>, wakers: &Wakers) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            self.shared.queue.lock().push_back(Arc::clone(self));
            wakers.wake(&self.shared.waiter);
        }
    }
}

/// A socket that a [`Poller`] can watch.
pub trait Pollable: sealed::Sealed {}

mod sealed {
    pub trait Sealed {
        fn handle(&self) -> &super::Handle;
    }
}

impl sealed::Sealed for TcpListener {
    fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl sealed::Sealed for TcpStream {
    fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl sealed::Sealed for UdpSocket {
    fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Pollable for TcpListener {}
impl Pollable for TcpStream {}
impl Pollable for UdpSocket {}

impl Poller {
    /// A poller of this stack's sockets that watches none yet.
    pub fn new(stack: &Stack) -> Self {
        Self { stack: stack.clone(), shared: Arc::default() }
    }

    /// Watches a socket, which becomes non-blocking, and reports it once at once. Dropping the
    /// socket ends it; a report may still be under way then.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if a poller watches it already.
    pub fn add(&self, socket: &impl Pollable, token: usize) -> std::io::Result<()> {
        let handle = socket.handle();
        let (queued, shared) = (AtomicBool::new(false), Arc::clone(&self.shared));
        let registration = Arc::new(Registration { token, queued, shared });
        if handle.waiter.registration.set(Arc::clone(&registration)).is_err() {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        handle.set_nonblocking(true);
        registration.changed(&self.stack.wakers);
        Ok(())
    }

    /// Waits until at least one socket may go on, at most `limit`, and appends the tokens of all
    /// that may.
    pub fn wait(&self, tokens: &mut Vec<usize>, limit: Option<Duration>) {
        let seen = self.shared.waiter.epoch();
        if self.take(tokens) {
            return;
        }
        self.stack.wakers.wait(&self.shared.waiter, seen, limit);
        self.take(tokens);
    }

    /// Reports `token` again although nothing changed: whoever stops before `WouldBlock`, so that
    /// others get their turn, comes back this way.
    pub fn again(&self, socket: &impl Pollable) {
        if let Some(registration) = socket.handle().waiter.registration.get() {
            registration.changed(&self.stack.wakers);
        }
    }

    fn take(&self, tokens: &mut Vec<usize>) -> bool {
        let before = tokens.len();
        let mut queue = self.shared.queue.lock();
        for registration in queue.drain(..) {
            // From here on a change queues it again: the attempt that follows sees older ones.
            registration.queued.store(false, Ordering::SeqCst);
            tokens.push(registration.token);
        }
        tokens.len() > before
    }
}
