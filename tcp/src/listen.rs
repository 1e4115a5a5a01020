//! LISTEN: who waits for connections, and how many may wait to be accepted.
//!
//! SYN cookies (RFC 4987) get a file beside this one.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use layer::boundary::{ConnectionInfo, SocketId, TcpOptions, TcpState};

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    /// Connections that may be opening or waiting to be accepted.
    pub backlog: u32,
    /// Those that are.
    pub pending: u32,
    /// What accepted connections start with.
    pub options: Box<TcpOptions>,
}

impl Listener {
    /// Largest backlog: Linux's `somaxconn`.
    pub const MOST: u32 = 4096;

    /// A listener for at most `backlog` waiting connections. As in Linux one more is allowed.
    pub fn new(backlog: u32, options: Box<TcpOptions>) -> Self {
        Self { backlog: backlog.min(Self::MOST).saturating_add(1), pending: 0, options }
    }

    /// One more is opening. False if the backlog is full.
    #[must_use]
    pub fn admit(&mut self) -> bool {
        let room = self.pending < self.backlog;
        self.pending += u32::from(room);
        room
    }

    /// What TCP_INFO says of a listener, as on Linux: how many wait, and how many may.
    pub fn info(&self, socket: SocketId, local: SocketAddr) -> ConnectionInfo {
        let nobody = SocketAddr::new(unspecified(local.ip()), 0);
        let mut info = ConnectionInfo::bare(socket, local, nobody, TcpState::Listen);
        (info.tcp.unacked, info.tcp.sacked) = (self.pending, self.backlog.saturating_sub(1));
        info
    }

    /// One was accepted, or ended before it was.
    pub fn release(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
