//! CUBIC (RFC 9438): after a loss the window follows a cubic curve of the time since, flat around
//! where the loss was, so that its pace does not depend on the round trip.
//!
//! ```text
//!   window |            W_max ........______-----......  concave, then convex
//!          |                    _--'              _/
//!          |  beta * W_max __-'                _-'
//!          +------------------------------ K ---------> time since the loss
//! ```

use layer::{Duration, Instant};

use super::hystart::{Growth, HyStart};
use super::{Acked, Congestion, LARGEST, decayed, initial_window, resized};

use crate::pack::{Pack, Packer, packed};

/// How steep the curve is, segments per cubed second (RFC 9438 4.1).
const C: f64 = 0.4;
/// What a loss leaves of the window (RFC 9438 4.6).
const BETA: f64 = 0.7;
/// RFC 9438 4.3: growth that makes the Reno-friendly window as large as Reno's.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// The state of CUBIC on one connection. The curve counts in segments.
#[derive(Clone, Debug)]
pub struct Cubic {
    mss: u32,
    cwnd: u32,
    ssthresh: u32,
    initial: u32,
    /// W_max: the window at the last loss.
    w_max: f64,
    /// The window before the last cut: cwnd_prior.
    prior: f64,
    curve: Option<Curve>,
    /// The first slow start only: afterwards the threshold is known.
    hystart: Option<HyStart>,
}

packed!(Cubic { mss, cwnd, ssthresh, initial, w_max, prior, curve, hystart });

/// One period of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Curve {
    epoch: Instant,
    /// K: seconds from the epoch to the plateau.
    k: f64,
    /// Height of the plateau, segments.
    plateau: f64,
    /// W_est: what Reno would have.
    reno: f64,
    /// Since when the window has not been used up: that time does not count.
    unused_since: Option<Instant>,
    /// Growth too small for a byte yet.
    fraction: f64,
}

packed!(Curve { epoch, k, plateau, reno, unused_since, fraction });

impl Cubic {
    /// At the start of a connection.
    pub fn new(mss: u32, syn_was_lost: bool) -> Self {
        let initial = initial_window(mss, syn_was_lost);
        Self {
            mss,
            cwnd: initial,
            ssthresh: u32::MAX,
            initial,
            w_max: 0.0,
            prior: 0.0,
            curve: None,
            hystart: Some(HyStart::default()),
        }
    }

    fn segments(&self) -> f64 {
        f64::from(self.cwnd) / f64::from(self.mss)
    }

    fn slow_start(&mut self, acked: &Acked) {
        let room = self.ssthresh.saturating_sub(self.cwnd);
        let growth = match &mut self.hystart {
            Some(hystart) => hystart.acknowledged(acked.bytes, acked.rtt, acked.una, acked.nxt),
            None => Growth::By(acked.bytes),
        };
        match growth {
            Growth::By(bytes) => self.cwnd = (self.cwnd + bytes.min(room)).min(LARGEST),
            Growth::Leave => {
                self.ssthresh = self.cwnd;
                self.hystart = None;
            }
        }
    }

    fn avoid(&mut self, acked: &Acked) {
        let segments = self.segments();
        let (w_max, prior) = (self.w_max, self.prior);
        let curve = self.curve.get_or_insert_with(|| Curve::new(acked.now, segments, w_max));
        curve.resume(acked.now);
        let elapsed = acked.now.since(curve.epoch);
        let newly = f64::from(acked.bytes) / f64::from(self.mss);
        // RFC 9438 4.3: alpha until the old window is reached again, then 1 as Reno.
        let alpha = if curve.reno < prior { ALPHA } else { 1.0 };
        curve.reno += alpha * newly / segments;
        let now = curve.height(elapsed);
        let grown = if now < curve.reno {
            // RFC 9438 4.3: the Reno-friendly region.
            (curve.reno - segments).max(0.0)
        } else {
            // RFC 9438 4: towards where the curve is a round trip from now, and never more
            // than half as much again in a round trip.
            let ahead = elapsed + acked.srtt.unwrap_or_default();
            let target = curve.height(ahead).clamp(segments, 1.5 * segments);
            (target - segments) / segments * newly
        };
        let bytes = grown * f64::from(self.mss) + curve.fraction;
        curve.fraction = bytes.fract();
        self.cwnd = self.cwnd.saturating_add(whole(bytes)).min(LARGEST);
    }

