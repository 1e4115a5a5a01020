//! What keeps a connection from sending, and for how long (Linux's `tcp_chrono`, the congestion
//! instrumentation of RFC 4898).
//!
//! Looked at once after every output, when it is plain what held the sender; the time until the
//! next look is charged to that. One addition a look, whatever happens in between.

use layer::boundary::{LimitedTimes, Limiting};
use layer::{Duration, Instant};

use crate::conn::Open;
use crate::pack::packed;
use crate::send::Fin;
use crate::send::recovery::Phase;

/// Where the time goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Since when it is as it is.
    since: Instant,
    /// What limits since then.
    limiting: Limiting,
    /// Something is in the send buffer since then.
    busy: bool,
    /// Of the past: [`Limiting::Application`] with an empty send buffer, ns.
    idle: u64,
    /// Of the past, by [`Limiting`], ns; the application's without `idle`.
    spent: [u64; 6],
}

packed!(Limits { since, idle, spent } default { limiting, busy });

impl Limits {
    /// Nothing is in the send buffer, and nothing else limits either.
    pub fn is_idle(&self) -> bool {
        (self.limiting, self.busy) == (Limiting::Application, false)
    }

    /// The connection opens: nothing to send.
    pub fn new(now: Instant) -> Self {
        let limiting = Limiting::Application;
        Self { since: now, limiting, busy: false, idle: 0, spent: [0; 6] }
    }

    /// From now on it is `limiting`.
    fn turn(&mut self, now: Instant, limiting: Limiting, busy: bool) {
        if (limiting, busy) != (self.limiting, self.busy) {
            *self = Self { limiting, busy, ..self.until(now) };
        }
    }

    /// With the time until `now` charged.
    fn until(mut self, now: Instant) -> Self {
        let passed = now.as_nanos().saturating_sub(self.since.as_nanos());
        let account = match self.limiting {
            Limiting::Application if !self.busy => &mut self.idle,
            Limiting::Application => &mut self.spent[0],
            Limiting::SendBuffer => &mut self.spent[1],
            Limiting::ReceiveWindow => &mut self.spent[2],
            Limiting::CongestionWindow => &mut self.spent[3],
            Limiting::Pacing => &mut self.spent[4],
            Limiting::Recovery => &mut self.spent[5],
        };
        *account = account.saturating_add(passed);
        self.since = self.since.max(now);
        self
    }

    /// All times until `now`.
    pub fn times(&self, now: Instant) -> LimitedTimes {
        let Self { idle, spent, .. } = self.until(now);
        let [waiting, send_buffer, receive_window, congestion_window, pacing, recovery] =
            spent.map(Duration::from_nanos);
        LimitedTimes {
            application: Duration::from_nanos(idle) + waiting,
            send_buffer,
            receive_window,
            congestion_window,
            pacing,
            recovery,
        }
    }

    /// Time with something in the send buffer.
    pub fn busy(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.until(now).spent.iter().sum())
    }
}

impl Open {
    /// After output: what was it that held more back?
    pub fn note_limits(&mut self, now: Instant) {
        let limiting = self.limiting();
        self.meter.limits.turn(now, limiting, !self.snd.buffer.is_empty());
    }

    /// What limits sending now, given that all that may be sent was sent.
    pub fn limiting(&self) -> Limiting {
        let unsent = self.snd.unsent();
        if self.snd.recovery.phase() != Phase::Open {
            return Limiting::Recovery;
        }
        if unsent == 0 {
            let capacity = self.room.capacity();
            // Room is granted by the quarter: beyond three of them, the application has none.
            let full = self.snd.buffer.len() > (capacity - capacity / 4) as usize;
            let more = self.snd.fin == Fin::No;
            return if full && more { Limiting::SendBuffer } else { Limiting::Application };
        }
        let wanted = unsent.min(self.snd.mss);
        let usable = self.snd.window.usable(self.snd.una, self.snd.nxt);
        let allowed = self.window_now().saturating_sub(self.snd.board.pipe());
        match usable.min(allowed) {
            // It may leave: Nagle or TCP_CORK holds it, as the application asked.
            least if least >= wanted => Limiting::Application,
            least if least == allowed => Limiting::CongestionWindow,
            _ => Limiting::ReceiveWindow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nanosecond_is_charged_to_one_account() {
        let at = Instant::from_nanos;
        let mut limits = Limits::new(at(100));
        limits.turn(at(150), Limiting::CongestionWindow, true);
        limits.turn(at(170), Limiting::CongestionWindow, true);
        limits.turn(at(250), Limiting::ReceiveWindow, true);
        limits.turn(at(257), Limiting::Application, true);
        limits.turn(at(260), Limiting::Application, false);
        let times = limits.times(at(1260));
        assert_eq!(times.application.as_nanos(), 50 + 3 + 1000);
        assert_eq!(times.congestion_window.as_nanos(), 100);
        assert_eq!(times.receive_window.as_nanos(), 7);
        assert_eq!(limits.busy(at(1260)).as_nanos(), 110);
        assert_eq!(limits.times(at(1260)), times, "looking changes nothing");
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_charges_nothing() {
        let at = Instant::from_nanos;
        let mut limits = Limits::new(at(100));
        limits.turn(at(90), Limiting::Recovery, true);
        assert_eq!(limits.times(at(80)), LimitedTimes::default());
    }
}
