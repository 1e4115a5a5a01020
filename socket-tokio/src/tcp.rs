//! `TcpListener` and `TcpStream`.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};
use std::net::Shutdown;

use bytes::Bytes;
use socket::net::{self, Stack, ToSocketAddrs};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Accepts connections.
#[derive(Debug)]
pub struct TcpListener {
    inner: net::TcpListener,
}

impl TcpListener {
    /// Listens at `address`, as `socket::net::TcpListener::bind`.
    pub async fn bind(stack: &Stack, address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::from_net(net::TcpListener::bind(stack, address)?)
    }

    /// Takes over a listener, for instance one that was configured by `socket::net::TcpSocket`.
    pub fn from_net(inner: net::TcpListener) -> io::Result<Self> {
        inner.set_nonblocking(true)?;
        Ok(Self { inner })
    }

    /// The listener below, with all its options.
    pub fn get_ref(&self) -> &net::TcpListener {
        &self.inner
    }

    /// Waits for a connection. Any number of tasks may wait; one that gives up loses none.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.inner.retry(|| self.inner.try_accept()).await?;
        Ok((TcpStream::from_net(stream)?, peer))
    }

    /// As `accept`; the last task that called it is woken.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, peer) = ready!(self.inner.poll_accept(cx))?;
        Poll::Ready(TcpStream::from_net(stream).map(|stream| (stream, peer)))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection.
#[derive(Debug)]
pub struct TcpStream {
    inner: net::TcpStream,
}

impl TcpStream {
    /// Opens a connection; tries each address until one works.
    pub async fn connect(stack: &Stack, remote: impl ToSocketAddrs) -> io::Result<Self> {
        let mut failed = io::Error::from(io::ErrorKind::InvalidInput);
        for remote in remote.to_socket_addrs()? {
            match Self::finish(net::TcpStream::begin_connect(stack, remote)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Opens a connection from a configured socket.
    pub async fn connect_from(socket: net::TcpSocket, remote: SocketAddr) -> io::Result<Self> {
        Self::finish(socket.begin_connect(remote)).await
    }

    /// Waits for the outcome of a connect.
    async fn finish(begun: io::Result<net::TcpStream>) -> io::Result<Self> {
        let inner = begun?;
        poll_fn(|cx| inner.poll_connected(cx)).await?;
        Ok(Self { inner })
    }

    /// Takes over a connection.
    pub fn from_net(inner: net::TcpStream) -> io::Result<Self> {
        inner.set_nonblocking(true)?;
        Ok(Self { inner })
    }

    /// The connection below, non-blocking.
    pub fn into_net(self) -> net::TcpStream {
        self.inner
    }

    /// The connection below, with all its options.
    pub fn get_ref(&self) -> &net::TcpStream {
        &self.inner
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The peer's end.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// TCP_NODELAY.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.set_nodelay(nodelay)
    }

    /// Until reading would not wait.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.inner.poll_read_ready(cx)).await
    }

    /// Until writing would not wait.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.inner.poll_write_ready(cx)).await
    }

    /// As `read`, at once or `WouldBlock`.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_read(buffer)
    }

    /// As `write`, at once or `WouldBlock`.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        self.inner.try_write(data)
    }

    /// Copies what has arrived and leaves it there.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.inner.poll_peek(cx, buffer)).await
    }

    /// Sends all of `data` without copying it.
    pub async fn send_bytes(&self, mut data: Bytes) -> io::Result<()> {
        while !data.is_empty() {
            poll_fn(|cx| self.inner.poll_send_bytes(cx, &mut data)).await?;
        }
        Ok(())
    }

    /// The next piece of what has arrived, without copying it; empty at the end.
    pub async fn recv_chunk(&self) -> io::Result<Bytes> {
        poll_fn(|cx| self.inner.poll_recv_chunk(cx)).await
    }

    /// Two halves for two tasks. Dropping the writing half finishes sending.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let (read, write) = self.inner.into_split();
        (OwnedReadHalf { inner: read }, OwnedWriteHalf { inner: write })
    }
}

/// The direction that comes in.
#[derive(Debug)]
pub struct OwnedReadHalf {
    inner: net::OwnedReadHalf,
}

impl OwnedReadHalf {
    /// Puts the halves together again.
    ///
    /// # Errors
    ///
    /// The halves, if they are of two connections.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, net::ReuniteError> {
        self.inner.reunite(other.inner).map(|inner| TcpStream { inner })
    }
}

/// The direction that goes out. Dropping it finishes sending.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    inner: net::OwnedWriteHalf,
}

impl OwnedWriteHalf {
    /// Drops it and leaves sending open.
    pub fn forget(self) {
        self.inner.forget();
    }
}

impl AsRef<net::TcpStream> for TcpStream {
    fn as_ref(&self) -> &net::TcpStream {
        &self.inner
    }
}

impl AsRef<net::TcpStream> for OwnedReadHalf {
    fn as_ref(&self) -> &net::TcpStream {
        self.inner.as_ref()
    }
}

impl AsRef<net::TcpStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &net::TcpStream {
        self.inner.as_ref()
    }
}

macro_rules! reads {
    ($($kind:ty),+) => {
        $(impl AsyncRead for $kind {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let stream: &net::TcpStream = (*self).as_ref();
                let read = ready!(stream.poll_read(cx, buffer.initialize_unfilled()))?;
                buffer.advance(read);
                Poll::Ready(Ok(()))
            }
        })+
    };
}

macro_rules! writes {
    ($($kind:ty),+) => {
        $(impl AsyncWrite for $kind {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                let stream: &net::TcpStream = (*self).as_ref();
                stream.poll_write(cx, data)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let stream: &net::TcpStream = (*self).as_ref();
                stream.poll_write_vectored(cx, data)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// There is nothing to flush: what was written is TCP's.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                let stream: &net::TcpStream = (*self).as_ref();
                Poll::Ready(stream.shutdown(Shutdown::Write))
            }
        })+
    };
}

reads!(TcpStream, OwnedReadHalf);
writes!(TcpStream, OwnedWriteHalf);
