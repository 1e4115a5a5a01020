//! Keep-alive: asking an idle peer whether it is still there (RFC 9293 3.8.4).
//!
//! ```text
//!   last heard      idle (7200 s)       probe  interval (75 s)  probe  ...  ninth probe, interval
//!     |-------------------------------------|-----------------------|-----------|-----------|
//!                                                                                RST, ETIMEDOUT
//! ```
//!
//! A probe is an acknowledgement from SND.NXT-1: not acceptable to a peer that is alive, which has
//! to say where it stands. As in Linux, TCP_USER_TIMEOUT replaces the number of probes.
//!
//! Left out: the octet of garbage that RFC 9293 MAY-6 allows. Peers that need it are gone.

use layer::boundary::TcpState;
use layer::{Duration, Instant};

use crate::conn::{Ends, Fate, Io, Open};
use crate::pack::packed;

/// No program asks more often than this: with a time of zero the timer would always be due.
const LEAST: Duration = Duration::from_millis(1);

/// When the peer was last heard, and how often it was asked since.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    heard_at: Instant,
    probes: u32,
}

packed!(KeepAlive { heard_at, probes });

impl KeepAlive {
    /// A peer that was just heard.
    pub fn new(now: Instant) -> Self {
        Self { heard_at: now, probes: 0 }
    }

    /// When the peer was last heard.
    pub fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Probes since the peer was last heard.
    pub fn probes(&self) -> u32 {
        self.probes
    }
}

impl Open {
    /// A segment of the peer made sense: it is alive.
    pub fn heard(&mut self, now: Instant) {
        self.keepalive.heard_at = now;
        if self.keepalive.probes > 0 {
            self.keepalive.probes = 0;
            self.timers.keepalive = None;
        }
    }

    /// Sets the timer if it is wanted and does not run. What is heard does not move it: when it
    /// fires, it looks how long the silence really was.
    pub fn arm_keepalive(&mut self, io: &Io<'_, '_>) {
        // RFC 9293 3.8.4 MUST-24, MUST-25: only where the application asked for it. A closed socket
        // has other timers.
        if !self.options.keepalive || self.orphan {
            self.timers.keepalive = None;
            return;
        }
        // RFC 9293 3.8.4 MUST-27, MUST-28: the time is the application's, two hours by default.
        let at = self.keepalive.heard_at + self.options.keepalive_idle.max(LEAST);
        self.timers.keepalive.get_or_insert(at.max(io.now));
    }

    /// The timer fired.
    pub fn keep_alive(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> Fate {
        let idle = self.options.keepalive_idle.max(LEAST);
        let interval = self.options.keepalive_interval.max(LEAST);
        // RFC 9293 3.8.4 MUST-26: only on an idle connection with nothing unacknowledged.
        if self.snd.flight() > 0 || self.snd.unsent() > 0 || self.state == TcpState::TimeWait {
            self.timers.keepalive = Some(io.now + idle);
            return Fate::Stay;
        }
        let due = self.keepalive.heard_at + idle;
        if io.now < due {
            self.timers.keepalive = Some(due);
            return Fate::Stay;
        }
        // RFC 9293 3.8.4 MUST-29: one probe without an answer proves nothing.
        let probes = self.keepalive.probes;
        let dead = match self.options.user_timeout {
            Some(limit) => probes > 0 && io.now >= self.keepalive.heard_at + limit,
            None => probes >= u32::from(self.options.keepalive_probes),
        };
        if dead {
            self.send_reset(ends, io);
            return self.give_up(io);
        }
        // RFC 9293 3.8.4 SHLD-12: no data, not even the octet of garbage of MAY-6.
        self.send_keepalive(ends, io);
        io.stats.keep_alive += 1;
        self.keepalive.probes = probes.saturating_add(1);
        self.timers.keepalive = Some(io.now + interval);
        Fate::Stay
    }
}
