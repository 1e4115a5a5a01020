//! The stall rule: a transfer stands still no longer than its back-off excuses.
//!
//! ```text
//!   progress ... probe, lost ... RTO, lost ..... 2 RTO, lost ......... 4 RTO: arrives, progress
//!   |<------------------------ at most 2 x the last back-off, 4 RTO ---------------->| + slack
//! ```
//!
//! Timeouts double (RFC 6298 5.5), so all of them together last less than twice the last one. A
//! transfer that stands still for longer waits for something that nobody will send: a window
//! update, an acknowledgement, a timer that was never armed.

use layer::boundary::{ConnectionInfo, TcpState};
use layer::{Duration, Instant};

/// A time without progress, and how long it might have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// How long it was.
    pub length: Duration,
    /// How long the rule lets it be.
    pub allowed: Duration,
}

/// Watches the connections of one transfer.
#[derive(Debug)]
pub struct Watch {
    /// What the network may add: the last resend still has to arrive, and its acknowledgement.
    slack: Duration,
    /// Progress so far, and since when there is none.
    moved: u64,
    since: Instant,
    /// The timeout that runs, the longest in this standstill.
    running: Duration,
    /// The one before: the last that expired.
    expired: Option<Duration>,
    longest: Stall,
}

impl Watch {
    /// Begins now.
    pub fn new(now: Instant, slack: Duration) -> Self {
        let (running, expired) = (Duration::ZERO, None);
        Self { slack, moved: 0, since: now, running, expired, longest: Stall::default() }
    }

    /// The longest standstill so far.
    pub fn longest(&self) -> Stall {
        self.longest
    }

    /// Looks at the connections of the transfer, both ends.
    ///
    /// # Errors
    ///
    /// The transfer stands still, or has, for longer than the rule lets it.
    pub fn look(&mut self, now: Instant, ends: &[ConnectionInfo]) -> Result<(), String> {
        let moved = ends.iter().map(progress).sum();
        let running = ends.iter().filter(|end| waits(end)).map(|end| end.rto).max();
        if moved == self.moved {
            self.stand(running.unwrap_or_default());
            // What runs now is the last back-off, as long as nothing comes of it.
            return self.judge(now, self.running);
        }
        let excuse = self.expired.unwrap_or(self.running);
        let ended = self.judge(now, excuse);
        (self.moved, self.since) = (moved, now);
        (self.running, self.expired) = (running.unwrap_or_default(), None);
        ended
    }

    /// No progress; this timeout runs now.
    fn stand(&mut self, running: Duration) {
        if running > self.running {
            // The first one to run has not expired: there was none before.
            self.expired = Some(self.running).filter(|before| !before.is_zero());
            self.running = running;
        }
    }

    fn judge(&mut self, now: Instant, excuse: Duration) -> Result<(), String> {
        let length = now.since(self.since);
        let stall = Stall { length, allowed: excuse * 2 + self.slack };
        if length > self.longest.length {
            self.longest = stall;
        }
        if length > stall.allowed {
            return Err(format!(
                "stalled for {length:?}; twice the last back-off and the way are {:?}",
                stall.allowed
            ));
        }
        Ok(())
    }
}

/// A number that changes with everything an end gets done.
fn progress(end: &ConnectionInfo) -> u64 {
    // States are passed through once and in order, so their names do for a count.
    let state = 1 + end.state as u64;
    end.bytes_acked + end.bytes_received + (state << 48)
}

/// A retransmission timer ought to be running at this end.
fn waits(end: &ConnectionInfo) -> bool {
    match end.state {
        TcpState::SynSent
        | TcpState::SynReceived
        | TcpState::FinWait1
        | TcpState::Closing
        | TcpState::LastAck => true,
        TcpState::Established | TcpState::CloseWait => end.in_flight > 0 || end.send_queue > 0,
        TcpState::Closed | TcpState::Listen | TcpState::FinWait2 | TcpState::TimeWait => false,
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddr};

    use layer::boundary::SocketId;

    use super::*;

    const SLACK: Duration = Duration::from_millis(100);

    fn sender(acked: u64, rto_ms: u64) -> [ConnectionInfo; 1] {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let bare = ConnectionInfo::bare(SocketId(1), any, any, TcpState::Established);
        let rto = Duration::from_millis(rto_ms);
        [ConnectionInfo { bytes_acked: acked, in_flight: 1000, rto, ..bare }]
    }

    fn at(ms: u64) -> Instant {
        Instant::from_secs(1) + Duration::from_millis(ms)
    }

    /// 200 ms, 400 ms and 800 ms expire; the last of them repairs the loss: 1.4 s of silence.
    #[test]
    fn back_off_excuses_twice_the_last_timeout() {
        let mut watch = Watch::new(at(0), SLACK);
        watch.look(at(0), &sender(1, 200)).unwrap();
        for (ms, rto) in [(200, 400), (600, 800), (1400, 1600)] {
            watch.look(at(ms), &sender(1, rto)).unwrap();
        }
        watch.look(at(1450), &sender(1001, 200)).unwrap();
        let expected = Stall {
            length: Duration::from_millis(1450),
            allowed: Duration::from_millis(2 * 800 + 100),
        };
        assert_eq!(watch.longest(), expected);
    }

    #[test]
    fn a_timer_that_never_fires_is_found_while_it_lasts() {
        let mut watch = Watch::new(at(0), SLACK);
        watch.look(at(0), &sender(1, 200)).unwrap();
        watch.look(at(500), &sender(1, 200)).unwrap();
        let wrong = watch.look(at(501), &sender(1, 200)).unwrap_err();
        assert!(wrong.contains("stalled for 501ms"), "{wrong}");
    }

    #[test]
    fn a_standstill_that_ends_too_late_is_found_by_what_had_expired() {
        let mut watch = Watch::new(at(0), SLACK);
        watch.look(at(0), &sender(1, 200)).unwrap();
        watch.look(at(200), &sender(1, 400)).unwrap();
        // What left at 200 ms brought this: 2 x 200 ms and the way are over since 500 ms.
        assert!(watch.look(at(590), &sender(1001, 200)).is_err());
    }

    #[test]
    fn who_has_nothing_under_way_has_no_excuse() {
        let mut watch = Watch::new(at(0), SLACK);
        let idle = sender(1, 200).map(|end| ConnectionInfo { in_flight: 0, ..end });
        watch.look(at(0), &idle).unwrap();
        assert!(watch.look(at(101), &idle).is_err());
    }
}
