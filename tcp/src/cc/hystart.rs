//! HyStart++ (RFC 9406): leaving the first slow start before it overshoots.
//!
//! The shortest round trip of each round is compared with that of the round before. When it has
//! grown by an eighth, growth becomes conservative (CSS) for five rounds; if it shrinks again, the
//! rise was noise and slow start goes on.
//!
//! Left out: the limit of 8 segments of growth an acknowledgement for senders that do not pace.
//! Behind offloads one acknowledgement stands for a super-segment, and Linux has no such limit.

use layer::Duration;

use crate::pack::packed;
use crate::seq::Seq;

/// RFC 9406 4.3's bounds of the rise that counts, samples that a round needs, and the manner of
/// conservative growth.
const MIN_RTT_THRESH: Duration = Duration::from_millis(4);
const MAX_RTT_THRESH: Duration = Duration::from_millis(16);
const MIN_RTT_DIVISOR: u32 = 8;
const SAMPLES: u32 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u32 = 5;

/// What to do with an acknowledgement in slow start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Grow by so many bytes.
    By(u32),
    /// Slow start is over.
    Leave,
}

/// The state of one slow start.
#[derive(Clone, Copy, Debug, Default)]
pub struct HyStart {
    /// The round ends when this is acknowledged.
    window_end: Option<Seq>,
    last_round: Option<Duration>,
    this_round: Option<Duration>,
    samples: u32,
    /// In CSS: the shortest round trip when it began, and rounds since.
    css: Option<(Duration, u32)>,
}

packed!(HyStart { window_end, last_round, this_round, samples, css });

impl HyStart {
    /// `bytes` were acknowledged up to `una`, with `nxt` out.
    pub fn acknowledged(
        &mut self,
        bytes: u32,
        rtt: Option<Duration>,
        una: Seq,
        nxt: Seq,
    ) -> Growth {
        let ended = self.window_end.is_none_or(|end| !una.before(end));
        if ended && self.begin_round(nxt) {
            return Growth::Leave;
        }
        if let Some(rtt) = rtt {
            self.this_round = Some(self.this_round.map_or(rtt, |least| least.min(rtt)));
            self.samples += 1;
        }
        self.judge();
        Growth::By(if self.css.is_some() { bytes / CSS_GROWTH_DIVISOR } else { bytes })
    }

    /// True if CSS has lasted its rounds.
    fn begin_round(&mut self, nxt: Seq) -> bool {
        self.window_end = Some(nxt);
        self.last_round = self.this_round.take().or(self.last_round);
        self.samples = 0;
        if let Some((_, rounds)) = &mut self.css {
            *rounds += 1;
            return *rounds >= CSS_ROUNDS;
        }
        false
    }

    fn judge(&mut self) {
        let (Some(now), true) = (self.this_round, self.samples >= SAMPLES) else { return };
        match self.css {
            None => {
                let Some(last) = self.last_round else { return };
                let rise = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
                if now >= last + rise {
                    self.css = Some((now, 0));
                }
            }
            // The rise is gone: it was jitter.
            Some((baseline, _)) if now < baseline => self.css = None,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    /// One round of ten acknowledgements with round trips of `ms`; how much the window grew.
    fn round(hystart: &mut HyStart, at: &mut u32, ms: u64) -> Option<u32> {
        let mut grown = 0;
        for _ in 0..10 {
            *at += MSS;
            let rtt = Some(Duration::from_millis(ms));
            match hystart.acknowledged(MSS, rtt, Seq(*at), Seq(*at + 10 * MSS)) {
                Growth::By(bytes) => grown += bytes,
                Growth::Leave => return None,
            }
        }
        Some(grown)
    }

    // test: RFC 9406 4.2
    #[test]
    fn a_lasting_rise_leaves_slow_start_after_five_careful_rounds() {
        let (mut hystart, mut at) = (HyStart::default(), 0);
        for _ in 0..3 {
            assert_eq!(round(&mut hystart, &mut at, 40), Some(10 * MSS));
        }
        // 40 ms / 8 = 5 ms more: in the round that shows it growth turns careful.
        let first = round(&mut hystart, &mut at, 45).expect("careful");
        assert!(first < 10 * MSS);
        for _ in 0..4 {
            assert_eq!(round(&mut hystart, &mut at, 45), Some(10 * MSS / 4));
        }
        assert_eq!(round(&mut hystart, &mut at, 45), None);
    }

    #[test]
    fn a_rise_that_goes_away_was_jitter() {
        let (mut hystart, mut at) = (HyStart::default(), 0);
        round(&mut hystart, &mut at, 40);
        round(&mut hystart, &mut at, 60);
        assert_eq!(round(&mut hystart, &mut at, 60), Some(10 * MSS / 4));
        round(&mut hystart, &mut at, 40);
        assert_eq!(round(&mut hystart, &mut at, 40), Some(10 * MSS));
    }

    #[test]
    fn a_small_rise_is_none() {
        let (mut hystart, mut at) = (HyStart::default(), 0);
        for ms in [8, 11, 14, 17] {
            assert_eq!(round(&mut hystart, &mut at, ms), Some(10 * MSS), "below 4 ms a round");
        }
    }
}
