//! [`Handle`]: a socket with an owner, and how its owner waits.

use core::task::{Context, Poll};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use layer::boundary::SocketId;
use layer::{Duration, Instant, Out};

use super::Stack;
use super::descriptor::{Interest, ReadyFd};
use super::wakers::Waiter;
use crate::Errno;
use crate::hub::{Hub, Kind, OptionValue, Readiness, SocketOption};

/// An open socket; dropping it closes it. Public only in name: the module is not.
#[derive(Debug)]
pub struct Handle {
    stack: Stack,
    pub(super) id: SocketId,
    pub(super) waiter: Arc<Waiter>,
    nonblocking: AtomicBool,
    pub(super) read_timeout: Timeout,
    pub(super) write_timeout: Timeout,
}

/// How long to wait; shared by all clones of a socket, as in POSIX.
#[derive(Debug, Default)]
pub(super) struct Timeout {
    /// 0 means for ever.
    nanos: AtomicU64,
}

impl Timeout {
    pub(super) fn get(&self) -> Option<Duration> {
        match self.nanos.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// As in std, a timeout of zero is refused: it would mean the opposite.
    pub(super) fn set(&self, limit: Option<Duration>) -> io::Result<()> {
        if limit == Some(Duration::ZERO) {
            return Err(Errno::INVAL.into());
        }
        let nanos = limit.map_or(0, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        self.nanos.store(nanos, Ordering::Relaxed);
        Ok(())
    }
}

/// What one attempt came to, and when it was made.
pub(super) type Attempted<R> = (Instant, Result<R, Errno>);

/// The attempt found nothing: it is worth waiting for the next change.
fn is_early(errno: Errno) -> bool {
    matches!(errno, Errno::AGAIN | Errno::INPROGRESS)
}

impl Handle {
    /// A copy of as much of `data` as one write takes, outside the hub.
    pub(super) fn copy(&self, data: &[u8]) -> Bytes {
        self.stack.blocks.copy(data)
    }

    pub(super) fn open(stack: &Stack, kind: Kind) -> io::Result<Self> {
        let id = stack.with_hub(|hub, _| hub.socket(kind))?;
        Ok(Self::adopt(stack, id))
    }

    /// Takes over a socket that the hub has made.
    pub(super) fn adopt(stack: &Stack, id: SocketId) -> Self {
        Self {
            stack: stack.clone(),
            id,
            waiter: stack.wakers.register(id),
            nonblocking: AtomicBool::new(false),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
        }
    }

    pub(super) fn stack(&self) -> &Stack {
        &self.stack
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// One attempt, and when it was made. All calls on the socket come through here.
    pub(super) fn call<R>(
        &self,
        call: impl FnOnce(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> Attempted<R> {
        let id = self.id;
        let Some(descriptors) = self.waiter.descriptors.get() else {
            return self.stack.call(|_, hub, out| call(id, hub, out));
        };
        let seen = self.waiter.epoch();
        let mut readiness = Readiness::default();
        let answer = self.stack.call(|_, hub, out| {
            let result = call(id, hub, out);
            readiness = hub.poll_socket(id).unwrap_or_default();
            result
        });
        descriptors.settle(readiness, || self.waiter.epoch() == seen);
        answer
    }

    /// One attempt, without waiting.
    pub(super) fn once<R>(
        &self,
        call: impl FnOnce(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> io::Result<R> {
        Ok(self.call(call).1?)
    }

    /// Tries until it works or fails, unless the socket is non-blocking. `EAGAIN` when `limit` is
    /// over, as in std.
    pub(super) fn wait<R>(
        &self,
        limit: Option<Duration>,
        mut attempt: impl FnMut(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> io::Result<R> {
        self.wait_with(limit, || self.call(&mut attempt))
    }

    /// As [`Handle::wait`], for an attempt of several calls.
    pub(super) fn wait_with<R>(
        &self,
        limit: Option<Duration>,
        attempt: impl FnMut() -> Attempted<R>,
    ) -> io::Result<R> {
        self.wait_if(!self.nonblocking.load(Ordering::Relaxed), limit, attempt)
    }

    fn wait_if<R>(
        &self,
        blocking: bool,
        limit: Option<Duration>,
        mut attempt: impl FnMut() -> Attempted<R>,
    ) -> io::Result<R> {
        let mut deadline: Option<Instant> = None;
        loop {
            let seen = self.waiter.epoch();
            let (now, result) = attempt();
            match result {
                Err(errno) if is_early(errno) => {}
                Ok(value) => return Ok(value),
                Err(errno) => return Err(errno.into()),
            }
            if !blocking {
                return Err(Errno::AGAIN.into());
            }
            let left = limit.map(|limit| deadline.get_or_insert(now + limit).since(now));
            if left == Some(Duration::ZERO) {
                return Err(Errno::AGAIN.into());
            }
            self.stack.wakers.wait(&self.waiter, seen, left);
        }
    }

    /// Makes a call whose outcome a transport must tell, and waits for that even on a non-blocking
    /// socket: what the network must answer is a TCP connect alone, and that has an owner only
    /// when it is done.
    pub(super) fn complete(
        &self,
        limit: Option<Duration>,
        call: impl FnOnce(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<(), Errno>,
    ) -> io::Result<()> {
        match self.call(call).1 {
            Ok(()) => Ok(()),
            Err(Errno::INPROGRESS) => {
                self.wait_if(true, limit, || self.call(|id, hub, _| hub.completed(id)))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// As [`Handle::wait`], for a future: `place` is where its waker stays.
    pub(super) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        place: u64,
        mut attempt: impl FnMut() -> Attempted<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let seen = self.waiter.epoch();
            match attempt().1 {
                Err(errno) if is_early(errno) => {}
                Ok(value) => return Poll::Ready(Ok(value)),
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
            if self.waiter.tasks.wait(seen, place, cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// `poll(2)`: `EAGAIN` if it is not ready for this.
    pub(super) fn ready(&self, interest: Interest) -> Attempted<Readiness> {
        self.call(|id, hub, _| {
            let readiness = hub.poll_socket(id)?;
            if interest.is_met(readiness) { Ok(readiness) } else { Err(Errno::AGAIN) }
        })
    }

    /// A descriptor of the socket's readiness.
    pub(super) fn ready_fd(&self, interest: Interest) -> io::Result<ReadyFd> {
        let fd = self.waiter.descriptors.get_or_init(Box::default).add(interest)?;
        // Any call settles the level of all descriptors.
        self.once(|id, hub, _| hub.poll_socket(id))?;
        Ok(fd)
    }

    pub(super) fn set_option(
        &self,
        option: SocketOption,
        value: impl Into<OptionValue>,
    ) -> io::Result<()> {
        let value = value.into();
        self.once(|id, hub, out| hub.set_option(id, option, &value, out))
    }

    pub(super) fn option(&self, option: SocketOption) -> io::Result<OptionValue> {
        self.once(|id, hub, out| hub.option(id, option, out))
    }

    /// SO_ERROR: the pending error, told once.
    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.once(|id, hub, _| hub.take_error(id))?.map(Into::into))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // With SO_LINGER of some time this waits, at most so long; else it is done at once.
        // Fails when the wait is over, or if the stack has ended: then there is nothing to close.
        let _ = self.complete(None, |id, hub, out| hub.close(id, out));
        self.stack.wakers.forget(self.id);
    }
}
