//! Round-trip time and the retransmission timeout (RFC 6298).

use layer::Duration;

use crate::config::Config;
use crate::pack::packed;

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
}

packed!(RttEstimator { srtt, rttvar, rto, backoff });

impl RttEstimator {
    /// Before any sample. After a lost SYN, RFC 6298 5.7: 3 s for the data.
    pub fn new(config: &Config, syn_was_lost: bool) -> Self {
        let rto = if syn_was_lost {
            config.rto_initial.max(Duration::from_secs(3))
        } else {
            config.rto_initial
        };
        Self { srtt: None, rttvar: Duration::ZERO, rto, backoff: 0 }
    }

    /// New data was acknowledged; `rtt` is the round trip of something that left only once
    /// (RFC 6298 3, Karn), `stamped` the one by timestamps.
    pub fn acknowledged(
        &mut self,
        rtt: Option<Duration>,
        stamped: Option<Duration>,
        config: &Config,
    ) {
        // Timestamps are good to 1 ms only, so they serve where our own timing cannot.
        if let Some(rtt) = rtt.or(stamped) {
            self.sample(rtt, config);
            // RFC 6298 5.7's note and Karn's second half: the back-off lasts until a sample.
            self.backoff = 0;
        }
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
        // RFC 6298 2.4: the RFC's floor is 1 s; ours is Linux's, 200 ms on the term that allows for
        // variation, so that a delayed acknowledgement fits in. RFC 6298 2.5: a ceiling.
        let margin = (self.rttvar * K).max(GRANULARITY).max(config.rto_min);
        self.rto = (srtt + margin).min(config.rto_max);
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

    /// How often the timeout is doubled now.
    pub fn backoff(&self) -> u32 {
        self.backoff
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

    // test: RFC 6298 3
    // test: RFC 7323 4.1
    #[test]
    fn what_left_twice_gives_a_sample_only_by_timestamps() {
        let (config, ms) = (config(), Duration::from_millis);
        let mut rtt = RttEstimator::new(&config, false);
        rtt.acknowledged(None, None, &config);
        assert_eq!(rtt.srtt(), None);
        rtt.acknowledged(None, Some(ms(30)), &config);
        assert_eq!(rtt.srtt(), Some(ms(30)));
        rtt.acknowledged(Some(ms(38)), Some(ms(99)), &config);
        assert_eq!(rtt.srtt(), Some(ms(31)), "our own timing goes first");
    }

    /// Sixty seconds at least; ours is Linux's two minutes, also for a round trip beyond it.
    // test: RFC 6298 2.5
    #[test]
    fn the_timeout_has_a_ceiling_of_a_minute_or_more() {
        let config = config();
        let mut rtt = RttEstimator::new(&config, false);
        rtt.sample(Duration::from_secs(59), &config);
        // 59 + 4 * 29.5 s.
        assert_eq!(rtt.rto(&config), Duration::from_secs(120));
        rtt.back_off();
        assert_eq!(rtt.rto(&config), Duration::from_secs(120));
        assert!(config.rto_max >= Duration::from_secs(60));
    }

    #[test]
    fn a_lost_syn_makes_the_first_timeout_three_seconds() {
        let config = config();
        assert_eq!(RttEstimator::new(&config, true).rto(&config), Duration::from_secs(3));
    }
}
