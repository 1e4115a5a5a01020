//! One UDP socket: its addresses, its options, and how much it has not read.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use layer::boundary::{Cast, UdpOptions};
use layer::{InterfaceId, PacketBuf};

use crate::Config;

/// A socket that holds a port.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Our end; the port is never 0. The address is unspecified until bound or connected.
    pub(crate) local: SocketAddr,
    /// The address it was bound to, for the day it disconnects.
    pub(crate) bound_ip: IpAddr,
    /// Only on this interface.
    pub(crate) interface: Option<InterfaceId>,
    /// Others with the same option may share the port.
    pub(crate) reuse: bool,
    /// The only peer, if connected.
    pub(crate) peer: Option<Peer>,
    pub(crate) options: UdpOptions,
    /// What IP was asked on its behalf; at most one question at a time.
    pub(crate) question: Option<Question>,
    /// Datagrams whose destination may be a broadcast address, in order, while IP is asked.
    pub(crate) waiting: VecDeque<Waiting>,
    /// The destination last found not to be a broadcast address.
    pub(crate) permitted: Option<IpAddr>,
    /// An error event waits for room: one is enough.
    pub(crate) error_owed: bool,
    /// Delivered and not consumed, bytes with overhead.
    charged: u32,
}

/// The peer of a connected socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) cast: Cast,
}

/// What a lookup is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) token: u64,
    pub(crate) purpose: Purpose,
}

/// What a lookup is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Is the address to be bound ours?
    Bind,
    /// Is there a way to this peer, and from which address?
    Connect(SocketAddr),
    /// Is this destination a broadcast address?
    Broadcast(IpAddr),
}

/// A datagram to be sent once IP has said what its destination is.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) source: Option<IpAddr>,
    pub(crate) to: SocketAddr,
    pub(crate) packet: PacketBuf,
}

impl Socket {
    /// Datagrams that may wait for the answer to a lookup: IP answers at once, so a batch of them
    /// is more than enough.
    pub(crate) const WAITING: usize = 64;

    pub(crate) fn new(
        local: SocketAddr,
        interface: Option<InterfaceId>,
        reuse: bool,
        options: UdpOptions,
    ) -> Self {
        Self {
            local,
            bound_ip: local.ip(),
            interface,
            reuse,
            peer: None,
            options,
            question: None,
            waiting: VecDeque::new(),
            permitted: None,
            error_owed: false,
            charged: 0,
        }
    }

    /// Charges a datagram of `len` payload bytes; false if the receive buffer is full. An empty
    /// buffer takes any one datagram, however small it was set.
    pub(crate) fn charge(&mut self, len: usize, default_limit: u32) -> bool {
        let limit = self.options.receive_buffer.unwrap_or(default_limit);
        let cost = cost(len);
        let fits = self.charged.saturating_add(cost) <= limit || self.charged == 0;
        if fits {
            self.charged = self.charged.saturating_add(cost);
        }
        fits
    }

    /// Bytes delivered and not consumed, with overhead.
    pub(crate) fn charged(&self) -> u32 {
        self.charged
    }

    /// The application took a datagram of `bytes` payload bytes.
    pub(crate) fn consumed(&mut self, bytes: u32) {
        self.charged = self.charged.saturating_sub(bytes.saturating_add(Config::OVERHEAD));
    }
}

fn cost(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX).saturating_add(Config::OVERHEAD)
}
