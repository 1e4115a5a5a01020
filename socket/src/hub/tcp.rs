//! TCP sockets: what a socket is at each point of its life, and the calls that move it on.
//!
//! ```text
//!   Fresh --bind--> Binding --> Bound --listen--> Listening --accept--> (new) Open
//!     |                           |
//!     +---------connect-----------+--> Connecting --> Open
//!     ^                                    |
//!     +------------- refused --------------+
//! ```
//!
//! A connection that is reset before it is accepted stays in the queue, as in Linux: `accept`
//! returns it, and its first read tells.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::VecDeque;
use std::sync::Arc;

use layer::boundary::{
    BoundAddress, CloseReason, ConnectionInfo, SocketError, SocketId, TcpCommand, TcpEvent,
    TcpOptions,
};
use layer::{Either, Out};

use super::stream::Stream;
use super::{Hub, Protocol, Readiness, Socket, SoftErrors};
use crate::Errno;

/// A TCP socket.
#[derive(Debug)]
pub(super) struct TcpSocket {
    pub(super) phase: Phase,
    pub(super) local: Option<SocketAddr>,
    /// Shared with the listener, and with others that have the same.
    pub(super) options: Arc<TcpOptions>,
    /// The last send said MSG_MORE.
    pub(super) more: bool,
    /// What `bind` was asked for: it outlives a refused connection.
    pub(super) asked: Option<Box<BoundAddress>>,
    /// The answer to a query, until it is taken.
    pub(super) info: Option<Box<ConnectionInfo>>,
}

/// Where a TCP socket is in its life.
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// TCP knows nothing of it.
    #[default]
    Fresh,
    /// TCP was asked for an address.
    Binding {
        /// Listen, with this backlog, once it is bound.
        listen: Option<u32>,
    },
    /// It has an address.
    Bound,
    /// It takes connections.
    Listening {
        /// Complete connections that wait to be accepted, oldest first. TCP keeps to the backlog.
        queue: VecDeque<SocketId>,
    },
    /// A connection is being opened.
    Connecting,
    /// A connection, as long as it has an owner.
    Open(Stream),
}

/// What `accept` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The connection.
    pub socket: SocketId,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
}

impl TcpSocket {
    pub(super) fn new(options: Arc<TcpOptions>) -> Self {
        let phase = Phase::default();
        Self { phase, local: None, options, more: false, asked: None, info: None }
    }

    pub(super) fn under_way(&self) -> bool {
        match self.phase {
            Phase::Binding { .. } | Phase::Connecting => true,
            Phase::Fresh | Phase::Bound | Phase::Listening { .. } | Phase::Open(_) => false,
        }
    }

    pub(super) fn readiness(&self, error: bool, starved: bool) -> Readiness {
        let mut readiness = match &self.phase {
            Phase::Binding { .. } | Phase::Connecting => Readiness::default(),
            // As Linux: writable, so that a refused connect wakes who waits for it.
            Phase::Fresh | Phase::Bound => {
                Readiness { writable: true, hangup: true, ..Readiness::default() }
            }
            Phase::Listening { queue } => {
                Readiness { readable: !queue.is_empty(), ..Readiness::default() }
            }
            Phase::Open(stream) => stream.readiness(starved, self.options.notsent_lowat.is_some()),
        };
        readiness.error = error;
        readiness.readable |= error;
        readiness
    }
}

impl Hub {
    /// `bind(2)`: port 0 takes a free one. `EINPROGRESS`: see [`Hub::completed`].
    pub fn bind(
        &mut self,
        id: SocketId,
        address: SocketAddr,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        let socket = self.get(id)?;
        let local = BoundAddress { address, interface: socket.interface };
        let reuse = socket.reuse;
        match &mut socket.protocol {
            Protocol::Tcp(tcp) => match tcp.phase {
                Phase::Fresh => {
                    tcp.phase = Phase::Binding { listen: None };
                    tcp.asked = Some(Box::new(local));
                }
                Phase::Binding { .. }
                | Phase::Bound
                | Phase::Listening { .. }
                | Phase::Connecting
                | Phase::Open(_) => return Err(Errno::INVAL),
            },
            Protocol::Udp(_) => return self.bind_udp(id, local, out),
        }
        let (reuse_address, reuse_port) = (reuse.address, reuse.port);
        let bind = TcpCommand::Bind { socket: id, local, reuse_address, reuse_port };
        self.command(Either::A(bind), out);
        self.touch(id, out);
        Err(Errno::INPROGRESS)
    }

