//! What comes from above: the hub's commands (RFC 9293 3.10.1 to 3.10.6).

use core::net::{IpAddr, SocketAddr};
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use layer::boundary::{
    Cast, CloseReason, IpOut, Path, Route, SocketError, SocketId, TcpCommand, TcpEvent, TcpOptions,
    TcpState, protocol,
};
use layer::{Instant, Out};

use super::Tcp;
use crate::config::Config;
use crate::conn::opening::{Opening, Origin};
use crate::conn::state::{Event, follow};
use crate::conn::{Ends, Fate, Io, Open, Phase};
use crate::listen::Listener;
use crate::ports::Bound;
use crate::send::Fin;
use crate::table::{Key, Tuple};

/// What waits for IP's answer.
#[derive(Debug)]
pub(super) enum Routing {
    /// An active open: is there a way, and from which address?
    Connect(Connecting),
    /// A reservation: is the address ours?
    Bind(SocketAddr),
}

/// An active open that waits for a route.
#[derive(Debug)]
pub(super) struct Connecting {
    socket: SocketId,
    remote: SocketAddr,
    options: Box<TcpOptions>,
    /// The application has closed its sending side meanwhile.
    shutdown: bool,
}

impl Tcp {
    /// One command.
    pub(super) fn command(&mut self, now: Instant, command: TcpCommand, out: &mut Out<'_, Self>) {
        match command {
            TcpCommand::Bind { socket, local, reuse_address, reuse_port } => {
                let bound = Bound {
                    socket,
                    local: local.address,
                    reuse_address,
                    reuse_port,
                    listening: false,
                };
                self.bind(bound, out);
            }
            TcpCommand::Listen { socket, backlog, options } => {
                self.listen(socket, backlog, options);
            }
            TcpCommand::Connect { socket, remote, options } => {
                self.connect(socket, remote, options, out);
            }
            TcpCommand::Accepted { listener } => {
                if let Some(listener) = self.listeners.get_mut(&listener) {
                    listener.release();
                }
            }
            TcpCommand::Send { socket, data } => self.enqueue(socket, data, false),
            TcpCommand::SendUrgent { socket, data } => self.enqueue(socket, data, true),
            TcpCommand::Consumed { socket, bytes } => {
                // Most reads change nothing for the peer.
                self.with_open(socket, |open, config| open.consumed(now, bytes, config));
            }
            TcpCommand::Shutdown { socket } => self.finish(now, socket, out, Finish::Shutdown),
            TcpCommand::Close { socket } => self.finish(now, socket, out, Finish::Close),
            TcpCommand::Abort { socket } => self.finish(now, socket, out, Finish::Abort),
            TcpCommand::Configure { socket, options } => self.configure(socket, options),
            TcpCommand::Query { socket } => self.query(now, socket),
        }
    }

    /// RFC 9293 3.10.2: appends to the send buffer; SND.UP is the end of what is urgent.
    fn enqueue(&mut self, socket: SocketId, data: Bytes, urgent: bool) {
        self.with_open(socket, |open, _| {
            open.room.used(u32::try_from(data.len()).unwrap_or(u32::MAX));
            // After FIN there is nothing more to say.
            if open.snd.fin != Fin::No || data.is_empty() {
                return true;
            }
            open.snd.buffer.push(data);
            if urgent {
                open.snd.urgent.mark(open.snd.buffer.end());
            }
            true
        });
    }

    /// Changes an open connection and looks at it in the next poll.
    /// Changes an open connection, which is served if `change` says that there is something to do.
    fn with_open(&mut self, socket: SocketId, change: impl FnOnce(&mut Open, &Config) -> bool) {
        let Some(key) = self.table.find_id(socket) else { return };
        self.awake(key);
        let Self { table, config, .. } = self;
        if let Some(connection) = table.get_mut(key)
            && let Phase::Open(open) = &mut connection.phase
        {
            let due = change(open, config);
            self.settle(key);
            if due {
                self.mark_due(key);
            } else {
                self.doze(key, self.now);
            }
        }
    }

    fn bind(&mut self, mut bound: Bound, out: &mut Out<'_, Self>) {
        let socket = bound.socket;
        let result = if self.bound.contains_key(&socket) {
            Err(SocketError::InvalidInput)
        } else {
            self.ports.bind(bound)
        };
        let Ok(local) = result else {
            self.answers.push_back(TcpEvent::Bound { socket, result });
            return;
        };
        bound.local = local;
        self.bound.insert(socket, bound);
        if local.ip().is_unspecified() {
            self.answers.push_back(TcpEvent::Bound { socket, result });
        } else if self.ask(socket, Some(local.ip()), local.ip(), out) {
            self.routing.insert(socket, Routing::Bind(local));
        } else {
            self.bound_elsewhere(socket, SocketError::NoBuffers);
        }
    }

    /// The reservation fails after all.
    fn bound_elsewhere(&mut self, socket: SocketId, error: SocketError) {
        self.unbind(socket);
        self.answers.push_back(TcpEvent::Bound { socket, result: Err(error) });
    }

