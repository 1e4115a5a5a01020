//! Taking back a cut that was for nothing: Eifel detection by timestamps (RFC 3522) and by D-SACK,
//! and the full response (RFC 4015; Linux's undo).

use crate::pack::packed;
use crate::seq::Seq;

/// What is needed to take back one reduction.
#[derive(Clone, Copy, Debug)]
pub struct Undo {
    /// The window before it, bytes.
    pub cwnd: u32,
    /// The threshold before it, bytes.
    pub ssthresh: u32,
    /// Bytes acknowledged since: slow start would have grown by them.
    acknowledged: u32,
    /// Our timestamp clock when the first resend left, if it has one, and where that resend ended.
    first: Option<(Option<u32>, Seq)>,
    /// Bytes resent and not reported as needless.
    resent: u32,
    /// Once recovery is over: what was out then. After that nobody can tell any more.
    until: Option<Seq>,
}

packed!(Undo { cwnd, ssthresh, acknowledged, first, resent, until });

impl Undo {
    /// A reduction is about to be made.
    pub fn new(cwnd: u32, ssthresh: u32) -> Self {
        Self { cwnd, ssthresh, acknowledged: 0, first: None, resent: 0, until: None }
    }

    /// `bytes` were acknowledged, needlessly at a reduced window.
    pub fn acknowledged(&mut self, bytes: u32) {
        self.acknowledged = self.acknowledged.saturating_add(bytes);
    }

    /// The window as it would be had there been no reduction: slow start went on meanwhile, at most
    /// to twice as much.
    pub fn restored_cwnd(&self) -> u32 {
        let grown = self.cwnd.saturating_add(self.acknowledged.min(self.cwnd));
        if self.cwnd < self.ssthresh { grown.min(self.ssthresh) } else { self.cwnd }
    }

    /// `bytes` before `end` are resent, our timestamp clock being `stamp`.
    pub fn resent(&mut self, end: Seq, bytes: u32, stamp: Option<u32>) {
        self.resent = self.resent.saturating_add(bytes);
        self.first.get_or_insert((stamp, end));
    }

    /// RFC 3522 3.2's test: an acknowledgement that covers the first resend and echoes a time from
    /// before it answers the original: that was only late. One that stops short of it says nothing:
    /// something else was late, and this may well be lost.
    pub fn is_answer_to_original(&self, ack: Seq, echo: u32) -> bool {
        let Some((Some(stamp), end)) = self.first else { return false };
        !ack.before(end) && Seq(echo).before(Seq(stamp))
    }

    /// Recovery is over: a round trip later D-SACK has said what it had to say, and a report that
    /// still comes is about something else. True once that time has passed.
    pub fn is_stale(&mut self, una: Seq, nxt: Seq) -> bool {
        !una.before(*self.until.get_or_insert(nxt))
    }

    /// D-SACK reports `bytes` as needless. True once all that was resent was needless.
    pub fn needless(&mut self, bytes: u32) -> bool {
        self.resent = self.resent.saturating_sub(bytes);
        self.first.is_some() && self.resent == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_start_has_gone_on_under_a_needless_reduction() {
        let mut undo = Undo::new(10_000, u32::MAX);
        undo.acknowledged(4000);
        assert_eq!(undo.restored_cwnd(), 14_000);
        undo.acknowledged(40_000);
        assert_eq!(undo.restored_cwnd(), 20_000, "twice as much at most");
        let mut undo = Undo::new(10_000, 12_000);
        undo.acknowledged(4000);
        assert_eq!(undo.restored_cwnd(), 12_000, "slow start ends there");
        let mut undo = Undo::new(10_000, 8000);
        undo.acknowledged(4000);
        assert_eq!(undo.restored_cwnd(), 10_000, "congestion avoidance hardly grows");
    }

    #[test]
    fn an_echo_from_before_the_resend_answers_the_original() {
        let mut undo = Undo::new(10, 20);
        assert!(!undo.is_answer_to_original(Seq(9000), 5), "nothing was resent");
        undo.resent(Seq(4000), 1000, Some(100));
        undo.resent(Seq(6000), 1000, Some(200));
        assert!(undo.is_answer_to_original(Seq(4000), 99));
        let same_tick = undo.is_answer_to_original(Seq(4000), 100);
        assert!(!same_tick, "within the same tick nothing is known");
        assert!(!undo.is_answer_to_original(Seq(4000), 150));
    }

    #[test]
    fn another_late_segment_does_not_excuse_the_lost_one() {
        let mut undo = Undo::new(10, 20);
        undo.resent(Seq(4000), 1000, Some(100));
        assert!(!undo.is_answer_to_original(Seq(3000), 99));
    }

    #[test]
    fn only_when_every_resend_was_needless() {
        let mut undo = Undo::new(10, 20);
        undo.resent(Seq(2000), 2000, None);
        assert!(!undo.needless(1000));
        assert!(undo.needless(1000));
    }
}
