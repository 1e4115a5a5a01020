//! When to acknowledge (RFC 9293 3.8.6.3, RFC 5681 4.2).
//!
//! Segments that are out of order, fill a hole or are duplicates are acknowledged when they arrive,
//! one each. In-order data is acknowledged when the batch ends, so that one acknowledgement covers
//! the batch (MUST-58, MUST-59), or at once when much is owed.
//!
//! As in Linux, a sender in slow start is not kept waiting: the first segments, and those after a
//! pause, are acknowledged when their batch ends, until the budget for that is used up or the
//! application answers fast enough for its data to carry the acknowledgements.

use layer::{Duration, Instant};

use crate::pack::packed;

/// Bytes owed after which the end of the batch is not waited for: four super-segments. At one, the
/// kernel's TCP ran once a super-frame inside our `write`, a seventh of all time in bulk.
const MUCH: u32 = 256 * 1024;

/// Quick acknowledgements at the start, at most: Linux's TCP_MAX_QUICKACKS.
const MOST_QUICK: u32 = 16;

/// What is owed to the peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckPolicy {
    /// Bytes taken in order and not acknowledged.
    owed: u32,
    /// An acknowledgement is due at the end of the batch, however little is owed.
    now: bool,
    /// The largest segment seen: the sender's MSS as far as we know.
    segment: u32,
    /// Acknowledgements that are not to be delayed.
    quick: u8,
    /// The application answers at once: its data carries the acknowledgements.
    interactive: bool,
    /// When data last arrived.
    arrived: Option<Instant>,
}

packed!(AckPolicy { owed, now, segment, quick, interactive, arrived });

/// In-order data that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When.
    pub now: Instant,
    /// Bytes of it that are new.
    pub bytes: u32,
    /// Largest segment in it, bytes.
    pub segment: u32,
    /// The window that was offered, bytes.
    pub offered: u32,
}

impl AckPolicy {
    /// In-order data arrived. True if it should be acknowledged without waiting for the batch.
    pub fn in_order(&mut self, arrival: &Arrival, rto: Duration) -> bool {
        let Arrival { now, bytes, segment, offered } = *arrival;
        self.owed = self.owed.saturating_add(bytes);
        self.segment = self.segment.max(segment);
        // After a timeout's worth of silence the sender starts slowly again (RFC 5681 4.1).
        if self.arrived.replace(now).is_none_or(|at| now.since(at) > rto) {
            let budget = (offered / (2 * self.segment).max(1)).clamp(2, MOST_QUICK);
            self.quick = self.quick.max(u8::try_from(budget).unwrap_or(u8::MAX));
        }
        self.owed >= MUCH.min(offered / 4).max(2 * self.segment)
    }

    /// The largest segment seen, bytes.
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// Text of ours leaves now. If it answers what just came, later answers will carry
    /// acknowledgements too.
    pub fn text_sent(&mut self, now: Instant, delay: Duration) {
        if self.arrived.is_some_and(|at| now.since(at) < delay) {
            self.interactive = true;
        }
    }

    /// Something must be acknowledged when the batch ends: FIN, a window probe, a window update.
    pub fn demand(&mut self) {
        self.now = true;
    }

    /// The batch ended: what of it? `never_delayed` is TCP_QUICKACK.
    pub fn at_end_of_batch(&self, never_delayed: bool) -> Due {
        let quick = self.owed > 0 && (never_delayed || (self.quick > 0 && !self.interactive));
        // RFC 9293 3.8.6.3 SHLD-19: at least every second full segment.
        if self.now || quick || (self.owed > 0 && self.owed >= 2 * self.segment) {
            Due::Now
        } else if self.owed > 0 {
            Due::Later
        } else {
            Due::Nothing
        }
    }

    /// RFC 9293 3.8.6.3 SHLD-18, MUST-40: a delayed acknowledgement, in less than 0.5 s.
    pub fn deadline(now: Instant, delay: Duration) -> Instant {
        now + delay.min(Duration::from_millis(499))
    }