    /// RFC 9438 4: the multiplicative decrease.
    fn cut(&mut self, flight: u32) {
        let segments = self.segments();
        self.prior = segments;
        // RFC 9438 4.7, fast convergence: a flow that lost below its last peak makes room.
        self.w_max = if segments < self.w_max { segments * (1.0 + BETA) / 2.0 } else { segments };
        let left = whole(f64::from(flight.min(self.cwnd)) * BETA);
        self.ssthresh = left.max(2 * self.mss);
        self.curve = None;
        self.hystart = None;
    }
}

impl Curve {
    fn new(now: Instant, segments: f64, w_max: f64) -> Self {
        // RFC 9438 4: K is how long the curve takes from here to the plateau.
        let (k, plateau) = if segments < w_max {
            (((w_max - segments) / C).cbrt(), w_max)
        } else {
            (0.0, segments)
        };
        Self { epoch: now, k, plateau, reno: segments, unused_since: None, fraction: 0.0 }
    }

    /// W_cubic(t), segments.
    fn height(&self, elapsed: Duration) -> f64 {
        C * (elapsed.as_secs_f64() - self.k).powi(3) + self.plateau
    }

    /// RFC 9438 5.8: time in which the window was not used up does not move the curve on.
    fn resume(&mut self, now: Instant) {
        if let Some(since) = self.unused_since.take() {
            self.epoch += now.since(since);
        }
    }
}

/// Whole bytes of a size that is neither negative nor larger than any window.
fn whole(bytes: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range just before")]
    #[expect(clippy::cast_sign_loss, reason = "clamped to the range just before")]
    let whole = bytes.clamp(0.0, f64::from(LARGEST)) as u32;
    whole
}

