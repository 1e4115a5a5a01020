//! The persist timer: probing a closed window for as long as it takes (RFC 9293 3.8.6.1).

use layer::{Duration, Instant};

use crate::pack::packed;

/// How often the window has been probed in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Persist {
    probes: u32,
}

packed!(Persist { probes });

impl Persist {
    /// When the next probe is due.
    pub fn next(self, now: Instant, rto: Duration, longest: Duration) -> Instant {
        // RFC 9293 3.8.6.1 SHLD-29: the first one after a retransmission timeout.
        // RFC 9293 3.8.6.1 SHLD-30: then exponentially less often, up to a bound.
        let backoff = 1_u32.checked_shl(self.probes).unwrap_or(u32::MAX);
        now + rto.saturating_mul(backoff).min(longest)
    }

    /// A probe was sent.
    pub fn probed(&mut self) {
        self.probes = (self.probes + 1).min(31);
    }

    /// The window is open, or there is nothing to send.
    pub fn reset(&mut self) {
        self.probes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // test: RFC 9293 SHLD-29
    // test: RFC 9293 SHLD-30
    #[test]
    fn first_after_one_timeout_then_doubling_to_the_bound() {
        let (rto, longest) = (Duration::from_millis(300), Duration::from_secs(60));
        let mut persist = Persist::default();
        let mut gaps = Vec::new();
        for _ in 0..10 {
            gaps.push(persist.next(Instant::ZERO, rto, longest).as_millis());
            persist.probed();
        }
        assert_eq!(gaps, [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 60_000, 60_000]);
        persist.reset();
        assert_eq!(persist.next(Instant::ZERO, rto, longest).as_millis(), 300);
    }
}
