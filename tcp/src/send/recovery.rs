//! Where the sender stands between losses, and recovery without SACK: fast retransmit and NewReno
//! (RFC 5681 3.2, RFC 6582), limited transmit (RFC 3042).
//!
//! With SACK, `rack.rs` says what is lost and `prr.rs` how fast to send; this keeps the phase.

use crate::pack::packed;
use crate::seq::Seq;

/// RFC 5681 3.2: so many duplicates are taken as loss.
const DUPLICATES: u32 = 3;

/// Where the sender stands between losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is known to be lost.
    #[default]
    Open,
    /// Fast recovery, until `recover` is acknowledged.
    Recovery,
    /// After a timeout: everything up to `recover` is sent again, in slow start.
    Loss,
}

/// What an acknowledgement asks the sender to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Go on.
    Nothing,
    /// Cut the window and resend the first unacknowledged segment: recovery begins.
    Enter,
    /// Resend the first unacknowledged segment: a partial acknowledgement.
    ResendNext,
    /// Recovery is complete: set the window to its new size.
    Leave,
}

/// The state of loss recovery.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    phase: Phase,
    /// RFC 6582: highest number sent when the last recovery began.
    recover: Seq,
    duplicates: u32,
    /// Bytes by which duplicates inflate the window (RFC 5681 3.2 step 4, RFC 3042).
    inflation: u32,
}

packed!(Recovery { recover, duplicates, inflation } default { phase });

impl Recovery {
    /// Nothing sent yet. RFC 6582 3.2 step 1: recover starts at the initial number.
    pub fn new(iss: Seq) -> Self {
        Self { phase: Phase::Open, recover: iss, duplicates: 0, inflation: 0 }
    }

    /// Where the sender stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Bytes that may be in flight beyond the congestion window.
    pub fn inflation(&self) -> u32 {
        self.inflation
    }

    /// A duplicate acknowledgement of `una`.
    pub fn duplicate(&mut self, una: Seq, nxt: Seq, mss: u32) -> Advice {
        self.duplicates = self.duplicates.saturating_add(1);
        match self.phase {
            Phase::Recovery => {
                // RFC 5681 3.2 step 4: each one says that a segment has left the network.
                self.inflation = self.inflation.saturating_add(mss);
                Advice::Nothing
            }
            // RFC 6582 3.2 step 2: no second cut for losses from before `recover`.
            Phase::Open if self.duplicates == DUPLICATES && una.after(self.recover) => {
                self.phase = Phase::Recovery;
                self.recover = nxt;
                self.inflation = DUPLICATES * mss;
                Advice::Enter
            }
            Phase::Open if self.duplicates < DUPLICATES => {
                // RFC 3042: the first two each let one new segment out.
                self.inflation = self.duplicates * mss;
                Advice::Nothing
            }
            Phase::Open | Phase::Loss => Advice::Nothing,
        }
    }

    /// `acked` new bytes are acknowledged, up to `una`.
    pub fn advanced(&mut self, una: Seq, acked: u32, mss: u32) -> Advice {
        self.duplicates = 0;
        match self.phase {
            Phase::Open => {
                self.inflation = 0;
                // Dragged along, or after 2^31 bytes without loss it would seem to lie ahead.
                self.recover = self.recover.max(una.minus(1));
                Advice::Nothing
            }
            Phase::Recovery | Phase::Loss if !una.before(self.recover) => {
                let advice =
                    if self.phase == Phase::Recovery { Advice::Leave } else { Advice::Nothing };
                self.phase = Phase::Open;
                self.inflation = 0;
                advice
            }
            Phase::Recovery => {
                // RFC 6582 3.2 step 3, partial: deflate by what was acknowledged, add one segment.
                self.inflation = self.inflation.saturating_sub(acked);
                if acked >= mss {
                    self.inflation = self.inflation.saturating_add(mss);
                }
                Advice::ResendNext
            }
            Phase::Loss => Advice::Nothing,
        }
    }

