//! UDP as a [`layer::Layer`]: RFC 768 and RFC 1122 4.1, over IPv4 and IPv6.
//!
//! ```text
//!      hub     ^ UdpEvent                    | UdpCommand
//!              |                             v
//!          input.rs  -- table.rs (who is on which port) --  command.rs, output.rs
//!              ^                             |
//!      ip      | IpIn                        v IpOut
//! ```
//!
//! At home here: the checksum and the length rules (`input.rs`), who gets a datagram
//! (`table.rs`), free ports that cannot be guessed (`ports.rs`, RFC 6056), what may be sent
//! (`output.rs`), and how much a socket may leave unread (`socket.rs`).
//!
//! Left out: IP options of received datagrams are not shown to the application (RFC 1122 4.1.3.2;
//! IP drops them), group membership (IP has none yet), UDP-Lite, and sending super-segments
//! (received ones are split).

mod command;
mod config;
mod input;
mod output;
mod ports;
mod show;
mod socket;
mod stats;
mod table;

use std::collections::{HashMap, VecDeque};

use layer::boundary::{IpIn, IpOut, SocketId, UdpCommand, UdpEvent};
use layer::{Accounted, Counted, Instant, Layer, Out, Reason};
use rustc_hash::FxBuildHasher;

pub use crate::config::Config;
use crate::ports::EphemeralPorts;
pub use crate::show::SocketInfo;
use crate::socket::Socket;
use crate::stats::Stats;
use crate::table::Table;

/// Bytes of a UDP header.
pub const HEADER: usize = 8;

/// Longest payload over IPv4: 65,535 less an IP header without options and ours.
pub const MAX_PAYLOAD_V4: usize = 65_535 - 20 - HEADER;

/// Longest payload over IPv6 without a jumbo option: the length field counts our header.
pub const MAX_PAYLOAD_V6: usize = 65_535 - HEADER;

/// UDP: all sockets of a host.
#[derive(Debug)]
pub struct Udp {
    config: Config,
    sockets: HashMap<SocketId, Socket, FxBuildHasher>,
    table: Table,
    ports: EphemeralPorts,
    /// Who asked IP with which token. An entry lives until its answer or the socket's end.
    asked: HashMap<u64, SocketId, FxBuildHasher>,
    next_token: u64,
    /// Datagrams in the `waiting` queues of all sockets.
    waiting: usize,
    /// Events that found no room: datagrams within their socket's receive buffer, and answers.
    owed_up: VecDeque<UdpEvent>,
    /// Lookups that found no room, at most one a socket.
    owed_down: VecDeque<IpOut>,
    stats: Stats,
}

impl Udp {
    /// UDP without any socket.
    pub fn new(config: Config) -> Self {
        Self {
            sockets: HashMap::default(),
            table: Table::new(config.key),
            ports: EphemeralPorts::new(config.key, &config.ephemeral_ports),
            asked: HashMap::default(),
            next_token: 0,
            waiting: 0,
            owed_up: VecDeque::new(),
            owed_down: VecDeque::new(),
            stats: Stats::default(),
            config,
        }
    }

    /// Sockets that hold a port.
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// Hands an event up, or keeps it until there is room: answers and datagrams already charged
    /// to a receive buffer are not lost here.
    fn raise(&mut self, event: UdpEvent, out: &mut Out<'_, Self>) {
        if self.owed_up.is_empty() && out.up.room() > 0 {
            out.up.push(event);
        } else {
            self.owed_up.push_back(event);
        }
    }

    /// Hands a lookup down, or keeps it until there is room.
    fn ask(&mut self, lookup: IpOut, out: &mut Out<'_, Self>) {
        if self.owed_down.is_empty() && out.down.room() > 0 {
            out.down.push(lookup);
        } else {
            self.owed_down.push_back(lookup);
        }
    }
}

impl Layer for Udp {
    type FromBelow = IpIn;
    type ToAbove = UdpEvent;
    type FromAbove = UdpCommand;
    type ToBelow = IpOut;

    fn receive(&mut self, _now: Instant, item: IpIn, out: &mut Out<'_, Self>) {
        match item {
            IpIn::Datagram(datagram) => self.datagram_arrives(datagram, out),
            IpIn::Error(error) => self.error_arrives(error, out),
            IpIn::Path(path) => self.path_arrives(path, out),
            // IP fragments what is too long for the path; UDP keeps nothing per path.
            IpIn::PathMtu { .. } => out.consume(item),
        }
    }

    fn send(&mut self, _now: Instant, item: UdpCommand, out: &mut Out<'_, Self>) {
        match item {
            UdpCommand::Bind { socket, local, reuse, options } => {
                self.bind(socket, local, reuse, options, out);
            }
            UdpCommand::Connect { socket, remote } => self.connect(socket, remote, out),
            UdpCommand::Send { socket, source, to, packet } => {
                self.send_datagram(socket, source, to, packet, out);
            }
            UdpCommand::Consumed { socket, bytes } => {
                if let Some(socket) = self.sockets.get_mut(&socket) {
                    socket.consumed(bytes);
                }
                out.consume(());
            }
            UdpCommand::Configure { socket, options } => {
                if let Some(socket) = self.sockets.get_mut(&socket) {
                    socket.options = options;
                }
                out.consume(());
            }
            UdpCommand::Close { socket } => self.close(socket, out),
        }
    }

    fn poll(&mut self, _now: Instant, out: &mut Out<'_, Self>) {
        while out.up.room() > 0
            && let Some(event) = self.owed_up.pop_front()
        {
            if let UdpEvent::Error { socket, .. } = &event
                && let Some(socket) = self.sockets.get_mut(socket)
            {
                socket.error_owed = false;
            }
            out.up.push(event);
        }
        while out.down.room() > 0
            && let Some(lookup) = self.owed_down.pop_front()
        {
            out.down.push(lookup);
        }
    }

    /// UDP has no timers: it wants a poll only for what found no room.
    fn poll_at(&self) -> Option<Instant> {
        let quiet = self.owed_up.is_empty() && self.owed_down.is_empty();
        if quiet { None } else { Some(Instant::ZERO) }
    }
}

impl Accounted for Udp {
    fn held_items(&self) -> usize {
        self.owed_up.len() + self.owed_down.len() + self.waiting
    }
}

impl Counted for Udp {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.stats.each(each);
    }
}

/// Counts a datagram that did not get through the checks.
fn drop_malformed<T>(stats: &mut Stats, reason: Reason, item: T, out: &mut Out<'_, Udp>) {
    stats.in_errors += 1;
    out.drop(reason, item);
}

#[cfg(test)]
mod tests;
