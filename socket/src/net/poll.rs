//! Sockets for futures, of any runtime: `try_*` answers `WouldBlock` at once, `poll_*` leaves the
//! task's waker behind instead, [`retry`](TcpStream::retry) makes a future of any `try_*`.
//!
//! As usual, of `poll_*` on one socket the last task of each direction is woken; several tasks
//! that want the same thing use `retry`. No future here needs a reactor or a timer: it is woken by
//! the stack itself.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice, IoSliceMut};

use bytes::Bytes;

use super::descriptor::Interest;
use super::handle::{Attempted, Handle};
use super::tasks::{READ, WRITE};
use super::{TcpListener, TcpStream, UdpSocket};
use crate::Errno;

/// A future that tries again whenever its socket changes, until the attempt does not answer
/// `WouldBlock`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Retry<'a, F> {
    handle: &'a Handle,
    place: u64,
    attempt: F,
}

impl<'a, F> Retry<'a, F> {
    fn new(handle: &'a Handle, attempt: F) -> Self {
        Self { handle, place: handle.waiter.tasks.place(), attempt }
    }
}

impl<R, F: FnMut() -> io::Result<R> + Unpin> Future for Retry<'_, F> {
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        loop {
            let seen = self.handle.waiter.epoch();
            match (self.attempt)() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
            if self.handle.waiter.tasks.wait(seen, self.place, cx.waker()) {
                return Poll::Pending;
            }
        }
    }
}

impl<F> Drop for Retry<'_, F> {
    fn drop(&mut self) {
        self.handle.waiter.tasks.forget(self.place);
    }
}

/// `WouldBlock` for what must wait.
fn now_or_never<R>((_, result): Attempted<R>) -> io::Result<R> {
    result.map_err(|errno| match errno {
        Errno::INPROGRESS => Errno::AGAIN.into(),
        errno => errno.into(),
    })
}

/// Implements waiting for readiness on sockets with a `handle`.
macro_rules! waits {
    ($($socket:ty),+) => {
        $(impl $socket {
            /// Until reading or accepting would not wait.
            pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let ready = self.handle.poll(cx, READ, || self.handle.ready(Interest::Readable));
                ready.map_ok(|_| ())
            }

            /// Until writing would not wait, or a connect is over.
            pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let ready = self.handle.poll(cx, WRITE, || self.handle.ready(Interest::Writable));
                ready.map_ok(|_| ())
            }

            /// A future that calls `attempt`, some `try_*` of this socket, until it does not
            /// answer `WouldBlock`. Any number of tasks may wait so.
            pub fn retry<R, F>(&self, attempt: F) -> Retry<'_, F>
            where
                F: FnMut() -> io::Result<R> + Unpin,
            {
                Retry::new(&self.handle, attempt)
            }
        })+
    };
}

waits!(TcpListener, TcpStream, UdpSocket);

impl TcpListener {
    /// As `accept`, at once or `WouldBlock`.
    pub fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        now_or_never(self.accept_once())
    }

    /// As `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.handle.poll(cx, READ, || self.accept_once())
    }
}

impl TcpStream {
    /// What became of [`TcpStream::begin_connect`].
    pub fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.poll(cx, WRITE, || self.connected_once())
    }

    /// As `read`, at once or `WouldBlock`.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        now_or_never(self.receive_once(buffer)).map(|(read, _)| read)
    }

    /// As `read`.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let (read, _) = ready!(self.handle.poll(cx, READ, || self.receive_once(buffer)))?;
        Poll::Ready(Ok(read))
    }

    /// As `read_vectored`, at once or `WouldBlock`.
    pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        now_or_never(self.receive_vectored_once(buffers))
    }

    /// As `peek`, at once or `WouldBlock`.
    pub fn try_peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        now_or_never(self.peek_once(buffer))
    }

    /// As `peek`.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.handle.poll(cx, READ, || self.peek_once(buffer))
    }

    /// As `recv_chunk`, at once or `WouldBlock`.
    pub fn try_recv_chunk(&self) -> io::Result<Bytes> {
        now_or_never(self.recv_chunk_once())
    }

    /// As `recv_chunk`.
    pub fn poll_recv_chunk(&self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        self.handle.poll(cx, READ, || self.recv_chunk_once())
    }

    /// As `write`, at once or `WouldBlock`.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        now_or_never(self.send_once(data))
    }

    /// As `write`.
    pub fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.handle.poll(cx, WRITE, || self.send_once(data))
    }

    /// As `write_vectored`, at once or `WouldBlock`.
    pub fn try_write_vectored(&self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        now_or_never(self.send_vectored_once(data))
    }

    /// As `write_vectored`.
    pub fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.handle.poll(cx, WRITE, || self.send_vectored_once(data))
    }

    /// As `send_some_bytes`, at once or `WouldBlock`.
    pub fn try_send_bytes(&self, data: &mut Bytes) -> io::Result<usize> {
        now_or_never(self.send_bytes_once(data))
    }

    /// As `send_some_bytes`.
    pub fn poll_send_bytes(
        &self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<io::Result<usize>> {
        self.handle.poll(cx, WRITE, || self.send_bytes_once(data))
    }
}

impl UdpSocket {
    /// As `recv_from`, at once or `WouldBlock`.
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        now_or_never(self.receive_once(buffer)).map(|received| (received.copied, received.from))
    }

    /// As `recv_from`.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let received = ready!(self.handle.poll(cx, READ, || self.receive_once(buffer)))?;
        Poll::Ready(Ok((received.copied, received.from)))
    }

    /// As `send_to`, or as `send` with no address, at once or `WouldBlock`.
    pub fn try_send_to(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        now_or_never(self.send_once(data, to, None))
    }

    /// As `send_to`, or as `send` with no address.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        data: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        self.handle.poll(cx, WRITE, || self.send_once(data, to, None))
    }
}
