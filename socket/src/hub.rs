//! [`Hub`]: sockets as POSIX describes them, without waiting, without a clock, without threads.
//!
//! ```text
//!    drivers: Host, net (threads that wait), later async, programs, C
//!        |  calls: hub.send(id, bytes, out)       ^ Ready::Changed, Ready::Answer
//!   +--------------------------------------------------------------------------+
//!   |  Hub:  SocketId -> Socket { Tcp | Udp, pending error, readiness told }    |
//!   +--------------------------------------------------------------------------+
//!        |  TcpCommand | UdpCommand               ^ TcpEvent | UdpEvent
//! ```
//!
//! Every operation is a method that answers at once: a result, `EAGAIN`, or `EINPROGRESS` for what
//! a transport must answer first (bind, connect), whose outcome [`Hub::completed`] tells. The same
//! operations as values are [`Call`], answered by [`Ready::Answer`]. When a socket becomes able to
//! do something it could not do before, [`Ready::Changed`] says so: edges, at most one waiting per
//! socket.
//!
//! Flow is by credit (see [`layer::boundary::TcpCommand`]), so the hub always takes what comes up.
//! What it has to put out and finds no room for waits in short lists, each bounded by the number of
//! sockets or by credit, which `poll` empties.
//!
//! Left out: what only some drivers need (waiting, timeouts, descriptors), and options beyond those
//! that the transports have.

mod block;
mod call;
mod closing;
mod flags;
mod inbox;
mod options;
mod readiness;
mod sockopt;
mod stream;
mod tcp;
mod udp;
mod urgent;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use layer::boundary::{SocketId, TcpCommand, TcpEvent, TcpOptions, UdpCommand, UdpEvent};
use layer::{Accounted, Counted, Either, Instant, InterfaceId, Layer, Out};
use rustc_hash::FxBuildHasher;

pub use self::call::{Call, Ready, Reply, Request};
pub use self::flags::Flags;
pub use self::readiness::Readiness;
pub use self::sockopt::{OptionValue, SocketOption};
pub use self::tcp::Accepted;
pub use self::udp::Received;
use crate::Errno;

use self::block::Block;
use self::tcp::TcpSocket;
use self::udp::UdpSocket;

/// What a hub is told at construction.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Sockets at once, connections that wait to be accepted included; more are told `EMFILE`.
    pub max_sockets: usize,
    /// What SO_SNDBUF says where nothing is set, bytes; TCP's default.
    pub send_buffer: u32,
    /// What SO_RCVBUF says where nothing is set, bytes; TCP's default.
    pub receive_buffer: u32,
    /// The largest SO_SNDBUF and SO_RCVBUF, bytes.
    pub max_buffer: u32,
    /// The names that TCP_CONGESTION takes, the default first.
    pub congestion: &'static [&'static str],
}

impl Default for Config {
    /// 65,536 sockets: a little more than one address has ports. Buffers of up to 64 MiB: 10 Gbit/s
    /// over 50 ms.
    fn default() -> Self {
        Self {
            max_sockets: 65_536,
            send_buffer: 1 << 20,
            receive_buffer: 1 << 20,
            max_buffer: 64 << 20,
            congestion: &[],
        }
    }
}

/// What kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SOCK_STREAM.
    Tcp,
    /// SOCK_DGRAM.
    Udp,
}

/// What goes down: to TCP or to UDP.
pub type Command = Either<TcpCommand, UdpCommand>;

/// Sockets and their POSIX semantics.
#[derive(Debug)]
pub struct Hub {
    config: Config,
    sockets: HashMap<SocketId, Box<Socket>, FxBuildHasher>,
    block: Block,
    /// The options of a new connection, and those that were last set: many have the same.
    defaults: Arc<TcpOptions>,
    common: Arc<TcpOptions>,
    next_id: u64,
    /// Commands that found no room, in order.
    owed: VecDeque<Command>,
    /// Connections that owe TCP a `Consumed`: one entry each, however much was read.
    credit: VecDeque<SocketId>,
    /// Sockets whose sending failed for want of room below.
    starved: VecDeque<SocketId>,
    /// Sockets that gained readiness nobody was told of, one entry each.
    changed: VecDeque<SocketId>,
    /// Answers that found no room.
    answers: VecDeque<Ready>,
    /// Connections whose sockets are closed and linger (SO_LINGER with a time).
    lingering: HashSet<SocketId, FxBuildHasher>,
    /// Chunks and datagrams in the inboxes of all sockets, and their bytes.
    inbox: Inbox,
}

/// How much waits to be received, over all sockets.
#[derive(Clone, Copy, Debug, Default)]
struct Inbox {
    items: usize,
    bytes: usize,
}

