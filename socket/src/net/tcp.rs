//! `TcpListener` and `TcpStream`: opening, accepting, ending, and what is known of them. Reading
//! and writing is in `tcp/transfer.rs`, options in `options.rs`, futures in `poll.rs`.

mod socket;
mod split;
mod transfer;

use core::net::SocketAddr;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;

use layer::Duration;
use layer::boundary::ConnectionInfo;

use super::Stack;
use super::addresses::{ToSocketAddrs, first_that_works};
use super::descriptor::{Interest, ReadyFd};
use super::handle::{Attempted, Handle};
use super::options::{KeepAlive, tcp_options};
use crate::Errno;
use crate::hub::{OptionValue, SocketOption};

pub use self::socket::TcpSocket;
pub use self::split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};

/// Connections that may wait to be accepted; std's choice.
const BACKLOG: u32 = 128;

/// A TCP socket that accepts connections.
#[derive(Debug)]
pub struct TcpListener {
    pub(super) handle: Arc<Handle>,
}

tcp_options!(TcpListener, TcpStream, TcpSocket);

impl TcpListener {
    /// Listens at `address`; an unspecified address means any of ours, port 0 a free one. Up to 128
    /// connections may wait to be accepted; [`TcpSocket::listen`] takes another number.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`; `InvalidInput` for text that is no address.
    pub fn bind(stack: &Stack, address: impl ToSocketAddrs) -> io::Result<Self> {
        first_that_works(address, |address| {
            let socket = TcpSocket::new(stack)?;
            // As std on Unix: a restarted server gets its port back.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })
    }

    /// Waits for a connection.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let limit = self.handle.read_timeout.get();
        self.handle.wait_with(limit, || self.accept_once())
    }

    pub(super) fn accept_once(&self) -> Attempted<(TcpStream, SocketAddr)> {
        let (now, accepted) = self.handle.call(|id, hub, out| hub.accept(id, out));
        let stream = accepted.map(|accepted| {
            let handle = Handle::adopt(self.handle.stack(), accepted.socket);
            (TcpStream { handle: Arc::new(handle) }, accepted.remote)
        });
        (now, stream)
    }

    /// Accepts for ever.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// How many connections may wait to be accepted from now on.
    pub fn set_backlog(&self, backlog: u32) -> io::Result<()> {
        self.handle.complete(None, |id, hub, out| hub.listen(id, backlog, out))
    }

    /// Wakes whoever waits in `accept`, and ends listening.
    pub fn shutdown(&self) -> io::Result<()> {
        self.handle.once(|id, hub, out| hub.shutdown(id, Shutdown::Read, out))
    }
}

/// An iterator over connections; it never ends by itself.
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

/// A TCP connection. `Read` and `Write` work on `&TcpStream` too: one thread may read while
/// another writes.
#[derive(Debug)]
pub struct TcpStream {
    pub(super) handle: Arc<Handle>,
}

impl TcpStream {
    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// Those of `connect(2)`; `InvalidInput` for text that is no address.
    pub fn connect(stack: &Stack, remote: impl ToSocketAddrs) -> io::Result<Self> {
        first_that_works(remote, |remote| TcpSocket::new(stack)?.connect(remote))
    }

    /// Opens a connection, or gives up: `TimedOut`.
    pub fn connect_timeout(
        stack: &Stack,
        remote: &SocketAddr,
        limit: Duration,
    ) -> io::Result<Self> {
        if limit.is_zero() {
            return Err(Errno::INVAL.into());
        }
        let late = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock => Errno::TIMEDOUT.into(),
            _ => error,
        };
        TcpSocket::new(stack)?.open(*remote, Some(limit)).map_err(late)
    }

    /// Begins to open a connection and does not wait: it is there, or has failed, when
    /// [`TcpStream::connected`] says so. The stream is non-blocking.
    pub fn begin_connect(stack: &Stack, remote: SocketAddr) -> io::Result<Self> {
        TcpSocket::new(stack)?.begin_connect(remote)
    }

    /// What became of [`TcpStream::begin_connect`]: `WouldBlock` as long as it is under way, the
    /// error once.
    pub fn connected(&self) -> io::Result<()> {
        match self.connected_once().1 {
            Err(Errno::INPROGRESS) => Err(Errno::AGAIN.into()),
            other => Ok(other?),
        }
    }

    pub(super) fn connected_once(&self) -> Attempted<()> {
        self.handle.call(|id, hub, _| hub.completed(id))
    }

    /// The peer's end.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.handle.once(|id, hub, _| hub.peer_addr(id))
    }

    /// Finishes sending, receiving or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.handle.once(|id, hub, out| hub.shutdown(id, how, out))
    }

    /// Resets the connection (ABORT of RFC 9293 3.10.5), whatever other handles do.
    pub fn abort(self) -> io::Result<()> {
        self.handle.once(|id, hub, out| hub.abort(id, out))
    }

    /// How long `read` waits before it answers `WouldBlock`.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.handle.read_timeout.set(limit)
    }

    /// How long `write` waits before it answers `WouldBlock`.
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

    /// TCP_INFO: what TCP knows of this connection now.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where there is no connection any more.
    pub fn tcp_info(&self) -> io::Result<ConnectionInfo> {
        self.handle.once(|id, hub, out| {
            // A snapshot asked for earlier is not the present one.
            hub.take_info(id)?;
            hub.query(id, out)
        })?;
        // TCP runs in the same stage as the hub: its answer has come when the call returns.
        let info = self.handle.once(|id, hub, _| hub.take_info(id))?;
        Ok(*info.ok_or(Errno::INVAL)?)
    }

    /// Two halves that may go to two threads or tasks, without a lock between them. Dropping the
    /// writing half finishes sending; the connection is closed with the second half.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::split(self)
    }
}
