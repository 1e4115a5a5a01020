//! What comes down from the hub, sending aside: bind, connect, close, and what follows from the
//! answers to lookups.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use layer::Out;
use layer::boundary::{
    BoundAddress, Cast, IpErrorKind, IpOut, Path, Route, SocketError, SocketId, UdpEvent,
    UdpOptions, protocol,
};

use crate::Udp;
use crate::socket::{Peer, Purpose, Question, Socket};
use crate::table::Entry;

impl Udp {
    pub(crate) fn bind(
        &mut self,
        id: SocketId,
        local: BoundAddress,
        reuse: bool,
        options: UdpOptions,
        out: &mut Out<'_, Self>,
    ) {
        match self.reserve(id, local, reuse, options) {
            Ok(address) if is_nobodys(address.ip()) => {
                self.raise(UdpEvent::Bound { socket: id, result: Ok(address) }, out);
            }
            // A specific address must be one of ours, which IP knows.
            Ok(address) => self.look_up(id, Purpose::Bind, Some(address.ip()), address.ip(), out),
            Err(error) => self.raise(UdpEvent::Bound { socket: id, result: Err(error) }, out),
        }
    }

    /// Gives a new socket its port.
    fn reserve(
        &mut self,
        id: SocketId,
        local: BoundAddress,
        reuse: bool,
        options: UdpOptions,
    ) -> Result<SocketAddr, SocketError> {
        if self.sockets.contains_key(&id) {
            return Err(SocketError::InvalidInput);
        }
        if self.sockets.len() >= self.config.max_sockets {
            return Err(SocketError::NoBuffers);
        }
        let mut address = local.address;
        if address.port() == 0 {
            let table = &self.table;
            let port = self.ports.draw(|port| table.is_free(port));
            address.set_port(port.ok_or(SocketError::AddressInUse)?);
        }
        let socket = Socket::new(address, local.interface, reuse, options);
        let entry = entry(id, &socket);
        if self.table.conflicts(&entry) {
            return Err(SocketError::AddressInUse);
        }
        self.table.insert(entry);
        self.sockets.insert(id, socket);
        Ok(address)
    }

    /// Gives a socket that was never bound any address of the family of `remote` and a free port.
    pub(crate) fn bind_by_itself(
        &mut self,
        id: SocketId,
        remote: SocketAddr,
    ) -> Result<(), SocketError> {
        let address = SocketAddr::new(unspecified_like(remote.ip()), 0);
        let local = BoundAddress { address, interface: None };
        self.reserve(id, local, false, UdpOptions::default()).map(|_| ())
    }

    pub(crate) fn connect(
        &mut self,
        id: SocketId,
        remote: Option<SocketAddr>,
        out: &mut Out<'_, Self>,
    ) {
        let Some(remote) = remote else { return self.disconnect(id, out) };
        if let Err(error) = self.may_connect(id, remote) {
            return self.raise(UdpEvent::Connected { socket: id, result: Err(error) }, out);
        }
        let bound = self.sockets.get(&id).map(|socket| socket.bound_ip);
        let source = bound.filter(|&ip| !is_nobodys(ip));
        self.look_up(id, Purpose::Connect(remote), source, remote.ip(), out);
    }

    fn may_connect(&mut self, id: SocketId, remote: SocketAddr) -> Result<(), SocketError> {
        if remote.port() == 0 {
            return Err(SocketError::InvalidInput);
        }
        match self.sockets.get(&id) {
            Some(socket) if socket.local.is_ipv4() == remote.is_ipv4() => Ok(()),
            Some(_) => Err(SocketError::FamilyNotSupported),
            None => self.bind_by_itself(id, remote),
        }
    }

    fn disconnect(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        let result = if self.sockets.contains_key(&id) {
            self.forget_question(id, out);
            self.set_peer(id, None, None)
        } else {
            Err(SocketError::NotConnected)
        };
        self.raise(UdpEvent::Connected { socket: id, result }, out);
        self.resume(id, out);
    }

    pub(crate) fn close(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        out.consume(());
        self.forget_question(id, out);
        let Some(socket) = self.sockets.remove(&id) else { return };
        self.table.remove(id, socket.local.port());
        // What still waited for leave to be sent never got it.
        self.waiting -= socket.waiting.len();
        for waiting in socket.waiting {
            out.drop(layer::Reason::UdpUnsendable, waiting);
        }
        // Nothing more comes up for an id the hub has forgotten.
        let owed = self.owed_up.len();
        self.owed_up.retain(|event| event.socket() != id);
        for _ in self.owed_up.len()..owed {
            out.consume(());
        }
    }