    /// `listen(2)`: a socket that is not bound gets any address and a free port. Again on a
    /// listening socket it changes the backlog. `EINPROGRESS`: see [`Hub::completed`].
    pub fn listen(
        &mut self,
        id: SocketId,
        backlog: u32,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        if let Phase::Fresh = self.tcp(id)?.phase {
            let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            match self.bind(id, anywhere, out) {
                Ok(()) | Err(Errno::INPROGRESS) => {}
                Err(error) => return Err(error),
            }
        }
        let tcp = self.tcp(id)?;
        match &mut tcp.phase {
            Phase::Binding { listen } => {
                *listen = Some(backlog);
                return Err(Errno::INPROGRESS);
            }
            Phase::Bound => tcp.phase = Phase::Listening { queue: VecDeque::new() },
            Phase::Listening { .. } => {}
            Phase::Fresh | Phase::Connecting | Phase::Open(_) => return Err(Errno::INVAL),
        }
        let options = Box::new(TcpOptions::clone(&tcp.options));
        self.command(Either::A(TcpCommand::Listen { socket: id, backlog, options }), out);
        self.touch(id, out);
        Ok(())
    }

    /// `accept(2)`: the oldest complete connection.
    pub fn accept(&mut self, id: SocketId, out: &mut Out<'_, Self>) -> Result<Accepted, Errno> {
        let Phase::Listening { queue } = &mut self.tcp(id)?.phase else {
            return Err(Errno::INVAL);
        };
        let socket = queue.pop_front().ok_or(Errno::AGAIN)?;
        self.command(Either::A(TcpCommand::Accepted { listener: id }), out);
        self.touch(id, out);
        let tcp = self.tcp(socket)?;
        let local = tcp.local.ok_or(Errno::INVAL)?;
        let Phase::Open(stream) = &tcp.phase else { return Err(Errno::INVAL) };
        Ok(Accepted { socket, local, remote: stream.remote })
    }

    /// `connect(2)`. For TCP `EINPROGRESS`, then `EALREADY`, then `EISCONN`, or once the error.
    /// For UDP it settles the only peer. The outcome: see [`Hub::completed`].
    pub fn connect(
        &mut self,
        id: SocketId,
        remote: SocketAddr,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        let remote = Self::this_host(remote);
        let socket = self.get(id)?;
        let Protocol::Tcp(tcp) = &socket.protocol else {
            return self.connect_udp(id, Some(remote), out);
        };
        match tcp.phase {
            Phase::Fresh | Phase::Bound => {}
            Phase::Binding { .. } | Phase::Connecting => return Err(Errno::ALREADY),
            Phase::Listening { .. } => return Err(Errno::ISCONN),
            // What ended badly says so once, whichever call comes first.
            Phase::Open(_) => return Err(socket.take_error().unwrap_or(Errno::ISCONN)),
        }
        // A refusal not told yet is what this call has to say; the next one may try again.
        if let Some(error) = socket.take_error() {
            return Err(error);
        }
        let tcp = self.tcp(id)?;
        tcp.phase = Phase::Connecting;
        let options = Box::new(TcpOptions::clone(&tcp.options));
        self.command(Either::A(TcpCommand::Connect { socket: id, remote, options }), out);
        self.touch(id, out);
        Err(Errno::INPROGRESS)
    }

    /// Asks for [`Hub::take_info`]: TCP_INFO.
    pub fn query(&mut self, id: SocketId, out: &mut Out<'_, Self>) -> Result<(), Errno> {
        match self.tcp(id)?.phase {
            Phase::Connecting | Phase::Open(_) | Phase::Listening { .. } => {}
            Phase::Fresh | Phase::Binding { .. } | Phase::Bound => return Err(Errno::NOTCONN),
        }
        self.command(Either::A(TcpCommand::Query { socket: id }), out);
        Ok(())
    }

