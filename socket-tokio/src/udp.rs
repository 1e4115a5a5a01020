//! `UdpSocket`.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io;

use socket::net::{self, Stack, ToSocketAddrs};
use tokio::io::ReadBuf;

/// A UDP socket. Any number of tasks may send and receive on it at once.
#[derive(Debug)]
pub struct UdpSocket {
    inner: net::UdpSocket,
}

impl UdpSocket {
    /// Binds to `address`, as `socket::net::UdpSocket::bind`.
    pub async fn bind(stack: &Stack, address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::from_net(net::UdpSocket::bind(stack, address)?)
    }

    /// Takes over a socket.
    pub fn from_net(inner: net::UdpSocket) -> io::Result<Self> {
        inner.set_nonblocking(true)?;
        Ok(Self { inner })
    }

    /// The socket below, with all its options.
    pub fn get_ref(&self) -> &net::UdpSocket {
        &self.inner
    }

    /// Settles the only peer.
    pub async fn connect(&self, remote: impl ToSocketAddrs) -> io::Result<()> {
        self.inner.connect(remote)
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The connected peer.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// Sends a datagram to the connected peer.
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.inner.retry(|| self.inner.try_send_to(data, None)).await
    }

    /// Sends a datagram to the first of these addresses.
    pub async fn send_to(&self, data: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        let first = to.to_socket_addrs()?.next().ok_or(io::ErrorKind::InvalidInput)?;
        self.inner.retry(|| self.inner.try_send_to(data, Some(first))).await
    }

    /// Receives a datagram; what does not fit into `buffer` is lost.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buffer).await?.0)
    }

    /// Receives a datagram and says who sent it.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.retry(|| self.inner.try_recv_from(buffer)).await
    }

    /// As `recv_from`; the last task that called it is woken.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let received = self.inner.poll_recv_from(cx, buffer.initialize_unfilled());
        received.map_ok(|(read, from)| {
            buffer.advance(read);
            from
        })
    }

    /// As `send_to`; the last task that called it is woken.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        data: &[u8],
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_send_to(cx, data, Some(to))
    }

    /// Until receiving would not wait.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.inner.poll_read_ready(cx)).await
    }

    /// Until sending would not wait.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.inner.poll_write_ready(cx)).await
    }
}