impl Inbox {
    fn add(&mut self, bytes: usize) {
        self.items += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, items: usize, bytes: usize) {
        self.items -= items;
        self.bytes -= bytes;
    }
}

/// One socket: what both kinds have, and the kind.
#[derive(Debug)]
struct Socket {
    protocol: Protocol,
    /// SO_ERROR: told once, by the next call.
    error: Option<Errno>,
    /// The readiness its owner knows of, less what it has lost since.
    told: Readiness,
    /// On the list `changed`.
    listed: bool,
    /// On the list `starved`: not writable.
    starved: bool,
    reuse: Reuse,
    /// SO_BINDTODEVICE.
    interface: Option<InterfaceId>,
    soft_errors: SoftErrors,
}

/// What went wrong without ending the connection (RFC 9293 MUST-47).
#[derive(Clone, Copy, Debug, Default)]
struct SoftErrors {
    /// IP_RECVERR: told like any other error.
    wanted: bool,
    /// The last one; SO_ERROR tells it where there is no other.
    last: Option<Errno>,
}

/// SO_REUSEADDR and SO_REUSEPORT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reuse {
    /// Connections in TIME-WAIT do not stand in the way of `bind`.
    pub address: bool,
    /// Others with the same option may share address and port.
    pub port: bool,
}

#[derive(Debug)]
enum Protocol {
    Tcp(TcpSocket),
    Udp(UdpSocket),
}

impl Socket {
    fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            error: None,
            told: Readiness::default(),
            listed: false,
            starved: false,
            reuse: Reuse::default(),
            interface: None,
            soft_errors: SoftErrors::default(),
        }
    }

    /// Takes the pending error; with it goes the readiness it stood for.
    fn take_error(&mut self) -> Option<Errno> {
        let error = self.error.take();
        self.told = self.told.and(self.readiness());
        error
    }

    fn readiness(&self) -> Readiness {
        let error = self.error.is_some();
        match &self.protocol {
            Protocol::Tcp(tcp) => tcp.readiness(error, self.starved),
            Protocol::Udp(udp) => udp.readiness(error, self.starved),
        }
    }
}

