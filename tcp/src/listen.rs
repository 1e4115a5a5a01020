//! LISTEN: who waits for connections, how many may be half open and how many may wait to be
//! accepted. The two are counted apart, as on Linux: half-open connections stand in `requests.rs`,
//! those that wait to be accepted are whole and stand in the table.
//!
//! What happens when the first count is full is SYN cookies (`cookie.rs`); when the second is, SYNs
//! and the last ACK of a handshake are ignored, and the peer's resend comes when there is room.

use std::sync::Arc;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use layer::Instant;
use layer::boundary::{ConnectionInfo, SocketId, TcpOptions, TcpState};

use crate::cookie;

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    /// What `listen` asked for, and one more, as on Linux.
    limit: u32,
    /// Half-open connections: SYN-RECEIVED.
    half_open: u32,
    /// Connections that wait to be accepted.
    waiting: u32,
    /// When the last SYN was answered by a cookie.
    overflowed: Option<Instant>,
    /// What accepted connections start with.
    pub options: Arc<TcpOptions>,
}

impl Listener {
    /// Largest backlog: Linux's `somaxconn`.
    pub const MOST: u32 = 4096;

    /// A listener for `backlog` half-open connections and as many that wait to be accepted.
    pub fn new(backlog: u32, options: Arc<TcpOptions>) -> Self {
        let limit = backlog.min(Self::MOST).saturating_add(1);
        Self { limit, half_open: 0, waiting: 0, overflowed: None, options }
    }

    /// `listen` was called again: another backlog, the same connections.
    pub fn again(&mut self, backlog: u32, options: Arc<TcpOptions>) {
        let Self { limit, options: inherited, .. } = Self::new(backlog, options);
        (self.limit, self.options) = (limit, inherited);
    }

    /// No more connections may be half open.
    pub fn requests_full(&self) -> bool {
        self.half_open >= self.limit
    }

    /// No more connections may wait to be accepted.
    pub fn accepts_full(&self) -> bool {
        self.waiting >= self.limit
    }

    /// One more is half open.
    pub fn requested(&mut self) {
        self.half_open += 1;
    }

    /// A half-open one is complete or gone.
    pub fn answered(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    /// One more is complete and waits.
    pub fn completed(&mut self) {
        self.waiting += 1;
    }

    /// What TCP_INFO says of a listener, as on Linux: how many wait, and how many may.
    pub fn info(&self, socket: SocketId, local: SocketAddr) -> ConnectionInfo {
        let nobody = SocketAddr::new(unspecified(local.ip()), 0);
        let mut info = ConnectionInfo::bare(socket, local, nobody, TcpState::Listen);
        (info.tcp.unacked, info.tcp.sacked) = (self.waiting, self.limit.saturating_sub(1));
        info
    }

    /// One was accepted, or ended before it was.
    pub fn release(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A SYN is answered by a cookie now.
    pub fn overflow(&mut self, now: Instant) {
        self.overflowed = Some(now);
    }

    /// Cookies were given out so lately that one may come back. Without this a guesser could try
    /// its luck at any time.
    pub fn expects_cookies(&self, now: Instant) -> bool {
        self.overflowed.is_some_and(|at| now.since(at) < cookie::LIFE)
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