    /// Gives a socket's reservation back.
    pub(super) fn unbind(&mut self, socket: SocketId) {
        if let Some(bound) = self.bound.remove(&socket) {
            self.ports.unbind(socket, bound.local);
        }
    }

    /// Asks IP for a way. False if there is no room for the question.
    fn ask(
        &mut self,
        socket: SocketId,
        source: Option<IpAddr>,
        destination: IpAddr,
        out: &mut Out<'_, Self>,
    ) -> bool {
        // A question that is lost is never answered.
        let room = out.down.room() > 0;
        if room {
            let (token, protocol) = (socket.0, protocol::TCP);
            out.down.push(IpOut::Lookup { token, protocol, interface: None, source, destination });
        }
        room
    }

    /// IP's answer.
    pub(super) fn routed(&mut self, now: Instant, path: Path, out: &mut Out<'_, Self>) {
        let socket = SocketId(path.token);
        out.ledger.count_consumed();
        match self.routing.remove(&socket) {
            Some(Routing::Connect(connecting)) => {
                let result = match path.route {
                    Ok(route) if route.cast == Cast::Unicast => {
                        self.active_open(now, connecting, route, out)
                    }
                    // RFC 9293 3.9.1.1 MUST-46: not to broadcast or multicast.
                    Ok(_) => Err(SocketError::NetworkUnreachable),
                    Err(kind) => Err(kind.socket_error()),
                };
                if let Err(error) = result {
                    self.fail(socket, error);
                }
            }
            Some(Routing::Bind(local)) if path.route.is_ok() => {
                self.answers.push_back(TcpEvent::Bound { socket, result: Ok(local) });
            }
            Some(Routing::Bind(_)) => {
                self.bound_elsewhere(socket, SocketError::AddressNotAvailable);
            }
            None => {}
        }
    }

    fn listen(&mut self, socket: SocketId, backlog: u32, options: Box<TcpOptions>) {
        let Some(&bound) = self.bound.get(&socket) else {
            return self.fail(socket, SocketError::InvalidInput);
        };
        // RFC 9293 3.9.1.1 MUST-41, MUST-42: connections on the port go on, opening ones too.
        if let Err(error) = self.ports.listen(socket, bound.local) {
            return self.fail(socket, error);
        }
        if options.everywhere
            && let Err(error) = self.ports.listen_everywhere(socket)
        {
            return self.fail(socket, error);
        }
        match self.listeners.entry(socket) {
            Entry::Occupied(mut listener) => listener.get_mut().again(backlog, options.into()),
            Entry::Vacant(place) => {
                place.insert(Listener::new(backlog, options.into()));
            }
        }
    }

    /// RFC 9293 3.10.1, active: first of all, how would packets get there, and from where?
    fn connect(
        &mut self,
        socket: SocketId,
        remote: SocketAddr,
        options: Box<TcpOptions>,
        out: &mut Out<'_, Self>,
    ) {
        let busy = self.listeners.contains_key(&socket)
            || self.routing.contains_key(&socket)
            || self.table.find_id(socket).is_some();
        if busy {
            return self.fail(socket, SocketError::InvalidInput);
        }
        // Nobody can listen there (RFC 6335 6); Linux asks and is told so.
        if remote.port() == 0 {
            return self.fail(socket, SocketError::ConnectionRefused);
        }
        // RFC 9293 3.9.1.1 MUST-43: the application may name the local address; MUST-44: else IP
        // chooses it before the first SYN.
        let named = self.bound.get(&socket).map(|bound| bound.local.ip());
        let source = named.filter(|address| !address.is_unspecified());
        if self.ask(socket, source, remote.ip(), out) {
            let connecting = Connecting { socket, remote, options, shutdown: false };
            self.routing.insert(socket, Routing::Connect(connecting));
        } else {
            self.fail(socket, SocketError::NoBuffers);
        }
    }

    /// The way is known: choose a port, send the SYN.
    fn active_open(
        &mut self,
        now: Instant,
        connecting: Connecting,
        route: Route,
        out: &mut Out<'_, Self>,
    ) -> Result<(), SocketError> {
        let Connecting { socket, remote, options, shutdown } = connecting;
        if self.is_full() {
            return Err(SocketError::NoBuffers);
        }
        let mut local = SocketAddr::new(route.source, 0);
        let (table, requests, old) = (&self.table, &self.requests, &self.time_waits);
        let taken = |port: u16| {
            let local = SocketAddr::new(route.source, port);
            let tuple = Tuple { local, remote };
            table.find(&tuple).is_some() || requests.find(&tuple).is_some() || old.contains(&tuple)
        };
        let port = match self.bound.get(&socket) {
            Some(bound) if taken(bound.local.port()) => {
                return Err(SocketError::AddressNotAvailable);
            }
            Some(bound) => bound.local.port(),
            None => self
                .ports
                .ephemeral(local, remote, taken)
                .ok_or(SocketError::AddressNotAvailable)?,
        };
        local.set_port(port);
        let ends = Ends { id: socket, local, remote, ttl: options.ttl, tos: options.tos };
        if route.mtu < route.link_mtu {
            self.paths.learn(remote.ip(), route.mtu);
        }
        self.stats.active_opens += 1;
        let numbers = (self.isn.isn(now, local, remote), self.isn.stamp_offset(local, remote));
        let state = follow(TcpState::Closed, Event::ActiveOpen);
        let options = self.shared(options);
        let mut opening =
            Opening::new(state, Origin::Active, numbers, None, route.link_mtu, options, now);
        opening.shutdown = shutdown;
        let Self { stats, config, .. } = self;
        let io = &mut Io { now, out, stats, config };
        crate::conn::note_state(&ends, io, TcpState::Closed, state);
        opening.transmit(&ends, io);
        self.insert(ends, Phase::Opening(Box::new(opening)));
        Ok(())
    }

