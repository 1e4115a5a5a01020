//! [`Handle`]: a socket with an owner, and how its owner waits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use layer::boundary::SocketId;
use layer::{Duration, Instant, Out};

use super::Stack;
use super::wakers::Waiter;
use crate::Errno;
use crate::hub::{Hub, Kind};

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

    /// One attempt, without waiting.
    pub(super) fn once<R>(
        &self,
        call: impl FnOnce(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> io::Result<R> {
        self.stack.with_hub(|hub, out| call(self.id, hub, out))
    }

    /// Tries until it works or fails, unless the socket is non-blocking. `EAGAIN` when `limit` is
    /// over, as in std.
    pub(super) fn wait<R>(
        &self,
        limit: Option<Duration>,
        attempt: impl FnMut(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> io::Result<R> {
        self.wait_if(!self.nonblocking.load(Ordering::Relaxed), limit, attempt)
    }

    fn wait_if<R>(
        &self,
        blocking: bool,
        limit: Option<Duration>,
        mut attempt: impl FnMut(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
    ) -> io::Result<R> {
        let mut deadline: Option<Instant> = None;
        loop {
            let seen = self.waiter.epoch();
            let (now, result) = self.stack.call(|_, hub, out| attempt(self.id, hub, out));
            match result {
                Err(Errno::AGAIN | Errno::INPROGRESS) => {}
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
        let (_, begun) = self.stack.call(|_, hub, out| call(self.id, hub, out));
        match begun {
            Ok(()) => Ok(()),
            Err(Errno::INPROGRESS) => self.wait_if(true, limit, |id, hub, _| hub.completed(id)),
            Err(errno) => Err(errno.into()),
        }
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