impl Hub {
    /// A hub without sockets.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            sockets: HashMap::default(),
            block: Block::default(),
            defaults: Arc::default(),
            common: Arc::default(),
            next_id: 0,
            owed: VecDeque::new(),
            credit: VecDeque::new(),
            starved: VecDeque::new(),
            changed: VecDeque::new(),
            answers: VecDeque::new(),
            lingering: HashSet::default(),
            inbox: Inbox::default(),
        }
    }

    /// `socket(2)`. `EMFILE` when there are too many.
    pub fn socket(&mut self, kind: Kind) -> Result<SocketId, Errno> {
        if self.sockets.len() >= self.config.max_sockets {
            return Err(Errno::MFILE);
        }
        let id = SocketId(self.next_id);
        self.next_id += 1;
        let protocol = match kind {
            Kind::Tcp => Protocol::Tcp(TcpSocket::new(Arc::clone(&self.defaults))),
            Kind::Udp => Protocol::Udp(UdpSocket::default()),
        };
        self.sockets.insert(id, Box::new(Socket::new(protocol)));
        Ok(id)
    }

    /// How many sockets there are.
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// `poll(2)`: what the socket can do now.
    pub fn poll_socket(&self, id: SocketId) -> Result<Readiness, Errno> {
        self.sockets.get(&id).map(|socket| socket.readiness()).ok_or(Errno::BADF)
    }

    /// The outcome of the last bind or connect that answered `EINPROGRESS`: still `EINPROGRESS`,
    /// its error (once), or that all is well. Of a close that lingers: `EINPROGRESS`, then `EBADF`.
    pub fn completed(&mut self, id: SocketId) -> Result<(), Errno> {
        if self.lingering.contains(&id) {
            return Err(Errno::INPROGRESS);
        }
        let socket = self.sockets.get_mut(&id).ok_or(Errno::BADF)?;
        let under_way = match &socket.protocol {
            Protocol::Tcp(tcp) => tcp.under_way(),
            Protocol::Udp(udp) => udp.under_way(),
        };
        if under_way {
            return Err(Errno::INPROGRESS);
        }
        socket.take_error().map_or(Ok(()), Err)
    }

    /// SO_ERROR: the pending error, told once.
    pub fn take_error(&mut self, id: SocketId) -> Result<Option<Errno>, Errno> {
        Ok(self.get(id)?.take_error())
    }

    /// What a program means by a peer without an address: this host, as ever since 4.2BSD.
    fn this_host(remote: SocketAddr) -> SocketAddr {
        let ip = match remote.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        SocketAddr::new(ip, remote.port())
    }

    fn get(&mut self, id: SocketId) -> Result<&mut Socket, Errno> {
        self.sockets.get_mut(&id).map(Box::as_mut).ok_or(Errno::BADF)
    }

    /// Hands a command down, or keeps it in order until there is room.
    fn command(&mut self, command: Command, out: &mut Out<'_, Self>) {
        if self.has_room(out) {
            out.down.push(command);
        } else {
            self.owed.push_back(command);
        }
    }

    fn has_room(&self, out: &Out<'_, Self>) -> bool {
        self.owed.is_empty() && out.down.room() > 0
    }

    /// Sending found no room below: remember to say so when there is some.
    fn starve(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        if let Some(socket) = self.sockets.get_mut(&id)
            && !socket.starved
        {
            socket.starved = true;
            self.starved.push_back(id);
        }
        self.touch(id, out);
    }

    /// The state of a socket has changed: tells its owner of what it can do now and could not
    /// before. What it can do no longer, the owner learns from `EAGAIN`.
    fn touch(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let readiness = socket.readiness();
        socket.told = socket.told.and(readiness);
        if socket.listed || socket.told == readiness {
            return;
        }
        if self.changed.is_empty() && out.up.room() > 0 {
            socket.told = readiness;
            out.up.push(Ready::Changed { socket: id, readiness });
        } else {
            socket.listed = true;
            self.changed.push_back(id);
        }
    }

    /// Notes that `bytes` in `items` pieces were taken out of inboxes.
    fn taken(&mut self, items: usize, bytes: usize, out: &mut Out<'_, Self>) {
        self.inbox.remove(items, bytes);
        for _ in 0..items {
            out.consume(());
        }
    }

    /// Tells what must not be lost, now or when there is room.
    fn say(&mut self, answer: Ready, out: &mut Out<'_, Self>) {
        if self.answers.is_empty() && out.up.room() > 0 {
            out.up.push(answer);
        } else {
            self.answers.push_back(answer);
        }
    }

    fn flush_down(&mut self, out: &mut Out<'_, Self>) {
        while out.down.room() > 0
            && let Some(command) = self.owed.pop_front()
        {
            out.down.push(command);
        }
        while self.has_room(out)
            && let Some(id) = self.credit.pop_front()
        {
            self.pay_credit(id, out);
        }
        if self.has_room(out) {
            while let Some(id) = self.starved.pop_front() {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.starved = false;
                }
                self.touch(id, out);
            }
        }
    }

    fn flush_up(&mut self, out: &mut Out<'_, Self>) {
        while out.up.room() > 0
            && let Some(answer) = self.answers.pop_front()
        {
            out.up.push(answer);
        }
        while out.up.room() > 0
            && let Some(id) = self.changed.pop_front()
        {
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            socket.listed = false;
            let readiness = socket.readiness();
            socket.told = socket.told.and(readiness);
            if socket.told != readiness {
                socket.told = readiness;
                out.up.push(Ready::Changed { socket: id, readiness });
            }
        }
    }
}

impl Layer for Hub {
    type FromBelow = Either<TcpEvent, UdpEvent>;
    type ToAbove = Ready;
    type FromAbove = Call;
    type ToBelow = Command;

    fn receive(&mut self, _now: Instant, item: Self::FromBelow, out: &mut Out<'_, Self>) {
        match item {
            Either::A(event) => self.tcp_event(event, out),
            Either::B(event) => self.udp_event(event, out),
        }
    }

    fn send(&mut self, _now: Instant, item: Call, out: &mut Out<'_, Self>) {
        let Call { ticket, request } = item;
        let result = self.call(request, out);
        self.say(Ready::Answer { ticket, result }, out);
    }

    fn poll(&mut self, _now: Instant, out: &mut Out<'_, Self>) {
        self.flush_down(out);
        self.flush_up(out);
    }

    /// The hub has no timers: it wants a poll only for what found no room.
    fn poll_at(&self) -> Option<Instant> {
        let down = self.owed.len() + self.credit.len() + self.starved.len();
        let up = self.answers.len() + self.changed.len();
        if down + up == 0 { None } else { Some(Instant::ZERO) }
    }
}

impl Accounted for Hub {
    fn held_items(&self) -> usize {
        self.inbox.items + self.owed.len() + self.answers.len()
    }

    fn held_bytes(&self) -> usize {
        self.inbox.bytes
    }
}

impl Counted for Hub {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("SocketsOpened", self.next_id);
    }
}

#[cfg(test)]
mod tests;
