//! [`TcpSocket`]: a socket before it listens or connects, to be configured.

use core::net::SocketAddr;
use std::io;
use std::sync::Arc;

use layer::{Duration, InterfaceId};

use super::{TcpListener, TcpStream};
use crate::Errno;
use crate::hub::{Kind, SocketOption};
use crate::net::Stack;
use crate::net::handle::Handle;

/// A TCP socket that neither listens nor is connected yet. What is set here, the connections of
/// the listener start with.
#[derive(Debug)]
pub struct TcpSocket {
    pub(super) handle: Arc<Handle>,
}

impl TcpSocket {
    /// A new socket.
    ///
    /// # Errors
    ///
    /// `EMFILE` when there are too many.
    pub fn new(stack: &Stack) -> io::Result<Self> {
        Ok(Self { handle: Arc::new(Handle::open(stack, Kind::Tcp)?) })
    }

    /// SO_REUSEADDR: connections in TIME-WAIT do not stand in the way of `bind`.
    pub fn set_reuseaddr(&self, reuse: bool) -> io::Result<()> {
        self.handle.set_option(SocketOption::ReuseAddress, reuse)
    }

    /// SO_REUSEPORT: others with the same option may listen at the same address.
    pub fn set_reuseport(&self, reuse: bool) -> io::Result<()> {
        self.handle.set_option(SocketOption::ReusePort, reuse)
    }

    /// SO_BINDTODEVICE: only by this interface.
    pub fn bind_device(&self, interface: Option<InterfaceId>) -> io::Result<()> {
        self.handle.once(|id, hub, _| hub.set_interface(id, interface))
    }

    /// Takes a local address; port 0 means a free one.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.handle.complete(None, |id, hub, out| hub.bind(id, address, out))
    }

    /// Listens; `backlog` connections may be half open and as many may wait to be accepted, 4096 at
    /// most.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.handle.complete(None, |id, hub, out| hub.listen(id, backlog, out))?;
        // TCP answers only if it refuses (somebody else listens there), and then at once.
        if let Some(refused) = self.handle.take_error()? {
            return Err(refused);
        }
        Ok(TcpListener { handle: self.handle })
    }

    /// As [`TcpSocket::listen`], and takes every connection that no other listener is for,
    /// whatever its address and port: transparent accept. The accepted stream's `local_addr` says
    /// whom the peer meant. Addresses that are not the host's come in only if it is told to take
    /// them ([`crate::HostConfig::any_address`]).
    ///
    /// # Errors
    ///
    /// `AddrInUse` if another listener does so.
    pub fn listen_everywhere(self, backlog: u32) -> io::Result<TcpListener> {
        self.handle.once(|id, hub, out| {
            hub.set_tcp_options(id, |options| options.everywhere = true, out)
        })?;
        self.listen(backlog)
    }

    /// Opens a connection.
    pub fn connect(self, remote: SocketAddr) -> io::Result<TcpStream> {
        self.open(remote, None)
    }

    /// Begins to open a connection; see [`TcpStream::begin_connect`].
    pub fn begin_connect(self, remote: SocketAddr) -> io::Result<TcpStream> {
        match self.handle.call(|id, hub, out| hub.connect(id, remote, out)).1 {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        self.handle.set_nonblocking(true);
        Ok(TcpStream { handle: self.handle })
    }

    pub(super) fn open(self, remote: SocketAddr, limit: Option<Duration>) -> io::Result<TcpStream> {
        self.handle.complete(limit, |id, hub, out| hub.connect(id, remote, out))?;
        Ok(TcpStream { handle: self.handle })
    }
}
