//! The socket calls of a [`Host`]: POSIX, without waiting, errno values as on Linux.
//!
//! What the stack itself can answer (bind, options) is answered when the call returns; what the
//! network must answer is `EINPROGRESS` or `EAGAIN`.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::Shutdown;

use layer::Instant;
use layer::boundary::{ConnectionInfo, SocketId};

use super::Host;
use crate::Errno;
use crate::assembly::Below;
use crate::hub::{Accepted, Flags, Kind, OptionValue, Readiness, Received, Reuse, SocketOption};

/// One call each.
impl<L: Below> Host<L> {
    /// `socket(2)`. `EMFILE` when there are too many.
    pub fn socket(&mut self, kind: Kind) -> Result<SocketId, Errno> {
        self.whole.upper_mut().upper_mut().upper_mut().socket(kind)
    }

    /// `bind(2)`. `EADDRINUSE`, `EADDRNOTAVAIL`, `EINVAL` if bound already.
    pub fn bind(&mut self, now: Instant, id: SocketId, local: SocketAddr) -> Result<(), Errno> {
        let begun = self.with_hub(now, |hub, out| hub.bind(id, local, out));
        begun.or_else(|errno| self.outcome(now, id, errno))
    }

    /// `listen(2)`. `EADDRINUSE` if somebody else listens there.
    pub fn listen_socket(&mut self, now: Instant, id: SocketId, backlog: u32) -> Result<(), Errno> {
        let begun = self.with_hub(now, |hub, out| hub.listen(id, backlog, out));
        begun.or_else(|errno| self.outcome(now, id, errno))?;
        // TCP answers only if it refuses, and then at once.
        self.with_hub(now, |hub, _| hub.take_error(id))?.map_or(Ok(()), Err)
    }

    /// `connect(2)`: `EINPROGRESS`, then `EALREADY`, then `EISCONN`, or once the error.
    pub fn connect_socket(
        &mut self,
        now: Instant,
        id: SocketId,
        remote: SocketAddr,
    ) -> Result<(), Errno> {
        let begun = self.with_hub(now, |hub, out| hub.connect(id, remote, out));
        begun.or_else(|errno| self.outcome(now, id, errno))
    }

    /// `getsockname(2)`; all zero before there is one, as on Linux.
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let transports = self.whole.upper().upper();
        let known = transports.upper().local_addr(id)?;
        // While a connection is being opened only TCP knows.
        let known = known.or_else(|| transports.lower().a().local_addr(id));
        Ok(known.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into()))
    }

    /// `getpeername(2)`; `ENOTCONN`.
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        self.whole.upper().upper().upper().peer_addr(id)
    }

    /// `setsockopt(2)`.
    pub fn set_option(
        &mut self,
        now: Instant,
        id: SocketId,
        option: SocketOption,
        value: impl Into<OptionValue>,
    ) -> Result<(), Errno> {
        let value = value.into();
        self.with_hub(now, |hub, out| hub.set_option(id, option, &value, out))
    }

    /// `getsockopt(2)`.
    pub fn option(
        &mut self,
        now: Instant,
        id: SocketId,
        option: SocketOption,
    ) -> Result<OptionValue, Errno> {
        // A snapshot asked for earlier is not the present one.
        if let SocketOption::Info = option {
            return Ok(OptionValue::Info(self.tcp_info(now, id)?));
        }
        self.with_hub(now, |hub, out| hub.option(id, option, out))
    }

    /// TCP_INFO. `EINVAL` where there is no connection to tell of.
    pub fn tcp_info(&mut self, now: Instant, id: SocketId) -> Result<Box<ConnectionInfo>, Errno> {
        self.with_hub(now, |hub, out| {
            hub.take_info(id)?;
            hub.query(id, out)
        })?;
        self.with_hub(now, |hub, _| hub.take_info(id))?.ok_or(Errno::INVAL)
    }

    /// `send(2)` with flags.
    pub fn send_flags(
        &mut self,
        now: Instant,
        id: SocketId,
        data: &[u8],
        flags: Flags,
    ) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.send_flags(id, data, flags, out))
    }

    /// `recv(2)` with flags.
    pub fn recv_flags(
        &mut self,
        now: Instant,
        id: SocketId,
        buffer: &mut [u8],
        flags: Flags,
    ) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.recv(id, buffer, flags, out))
    }

    /// Resets the connection (ABORT of RFC 9293 3.10.5), or closes the socket.
    pub fn abort(&mut self, now: Instant, id: SocketId) -> Result<(), Errno> {
        self.with_hub(now, |hub, out| hub.abort(id, out))
    }
}

