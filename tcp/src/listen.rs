//! LISTEN: who waits for connections, and how many may wait to be accepted.
//!
//! SYN cookies (RFC 4987) get a file beside this one.

use layer::boundary::TcpOptions;

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

    /// One was accepted, or ended before it was.
    pub fn release(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }
}
