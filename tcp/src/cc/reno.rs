//! Reno: slow start and congestion avoidance (RFC 5681 3.1), counting bytes (RFC 3465) without a
//! limit per acknowledgement, as Linux does: a receiver behind offloads acknowledges in big steps.

use super::{Acked, Congestion, LARGEST, decayed, initial_window, resized};

use crate::pack::{Pack, Packer, packed};

/// The state of Reno on one connection.
#[derive(Clone, Debug)]
pub struct Reno {
    mss: u32,
    cwnd: u32,
    ssthresh: u32,
    initial: u32,
    /// Bytes acknowledged since the window last grew in congestion avoidance.
    acked: u32,
}

packed!(Reno { mss, cwnd, ssthresh, initial, acked });

impl Reno {
    /// At the start of a connection.
    pub fn new(mss: u32, syn_was_lost: bool) -> Self {
        let initial = initial_window(mss, syn_was_lost);
        // RFC 5681 3.1: the initial threshold is arbitrarily high.
        Self { mss, cwnd: initial, ssthresh: u32::MAX, initial, acked: 0 }
    }

    /// RFC 5681 3.1 equation (4): half of what is in flight, at least two segments.
    fn half(&self, flight: u32) -> u32 {
        // What duplicates let out beyond the window does not count (RFC 5681 3.2 step 2).
        (flight.min(self.cwnd) / 2).max(2 * self.mss)
    }
}

impl Congestion for Reno {
    fn name(&self) -> &'static str {
        "reno"
    }

    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    // RFC 9293 3.8.2 MUST-19: slow start and congestion avoidance.
    fn acknowledged(&mut self, acked: &Acked) {
        if !acked.limited {
            return;
        }
        let acked = acked.bytes;
        if self.cwnd < self.ssthresh {
            // Slow start: by what was acknowledged, but not past the threshold.
            let room = self.ssthresh - self.cwnd;
            self.cwnd = (self.cwnd + acked.min(room)).min(LARGEST);
            return;
        }
        // Congestion avoidance: one segment per window acknowledged.
        self.acked = self.acked.saturating_add(acked);
        if self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = (self.cwnd + self.mss).min(LARGEST);
        }
    }

    fn loss(&mut self, flight: u32) {
        self.ssthresh = self.half(flight);
        self.cwnd = self.ssthresh;
        self.acked = 0;
    }

    fn recovered(&mut self, flight: u32) {
        // RFC 6582 3.2 step 3, full: no burst if little is in flight.
        self.cwnd = self.ssthresh.min(flight.max(self.mss) + self.mss);
    }

    fn timeout(&mut self, flight: u32, first: bool) {
        if first {
            self.ssthresh = self.half(flight);
        }
        // RFC 5681 3.1: the loss window is one segment.
        self.cwnd = self.mss;
        self.acked = 0;
    }

    fn restore(&mut self, cwnd: u32, ssthresh: u32) {
        self.cwnd = self.cwnd.max(cwnd);
        self.ssthresh = self.ssthresh.max(ssthresh);
    }

    fn idle(&mut self) {
        // RFC 5681 4.1: the restart window is the initial one, if that is smaller.
        self.cwnd = self.cwnd.min(self.initial);
    }

    fn unused(&mut self, used: u32) {
        (self.cwnd, self.ssthresh) = decayed(self.cwnd, self.ssthresh, used, self.initial);
    }

    fn resize(&mut self, mss: u32) {
        self.cwnd = resized(self.cwnd, self.mss, mss);
        self.mss = mss;
    }

    fn take_over(&mut self, cwnd: u32, ssthresh: u32) {
        (self.cwnd, self.ssthresh) = (cwnd, ssthresh);
    }

    fn pack(&self, to: &mut Packer) {
        Pack::pack(self, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn acked(bytes: u32) -> Acked {
        let (una, nxt) = (crate::seq::Seq(0), crate::seq::Seq(0));
        let now = layer::Instant::ZERO;
        Acked { now, bytes, limited: true, rtt: None, srtt: None, una, nxt }
    }

    // test: RFC 9293 MUST-19
    // test: RFC 5681 3.1
    #[test]
    fn doubles_in_slow_start_then_one_segment_a_window() {
        let mut reno = Reno::new(MSS, false);
        assert_eq!(reno.cwnd(), 10_000);
        reno.acknowledged(&acked(10_000));
        assert_eq!(reno.cwnd(), 20_000);
        reno.loss(20_000);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (10_000, 10_000));
        for _ in 0..9 {
            reno.acknowledged(&acked(1000));
        }
        assert_eq!(reno.cwnd(), 10_000);
        reno.acknowledged(&acked(1000));
        assert_eq!(reno.cwnd(), 11_000);
    }

    // test: RFC 5681 3.1
    #[test]
    fn timeout_leaves_one_segment_and_halves_once() {
        let mut reno = Reno::new(MSS, false);
        reno.timeout(8000, true);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (1000, 4000));
        reno.timeout(1000, false);
        assert_eq!(reno.ssthresh(), 4000);
        reno.timeout(1000, true);
        assert_eq!(reno.ssthresh(), 2000, "never below two segments");
    }
}
