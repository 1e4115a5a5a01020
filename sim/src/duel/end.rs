//! One end: TCP itself, the least of a hub on top of it, and the checker beside it.

use core::net::SocketAddr;
use std::collections::BTreeSet;

use bytes::Bytes;
use layer::boundary::{
    BoundAddress, Cast, CloseReason, IpError, IpIn, IpOut, Path, Route, SocketError, SocketId,
    TcpCommand, TcpEvent, TcpOptions, protocol,
};
use layer::outlet::Driver;
use layer::{Accounted, Duration, Instant, InterfaceId, Layer};
use tcp::Tcp;

use super::actions::{Call, Setting};
use super::address;
use super::stack::{config, limit};
use super::wire::{PORT, Packet, cut};
use crate::pattern::Pattern;
use crate::promises::{Promises, Tuple, View};

const LISTENER: SocketId = SocketId(0);
/// On a good wire nothing is given up after this: longer than any back-off.
const PATIENCE: Duration = Duration::from_secs(300);

/// A stack, its one socket besides the listener, and what the model knows of that.
pub(super) struct End {
    side: usize,
    tcp: Tcp,
    driver: Driver<TcpEvent, IpOut>,
    mtu: u32,
    options: TcpOptions,
    /// The most it may hold, bytes.
    limit: usize,
    promises: Promises,
    /// Connections that were there, if what is gone can come back, as with cookies.
    known: Option<BTreeSet<Tuple>>,
    /// One has come back.
    renewed: bool,
    socket: Option<Socket>,
    next: u64,
    /// The program is at its end: what still opens is shut down at once.
    calm: Option<Instant>,
    /// A connection timed out in the calm.
    gave_up: bool,
    /// Sockets let go while news of them may be in the batch at hand.
    gone: Vec<SocketId>,
    out: Vec<Packet>,
    trace: Option<Vec<String>>,
    pub(super) read: u64,
    pub(super) sent: u64,
    pub(super) established: u64,
}

/// A connection as its program knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Socket {
    id: SocketId,
    /// Known once it is established.
    ends: Option<Tuple>,
    room: u32,
    written: u64,
    received: u64,
    unread: u32,
    shut: bool,
    finished: bool,
    /// It failed, or the program threw it away.
    over: bool,
}

impl Socket {
    fn new(id: SocketId, ends: Option<Tuple>) -> Self {
        Self {
            id,
            ends,
            room: 0,
            written: 0,
            received: 0,
            unread: 0,
            shut: false,
            finished: false,
            over: false,
        }
    }
}

/// What the side with address `from` writes.
pub(super) fn stream(from: SocketAddr) -> Pattern {
    Pattern(u64::from(from.port()))
}

impl End {
    pub(super) fn new(side: usize, setting: &Setting) -> Self {
        let options = TcpOptions {
            nodelay: setting.nodelay,
            send_buffer: setting.buffer,
            receive_buffer: setting.buffer,
            ..TcpOptions::default()
        };
        let mut end = Self {
            side,
            tcp: Tcp::new(config(side, setting)),
            driver: Driver::new(setting.room),
            mtu: setting.mtu,
            options,
            limit: limit(setting),
            promises: Promises::new(),
            known: setting.cookies.then(BTreeSet::new),
            renewed: false,
            socket: None,
            next: 1,
            calm: None,
            gave_up: false,
            gone: Vec::new(),
            out: Vec::new(),
            trace: None,
            read: 0,
            sent: 0,
            established: 0,
        };
        // With cookies nobody but the end knows which of two SYNs said the scale.
        if setting.poor || setting.cookies {
            end.promises.allow_shrinking();
        }
        end.listen();
        end
    }

    fn listen(&mut self) {
        let local = BoundAddress { address: SocketAddr::from(([0; 4], PORT)), interface: None };
        let (reuse_address, reuse_port) = (true, false);
        let bind = TcpCommand::Bind { socket: LISTENER, local, reuse_address, reuse_port };
        self.command(Instant::ZERO, bind);
        let options = Box::new(self.options.clone());
        self.command(Instant::ZERO, TcpCommand::Listen { socket: LISTENER, backlog: 4, options });
    }

    pub(super) fn address(&self) -> SocketAddr {
        address(self.side)
    }

