//! Round-trip time and the retransmission timeout (RFC 6298).

use layer::{Duration, Instant};

use crate::config::Config;
use crate::seq::Seq;

/// RFC 6298 2: K.
const K: u32 = 4;

/// Clock granularity G: our clock is in ns; a timer that the driver polls is good to 1 ms.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Smoothed round-trip time, its variation, and the timeout that follows.
#[derive(Clone, Debug)]
pub struct RttEstimator {
    srtt: Option<Duration>,
    rttvar: Duration,
    rto: Duration,
    /// Timeouts in a row: the back-off.
    backoff: u32,
    /// The one segment being timed: its end, and when it left.
    timing: Option<(Seq, Instant)>,
    /// Something was resent since the last sample: only timestamps can tell which one is answered.
    ambiguous: bool,
}

impl RttEstimator {
    /// Before any sample. After a lost SYN, RFC 6298 5.7: 3 s for the data.
    pub fn new(config: &Config, syn_was_lost: bool) -> Self {
        let rto = if syn_was_lost {
            config.rto_initial.max(Duration::from_secs(3))
        } else {
            config.rto_initial
        };
        Self { srtt: None, rttvar: Duration::ZERO, rto, backoff: 0, timing: None, ambiguous: false }
    }

    /// A new segment ending at `end` leaves: time it, unless one is being timed.
    pub fn sent(&mut self, end: Seq, now: Instant) {
        self.timing.get_or_insert((end, now));
    }

    /// Something was resent: RFC 6298 3 (Karn): what is being timed may be answered ambiguously.
    pub fn resent(&mut self) {
        self.timing = None;
        self.ambiguous = true;
    }

    /// Everything before `una` is acknowledged; `stamped` is the round trip by timestamps.
    pub fn acknowledged(
        &mut self,
        una: Seq,
        now: Instant,
        stamped: Option<Duration>,
        config: &Config,
    ) {
        if let Some((end, sent)) = self.timing
            && end.at_or_before(una)
        {
            self.timing = None;
            self.ambiguous = false;
            self.sample(now.since(sent), config);
        } else if let Some(rtt) = stamped.filter(|_| self.ambiguous) {
            // Good to 1 ms only, so it serves where our own timing cannot.
            self.sample(rtt, config);
        }
        // RFC 6298 5.3 with Linux's reading: new data acknowledged ends the back-off.
        self.backoff = 0;
    }

    /// Takes in a measured round trip.
    pub fn sample(&mut self, rtt: Duration, config: &Config) {
        let srtt = match self.srtt {
            // RFC 6298 2.2: the first measurement.
            None => {
                self.rttvar = rtt / 2;
                rtt
            }
            // RFC 6298 2.3: RTTVAR before SRTT; alpha 1/8, beta 1/4.
            Some(srtt) => {
                self.rttvar = (self.rttvar * 3 + srtt.abs_diff(rtt)) / 4;
                (srtt * 7 + rtt) / 8
            }
        };
        self.srtt = Some(srtt);
        // RFC 6298 2.4: the RFC's floor is 1 s, ours `rto_min`; RFC 6298 2.5: a ceiling.
        self.rto = (srtt + GRANULARITY.max(self.rttvar * K)).clamp(config.rto_min, config.rto_max);
    }

    /// The timeout now, backed off.
    pub fn rto(&self, config: &Config) -> Duration {
        self.rto
            .saturating_mul(1_u32.checked_shl(self.backoff).unwrap_or(u32::MAX))
            .min(config.rto_max)
    }

    /// RFC 6298 5.5: the timer expired; the next one is twice as long.
    pub fn back_off(&mut self) {
        self.backoff = (self.backoff + 1).min(31);
    }

    /// Smoothed round-trip time.
    pub fn srtt(&self) -> Option<Duration> {
        self.srtt
    }

    /// Its mean deviation.
    pub fn rttvar(&self) -> Option<Duration> {
        self.srtt.map(|_| self.rttvar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new([0; 16])
    }

    // test: RFC 9293 MUST-18
    // test: RFC 6298 2.1
    // test: RFC 6298 2.3
    #[test]
    fn first_second_and_backed_off() {
        let config = config();
        let mut rtt = RttEstimator::new(&config, false);
        assert_eq!(rtt.rto(&config), Duration::from_secs(1));
        rtt.sample(Duration::from_millis(100), &config);
        // SRTT 100, RTTVAR 50: 100 + 4*50.
        assert_eq!(rtt.rto(&config), Duration::from_millis(300));
        rtt.sample(Duration::from_millis(200), &config);
        // RTTVAR 3/4*50 + 1/4*100 = 62.5, SRTT 7/8*100 + 1/8*200 = 112.5: 362.5.
        assert_eq!(rtt.rto(&config), Duration::from_micros(362_500));
        rtt.back_off();
        rtt.back_off();
        assert_eq!(rtt.rto(&config), Duration::from_millis(1450));
        for _ in 0..40 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(&config), config.rto_max);
    }

    #[test]
    fn a_resent_segment_gives_no_sample() {
        let config = config();
        let mut rtt = RttEstimator::new(&config, false);
        rtt.sent(Seq(10), Instant::ZERO);
        rtt.resent();
        rtt.acknowledged(Seq(10), Instant::from_secs(1), None, &config);
        assert_eq!(rtt.srtt(), None);
        rtt.sent(Seq(20), Instant::from_secs(1));
        rtt.sent(Seq(30), Instant::from_secs(2));
        rtt.acknowledged(Seq(15), Instant::from_secs(3), None, &config);
        assert_eq!(rtt.srtt(), None);
        rtt.acknowledged(Seq(20), Instant::from_secs(4), None, &config);
        assert_eq!(rtt.srtt(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_lost_syn_makes_the_first_timeout_three_seconds() {
        let config = config();
        assert_eq!(RttEstimator::new(&config, true).rto(&config), Duration::from_secs(3));
    }
}
