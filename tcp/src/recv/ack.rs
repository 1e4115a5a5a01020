//! When to acknowledge (RFC 9293 3.8.6.3, RFC 5681 4.2).
//!
//! Segments that are out of order, fill a hole or are duplicates are acknowledged when they arrive,
//! one each. In-order data is acknowledged when the batch ends, so that one acknowledgement covers
//! the batch (MUST-58, MUST-59), or at once when much is owed.

use layer::{Duration, Instant};

/// Bytes owed after which the end of the batch is not waited for: four super-segments. At one, the
/// kernel's TCP ran once a super-frame inside our `write`, a seventh of all time in bulk.
const MUCH: u32 = 256 * 1024;

/// What is owed to the peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckPolicy {
    /// Bytes taken in order and not acknowledged.
    owed: u32,
    /// An acknowledgement is due at the end of the batch, however little is owed.
    now: bool,
    /// The largest segment seen: the sender's MSS as far as we know.
    segment: u32,
}

impl AckPolicy {
    /// In-order data arrived. True if it should be acknowledged without waiting for the batch.
    pub fn in_order(&mut self, bytes: u32, segment: u32, offered: u32) -> bool {
        self.owed = self.owed.saturating_add(bytes);
        self.segment = self.segment.max(segment);
        self.owed >= MUCH.min(offered / 4).max(2 * self.segment)
    }

    /// Something must be acknowledged when the batch ends: FIN, a window probe, a window update.
    pub fn demand(&mut self) {
        self.now = true;
    }

    /// The largest segment received, payload bytes.
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// The batch ended: what of it?
    pub fn at_end_of_batch(&self) -> Due {
        // RFC 9293 3.8.6.3 SHLD-19: at least every second full segment.
        if self.now || (self.owed > 0 && self.owed >= 2 * self.segment) {
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

    // test: RFC 9293 SHLD-19
    #[test]
    fn every_second_full_segment_at_the_end_of_a_batch() {
        let mut ack = AckPolicy::default();
        assert!(!ack.in_order(1460, 1460, 65_535));
        assert_eq!(ack.at_end_of_batch(), Due::Later);
        assert!(!ack.in_order(1460, 1460, 65_535));
        assert_eq!(ack.at_end_of_batch(), Due::Now);
        ack.sent();
        assert_eq!(ack.at_end_of_batch(), Due::Nothing);
    }

    #[test]
    fn much_is_acknowledged_before_the_batch_ends() {
        let mut ack = AckPolicy::default();
        assert!(!ack.in_order(200_000, 1460, 2 << 20));
        assert!(ack.in_order(63_000, 1460, 2 << 20));
        ack.sent();
        assert!(ack.in_order(17_000, 1460, 65_535), "a quarter of the window");
    }
}
