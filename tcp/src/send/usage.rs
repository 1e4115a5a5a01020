//! How much of the congestion window is in use (RFC 7661 4.2, in the manner of Linux's
//! `tcp_cwnd_validate`).
//!
//! ```text
//!   turn            ACK ACK ACK ... ACK                 turn
//!     |== flight ===                                      |
//!     |                === freed within one batch ======  |
//! ```
//!
//! A sender has its turn when a batch of acknowledgements has ended. By then the last ones of a
//! batch find most of the flight gone, as if the window were hardly used: the flight that counts
//! is the one after the sender's turn, over this round trip and the one before.

use layer::{Duration, Instant};

use crate::pack::packed;
use crate::seq::Seq;

/// What one sender has made of its window lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// The round ends when this is acknowledged.
    round: Option<Seq>,
    /// The largest flight after a turn in this round, and in the one before, bytes.
    most: u32,
    before: u32,
    /// The window held the sender up in this round.
    full: bool,
    /// Bytes delivered since the last turn: what the sender would have replaced, had it come to it.
    freed: u32,
    /// Bytes delivered that the window has not grown by yet.
    earned: u32,
    /// Since when the window has not been the limit, and the largest flight since then.
    spare: Option<(Instant, u32)>,
}

packed!(Usage { round, most, before, full, freed, earned, spare });

/// A turn in which something new left.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The time.
    pub now: Instant,
    /// SND.UNA.
    pub una: Seq,
    /// SND.NXT.
    pub nxt: Seq,
    /// The window has no room for a further segment.
    pub full: bool,
    /// The congestion window, bytes.
    pub cwnd: u32,
    /// It is below the slow start threshold.
    pub slow_start: bool,
    /// The retransmission timeout.
    pub rto: Duration,
}

impl Usage {
    /// The sender has sent something new. If the window was not its limit for a timeout's worth of
    /// time: the most of it that was used in that time.
    pub fn sent(&mut self, turn: Turn) -> Option<u32> {
        let flight = turn.nxt.since(turn.una);
        if self.round.is_none_or(|end| !turn.una.before(end)) {
            self.round = Some(turn.nxt);
            (self.before, self.most, self.full) = (self.most, 0, false);
        }
        self.most = self.most.max(flight);
        self.full |= turn.full;
        if self.limited(turn.cwnd, turn.slow_start) {
            self.spare = None;
            return None;
        }
        let (since, used) = self.spare.map_or((turn.now, 0), |spare| spare);
        let used = used.max(flight);
        let over = turn.now.since(since) >= turn.rto;
        self.spare = Some(if over { (turn.now, 0) } else { (since, used) });
        over.then_some(used)
    }

    /// Text was delivered, reported or acknowledged, between two turns.
    pub fn delivered(&mut self, bytes: u32) {
        self.freed = self.freed.saturating_add(bytes);
    }

    /// Text was delivered: each byte counts once for the growth of the window.
    pub fn earn(&mut self, bytes: u32) {
        self.earned = self.earned.saturating_add(bytes);
    }

    /// Bytes delivered and not counted so far.
    pub fn spend(&mut self) -> u32 {
        core::mem::take(&mut self.earned)
    }

    /// The sender has its turn.
    pub fn turn(&mut self) {
        self.freed = 0;
    }

    /// Bytes delivered since the last turn.
    pub fn freed(&self) -> u32 {
        self.freed
    }

    /// FlightSize (RFC 5681 2) where it means how much the path carried: the largest of the last
    /// round trips, or `flight`, what is out now.
    pub fn flight(&self, flight: u32) -> u32 {
        self.most.max(self.before).max(flight)
    }

    /// The window is what limits the sender, so that it may grow.
    pub fn limited(&self, cwnd: u32, slow_start: bool) -> bool {
        // As RFC 7661 and Linux: in slow start half of it will do, or a sender whose data comes in
        // large writes never got far.
        self.full || (slow_start && self.flight(0).saturating_mul(2) > cwnd)
    }
}

#[cfg(test)]
mod tests;