    /// The answer to the last query, once it is there.
    pub fn take_info(&mut self, id: SocketId) -> Result<Option<Box<ConnectionInfo>>, Errno> {
        Ok(self.tcp(id)?.info.take())
    }

    /// `getsockname(2)`; `None` before there is one.
    pub fn local_addr(&self, id: SocketId) -> Result<Option<SocketAddr>, Errno> {
        let socket = self.sockets.get(&id).ok_or(Errno::BADF)?;
        match &socket.protocol {
            Protocol::Tcp(tcp) => Ok(tcp.local),
            Protocol::Udp(udp) => Ok(udp.local),
        }
    }

    /// `getpeername(2)`.
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let socket = self.sockets.get(&id).ok_or(Errno::BADF)?;
        let peer = match &socket.protocol {
            Protocol::Tcp(tcp) => match &tcp.phase {
                Phase::Open(stream) if !stream.gone => Some(stream.remote),
                Phase::Open(_)
                | Phase::Fresh
                | Phase::Binding { .. }
                | Phase::Bound
                | Phase::Listening { .. }
                | Phase::Connecting => None,
            },
            Protocol::Udp(udp) => udp.remote,
        };
        peer.ok_or(Errno::NOTCONN)
    }

    pub(super) fn tcp(&mut self, id: SocketId) -> Result<&mut TcpSocket, Errno> {
        match &mut self.get(id)?.protocol {
            Protocol::Tcp(tcp) => Ok(tcp),
            Protocol::Udp(_) => Err(Errno::OPNOTSUPP),
        }
    }
}

/// Events.
impl Hub {
    pub(super) fn tcp_event(&mut self, event: TcpEvent, out: &mut Out<'_, Self>) {
        let id = event.socket();
        if let TcpEvent::Incoming { listener, socket, local, remote } = event {
            self.incoming(listener, socket, local, remote, out);
            return out.consume(());
        }
        if let TcpEvent::Closed { .. } = event {
            self.lingered(id, out);
        }
        let Some(socket) = self.sockets.get_mut(&id) else { return out.consume(event) };
        let Protocol::Tcp(tcp) = &mut socket.protocol else { return out.consume(event) };
        match event {
            TcpEvent::Incoming { .. } => {}
            TcpEvent::Bound { socket: _, result } => {
                self.bound(id, result, out);
            }
            TcpEvent::Established { socket: _, local, remote } => {
                if let Phase::Connecting = tcp.phase {
                    tcp.local = Some(local);
                    tcp.phase = Phase::Open(Stream::new(remote));
                }
            }
            TcpEvent::Data { socket: _, chunk } => {
                if let Phase::Open(stream) = &mut tcp.phase {
                    self.inbox.add(chunk.len());
                    stream.push(chunk);
                    return self.touch(id, out);
                }
            }
            TcpEvent::Urgent { socket: _, end } => socket.urgent(end),
            TcpEvent::Collapse { socket: _ } => {
                if let Phase::Open(stream) = &mut tcp.phase {
                    let merged = stream.collapse();
                    self.taken(merged, 0, out);
                }
            }
            TcpEvent::Finished { socket: _ } => {
                if let Phase::Open(stream) = &mut tcp.phase {
                    stream.finished = true;
                }
            }
            TcpEvent::Room { socket: _, bytes } => {
                if let Phase::Open(stream) = &mut tcp.phase {
                    stream.grant(bytes);
                }
            }
            // A hint only (RFC 9293 MUST-56), unless IP_RECVERR asks for more; it becomes the error
            // if the connection times out, which TCP decides.
            TcpEvent::SoftError { socket: _, error } => {
                let target = if socket.soft_errors.wanted {
                    &mut socket.error
                } else {
                    &mut socket.soft_errors.last
                };
                *target = Some(error.into());
            }
            TcpEvent::Closed { socket: _, reason } => {
                let again = socket.tcp_closed(reason);
                if let Some(local) = again {
                    self.bind_again(id, local, out);
                }
            }
            TcpEvent::Info { socket: _, info } => tcp.info = Some(info),
        }
        out.consume(());
        self.touch(id, out);
    }

