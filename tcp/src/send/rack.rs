//! Loss by time: RACK (RFC 8985 6) and the tail loss probe (RFC 8985 7).
//!
//! What was sent before something that has arrived is lost once a reordering window has passed.
//! The window starts at nothing, grows to a quarter of the shortest round trip once reordering is
//! seen, and further while D-SACK tells of needless resends.

use layer::{Duration, Instant};

use crate::pack::packed;
use crate::send::scoreboard::{Delivered, Range, Scoreboard};
use crate::seq::Seq;

/// RFC 8985 6.2, step 4, as Linux: so many rounds of recovery a widened window is kept.
const PERSIST: u8 = 16;

/// RFC 5681: so many reported segments are loss while no reordering was ever seen.
const DUP_THRESH: u32 = 3;

/// RFC 8985 7: what a receiver may wait before it acknowledges a lone segment; Linux's value.
const MAX_ACK_DELAY: Duration = Duration::from_millis(200);

/// The shortest probe timeout: a poll later is no use.
const PTO_MIN: Duration = Duration::from_millis(10);

/// RACK's view of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Rack {
    /// RACK.xmit_ts and RACK.end_seq: of what left last of all that arrived.
    latest: Option<(Instant, Seq)>,
    /// RACK.rtt: the round trip of that.
    rtt: Duration,
    /// RACK.min_RTT.
    min_rtt: Option<Duration>,
    reordering_seen: bool,
    /// RACK.reo_wnd_mult and RACK.reo_wnd_persist.
    multiplier: u32,
    persist: u8,
    /// RACK.dsack_round: SND.NXT when D-SACK last widened the window.
    dsack_round: Option<Seq>,
}

packed!(Rack { dsack_round, latest, rtt, min_rtt, reordering_seen, multiplier, persist });

impl Default for Rack {
    fn default() -> Self {
        Self {
            latest: None,
            rtt: Duration::ZERO,
            min_rtt: None,
            reordering_seen: false,
            multiplier: 1,
            persist: 0,
            dsack_round: None,
        }
    }
}

impl Rack {
    /// RFC 8985 6.2, steps 1 to 3: takes in what an acknowledgement newly delivered.
    pub fn delivered(&mut self, delivered: &Delivered, now: Instant) {
        if let Some(rtt) = delivered.rtt {
            self.measured(rtt);
        }
        self.reordering_seen |= delivered.reordered;
        let Some(Range { sent_at, end, resent, .. }) = delivered.latest else { return };
        let rtt = now.since(sent_at);
        // Step 2: an answer faster than any before is to the first sending, not to the resend.
        if resent && self.min_rtt.is_some_and(|least| rtt < least) {
            return;
        }
        let newer =
            self.latest.is_none_or(|(at, seq)| sent_at > at || (sent_at == at && end.after(seq)));
        if newer {
            self.latest = Some((sent_at, end));
            self.rtt = rtt;
        }
    }

    /// A round trip was measured, that of the handshake first of all: without one an answer to the
    /// original would pass for an answer to its resend.
    pub fn measured(&mut self, rtt: Duration) {
        self.min_rtt = Some(self.min_rtt.map_or(rtt, |least| least.min(rtt)));
    }

    /// Something has arrived after what was sent behind it.
    pub fn reordering_seen(&self) -> bool {
        self.reordering_seen
    }

    /// RFC 8985 6.2, step 4: D-SACK says that a resend was needless.
    pub fn dsack(&mut self, una: Seq, nxt: Seq) {
        if self.dsack_round.is_none_or(|round| !una.before(round)) {
            self.dsack_round = Some(nxt);
            self.multiplier = (self.multiplier + 1).min(64);
            self.persist = PERSIST;
        }
    }

    /// What was resent had been on its way: reordering, and too much of it for the window.
    pub fn needless(&mut self, una: Seq, nxt: Seq) {
        self.reordering_seen = true;
        self.dsack(una, nxt);
    }