    /// Answers a command for which there is no connection; the id is forgotten.
    pub(super) fn fail(&mut self, socket: SocketId, error: SocketError) {
        self.unbind(socket);
        let reason = CloseReason::Failed(error);
        self.answers.push_back(TcpEvent::Closed { socket, reason });
    }

    fn finish(&mut self, now: Instant, socket: SocketId, out: &mut Out<'_, Self>, how: Finish) {
        if how != Finish::Shutdown {
            self.listeners.remove(&socket);
            self.unbind(socket);
            self.answers.retain(|event| event.socket() != socket);
            self.routing.remove(&socket);
        } else if let Some(Routing::Connect(connecting)) = self.routing.get_mut(&socket) {
            connecting.shutdown = true;
        }
        if let Some(key) = self.table.find_id(socket) {
            self.finish_connection(now, key, out, how);
        }
    }

    fn finish_connection(&mut self, now: Instant, key: Key, out: &mut Out<'_, Self>, how: Finish) {
        self.awake(key);
        let Self { table, stats, config, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        let io = &mut Io { now, out, stats, config };
        let id = connection.ends.id;
        let lingers = how == Finish::Close && connection.phase.lingers();
        connection.orphan |= how != Finish::Shutdown && !lingers;
        let fate = match &mut connection.phase {
            Phase::Open(open) => match how {
                Finish::Shutdown => {
                    open.shutdown(&connection.ends, io);
                    Fate::Stay
                }
                Finish::Close => open.close(&connection.ends, io),
                Finish::Abort => open.abort(&connection.ends, io),
            },
            Phase::Opening(opening) => match how {
                Finish::Shutdown => {
                    opening.shutdown = true;
                    Fate::Stay
                }
                // RFC 9293 3.10.4: CLOSE in SYN-SENT deletes the TCB.
                Finish::Close | Finish::Abort => Fate::failed(SocketError::ConnectionAborted),
            },
            Phase::Idle(_) => Fate::Stay,
            Phase::Over(_) if how == Finish::Shutdown => Fate::Stay,
            Phase::Over(over) if lingers => {
                over.ready.clear();
                Fate::Stay
            }
            Phase::Over(over) => Fate::Gone(over.reason),
        };
        if how != Finish::Shutdown && !lingers {
            self.table.forget_id(id);
        }
        self.follow(key, now, fate, out);
        self.mark_due(key);
    }

    /// A program gives the same options to all its connections: they hold them once.
    fn shared(&mut self, options: Box<TcpOptions>) -> Arc<TcpOptions> {
        if *options != *self.common {
            self.common = options.into();
        }
        Arc::clone(&self.common)
    }

    fn configure(&mut self, socket: SocketId, options: Box<TcpOptions>) {
        if let Some(listener) = self.listeners.get_mut(&socket) {
            listener.options = options.into();
            return;
        }
        let Some(key) = self.table.find_id(socket) else { return };
        self.awake(key);
        let options = self.shared(options);
        let Some(connection) = self.table.get_mut(key) else { return };
        (connection.ends.ttl, connection.ends.tos) = (options.ttl, options.tos);
        match &mut connection.phase {
            Phase::Open(open) => {
                open.configure(options);
                self.mark_due(key);
            }
            Phase::Opening(opening) => opening.options = options,
            Phase::Idle(_) | Phase::Over(_) => {}
        }
    }

    fn query(&mut self, now: Instant, socket: SocketId) {
        let config = &self.config;
        let info = match (self.listeners.get(&socket), self.bound.get(&socket)) {
            (Some(listener), Some(bound)) => Some(listener.info(socket, bound.local)),
            _ => self.table.find_id(socket).and_then(|key| {
                let connection = self.table.get(key)?;
                super::show::connection_info(connection, now, config)
            }),
        };
        if let Some(info) = info {
            self.answers.push_back(TcpEvent::Info { socket, info: Box::new(info) });
        }
    }
}

/// The three ways an application ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    Shutdown,
    Close,
    Abort,
}