    /// Asks IP how packets to `destination` leave; a question asked before is taken back.
    pub(crate) fn look_up(
        &mut self,
        id: SocketId,
        purpose: Purpose,
        source: Option<IpAddr>,
        destination: IpAddr,
        out: &mut Out<'_, Self>,
    ) {
        self.forget_question(id, out);
        let token = self.next_token;
        self.next_token += 1;
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.question = Some(Question { token, purpose });
        let interface = socket.interface;
        self.asked.insert(token, id);
        let protocol = protocol::UDP;
        self.ask(IpOut::Lookup { token, protocol, interface, source, destination }, out);
    }

    fn forget_question(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        let question = self.sockets.get_mut(&id).and_then(|socket| socket.question.take());
        let Some(Question { token: forgotten, purpose: _ }) = question else { return };
        self.asked.remove(&forgotten);
        let owed = self.owed_down.len();
        self.owed_down.retain(|item| match item {
            IpOut::Lookup { token, .. } => *token != forgotten,
            IpOut::Datagram(_) | IpOut::Reject { .. } | IpOut::PathMtu { .. } => true,
        });
        for _ in self.owed_down.len()..owed {
            out.consume(());
        }
    }

    pub(crate) fn path_arrives(&mut self, path: Path, out: &mut Out<'_, Self>) {
        let asker = self.asked.remove(&path.token);
        let question = asker.and_then(|id| Some((id, self.sockets.get_mut(&id)?.question.take()?)));
        if let Some((id, question)) = question {
            match question.purpose {
                Purpose::Bind => self.bound(id, path.route, out),
                Purpose::Connect(remote) => self.connected(id, remote, path.route, out),
                Purpose::Broadcast(address) => self.classified(id, address, path.route, out),
            }
        }
        out.consume(path);
    }

    fn bound(&mut self, id: SocketId, route: Result<Route, IpErrorKind>, out: &mut Out<'_, Self>) {
        let Some(socket) = self.sockets.get(&id) else { return };
        let local = socket.local;
        let result = match route {
            Ok(_) => Ok(local),
            Err(_) => {
                self.table.remove(id, local.port());
                self.sockets.remove(&id);
                Err(SocketError::AddressNotAvailable)
            }
        };
        self.raise(UdpEvent::Bound { socket: id, result }, out);
        self.resume(id, out);
    }

    fn connected(
        &mut self,
        id: SocketId,
        remote: SocketAddr,
        route: Result<Route, IpErrorKind>,
        out: &mut Out<'_, Self>,
    ) {
        let result = route
            .map_err(IpErrorKind::socket_error)
            .and_then(|route| self.set_peer(id, Some(remote), Some(route)));
        self.raise(UdpEvent::Connected { socket: id, result }, out);
        self.resume(id, out);
    }

    /// Connects a socket as the route says, or takes the connection back.
    fn set_peer(
        &mut self,
        id: SocketId,
        remote: Option<SocketAddr>,
        route: Option<Route>,
    ) -> Result<SocketAddr, SocketError> {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return Err(SocketError::NotConnected);
        };
        let cast = route.map_or(Cast::Unicast, |route| route.cast);
        if cast == Cast::Broadcast && !socket.options.broadcast {
            return Err(SocketError::PermissionDenied);
        }
        // Connected, the source is settled (RFC 1122 4.1.4): demultiplexing needs it.
        let ip = route.map_or(socket.bound_ip, |route| route.source);
        let local = SocketAddr::new(ip, socket.local.port());
        let mut changed = entry(id, socket);
        self.table.remove(id, local.port());
        if remote.is_some_and(|remote| self.table.is_connected(local, remote)) {
            self.table.insert(changed);
            return Err(SocketError::AddressInUse);
        }
        socket.local = local;
        socket.peer = remote.map(|address| Peer { address, cast });
        changed.local = local;
        changed.remote = remote;
        self.table.insert(changed);
        Ok(local)
    }

    /// Tells the hub of an error, unless one is already on its way.
    pub(crate) fn tell(&mut self, id: SocketId, error: SocketError, out: &mut Out<'_, Self>) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            if socket.error_owed {
                return;
            }
            socket.error_owed = !self.owed_up.is_empty() || out.up.room() == 0;
        }
        self.raise(UdpEvent::Error { socket: id, error }, out);
    }
}

fn entry(id: SocketId, socket: &Socket) -> Entry {
    Entry {
        socket: id,
        local: socket.local,
        interface: socket.interface,
        reuse: socket.reuse,
        remote: socket.peer.map(|peer| peer.address),
    }
}

/// An address that no interface has, which may still be bound to: any, a group, a broadcast.
pub(crate) fn is_nobodys(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST
}

fn unspecified_like(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