    /// A recovery has ended without further D-SACK.
    pub fn recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.multiplier = 1;
        }
    }

    /// RACK.reo_wnd.
    fn window(&self, srtt: Duration, recovering: bool, sacked: u32, mss: u32) -> Duration {
        if !self.reordering_seen && (recovering || sacked >= DUP_THRESH * mss) {
            return Duration::ZERO;
        }
        let quarter = self.min_rtt.unwrap_or(srtt) / 4;
        quarter.saturating_mul(self.multiplier).min(srtt)
    }

    /// RFC 8985 6.2, step 5: marks what is lost by now; answers when to look again, if some of what
    /// was sent before the latest arrival may still be only late.
    pub fn detect(
        &self,
        board: &mut Scoreboard,
        now: Instant,
        srtt: Duration,
        recovering: bool,
        mss: u32,
    ) -> (u32, Option<Instant>) {
        let Some((at, end)) = self.latest else { return (0, None) };
        let window = self.window(srtt, recovering, board.sacked_bytes(), mss);
        let mut again: Option<Instant> = None;
        let lost = board.mark_lost(|range| {
            if range.sent_after(at, end) || (range.sent_at, range.end) == (at, end) {
                return false;
            }
            let deadline = range.sent_at + self.rtt + window;
            if deadline <= now {
                return true;
            }
            again = Some(again.map_or(deadline, |known| known.max(deadline)));
            false
        });
        (lost, again)
    }

    /// RFC 8985 7: how long to wait for an answer to the tail before probing it.
    pub fn probe_timeout(srtt: Option<Duration>, lone: bool) -> Duration {
        match srtt {
            Some(srtt) => {
                let delay = if lone { MAX_ACK_DELAY } else { Duration::ZERO };
                (srtt * 2 + delay).max(PTO_MIN)
            }
            None => Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;
    const SRTT: Duration = Duration::from_millis(100);

    fn ms(n: u64) -> Instant {
        Instant::from_millis(n)
    }

    /// Ten segments, 1 ms apart; segment `n` is from n * 1000.
    fn board() -> Scoreboard {
        let mut board = Scoreboard::default();
        for n in 0..10 {
            board.sent(Seq(n * MSS), Seq((n + 1) * MSS), ms(u64::from(n)));
        }
        board
    }

    fn sack(board: &mut Scoreboard, rack: &mut Rack, segment: u32, now: Instant) {
        let mut delivered = Delivered::default();
        board.sacked(Seq(segment * MSS), Seq((segment + 1) * MSS), now, &mut delivered);
        rack.delivered(&delivered, now);
    }

    // test: RFC 8985 6
    #[test]
    fn before_the_third_report_the_window_is_a_quarter_round_trip() {
        let (mut board, mut rack) = (board(), Rack::default());
        sack(&mut board, &mut rack, 1, ms(101));
        // 0 left 1 ms before 1 did; 100 ms round trip, 25 ms window.
        let (lost, again) = rack.detect(&mut board, ms(101), SRTT, false, MSS);
        assert_eq!((lost, again), (0, Some(ms(125))));
        let (lost, again) = rack.detect(&mut board, ms(125), SRTT, false, MSS);
        assert_eq!((lost, again), (MSS, None));
        assert_eq!(board.first_lost().map(|range| range.start), Some(Seq(0)));
    }

    #[test]
    fn the_third_report_is_enough_while_no_reordering_was_seen() {
        let (mut board, mut rack) = (board(), Rack::default());
        for segment in 1..4 {
            sack(&mut board, &mut rack, segment, ms(100 + u64::from(segment)));
        }
        assert_eq!(rack.detect(&mut board, ms(103), SRTT, false, MSS), (MSS, None));
    }

    // test: RFC 8985 6.2.4
    #[test]
    fn once_reordering_is_seen_reports_alone_are_not_enough() {
        let (mut board, mut rack) = (board(), Rack::default());
        sack(&mut board, &mut rack, 5, ms(105));
        sack(&mut board, &mut rack, 4, ms(106));
        assert!(rack.reordering_seen);
        for segment in 6..9 {
            sack(&mut board, &mut rack, segment, ms(100 + u64::from(segment)));
        }
        let (lost, again) = rack.detect(&mut board, ms(108), SRTT, false, MSS);
        assert_eq!(lost, 0);
        assert!(again.is_some());
    }

    #[test]
    fn needless_resends_widen_the_window_once_a_round_and_for_a_while() {
        let mut rack = Rack { min_rtt: Some(SRTT), reordering_seen: true, ..Rack::default() };
        rack.dsack(Seq(0), Seq(100));
        rack.dsack(Seq(50), Seq(200));
        assert_eq!(rack.window(SRTT, true, 0, MSS), Duration::from_millis(50));
        rack.dsack(Seq(100), Seq(300));
        assert_eq!(rack.window(SRTT, true, 0, MSS), Duration::from_millis(75));
        for _ in 0..PERSIST {
            rack.recovered();
        }
        assert_eq!(rack.window(SRTT, true, 0, MSS), Duration::from_millis(25));
    }

    #[test]
    fn the_probe_waits_two_round_trips_and_for_a_lone_segment_the_receivers_delay() {
        let srtt = Some(Duration::from_millis(30));
        assert_eq!(Rack::probe_timeout(srtt, false), Duration::from_millis(60));
        assert_eq!(Rack::probe_timeout(srtt, true), Duration::from_millis(260));
        assert_eq!(Rack::probe_timeout(None, true), Duration::from_secs(1));
    }
}