/// Several calls in one, and those without flags.
impl<L: Below> Host<L> {
    /// A TCP socket that listens.
    pub fn listen(
        &mut self,
        now: Instant,
        address: SocketAddr,
        backlog: u32,
    ) -> Result<SocketId, Errno> {
        let id = self.with_hub(now, |hub, _| hub.socket(Kind::Tcp))?;
        let listening = self
            .with_hub(now, |hub, out| {
                hub.set_reuse(id, Reuse { address: true, port: false })?;
                hub.bind(id, address, out)
            })
            .or_else(|errno| self.outcome(now, id, errno))
            .and_then(|()| self.with_hub(now, |hub, out| hub.listen(id, backlog, out)));
        self.or_close(now, id, listening)
    }

    /// A TCP connection under way; [`Host::completed`] tells when it is there.
    pub fn connect(&mut self, now: Instant, remote: SocketAddr) -> Result<SocketId, Errno> {
        let id = self.with_hub(now, |hub, _| hub.socket(Kind::Tcp))?;
        match self.with_hub(now, |hub, out| hub.connect(id, remote, out)) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(id),
            Err(errno) => self.or_close(now, id, Err(errno)),
        }
    }

    /// A bound UDP socket.
    pub fn bind_udp(&mut self, now: Instant, address: SocketAddr) -> Result<SocketId, Errno> {
        let id = self.with_hub(now, |hub, _| hub.socket(Kind::Udp))?;
        let bound = self
            .with_hub(now, |hub, out| hub.bind(id, address, out))
            .or_else(|errno| self.outcome(now, id, errno));
        self.or_close(now, id, bound)
    }

    /// See [`Hub::completed`].
    pub fn completed(&mut self, now: Instant, id: SocketId) -> Result<(), Errno> {
        self.with_hub(now, |hub, _| hub.completed(id))
    }

    /// See [`Hub::accept`].
    pub fn accept(&mut self, now: Instant, id: SocketId) -> Result<Accepted, Errno> {
        self.with_hub(now, |hub, out| hub.accept(id, out))
    }

    /// See [`Hub::send`].
    pub fn send(&mut self, now: Instant, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.send(id, data, out))
    }

    /// See [`Hub::send_urgent`].
    pub fn send_urgent(&mut self, now: Instant, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.send_urgent(id, data, out))
    }

    /// See [`Hub::at_mark`].
    pub fn at_mark(&mut self, now: Instant, id: SocketId) -> Result<bool, Errno> {
        self.with_hub(now, |hub, _| hub.at_mark(id))
    }

    /// See [`Hub::receive`].
    pub fn recv(&mut self, now: Instant, id: SocketId, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.recv(id, buffer, Flags::default(), out))
    }

    /// See [`Hub::send_to`].
    pub fn send_to(
        &mut self,
        now: Instant,
        id: SocketId,
        data: &[u8],
        to: SocketAddr,
    ) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.send_to(id, data, Some(to), None, out))
    }

    /// See [`Hub::recv_from`].
    pub fn recv_from(
        &mut self,
        now: Instant,
        id: SocketId,
        buffer: &mut [u8],
    ) -> Result<Received, Errno> {
        self.with_hub(now, |hub, out| hub.recv_from(id, buffer, Flags::default(), out))
    }

    /// See [`Hub::shutdown`].
    pub fn shutdown(&mut self, now: Instant, id: SocketId, how: Shutdown) -> Result<(), Errno> {
        self.with_hub(now, |hub, out| hub.shutdown(id, how, out))
    }

    /// See [`Hub::close`].
    pub fn close(&mut self, now: Instant, id: SocketId) -> Result<(), Errno> {
        self.with_hub(now, |hub, out| hub.close(id, out))
    }

    /// See [`Hub::poll_socket`].
    pub fn readiness(&self, id: SocketId) -> Result<Readiness, Errno> {
        self.whole.upper().upper().upper().poll_socket(id)
    }

    /// Inline, what was begun is done when the call returns, unless the network is awaited.
    fn outcome(&mut self, now: Instant, id: SocketId, errno: Errno) -> Result<(), Errno> {
        match errno {
            Errno::INPROGRESS => self.completed(now, id),
            other => Err(other),
        }
    }

    fn or_close(
        &mut self,
        now: Instant,
        id: SocketId,
        result: Result<(), Errno>,
    ) -> Result<SocketId, Errno> {
        if result.is_err() {
            // It exists: closing cannot fail.
            let _ = self.close(now, id);
        }
        result.map(|()| id)
    }
}
