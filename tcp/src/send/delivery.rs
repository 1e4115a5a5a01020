//! Delivery rate: how fast text arrives at the peer (draft-cheng-iccrg-delivery-rate-estimation).
//!
//! The draft keeps four numbers with every packet that is out; this keeps them for one packet at a
//! time, so there is a sample a round trip and nothing grows. Enough to be looked at; congestion
//! control that lives on the rate needs the numbers in the scoreboard.

use layer::{Duration, Instant};

use crate::pack::packed;
use crate::seq::Seq;

/// The packet that is watched: what the draft calls P.
#[derive(Clone, Copy, Debug)]
struct Watched {
    /// One past its last number.
    end: Seq,
    /// P.delivered.
    delivered: u32,
    /// P.sent_time.
    sent_at: Instant,
    /// P.is_app_limited.
    app_limited: bool,
}

packed!(Watched { end, delivered, sent_at, app_limited });

/// C.* of the draft.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryRate {
    /// C.delivered, modulo 2^32: only differences within a round trip are used.
    delivered: u32,
    watched: Option<Watched>,
    /// The latest sample, bytes/s.
    rate: u64,
    app_limited: bool,
}

packed!(DeliveryRate { delivered, watched, rate, app_limited });

impl DeliveryRate {
    /// New text up to before `end` leaves; `app_limited` if it is all there was.
    pub fn sent(&mut self, end: Seq, now: Instant, app_limited: bool) {
        if let Some(watched) = &mut self.watched {
            watched.app_limited |= app_limited;
        } else {
            let delivered = self.delivered;
            self.watched = Some(Watched { end, delivered, sent_at: now, app_limited });
        }
    }

    /// So many bytes newly arrived, all before `una` among them. `min_rtt` is the shortest time
    /// in which that can happen: less is a measurement of something else.
    pub fn delivered(&mut self, bytes: u32, una: Seq, now: Instant, min_rtt: Duration) {
        self.delivered = self.delivered.wrapping_add(bytes);
        let Some(watched) = self.watched.filter(|watched| !una.before(watched.end)) else { return };
        self.watched = None;
        let interval = now.since(watched.sent_at).max(min_rtt).as_nanos();
        let arrived = u128::from(self.delivered.wrapping_sub(watched.delivered));
        let rate = (arrived * 1_000_000_000).checked_div(interval);
        let Some(rate) = rate.and_then(|rate| u64::try_from(rate).ok()) else { return };
        // As Linux: while the application limits, only a higher rate says something.
        if !watched.app_limited || rate >= self.rate {
            (self.rate, self.app_limited) = (rate, watched.app_limited);
        }
    }

    /// The latest sample in bytes/s, and whether the application limited it; 0 before the first.
    pub fn rate(&self) -> (u64, bool) {
        (self.rate, self.app_limited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_in_the_round_trip_of_one_packet() {
        let at = Instant::from_millis;
        let mut rate = DeliveryRate::default();
        for packet in 1..=10 {
            rate.sent(Seq(packet * 1000), at(0), false);
        }
        rate.delivered(1000, Seq(1000), at(100), Duration::ZERO);
        assert_eq!(rate.rate(), (10_000, false), "1000 bytes in 100 ms");
        rate.sent(Seq(11_000), at(100), false);
        for packet in 2..=10_u32 {
            rate.delivered(1000, Seq(packet * 1000), at(100 + u64::from(packet)), Duration::ZERO);
        }
        rate.delivered(1000, Seq(11_000), at(200), Duration::ZERO);
        assert_eq!(rate.rate(), (100_000, false), "ten packets in 100 ms");
    }

    #[test]
    fn a_lazy_application_does_not_lower_the_estimate() {
        let at = Instant::from_millis;
        let mut rate = DeliveryRate::default();
        rate.sent(Seq(100_000), at(0), false);
        rate.delivered(100_000, Seq(100_000), at(100), Duration::ZERO);
        assert_eq!(rate.rate(), (1_000_000, false));
        rate.sent(Seq(100_001), at(100), true);
        rate.delivered(1, Seq(100_001), at(200), Duration::ZERO);
        assert_eq!(rate.rate(), (1_000_000, false));
    }

    #[test]
    fn an_answer_in_no_time_is_no_infinite_rate() {
        let mut rate = DeliveryRate::default();
        rate.sent(Seq(1000), Instant::ZERO, false);
        rate.delivered(1000, Seq(1000), Instant::ZERO, Duration::ZERO);
        assert_eq!(rate.rate(), (0, false));
        rate.sent(Seq(2000), Instant::ZERO, false);
        rate.delivered(1000, Seq(2000), Instant::ZERO, Duration::from_millis(1));
        assert_eq!(rate.rate(), (1_000_000, false));
    }
}
