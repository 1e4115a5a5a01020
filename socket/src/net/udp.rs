//! `UdpSocket`.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::sync::Arc;

use layer::{Duration, InterfaceId};

use super::Stack;
use super::addresses::{ToSocketAddrs, first_that_works};
use super::descriptor::{Interest, ReadyFd};
use super::handle::{Attempted, Handle};
use crate::Errno;
use crate::hub::{Flags, Kind, OptionValue, Received, SocketOption};

/// A UDP socket.
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) handle: Arc<Handle>,
}

impl UdpSocket {
    /// Binds to `address`; an unspecified address means any of ours, port 0 a free one.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`; `InvalidInput` for text that is no address.
    pub fn bind(stack: &Stack, address: impl ToSocketAddrs) -> io::Result<Self> {
        first_that_works(address, |address| {
            let socket = Self { handle: Arc::new(Handle::open(stack, Kind::Udp)?) };
            socket.handle.complete(None, |id, hub, out| hub.bind(id, address, out))?;
            Ok(socket)
        })
    }

    /// Settles the only peer.
    pub fn connect(&self, remote: impl ToSocketAddrs) -> io::Result<()> {
        first_that_works(remote, |remote| {
            self.handle.complete(None, |id, hub, out| hub.connect(id, remote, out))
        })
    }

    /// Sends a datagram to the connected peer.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.send_from(data, None, None)
    }

    /// Sends a datagram to the first of these addresses.
    pub fn send_to(&self, data: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        let first = to.to_socket_addrs()?.next().ok_or(io::ErrorKind::InvalidInput)?;
        self.send_from(data, Some(first), None)
    }

    /// Sends a datagram from this address of ours: a reply comes from the address that was asked
    /// (RFC 1122 4.1.3.5). `recvmsg` and `sendmsg` with IP_PKTINFO do the same.
    pub fn send_from(
        &self,
        data: &[u8],
        to: Option<SocketAddr>,
        source: Option<IpAddr>,
    ) -> io::Result<usize> {
        let limit = self.handle.write_timeout.get();
        self.handle.wait_with(limit, || self.send_once(data, to, source))
    }

    pub(super) fn send_once(
        &self,
        data: &[u8],
        to: Option<SocketAddr>,
        source: Option<IpAddr>,
    ) -> Attempted<usize> {
        self.handle.call(|id, hub, out| hub.send_to(id, data, to, source, out))
    }

    /// Receives a datagram; what does not fit into `buffer` is lost.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_with_envelope(buffer)?.copied)
    }

    /// Receives a datagram and says who sent it.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_with_envelope(buffer)?;
        Ok((received.copied, received.from))
    }

    /// Receives a datagram with all that is known about it.
    pub fn recv_with_envelope(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let limit = self.handle.read_timeout.get();
        self.handle.wait_with(limit, || self.receive_once(buffer))
    }

    pub(super) fn receive_once(&self, buffer: &mut [u8]) -> Attempted<Received> {
        self.handle.call(|id, hub, out| hub.recv_from(id, buffer, Flags::default(), out))
    }

    /// As `recv`, and leaves it there.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.peek_from(buffer)?.0)
    }

    /// As `recv_from`, and leaves it there.
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let flags = Flags { peek: true, ..Flags::default() };
        let limit = self.handle.read_timeout.get();
        let received =
            self.handle.wait(limit, |id, hub, out| hub.recv_from(id, buffer, flags, out))?;
        Ok((received.copied, received.from))
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.handle.once(|id, hub, _| hub.local_addr(id)?.ok_or(Errno::INVAL))
    }

    /// The connected peer.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.handle.once(|id, hub, _| hub.peer_addr(id))
    }

    /// Another handle to the same socket; it is closed with the last one.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { handle: Arc::clone(&self.handle) })
    }

    /// SO_BINDTODEVICE: for what is bound or sent from now on.
    pub fn bind_device(&self, interface: Option<InterfaceId>) -> io::Result<()> {
        self.handle.once(|id, hub, _| hub.set_interface(id, interface))
    }

    /// SO_BROADCAST: sending to broadcast addresses is allowed.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.handle.set_option(SocketOption::Broadcast, broadcast)
    }

    /// SO_BROADCAST.
    pub fn broadcast(&self) -> io::Result<bool> {
        Ok(self.handle.option(SocketOption::Broadcast)?.int()? != 0)
    }

    /// IP_TTL, 1 to 255. As on Linux, `u32::MAX` takes the default.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.handle.set_option(SocketOption::Ttl, ttl.cast_signed())
    }

    /// IP_TTL.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(u32::try_from(self.handle.option(SocketOption::Ttl)?.int()?).unwrap_or_default())
    }

    /// `setsockopt(2)`: any option.
    pub fn set_option(
        &self,
        option: SocketOption,
        value: impl Into<OptionValue>,
    ) -> io::Result<()> {
        self.handle.set_option(option, value)
    }

    /// `getsockopt(2)`: any option.
    pub fn option(&self, option: SocketOption) -> io::Result<OptionValue> {
        self.handle.option(option)
    }

    /// How long receiving waits before it answers `WouldBlock`.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.handle.read_timeout.set(limit)
    }

    /// How long sending waits before it answers `WouldBlock`.
    pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.handle.write_timeout.set(limit)
    }

    /// The timeout set.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.handle.read_timeout.get())
    }

    /// The timeout set.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.handle.write_timeout.get())
    }

    /// Nothing waits any more: `WouldBlock` instead.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.handle.set_nonblocking(nonblocking);
        Ok(())
    }

    /// SO_ERROR: the pending error, told once.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.handle.take_error()
    }

    /// A descriptor that is readable while this socket is ready, for `poll` and `epoll`. Make the
    /// socket non-blocking.
    ///
    /// # Errors
    ///
    /// No descriptors left.
    pub fn ready_fd(&self, interest: Interest) -> io::Result<ReadyFd> {
        self.handle.ready_fd(interest)
    }
}
