//! Sockets for threads that wait, shaped and named as in `std::net`.
//!
//! ```text
//!   a thread                                the stack's threads
//!   TcpStream::read                         hub puts out Ready::Changed
//!     1 note the waiter's epoch                     |
//!     2 try: Carrier::with_hub(hub.receive)         v
//!     3 EAGAIN: sleep until the epoch moves <-- Wakers::notify(ready)
//! ```
//!
//! The epoch is read before the attempt, so a change between attempt and sleep moves it and the
//! sleep ends at once: no wake-up is lost. Time comes from the carrier with every attempt; nothing
//! here reads a clock. Payload is copied outside the hub where it is large.
//!
//! Futures, of any runtime, wait in the same way ([`TcpStream::poll_read`] and the like leave their
//! waker behind), and so do programs with an event loop of their own ([`TcpStream::ready_fd`]).
//!
//! Beyond std: [`TcpSocket`] to configure before listening or connecting, keep-alive times,
//! congestion control by name, user timeout, TCP_INFO, halves that are owned apart, and bytes in
//! and out by reference. Left out: names of hosts (see [`ToSocketAddrs`]) and multicast groups.
//!
//! Who owns the stack implements [`Carrier`] and passes everything that leaves the hub upward to
//! [`Wakers::notify`].

mod addresses;
mod blocks;
mod descriptor;
mod handle;
mod options;
mod poll;
mod poller;
mod tasks;
mod tcp;
mod udp;
mod wakers;
mod watch;

/// What `tasks` is made from; the loom test puts loom's in its place.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

    pub(crate) use parking_lot::{Mutex, MutexGuard as Guard};
}

use std::io;
use std::sync::Arc;

use layer::{Duration, Instant, Out};

pub use self::addresses::ToSocketAddrs;
pub use self::descriptor::{Interest, ReadyFd};
pub use self::options::KeepAlive;
pub use self::poll::Retry;
pub use self::poller::{Pollable, Poller};
pub use self::tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReuniteError, TcpListener, TcpSocket, TcpStream,
};
pub use self::udp::UdpSocket;
pub use self::wakers::Wakers;
pub use self::watch::Watch;
use crate::Errno;
use crate::hub::Hub;

/// The way of an application's call into the stack.
pub trait Carrier: Send + Sync {
    /// Runs `call` once with the time, the hub and its outlets, then lets the stack act on what
    /// came out. A stack that has ended does not run it: the caller is told `ENETDOWN`.
    fn with_hub(&self, call: &mut dyn FnMut(Instant, &mut Hub, &mut Out<'_, Hub>));

    /// The calling thread would only sleep until `wanted` says true, at most `limit`: lets it wait
    /// for the devices and carry the stack on meanwhile. False, at once, if that is not needed.
    fn lead(&self, wanted: &dyn Fn() -> bool, limit: Option<Duration>) -> bool {
        let _ = (wanted, limit);
        false
    }

    /// The calling thread has just given the stack much to send: an opportunity to take in what
    /// came back from the devices, without waiting.
    fn visit(&self) {}

    /// Makes a thread that is in [`Carrier::lead`] look again at what it wants.
    fn nudge(&self) {}
}

/// A stack as programs see it; clones are the same stack.
#[derive(Clone)]
pub struct Stack {
    carrier: Arc<dyn Carrier>,
    wakers: Arc<Wakers>,
    blocks: Arc<blocks::Blocks>,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("wakers", &self.wakers).finish_non_exhaustive()
    }
}

impl Stack {
    /// A stack that is reached by `carrier`, and whose changes come to `wakers`.
    pub fn new(carrier: Arc<dyn Carrier>, wakers: Arc<Wakers>) -> Self {
        wakers.reach(&carrier);
        Self { carrier, wakers, blocks: Arc::default() }
    }

    /// Calls into the hub: for everything that this module does not offer.
    ///
    /// # Errors
    ///
    /// Those of the call, and `ENETDOWN` if the stack has ended.
    pub fn with_hub<R>(
        &self,
        call: impl FnOnce(&mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> io::Result<R> {
        let (_, result) = self.call(|_, hub, out| call(hub, out));
        Ok(result?)
    }

    /// See [`Carrier::visit`].
    fn visit(&self) {
        self.carrier.visit();
    }

    /// As [`Stack::with_hub`], with the time of the call.
    fn call<R>(
        &self,
        call: impl FnOnce(Instant, &mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> (Instant, Result<R, Errno>) {
        let mut call = Some(call);
        let mut answer = (Instant::ZERO, Err(Errno::NETDOWN));
        self.carrier.with_hub(&mut |now, hub, out| {
            if let Some(call) = call.take() {
                answer = (now, call(now, hub, out));
            }
        });
        answer
    }
}

#[cfg(test)]
mod tests;