    fn bound(
        &mut self,
        id: SocketId,
        result: Result<SocketAddr, SocketError>,
        out: &mut Out<'_, Self>,
    ) {
        let Ok(socket) = self.get(id) else { return };
        let Protocol::Tcp(tcp) = &mut socket.protocol else { return };
        let Phase::Binding { listen } = tcp.phase else { return };
        match result {
            Ok(local) => {
                tcp.local = Some(local);
                tcp.phase = Phase::Bound;
                if let Some(backlog) = listen {
                    // A bound socket can always listen.
                    let _ = self.listen(id, backlog, out);
                }
            }
            Err(error) => {
                tcp.phase = Phase::Fresh;
                socket.error.get_or_insert(error.into());
            }
        }
    }

    /// A connection was refused; the address that the program had named stays its own, as on
    /// Linux (SOCK_BINDPORT_LOCK).
    fn bind_again(&mut self, id: SocketId, local: BoundAddress, out: &mut Out<'_, Self>) {
        let Ok(socket) = self.get(id) else { return };
        let (reuse_address, reuse_port) = (socket.reuse.address, socket.reuse.port);
        let Protocol::Tcp(tcp) = &mut socket.protocol else { return };
        tcp.phase = Phase::Binding { listen: None };
        let bind = TcpCommand::Bind { socket: id, local, reuse_address, reuse_port };
        self.command(Either::A(bind), out);
    }

    fn incoming(
        &mut self,
        listener: SocketId,
        id: SocketId,
        local: SocketAddr,
        remote: SocketAddr,
        out: &mut Out<'_, Self>,
    ) {
        let full = self.sockets.len() >= self.config.max_sockets;
        let (reuse, wanted) = match self.get(listener) {
            Ok(socket) => (socket.reuse, socket.soft_errors.wanted),
            Err(_) => Default::default(),
        };
        let options = match self.tcp(listener) {
            Ok(TcpSocket { phase: Phase::Listening { queue }, options, .. }) if !full => {
                queue.push_back(id);
                options.clone()
            }
            // The listener was closed while this came up, or there are too many sockets.
            Ok(_) | Err(_) => {
                self.command(Either::A(TcpCommand::Abort { socket: id }), out);
                // Its place in the backlog is free again.
                return self.command(Either::A(TcpCommand::Accepted { listener }), out);
            }
        };
        let phase = Phase::Open(Stream::new(remote));
        let tcp = TcpSocket { phase, local: Some(local), ..TcpSocket::new(options) };
        let soft_errors = SoftErrors { wanted, last: None };
        let socket = Socket { reuse, soft_errors, ..Socket::new(Protocol::Tcp(tcp)) };
        self.sockets.insert(id, Box::new(socket));
        self.touch(listener, out);
    }
}

impl Socket {
    /// TCP has ended the connection, and has forgotten the id. Answers with the address to bind
    /// again, if there is one.
    fn tcp_closed(&mut self, reason: CloseReason) -> Option<BoundAddress> {
        let Protocol::Tcp(tcp) = &mut self.protocol else { return None };
        let connecting = matches!(tcp.phase, Phase::Connecting);
        let asked = tcp.asked.as_deref().copied();
        let again = asked.filter(|asked| connecting && asked.address.port() != 0);
        match &mut tcp.phase {
            Phase::Open(stream) => stream.end(),
            // Refused, or no answer: the socket may be used again, as in Linux.
            Phase::Connecting | Phase::Binding { .. } | Phase::Bound | Phase::Listening { .. } => {
                tcp.phase = Phase::Fresh;
                tcp.local = None;
            }
            Phase::Fresh => {}
        }
        match reason {
            CloseReason::Finished => {}
            CloseReason::Failed(error) => self.error = Some(error.into()),
        }
        again
    }
}