impl Congestion for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn acknowledged(&mut self, acked: &Acked) {
        if !acked.limited {
            if let Some(curve) = &mut self.curve {
                curve.unused_since.get_or_insert(acked.now);
            }
        } else if self.cwnd < self.ssthresh {
            self.slow_start(acked);
        } else {
            self.avoid(acked);
        }
    }

    fn loss(&mut self, flight: u32) {
        self.cut(flight);
        self.cwnd = self.ssthresh;
    }

    fn recovered(&mut self, flight: u32) {
        // RFC 6582 3.2 step 3, full: no burst if little is in flight.
        self.cwnd = self.ssthresh.min(flight.max(self.mss) + self.mss);
    }

    fn timeout(&mut self, flight: u32, first: bool) {
        if first {
            self.cut(flight);
        }
        // RFC 5681 3.1: the loss window is one segment.
        self.cwnd = self.mss;
        self.curve = None;
    }

    fn restore(&mut self, cwnd: u32, ssthresh: u32) {
        self.cwnd = self.cwnd.max(cwnd);
        self.ssthresh = self.ssthresh.max(ssthresh);
        // The plateau is where it was, growth starts from here (RFC 9438 4.9.1).
        self.w_max = self.w_max.max(self.prior);
        self.curve = None;
    }

    fn idle(&mut self) {
        // RFC 5681 4.1: the restart window is the initial one, if that is smaller.
        self.cwnd = self.cwnd.min(self.initial);
        self.curve = None;
    }

    fn unused(&mut self, used: u32) {
        (self.cwnd, self.ssthresh) = decayed(self.cwnd, self.ssthresh, used, self.initial);
        self.curve = None;
    }

    fn resize(&mut self, mss: u32) {
        self.cwnd = resized(self.cwnd, self.mss, mss);
        self.mss = mss;
        self.curve = None;
    }

    fn take_over(&mut self, cwnd: u32, ssthresh: u32) {
        (self.cwnd, self.ssthresh) = (cwnd, ssthresh);
        self.hystart = self.hystart.filter(|_| ssthresh == u32::MAX);
    }

    fn pack(&self, to: &mut Packer) {
        Pack::pack(self, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seq::Seq;

    const MSS: u32 = 1000;
    const RTT: Duration = Duration::from_millis(100);

    fn acked(now: Instant, bytes: u32) -> Acked {
        Acked {
            now,
            bytes,
            limited: true,
            rtt: Some(RTT),
            srtt: Some(RTT),
            una: Seq(0),
            nxt: Seq(0),
        }
    }

    /// A connection that lost at 1000 segments; its window each round trip from then on.
    fn after_a_loss(rounds: u32) -> Vec<(f64, f64)> {
        let mut cubic = Cubic::new(MSS, false);
        cubic.cwnd = 1000 * MSS;
        cubic.loss(1000 * MSS);
        assert_eq!((cubic.cwnd, cubic.ssthresh), (700 * MSS, 700 * MSS));
        let mut now = Instant::from_secs(10);
        let mut seen = Vec::new();
        for round in 0..rounds {
            // A window's worth in many acknowledgements.
            let window = cubic.cwnd;
            for _ in 0..20 {
                cubic.acknowledged(&acked(now, window / 20));
                now += RTT / 20;
            }
            seen.push((f64::from(round + 1) * RTT.as_secs_f64(), cubic.segments()));
        }
        seen
    }

    // test: RFC 9438 4
    #[test]
    fn the_window_follows_the_formula_within_five_per_cent() {
        // K = cbrt(1000 * 0.3 / 0.4) = 9.086 s.
        let k = (300.0_f64 / 0.4).cbrt();
        for (elapsed, window) in after_a_loss(140) {
            let formula = 0.4 * (elapsed - k).powi(3) + 1000.0;
            assert!((window / formula - 1.0).abs() < 0.05, "{elapsed}: {window} for {formula}");
        }
    }

    // test: RFC 9438 4.3
    #[test]
    fn small_windows_grow_as_renos_do() {
        // Ten segments and 10 ms: the curve would take seconds to move by one.
        let mut cubic = Cubic::new(MSS, false);
        cubic.cwnd = 10 * MSS;
        cubic.loss(10 * MSS);
        let mut now = Instant::from_secs(1);
        for _ in 0..30 {
            let window = cubic.cwnd;
            now += Duration::from_millis(10);
            cubic.acknowledged(&acked(now, window));
        }
        // From 7: 0.53 a round to 10 in 6 rounds, then 1 a round for 24.
        assert!((32.0..36.0).contains(&cubic.segments()), "{}", cubic.segments());
    }

    // test: RFC 9438 4.7
    #[test]
    fn a_second_loss_below_the_peak_makes_room() {
        let mut cubic = Cubic::new(MSS, false);
        cubic.cwnd = 1000 * MSS;
        cubic.loss(1000 * MSS);
        cubic.loss(700 * MSS);
        assert!((cubic.w_max - 700.0 * 0.85).abs() < 1e-9);
    }

    // test: RFC 9438 5.8
    #[test]
    fn time_without_use_does_not_move_the_curve() {
        let mut cubic = Cubic::new(MSS, false);
        cubic.cwnd = 1000 * MSS;
        cubic.loss(1000 * MSS);
        let start = Instant::from_secs(10);
        cubic.acknowledged(&acked(start, MSS));
        cubic.acknowledged(&Acked { limited: false, ..acked(start, MSS) });
        let before = cubic.cwnd;
        cubic.acknowledged(&acked(start + Duration::from_secs(60), MSS));
        assert!(cubic.cwnd - before < 10 * MSS, "a minute's growth at one stroke");
    }
}
