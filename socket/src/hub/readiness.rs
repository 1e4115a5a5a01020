//! [`Readiness`]: what a socket can do without waiting, in the terms of `poll(2)`.

/// What a socket can do now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// POLLIN: `recv` or `accept` would not answer `EAGAIN`.
    pub readable: bool,
    /// POLLPRI: the peer sent urgent data that is not read yet, or said that it will.
    pub priority: bool,
    /// POLLOUT: `send` would not answer `EAGAIN`, and would take a useful amount.
    pub writable: bool,
    /// POLLRDHUP: the peer has sent everything, or reading is shut down.
    pub read_hangup: bool,
    /// POLLHUP: both directions are over.
    pub hangup: bool,
    /// POLLERR: an error is pending.
    pub error: bool,
}

impl Readiness {
    /// What both can do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            readable: self.readable && other.readable,
            priority: self.priority && other.priority,
            writable: self.writable && other.writable,
            read_hangup: self.read_hangup && other.read_hangup,
            hangup: self.hangup && other.hangup,
            error: self.error && other.error,
        }
    }

    /// Nothing at all.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}
