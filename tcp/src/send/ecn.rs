//! Explicit congestion notification, the sender's half (RFC 3168 6.1.1, 6.1.2): what the handshake
//! agreed on, ECT on new data, one reduction a window, CWR to say so.
//!
//! The receiver's half is in `recv/ecn.rs`. Left out: accurate ECN (RFC 9768); a peer that asks for
//! it is answered as by a host that knows RFC 3168 only.

use crate::config::EcnPolicy as Policy;
use crate::pack::packed;
use crate::recv::ecn::Echo;
use crate::segment::Flags;
use crate::seq::Seq;

/// The ECN field of an IP header (RFC 3168 5).
pub mod codepoint {
    /// Not capable.
    pub const NOT_ECT: u8 = 0;
    /// Capable: what we send.
    pub const ECT_0: u8 = 2;
    /// Congestion was met.
    pub const CE: u8 = 3;
    /// The whole field.
    pub const MASK: u8 = 3;
}

/// The SYNs of one handshake, both ways (RFC 3168 6.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    sent: bool,
    sent_plain: bool,
    received: bool,
    received_plain: bool,
}

impl Handshake {
    /// The bits for a SYN, or a SYN-ACK if `answer`, that leaves now for the time after `retries`.
    pub fn bits(&mut self, policy: Policy, answer: bool, retries: u32) -> Flags {
        let bits = match policy {
            // RFC 3168 6.1.1: an answer has ECE alone, and only if it was asked.
            Policy::Passive | Policy::Active if answer && self.is_asked() => Flags::ECE,
            // RFC 3168 6.1.1.1, somebody on the way may not let it through: then without.
            Policy::Active if !answer && retries == 0 => Flags::ECE.with(Flags::CWR),
            Policy::Off | Policy::Passive | Policy::Active => Flags::default(),
        };
        let setup = bits.has(Flags::ECE);
        self.sent |= setup;
        self.sent_plain |= !setup;
        bits
    }

    /// The handshake of which a cookie remembers that both sides agreed.
    pub fn agreed() -> Self {
        Self { sent: true, received: true, ..Self::default() }
    }

    /// Every SYN that came asked for it.
    pub fn is_asked(&self) -> bool {
        self.received && !self.received_plain
    }

    /// A SYN came, or a SYN-ACK if it has ACK. One for accurate ECN (RFC 9768 3.1.2: AE, CWR and
    /// ECE) has the same two bits here.
    pub fn arrived(&mut self, flags: Flags) {
        let both = Flags::ECE.with(Flags::CWR);
        // A reflected SYN-ACK with both bits is none (RFC 3168 6.1.1).
        let setup = if flags.has(Flags::ACK) {
            flags.has(Flags::ECE) && !flags.has(Flags::CWR)
        } else {
            flags.has(both)
        };
        self.received |= setup;
        self.received_plain |= !setup;
    }

    /// RFC 3168 6.1.1: ECT may be set only if both sides agreed in every SYN.
    pub fn may_mark(&self) -> bool {
        self.sent && !self.sent_plain && self.must_echo() && self.received
    }

    /// What both halves of the connection make of it.
    pub fn halves(&self) -> (Ecn, Echo) {
        (Ecn::new(self), Echo::new(self))
    }

    /// RFC 3168 6.1.1: whoever has offered it once answers CE.
    pub fn must_echo(&self) -> bool {
        self.sent && !self.received_plain
    }
}

/// The sender's half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ecn {
    /// New data is ECT.
    pub marks: bool,
    /// CWR goes with the next new data.
    pub announce: bool,
    /// The window was reduced for an echo; until this is acknowledged another is the same news.
    reduced: Option<Seq>,
}

packed!(Ecn { marks, announce, reduced });

impl Ecn {
    /// After the handshake.
    pub fn new(handshake: &Handshake) -> Self {
        Self { marks: handshake.may_mark(), ..Self::default() }
    }

    /// An acknowledgement with ECE came. True if the window is to be reduced.
    pub fn echoed(&mut self, una: Seq, nxt: Seq) -> bool {
        // RFC 3168 6.1.2: once for each window of data.
        if !self.marks || self.reducing(una) {
            return false;
        }
        self.window_reduced(nxt);
        true
    }

