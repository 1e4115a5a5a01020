//! How long silence is borne: R1, R2 and the user timeout (RFC 9293 3.8.3, RFC 5482 3).
//!
//! ```text
//!   sent      resend  resend  resend           resend   resend ...        the last one
//!     |---------|-------|-------|-----------------|--------|------------------|
//!                               R1: the neighbour is doubted,                 R2: the end, with
//!                               the application hears of it                   what ICMP said last
//! ```
//!
//! R2 is a number of resends, as in Linux. An application that sets TCP_USER_TIMEOUT replaces it by
//! a time, counted from when the earliest octet that waits was sent (or found the window closed);
//! with `Duration::MAX` the connection waits for ever. A closed socket is given up after fewer
//! resends, whatever was set: nobody is left who could take that back.
//!
//! Left out: the user timeout *option* of RFC 5482. It is neither sent nor obeyed: a peer that
//! could stretch our timeout could make us keep state, and one that could shorten it could end
//! connections; the kind is skipped like any other that is unknown.

use layer::Instant;
use layer::boundary::{Reachability, SocketError};

use crate::config::Config;
use crate::conn::opening::{Opening, Origin};
use crate::conn::{Fate, Io, Open};

/// What a connection remembers while it waits for its peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Since when something waits to be acknowledged, or to be sent into a closed window.
    since: Option<Instant>,
    /// What ICMP said last about a segment of ours, until something is acknowledged.
    trouble: Option<SocketError>,
}

impl Patience {
    /// Something was acknowledged, or the window opened: what happened before does not matter.
    pub fn renew(&mut self) {
        *self = Self::default();
    }

    /// Nothing waits for the peer.
    pub fn is_calm(&self) -> bool {
        self.since.is_none() && self.trouble.is_none()
    }

    /// ICMP reports trouble on the way (RFC 5461 2): why the connection failed, if it fails.
    pub fn trouble(&mut self, error: SocketError) {
        self.trouble = Some(error);
    }

    /// Why a connection ends on which nobody answered.
    pub fn verdict(&self) -> SocketError {
        self.trouble.unwrap_or(SocketError::TimedOut)
    }
}

impl Open {
    /// One more try found no answer. Says whether the connection goes on.
    pub fn unanswered(&mut self, io: &mut Io<'_, '_>) -> Fate {
        // RFC 9293 3.8.3 MUST-20 (b), SHLD-11: after R2, more than 100 s, the connection is closed.
        // RFC 9293 3.8.3 MUST-21: the application's own timeout replaces R2.
        let limited = self.orphan || self.options.user_timeout.is_none();
        let limit = if self.orphan { io.config.orphan_retries } else { io.config.retries };
        if limited && self.snd.retries >= limit {
            return self.give_up(io);
        }
        self.snd.retries += 1;
        // RFC 9293 3.8.3 SHLD-9: the application is told when R1 is reached and R2 is not.
        if self.snd.retries == io.config.doubt_after {
            self.tell.soft_error = Some(SocketError::TimedOut);
        }
        Fate::Stay
    }

    /// Nobody answered for too long.
    pub fn give_up(&mut self, io: &mut Io<'_, '_>) -> Fate {
        io.stats.abort_on_timeout += 1;
        Fate::failed(self.patience.verdict())
    }

    /// Starts, moves or stops the clock of TCP_USER_TIMEOUT.
    pub fn arm_user_timeout(&mut self, io: &Io<'_, '_>) {
        let closed = self.snd.unsent() > 0 && self.snd.window.size() == 0;
        if self.snd.flight() == 0 && !closed {
            (self.patience.since, self.timers.user_timeout) = (None, None);
            return;
        }
        let since = *self.patience.since.get_or_insert(io.now);
        // RFC 9293 3.8.3 MUST-21: "infinite" saturates at a time that never comes.
        self.timers.user_timeout = self.options.user_timeout.map(|limit| since + limit);
    }

    /// What the next segment tells the layers below of the way to the peer.
    pub fn reachability(&mut self, config: &Config) -> Reachability {
        let silent = self.snd.retries.max(self.keepalive.probes());
        if core::mem::take(&mut self.snd.confirmed) {
            Reachability::Confirmed
        } else {
            doubt(silent, config)
        }
    }
}

impl Opening {
    /// What the next SYN tells the layers below.
    pub fn reachability(&self, config: &Config) -> Reachability {
        doubt(self.retries, config)
    }

    /// RFC 9293 3.8.3 MUST-23: R2 for a SYN is at least 3 minutes, if the application did not set
    /// another time.
    pub fn is_hopeless(&self, io: &Io<'_, '_>) -> bool {
        let limit = match self.origin {
            Origin::Active => io.config.syn_retries,
            Origin::Passive(_) => io.config.syn_ack_retries,
        };
        match self.expires() {
            Some(at) => io.now >= at,
            None => self.retries >= limit,
        }
    }

    /// When the application's own timeout ends an active opening.
    pub fn expires(&self) -> Option<Instant> {
        let timeout = self.options.user_timeout.filter(|_| self.origin == Origin::Active);
        Some(self.sent_at? + timeout?)
    }
}

/// RFC 9293 3.8.3 MUST-20 (a), SHLD-10: from R1 on, at least three resends, the layers below are
/// told to doubt the way.
fn doubt(unanswered: u32, config: &Config) -> Reachability {
    if unanswered >= config.doubt_after { Reachability::Doubted } else { Reachability::Unknown }
}