    /// A segment with ACK left: nothing is owed.
    pub fn sent(&mut self) {
        if self.owed > 0 {
            self.quick = self.quick.saturating_sub(1);
        }
        self.owed = 0;
        self.now = false;
    }
}

/// What the end of a batch asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// An acknowledgement now.
    Now,
    /// One by timer, unless data carries it first.
    Later,
    /// Nothing is owed.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrives(ack: &mut AckPolicy, ms: u64, bytes: u32, offered: u32) -> bool {
        let now = Instant::from_millis(ms);
        let arrival = Arrival { now, bytes, segment: bytes.min(1460), offered };
        ack.in_order(&arrival, Duration::from_millis(200))
    }

    /// The budget for quick acknowledgements at the start is used up.
    fn settled() -> AckPolicy {
        let mut ack = AckPolicy::default();
        arrives(&mut ack, 0, 1460, 65_535);
        (0..MOST_QUICK).for_each(|_| {
            arrives(&mut ack, 0, 1, 65_535);
            ack.sent();
        });
        ack
    }

    // test: RFC 9293 SHLD-19
    #[test]
    fn every_second_full_segment_at_the_end_of_a_batch() {
        let mut ack = settled();
        assert!(!arrives(&mut ack, 1, 1460, 65_535));
        assert_eq!(ack.at_end_of_batch(false), Due::Later);
        assert!(!arrives(&mut ack, 2, 1460, 65_535));
        assert_eq!(ack.at_end_of_batch(false), Due::Now);
        ack.sent();
        assert_eq!(ack.at_end_of_batch(false), Due::Nothing);
    }

    #[test]
    fn the_first_sixteen_are_not_delayed_nor_those_after_a_pause() {
        let mut ack = AckPolicy::default();
        for ms in 0..16 {
            arrives(&mut ack, ms, 1460, 65_535);
            assert_eq!(ack.at_end_of_batch(false), Due::Now, "{ms}");
            ack.sent();
        }
        arrives(&mut ack, 16, 1460, 65_535);
        assert_eq!(ack.at_end_of_batch(false), Due::Later);
        assert_eq!(ack.at_end_of_batch(true), Due::Now, "TCP_QUICKACK");
        ack.sent();
        arrives(&mut ack, 216, 1460, 65_535);
        assert_eq!(ack.at_end_of_batch(false), Due::Later, "a timeout is not over");
        ack.sent();
        arrives(&mut ack, 417, 1460, 65_535);
        assert_eq!(ack.at_end_of_batch(false), Due::Now);
    }

    #[test]
    fn a_small_window_has_a_small_budget() {
        let mut ack = AckPolicy::default();
        for _ in 0..2 {
            arrives(&mut ack, 0, 1000, 3000);
            assert_eq!(ack.at_end_of_batch(false), Due::Now);
            ack.sent();
        }
        arrives(&mut ack, 0, 1000, 3000);
        assert_eq!(ack.at_end_of_batch(false), Due::Later);
    }

    #[test]
    fn an_application_that_answers_carries_the_acknowledgements() {
        let mut ack = AckPolicy::default();
        arrives(&mut ack, 0, 100, 65_535);
        ack.text_sent(Instant::from_millis(39), Duration::from_millis(40));
        ack.sent();
        arrives(&mut ack, 50, 100, 65_535);
        assert_eq!(ack.at_end_of_batch(false), Due::Later);
    }

    #[test]
    fn much_is_acknowledged_before_the_batch_ends() {
        let mut ack = AckPolicy::default();
        assert!(!arrives(&mut ack, 0, 200_000, 2 << 20));
        assert!(arrives(&mut ack, 0, 63_000, 2 << 20));
        ack.sent();
        assert!(arrives(&mut ack, 0, 17_000, 65_535), "a quarter of the window");
    }
}