    /// The window was reduced, and nothing that left after that is acknowledged yet: CWR may not
    /// have reached the receiver.
    pub fn reducing(&self, una: Seq) -> bool {
        self.reduced.is_some_and(|until| una.at_or_before(until))
    }

    /// The window was reduced, for whatever reason (RFC 3168 6.1.2).
    pub fn window_reduced(&mut self, nxt: Seq) {
        if self.marks {
            (self.announce, self.reduced) = (true, Some(nxt));
        }
    }

    /// The ECN field for text that leaves now, and CWR if it is due.
    pub fn on_text(&mut self, new: bool) -> (u8, Flags) {
        // RFC 3168 6.1.5, what is sent again is not ECT, nor (6.1.6) is a probe of a closed window.
        if !self.marks || !new {
            return (codepoint::NOT_ECT, Flags::default());
        }
        let announce = core::mem::take(&mut self.announce);
        (codepoint::ECT_0, if announce { Flags::CWR } else { Flags::default() })
    }

    /// The reduction was taken back before it was announced.
    pub fn restored(&mut self) {
        (self.announce, self.reduced) = (false, None);
    }

    /// Forgets a mark that has been passed, lest it seem to lie ahead 2^31 bytes later.
    pub fn advanced(&mut self, una: Seq) {
        self.reduced = self.reduced.filter(|until| una.at_or_before(*until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: Flags = Flags::SYN;
    const SYN_ACK: Flags = Flags(0x12);
    const BOTH: Flags = Flags(0xc0);

    // test: RFC 3168 6.1.1
    #[test]
    fn asking_answering_and_falling_back() {
        let mut asks = Handshake::default();
        assert_eq!(asks.bits(Policy::Active, false, 0), BOTH);
        asks.arrived(SYN_ACK.with(Flags::ECE));
        assert!(asks.may_mark() && asks.must_echo());

        let mut answers = Handshake::default();
        answers.arrived(SYN.with(BOTH));
        assert_eq!(answers.bits(Policy::Passive, true, 0), Flags::ECE);
        assert!(answers.may_mark() && answers.must_echo());

        let mut lost = Handshake::default();
        lost.bits(Policy::Active, false, 0);
        assert_eq!(lost.bits(Policy::Active, false, 1), Flags::default());
        lost.arrived(SYN_ACK.with(Flags::ECE));
        assert!(!lost.may_mark(), "a SYN without it was sent");
        assert!(lost.must_echo(), "the peer may have seen the one with it");
    }

    #[test]
    fn no_agreement_without_both() {
        for (policy, flags) in [(Policy::Off, BOTH), (Policy::Passive, Flags::ECE)] {
            let mut answers = Handshake::default();
            answers.arrived(SYN.with(flags));
            assert_eq!(answers.bits(policy, true, 0), Flags::default());
            assert!(!answers.may_mark() && !answers.must_echo());
        }
        let mut reflected = Handshake::default();
        reflected.bits(Policy::Active, false, 0);
        reflected.arrived(SYN_ACK.with(BOTH));
        assert!(!reflected.may_mark() && !reflected.must_echo());
        let mut again = Handshake::default();
        again.arrived(SYN.with(BOTH));
        again.bits(Policy::Passive, true, 0);
        again.arrived(SYN);
        assert_eq!(again.bits(Policy::Passive, true, 1), Flags::default());
        assert!(!again.may_mark(), "the peer has fallen back");
    }

    // test: RFC 3168 6.1.2
    #[test]
    fn one_reduction_a_window() {
        let mut ecn = Ecn { marks: true, ..Ecn::default() };
        assert!(ecn.echoed(Seq(1000), Seq(9000)) && ecn.announce);
        assert!(!ecn.echoed(Seq(9000), Seq(12_000)), "all of this left before the reduction");
        assert!(ecn.echoed(Seq(9001), Seq(15_000)));
        assert!(!Ecn::default().echoed(Seq(0), Seq(1)), "nobody agreed on it");
    }
}
