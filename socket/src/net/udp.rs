//! `UdpSocket`.

use core::net::{IpAddr, SocketAddr};
use std::io;

use layer::Duration;

use super::Stack;
use super::handle::Handle;
use crate::Errno;
use crate::hub::{Flags, Kind, Received};

/// A UDP socket.
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) handle: Handle,
}

impl UdpSocket {
    /// Binds to `address`; an unspecified address means any of ours, port 0 a free one.
    pub fn bind(stack: &Stack, address: impl Into<SocketAddr>) -> io::Result<Self> {
        let handle = Handle::open(stack, Kind::Udp)?;
        let address = address.into();
        handle.complete(None, |id, hub, out| hub.bind(id, address, out))?;
        Ok(Self { handle })
    }

    /// Settles the only peer.
    pub fn connect(&self, remote: impl Into<SocketAddr>) -> io::Result<()> {
        let remote = remote.into();
        self.handle.complete(None, |id, hub, out| hub.connect(id, remote, out))
    }

    /// Sends a datagram to the connected peer.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.send_from(data, None, None)
    }

    /// Sends a datagram.
    pub fn send_to(&self, data: &[u8], to: impl Into<SocketAddr>) -> io::Result<usize> {
        self.send_from(data, Some(to.into()), None)
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
        self.handle.wait(limit, |id, hub, out| hub.send_to(id, data, to, source, out))
    }

    /// Receives a datagram; what does not fit into `buffer` is lost.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_with_envelope(buffer)?.copied)
    }

    /// Receives a datagram, and says from whom.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_with_envelope(buffer)?;
        Ok((received.copied, received.from))
    }

    /// Receives a datagram with all that is known about it.
    pub fn recv_with_envelope(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.receive(buffer, Flags::default())
    }

    /// As `recv_from`, and leaves it there.
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.receive(buffer, Flags { peek: true, ..Flags::default() })?;
        Ok((received.copied, received.from))
    }

    fn receive(&self, buffer: &mut [u8], flags: Flags) -> io::Result<Received> {
        let limit = self.handle.read_timeout.get();
        self.handle.wait(limit, |id, hub, out| hub.recv_from(id, buffer, flags, out))
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.handle.once(|id, hub, _| hub.local_addr(id)?.ok_or(Errno::INVAL))
    }

    /// The connected peer.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.handle.once(|id, hub, _| hub.peer_addr(id))
    }

    /// SO_BROADCAST: sending to broadcast addresses is allowed.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.handle.once(|id, hub, out| {
            hub.set_udp_options(id, |options| options.broadcast = broadcast, out)
        })
    }

    /// IP_TTL.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let ttl = u8::try_from(ttl).map_err(|_| Errno::INVAL)?;
        self.handle
            .once(|id, hub, out| hub.set_udp_options(id, |options| options.ttl = Some(ttl), out))
    }

    /// How long receiving waits before it answers `WouldBlock`.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.handle.read_timeout.set(limit)
    }

    /// How long sending waits before it answers `WouldBlock`.
    pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.handle.write_timeout.set(limit)
    }

    /// Nothing waits any more: `WouldBlock` instead.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.handle.set_nonblocking(nonblocking);
        Ok(())
    }

    /// SO_ERROR: the pending error, told once.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.handle.once(|id, hub, _| hub.take_error(id))?.map(Into::into))
    }
}