    /// With SACK: something was found lost. False if a recovery is under way already.
    pub fn enter(&mut self, nxt: Seq) -> bool {
        if self.phase != Phase::Open {
            return false;
        }
        self.phase = Phase::Recovery;
        self.recover = nxt;
        true
    }

    /// With SACK: everything before `una` is acknowledged. The phase that this ends, if it does.
    pub fn reached(&mut self, una: Seq) -> Option<Phase> {
        if self.phase == Phase::Open || una.before(self.recover) {
            return None;
        }
        Some(core::mem::replace(&mut self.phase, Phase::Open))
    }

    /// The reduction was for nothing: as if it had never been.
    pub fn cancel(&mut self) {
        self.phase = Phase::Open;
        self.duplicates = 0;
        self.inflation = 0;
    }

    /// Everything up to `nxt` is sent again for another reason than loss: duplicates until it is
    /// acknowledged mean nothing.
    pub fn hold(&mut self, nxt: Seq) {
        if self.phase == Phase::Open {
            self.recover = nxt;
            (self.duplicates, self.inflation) = (0, 0);
        }
    }

    /// The retransmission timer expired.
    pub fn timeout(&mut self, nxt: Seq) {
        // RFC 6582 3.2 step 4: remember the highest number, and leave fast recovery.
        self.phase = Phase::Loss;
        self.recover = nxt;
        self.duplicates = 0;
        self.inflation = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn in_recovery() -> Recovery {
        let mut recovery = Recovery::new(Seq(0));
        let (una, nxt) = (Seq(1001), Seq(11_001));
        assert_eq!(recovery.duplicate(una, nxt, MSS), Advice::Nothing);
        assert_eq!(recovery.inflation(), MSS, "limited transmit: one segment a duplicate");
        assert_eq!(recovery.duplicate(una, nxt, MSS), Advice::Nothing);
        assert_eq!(recovery.inflation(), 2 * MSS);
        assert_eq!(recovery.duplicate(una, nxt, MSS), Advice::Enter);
        assert_eq!(recovery.inflation(), 3 * MSS);
        recovery
    }

    // test: RFC 5681 3.2
    #[test]
    fn third_duplicate_enters_once() {
        let mut recovery = in_recovery();
        assert_eq!(recovery.duplicate(Seq(1001), Seq(12_001), MSS), Advice::Nothing);
        assert_eq!(recovery.inflation(), 4 * MSS);
    }

    #[test]
    fn partial_acknowledgement_resends_the_next_hole_without_a_second_cut() {
        let mut recovery = in_recovery();
        assert_eq!(recovery.advanced(Seq(3001), 2000, MSS), Advice::ResendNext);
        assert_eq!(recovery.inflation(), 2 * MSS, "3 - 2 + 1");
        assert_eq!(recovery.phase(), Phase::Recovery);
        assert_eq!(recovery.advanced(Seq(11_001), 8000, MSS), Advice::Leave);
        assert_eq!((recovery.phase(), recovery.inflation()), (Phase::Open, 0));
    }

    #[test]
    fn duplicates_after_a_timeout_cut_nothing() {
        let mut recovery = Recovery::new(Seq(0));
        recovery.timeout(Seq(11_001));
        for _ in 0..5 {
            assert_eq!(recovery.duplicate(Seq(1001), Seq(11_001), MSS), Advice::Nothing);
        }
        assert_eq!(recovery.advanced(Seq(11_001), 10_000, MSS), Advice::Nothing);
        for _ in 0..3 {
            let advice = recovery.duplicate(Seq(11_001), Seq(12_001), MSS);
            assert_eq!(advice, Advice::Nothing, "nothing beyond `recover` is acknowledged yet");
        }
    }

    #[test]
    fn two_gigabytes_without_loss_do_not_switch_it_off() {
        let mut recovery = Recovery::new(Seq(0));
        let mut una = Seq(1);
        for _ in 0..5000 {
            una = una.plus(1 << 20);
            recovery.advanced(una, 1 << 20, MSS);
        }
        let advice = [0; 3].map(|_| recovery.duplicate(una, una.plus(9000), MSS));
        assert_eq!(advice[2], Advice::Enter);
    }
}
