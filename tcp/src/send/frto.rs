//! F-RTO (RFC 5682 2.1 and 3.1): was the timeout for nothing?
//!
//! ```text
//!   timeout: resend the first segment
//!      |  acknowledgement of some, not of all: send new data instead of the next resend
//!      v
//!   what comes next?   something that was never resent, from before the timeout: it was only late
//!                      a duplicate, or a report of the new data: the rest is lost
//! ```
//!
//! Needs neither timestamps nor SACK. With SACK every report counts at once (section 3.1), as on
//! Linux: something from before the timeout that left only once has arrived, so not all was lost.

use crate::seq::Seq;

/// Where the question stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frto {
    /// Not asked, or answered.
    #[default]
    Off,
    /// The first segment was resent; SND.NXT was this.
    Resent(Seq),
    /// Some was acknowledged: new data goes out before anything else is resent.
    Asking(Seq),
}

/// What an acknowledgement says about the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet, or nothing more.
    Open,
    /// Nothing was lost.
    Spurious,
    /// The loss is real: what is marked is resent.
    Real,
}

/// What [`Frto::judge`] looks at.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// SND.UNA now.
    pub una: Seq,
    /// SND.NXT now.
    pub nxt: Seq,
    /// SND.UNA moved.
    pub advanced: bool,
    /// A duplicate, or a report of something beyond SND.UNA.
    pub duplicate: bool,
    /// The lowest end of what arrived and was never resent.
    pub original: Option<Seq>,
}

impl Frto {
    /// An acknowledgement came after the timeout.
    pub fn judge(&mut self, evidence: &Evidence) -> Verdict {
        let Evidence { una, nxt, advanced, duplicate, original } = *evidence;
        let (Self::Resent(recover) | Self::Asking(recover)) = *self else { return Verdict::Open };
        // RFC 5682 3.1 step 3.b: never resent, and from before the timeout.
        if original.is_some_and(|end| end.at_or_before(recover)) {
            *self = Self::Off;
            return Verdict::Spurious;
        }
        match *self {
            Self::Asking(_) if advanced || (duplicate && nxt.after(recover)) => {
                // RFC 5682 2.1 step 3.a: the new data arrived, what was before it did not.
                *self = Self::Off;
                Verdict::Real
            }
            Self::Resent(_) if advanced => {
                // RFC 5682 2.1 step 2.b: new data tells more than a resend; step 2.a: when all is
                // acknowledged, nothing can be told.
                *self = if una.before(recover) { Self::Asking(recover) } else { Self::Off };
                Verdict::Open
            }
            Self::Off | Self::Resent(_) | Self::Asking(_) => Verdict::Open,
        }
    }

    /// New data is to go out before the next resend.
    pub fn asks(&self) -> bool {
        matches!(self, Self::Asking(_))
    }

    /// It asks, and has sent what it asks with.
    pub fn has_asked(&self, nxt: Seq) -> bool {
        matches!(self, Self::Asking(recover) if nxt.after(*recover))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten segments of 1000 bytes were out when the timer expired.
    const RECOVER: Seq = Seq(10_000);

    fn evidence(una: u32, nxt: u32) -> Evidence {
        Evidence { una: Seq(una), nxt: Seq(nxt), advanced: true, duplicate: false, original: None }
    }

    // test: RFC 5682 2
    #[test]
    fn progress_without_resends_is_a_late_original() {
        let mut frto = Frto::Resent(RECOVER);
        assert_eq!(frto.judge(&evidence(1000, 10_000)), Verdict::Open);
        assert!(frto.asks() && !frto.has_asked(Seq(10_000)) && frto.has_asked(Seq(12_000)));
        let second = Evidence { original: Some(Seq(2000)), ..evidence(2000, 12_000) };
        assert_eq!(frto.judge(&second), Verdict::Spurious);
        assert_eq!(frto, Frto::Off);
    }

    #[test]
    fn a_duplicate_after_new_data_is_a_loss() {
        let mut frto = Frto::Resent(RECOVER);
        frto.judge(&evidence(1000, 10_000));
        let again = Evidence { advanced: false, duplicate: true, ..evidence(1000, 12_000) };
        assert_eq!(frto.judge(&again), Verdict::Real);
        let later = Evidence { original: Some(Seq(9000)), ..evidence(9000, 12_000) };
        assert_eq!(frto.judge(&later), Verdict::Open, "answered once");
    }

    #[test]
    fn new_data_is_no_original_and_all_at_once_tells_nothing() {
        let mut frto = Frto::Asking(RECOVER);
        let new = Evidence { original: Some(Seq(11_000)), ..evidence(1000, 12_000) };
        assert_eq!(frto.judge(&Evidence { advanced: false, ..new }), Verdict::Open);
        let mut frto = Frto::Resent(RECOVER);
        assert_eq!(frto.judge(&evidence(10_000, 10_000)), Verdict::Open);
        assert_eq!(frto, Frto::Off);
    }
}