    /// From now on it notes what comes and goes.
    pub(super) fn keep_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    pub(super) fn take_trace(&mut self) -> Vec<String> {
        self.trace.as_mut().map(core::mem::take).unwrap_or_default()
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        let side = self.side;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{side} {}", what()));
        }
    }

    fn command(&mut self, now: Instant, command: TcpCommand) {
        self.note(|| format!("call {command:?}").chars().take(120).collect());
        self.tcp.send(now, command, &mut self.driver.out());
    }

    /// A packet from the wire.
    pub(super) fn receive(&mut self, now: Instant, packet: &Packet) {
        if !packet.broken
            && let Ok(view) = View::read(&packet.bytes)
        {
            self.promises.received((packet.destination, packet.source), &view);
        }
        self.note(|| format!("< {packet}"));
        let datagram = IpIn::Datagram(packet.datagram(self.mtu));
        self.tcp.receive(now, datagram, &mut self.driver.out());
    }

    /// An ICMP error.
    pub(super) fn error(&mut self, now: Instant, error: IpError) {
        self.tcp.receive(now, IpIn::Error(error), &mut self.driver.out());
    }

    pub(super) fn promises(&self) -> &Promises {
        &self.promises
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.tcp.poll_at()
    }

    pub(super) fn take_sent(&mut self) -> Vec<Packet> {
        core::mem::take(&mut self.out)
    }

    /// One poll. True if there is nothing left to do now.
    pub(super) fn poll(&mut self, now: Instant) -> Result<bool, String> {
        self.tcp.poll(now, &mut self.driver.out());
        let events: Vec<TcpEvent> = self.driver.up.drain().collect();
        let items: Vec<IpOut> = self.driver.down.drain().collect();
        let quiet = events.is_empty() && items.is_empty();
        for event in events {
            self.event(now, event)?;
        }
        self.gone.clear();
        for item in items {
            self.item(now, item)?;
        }
        // What became due meanwhile waits for the next call; whether that ends is for the caller.
        Ok(quiet && self.tcp.poll_at().is_none_or(|at| at > now))
    }

    fn item(&mut self, now: Instant, item: IpOut) -> Result<(), String> {
        match item {
            IpOut::Datagram(send) => {
                for packet in cut(&send, self.mtu)? {
                    self.note(|| format!("> {packet}"));
                    let view = View::read(&packet.bytes)?;
                    self.promises.sent((packet.source, packet.destination), &view)?;
                    self.sent += 1;
                    self.out.push(packet);
                }
            }
            IpOut::Lookup { token, protocol, destination, .. } => {
                let route = Ok(Route {
                    interface: InterfaceId(0),
                    source: self.address().ip(),
                    mtu: self.mtu,
                    link_mtu: self.mtu,
                    cast: Cast::Unicast,
                });
                let path = IpIn::Path(Path { token, protocol, destination, route });
                self.tcp.receive(now, path, &mut self.driver.out());
            }
            IpOut::PathMtu { destination, mtu } => {
                // RFC 1191 floor: IP's memory goes no lower.
                let mtu = mtu.clamp(552.min(self.mtu), self.mtu);
                let news = IpIn::PathMtu { protocol: protocol::TCP, destination, mtu };
                self.tcp.receive(now, news, &mut self.driver.out());
            }
            IpOut::Reject { .. } => return Err("TCP answers for itself".to_owned()),
        }
        Ok(())
    }

    fn event(&mut self, now: Instant, event: TcpEvent) -> Result<(), String> {
        self.note(|| format!("told {event:?}").chars().take(120).collect());
        if let TcpEvent::Incoming { listener, socket, local, remote } = event {
            self.established += 1;
            let known = self.known.as_mut().is_some_and(|known| !known.insert((local, remote)));
            if self.known.is_some() {
                self.promises.begins_by_cookie((local, remote));
            }
            self.renewed |= known;
            self.command(now, TcpCommand::Accepted { listener });
            // A program with one connection at a time lets the older one go.
            if let Some(old) = self.socket.replace(Socket::new(socket, Some((local, remote)))) {
                self.command(now, TcpCommand::Abort { socket: old.id });
                self.gone.push(old.id);
            }
            return if self.calm.is_some() { self.call(now, Call::Shutdown) } else { Ok(()) };
        }
        let id = event.socket();
        let Some(socket) = self.socket.as_mut().filter(|socket| socket.id == id) else {
            let late = id != LISTENER && !self.gone.contains(&id);
            return if late {
                Err(format!("news of a forgotten socket: {event:?}"))
            } else {
                Ok(())
            };
        };
        match event {
            TcpEvent::Established { local, remote, .. } => {
                self.established += 1;
                socket.ends = Some((local, remote));
            }
            TcpEvent::Data { chunk, .. } => {
                let from = socket.ends.ok_or("text before the connection")?.1;
                if socket.finished {
                    return Err("text after the end".to_owned());
                }
                stream(from).check(socket.received, &chunk).map_err(|wrong| wrong.to_string())?;
                socket.received += chunk.len() as u64;
                socket.unread += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            }
            TcpEvent::Finished { .. } => socket.finished = true,
            TcpEvent::Room { bytes, .. } => socket.room += bytes,
            TcpEvent::Closed { reason, .. } => {
                if reason == CloseReason::Finished && !(socket.finished && socket.shut) {
                    return Err("finished, but not by both sides".to_owned());
                }
                let late = self.calm.is_some_and(|calm| now.since(calm) > PATIENCE);
                self.gave_up |= late && reason == CloseReason::Failed(SocketError::TimedOut);
                socket.over = reason != CloseReason::Finished;
                if socket.over {
                    self.socket = None;
                }
            }
            TcpEvent::Bound { .. }
            | TcpEvent::Incoming { .. }
            | TcpEvent::Urgent { .. }
            // Nothing waits here as blocks: what came was compared and let go.
            | TcpEvent::Collapse { .. }
            | TcpEvent::SoftError { .. }
            | TcpEvent::Info { .. } => {}
        }
        Ok(())
    }

    /// A socket call.
    pub(super) fn call(&mut self, now: Instant, call: Call) -> Result<(), String> {
        if call == Call::Connect {
            if self.socket.is_none() {
                let socket = SocketId(self.next);
                self.next += 1;
                self.socket = Some(Socket::new(socket, None));
                let remote = address(1 - self.side);
                let options = Box::new(self.options.clone());
                self.command(now, TcpCommand::Connect { socket, remote, options });
            }
            return Ok(());
        }
        let Some(mut socket) = self.socket else { return Ok(()) };
        let id = socket.id;
        match call {
            Call::Connect => {}
            Call::Write { bytes, urgent } => {
                let bytes = bytes.min(socket.room as usize);
                let from = socket.ends.map(|(local, _)| local);
                if let Some(from) = from.filter(|_| bytes > 0 && !socket.shut) {
                    let data = Bytes::from(stream(from).bytes(socket.written, bytes));
                    socket.room -= u32::try_from(bytes).unwrap_or(u32::MAX);
                    socket.written += bytes as u64;
                    self.command(
                        now,
                        if urgent {
                            TcpCommand::SendUrgent { socket: id, data }
                        } else {
                            TcpCommand::Send { socket: id, data }
                        },
                    );
                }
            }
            Call::Read { bytes } => {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(socket.unread);
                socket.unread -= bytes;
                self.read += u64::from(bytes);
                self.command(now, TcpCommand::Consumed { socket: id, bytes });
            }
            Call::Shutdown => {
                socket.shut = true;
                self.command(now, TcpCommand::Shutdown { socket: id });
            }
            Call::Close | Call::Abort => {
                self.socket = None;
                let abort = call == Call::Abort;
                self.command(
                    now,
                    if abort {
                        TcpCommand::Abort { socket: id }
                    } else {
                        TcpCommand::Close { socket: id }
                    },
                );
                return Ok(());
            }
            Call::Configure(bits) => {
                self.configure(now, id, bits);
            }
        }
        self.socket = Some(socket);
        Ok(())
    }

    fn configure(&mut self, now: Instant, socket: SocketId, bits: u8) {
        let bit = |n: u8| bits >> n & 1 == 1;
        let options = Box::new(TcpOptions {
            nodelay: bit(0),
            cork: bit(1),
            quickack: bit(2),
            keepalive: bit(3),
            keepalive_idle: Duration::from_secs(60),
            ..self.options.clone()
        });
        self.command(now, TcpCommand::Configure { socket, options });
    }

    /// Holds no more than its limits allow.
    pub(super) fn weigh(&self) -> Result<(), String> {
        let (held, limit) = (self.tcp.held_bytes(), self.limit);
        if held <= limit { Ok(()) } else { Err(format!("holds {held} bytes, limit {limit}")) }
    }

    /// Everything that came is read.
    pub(super) fn read_all(&mut self, now: Instant) {
        let _ = self.call(now, Call::Read { bytes: usize::MAX });
    }

    /// The program ends what it says, and corks no more.
    pub(super) fn calm(&mut self, now: Instant) -> Result<(), String> {
        self.calm = Some(now);
        self.call(now, Call::Configure(0))?;
        self.call(now, Call::Shutdown)?;
        self.read_all(now);
        Ok(())
    }

    pub(super) fn close(&mut self, now: Instant) -> Result<(), String> {
        self.read_all(now);
        self.call(now, Call::Close)
    }

    /// What the peer wrote has arrived, if both still have the same connection.
    pub(super) fn compare(&self, peer: &Self) -> Result<(), String> {
        // What came back at one end begins its stream anew, the other goes on with its own.
        if self.renewed || peer.renewed {
            return Ok(());
        }
        if self.gave_up {
            return Err(format!("end {} timed out on a good wire", self.side));
        }
        let (Some(ours), Some(theirs)) = (self.socket, peer.socket) else { return Ok(()) };
        let same = ours.ends.zip(theirs.ends).is_some_and(|(a, b)| a == (b.1, b.0));
        if same && (ours.received != theirs.written || !ours.finished) {
            return Err(format!(
                "on a good wire {} of {} bytes arrived at end {}, end of stream: {}; {:?}",
                ours.received,
                theirs.written,
                self.side,
                ours.finished,
                self.tcp.connections().first()
            ));
        }
        Ok(())
    }

    pub(super) fn nothing_left(&self) -> Result<(), String> {
        let left = self.tcp.connections();
        match left.first() {
            None => Ok(()),
            Some(first) => Err(format!("end {} has {} left: {first:?}", self.side, left.len())),
        }
    }
}
