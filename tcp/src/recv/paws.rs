//! Timestamps: what we send, what we echo, and protection against wrapped sequences
//! (RFC 7323 3 to 5).

use layer::{Duration, Instant};

use crate::options::Timestamps;
use crate::pack::packed;
use crate::seq::Seq;

/// RFC 7323 5.5: after so long without a segment, TS.Recent may have wrapped and counts no more.
const STALE: Duration = Duration::from_secs(24 * 24 * 3600);

/// The state of timestamps on a connection that agreed on them.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// Added to our clock, so that it says nothing about our uptime.
    offset: u32,
    /// TS.Recent, and when it was taken.
    recent: u32,
    recent_at: Instant,
}

packed!(Stamps { offset, recent, recent_at });

impl Stamps {
    /// From the peer's SYN, which arrived now.
    pub fn new(offset: u32, value: u32, now: Instant) -> Self {
        Self { offset, recent: value, recent_at: now }
    }

    /// What is needed to answer after the end: our offset and TS.Recent.
    pub fn kept(self) -> (u32, u32) {
        (self.offset, self.recent)
    }

    /// The option for a segment that leaves now.
    pub fn option(&self, now: Instant) -> Timestamps {
        Timestamps { value: clock(self.offset, now), echo: self.recent }
    }

    /// RFC 7323 5.3 R1: the segment is older than one that was taken already.
    pub fn is_old(&self, value: u32, now: Instant) -> bool {
        // The same circular order as sequence numbers.
        Seq(value).before(Seq(self.recent)) && now.since(self.recent_at) < STALE
    }

    /// RFC 6191 2: the timestamp is newer than any that was taken.
    pub fn is_newer(&self, value: u32) -> bool {
        Seq(value).after(Seq(self.recent))
    }

    /// RFC 7323 4.3: TS.Recent follows the earliest segment that is not acknowledged, so that a
    /// delayed acknowledgement counts into the peer's round trip.
    pub fn update(&mut self, value: u32, seq: Seq, last_ack_sent: Seq, now: Instant) {
        let newer = !Seq(value).before(Seq(self.recent)) || now.since(self.recent_at) >= STALE;
        if newer && seq.at_or_before(last_ack_sent) {
            (self.recent, self.recent_at) = (value, now);
        }
    }

    /// The round trip of a segment whose timestamp the peer echoes. Good to 1 ms.
    pub fn round_trip(&self, echo: u32, now: Instant) -> Option<Duration> {
        let millis = clock(self.offset, now).wrapping_sub(echo);
        // An echo from the future, or of a clock that is not ours, says nothing.
        (millis < 1 << 30).then(|| Duration::from_millis(u64::from(millis.max(1))))
    }
}

/// RFC 7323 5.4: our timestamp clock ticks once a millisecond.
pub fn clock(offset: u32, now: Instant) -> u32 {
    crate::isn::truncate(now.as_millis()).wrapping_add(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    // test: RFC 7323 5
    // test: RFC 7323 5.5
    #[test]
    fn older_stamps_are_old_also_across_the_wrap_but_not_after_24_days() {
        let stamps = Stamps::new(0, 5, at(0));
        assert!(stamps.is_old(4, at(1)) && stamps.is_old(u32::MAX, at(1)));
        assert!(!stamps.is_old(5, at(1)) && !stamps.is_old(6, at(1)));
        assert!(!stamps.is_old(4, at(25 * 24 * 3600)));
    }

    // test: RFC 7323 4.3
    #[test]
    fn the_echo_follows_the_earliest_unacknowledged_segment() {
        let mut stamps = Stamps::new(0, 10, at(0));
        stamps.update(12, Seq(100), Seq(100), at(1));
        stamps.update(14, Seq(200), Seq(100), at(1));
        assert_eq!(stamps.option(at(1)).echo, 12, "the second of two unacknowledged ones");
        stamps.update(11, Seq(100), Seq(100), at(1));
        assert_eq!(stamps.option(at(1)).echo, 12, "never back");
        stamps.update(16, Seq(200), Seq(200), at(1));
        assert_eq!(stamps.option(at(1)).echo, 16);
    }

    // test: RFC 7323 5.4
    #[test]
    fn the_clock_ticks_in_milliseconds_from_a_hidden_origin() {
        let (a, b) = (Stamps::new(77, 0, at(0)), Stamps::new(u32::MAX, 0, at(0)));
        assert_eq!(a.option(at(2)).value, 2077);
        assert_eq!(b.option(at(2)).value, 1999);
        assert_eq!(a.round_trip(2077 - 30, at(2)), Some(Duration::from_millis(30)));
        assert_eq!(a.round_trip(2078, at(2)), None);
    }
}
