//! How large the receive buffer should be: dynamic right-sizing, in the manner of Linux.
//!
//! What the application takes in one round trip is what the network delivers in one, or less if the
//! application is slow. A buffer twice that never limits a steady sender; a buffer that also grows
//! as fast as the rate did never limits one in slow start (RFC 9293 leaves the size to us; Fisk and
//! Feng, "Dynamic right-sizing", 2001). So a slow reader keeps a small buffer, an idle one the
//! initial size, of which it holds nothing.
//!
//! The receiver has no segments to time. It takes the round trip from the timestamps that the peer
//! echoes beside its text, and from how long a whole window of text takes to come.

use layer::{Duration, Instant};

use crate::pack::packed;
use crate::seq::Seq;

/// Segments of an initial window (RFC 6928): what one round trip brings at first.
const INITIAL_SEGMENTS: u32 = 10;

/// No more than this is taken for that, bytes: it has to be well below the smallest initial buffer,
/// or a sender of large segments could not show that it wants more.
const INITIAL_MOST: u32 = 16 * 1024;

/// Segments of slack in a window, as in Linux: several may be lost, or waiting for the reader.
const SLACK_SEGMENTS: u32 = 16;

/// The receiver's measurements.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tuning {
    /// The round trip, and 0 before it is known, us.
    rtt_us: u32,
    /// The last timestamp of ours that came back beside text.
    echo: u32,
    /// Where the window ended when its measurement began, and when that was.
    window: Option<(Seq, Instant)>,
    /// Bytes taken since `since`.
    taken: u32,
    /// The most that was taken in a round trip.
    most: u32,
    /// When the present round trip began.
    since: Instant,
}

packed!(Tuning { window, rtt_us, echo, taken, most, since });

impl Tuning {
    /// The receiver's round trip.
    pub fn rtt(&self) -> Option<Duration> {
        (self.rtt_us > 0).then(|| Duration::from_micros(u64::from(self.rtt_us)))
    }

    /// The most that the application took in a round trip, bytes; 0 before that is known.
    pub fn space(&self) -> u32 {
        self.most
    }

    /// A full-sized segment came that echoes `echo`, a timestamp of ours this old.
    pub fn echoed(&mut self, echo: u32, age: Duration) {
        // One sample a timestamp: the later segments of a flight have waited for the earlier ones.
        if core::mem::replace(&mut self.echo, echo) != echo {
            let sample = micros(age);
            let old = self.rtt_us;
            // RFC 6298 2's smoothing. A receiver's samples are long if the sender paused.
            self.rtt_us = if old == 0 { sample } else { old - old / 8 + sample / 8 };
        }
    }

    /// Text has come up to `nxt`, and the window ends at `edge`. The time that a window takes is an
    /// upper bound of the round trip.
    pub fn arrived(&mut self, now: Instant, nxt: Seq, edge: Seq) {
        if let Some((end, began)) = self.window {
            if nxt.before(end) {
                return;
            }
            let sample = micros(now.since(began)).max(1);
            self.rtt_us = if self.rtt_us == 0 { sample } else { self.rtt_us.min(sample) };
        }
        self.window = Some((edge, now));
    }

    /// The application has taken `bytes`. Once a round trip: the buffer that fits what it took.
    pub fn taken(&mut self, now: Instant, bytes: u32, mss: u32) -> Option<u32> {
        self.taken = self.taken.saturating_add(bytes);
        if now.since(self.since) < self.rtt()? {
            return None;
        }
        self.since = now;
        let taken = core::mem::take(&mut self.taken);
        let before = self.most.max(INITIAL_SEGMENTS.saturating_mul(mss).min(INITIAL_MOST));
        if taken <= before {
            return None;
        }
        self.most = taken;
        let (taken, before) = (u64::from(taken), u64::from(before.max(1)));
        // Twice: one round trip's worth may wait for the reader while the next is under way.
        let steady = 2 * taken + u64::from(SLACK_SEGMENTS * mss);
        // And as much more as the rate has grown by: a sender in slow start doubles, and what is
        // offered now is used a round trip later.
        let growing = steady.saturating_mul(taken - before) / before;
        Some(u32::try_from(steady + 2 * growing).unwrap_or(u32::MAX))
    }
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn ms(millis: u64) -> Instant {
        Instant::from_millis(1000 + millis)
    }

    fn with_round_trip(millis: u64) -> Tuning {
        let mut tuning = Tuning { since: ms(0), ..Tuning::default() };
        tuning.echoed(1, Duration::from_millis(millis));
        tuning
    }

    /// Twice what was taken, 16 segments, and twice the growth over ten segments:
    /// (2 * 20,000 + 16,000) * (1 + 2 * (20,000 - 10,000) / 10,000) = 56,000 * 3.
    #[test]
    fn the_buffer_follows_what_is_taken_in_a_round_trip() {
        let mut tuning = with_round_trip(100);
        assert_eq!(tuning.taken(ms(50), 12_000, MSS), None, "half a round trip");
        assert_eq!(tuning.taken(ms(100), 8_000, MSS), Some(168_000));
        // No more than before: it stays.
        assert_eq!(tuning.taken(ms(200), 20_000, MSS), None);
        // A tenth more: (2 * 22,000 + 16,000) * (1 + 2 * 0.1).
        assert_eq!(tuning.taken(ms(300), 22_000, MSS), Some(72_000));
    }

    #[test]
    fn a_slow_reader_gets_no_more() {
        let mut tuning = with_round_trip(10);
        for n in 1..1000 {
            assert_eq!(tuning.taken(ms(10 * n), 9_999, MSS), None);
        }
    }

    /// (2 * 40,000 + 16 * 9,000) * (1 + 2 * (40,000 - 16,384) / 16,384), rounded down twice.
    #[test]
    fn large_segments_grow_the_buffer_too() {
        let mut tuning = with_round_trip(100);
        assert_eq!(tuning.taken(ms(100), 40_000, 9000), Some(224_000 + 2 * 322_875));
    }

    #[test]
    fn without_a_round_trip_nothing_is_known() {
        let mut tuning = Tuning::default();
        assert_eq!(tuning.taken(ms(0), 1 << 20, MSS), None);
    }

    #[test]
    fn one_sample_a_timestamp() {
        let mut tuning = with_round_trip(80);
        tuning.echoed(1, Duration::from_millis(90));
        assert_eq!(tuning.rtt(), Some(Duration::from_millis(80)));
        tuning.echoed(2, Duration::from_millis(160));
        assert_eq!(tuning.rtt(), Some(Duration::from_millis(90)));
    }

    /// Without timestamps the window is the clock, and the shortest time counts.
    #[test]
    fn a_window_of_text_is_a_round_trip() {
        let mut tuning = Tuning::default();
        tuning.arrived(ms(0), Seq(1000), Seq(11_000));
        tuning.arrived(ms(10), Seq(10_999), Seq(12_000));
        assert_eq!(tuning.rtt(), None);
        tuning.arrived(ms(30), Seq(11_000), Seq(21_000));
        assert_eq!(tuning.rtt(), Some(Duration::from_millis(30)));
        tuning.arrived(ms(50), Seq(21_000), Seq(31_000));
        assert_eq!(tuning.rtt(), Some(Duration::from_millis(20)));
        tuning.arrived(ms(90), Seq(31_000), Seq(41_000));
        assert_eq!(tuning.rtt(), Some(Duration::from_millis(20)));
    }
}
