//! Explicit congestion notification, the receiver's half (RFC 3168 6.1.3): CE is echoed in every
//! acknowledgement until the sender says that it has reduced its window.

use crate::pack::packed;
use crate::segment::Flags;
use crate::send::ecn::Handshake;

/// The receiver's half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// Both SYNs agreed.
    agreed: bool,
    /// CE came, and no CWR since.
    owed: bool,
}

packed!(Echo { agreed, owed });

impl Echo {
    /// After the handshake.
    pub fn new(handshake: &Handshake) -> Self {
        Self { agreed: handshake.must_echo(), owed: false }
    }

    /// A segment with text in the window came (RFC 3168 6.1.4: only data is marked; a mark on
    /// anything else is none of ours). True if that is news to the sender: acknowledge at once.
    pub fn arrived(&mut self, flags: Flags, congested: bool) -> bool {
        if !self.agreed {
            return false;
        }
        let before = self.owed;
        let reduced = before && flags.has(Flags::CWR);
        // RFC 3168 6.1.3: CWR ends the echo; a mark on the same packet is a new one.
        self.owed = congested || (before && !reduced);
        reduced || before != self.owed
    }

    /// The bit for an acknowledgement that leaves now.
    pub fn bit(&self) -> Flags {
        if self.owed { Flags::ECE } else { Flags::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Flags = Flags(0);

    // test: RFC 3168 6.1.3
    #[test]
    fn from_the_mark_until_the_sender_has_reduced() {
        let mut echo = Echo::new(&Handshake::agreed());
        assert!(!echo.arrived(NONE, false));
        assert!(echo.arrived(NONE, true), "acknowledge at once");
        assert!(!echo.arrived(NONE, true) && !echo.arrived(NONE, false));
        assert_eq!(echo.bit(), Flags::ECE);
        assert!(echo.arrived(Flags::CWR, false));
        assert_eq!(echo.bit(), NONE);
    }

    #[test]
    fn a_mark_beside_cwr_is_a_new_one_and_without_agreement_there_is_none() {
        let mut echo = Echo::new(&Handshake::agreed());
        echo.arrived(NONE, true);
        assert!(echo.arrived(Flags::CWR, true));
        assert_eq!(echo.bit(), Flags::ECE);
        let mut none = Echo::new(&Handshake::default());
        assert!(!none.arrived(NONE, true));
        assert_eq!(none.bit(), NONE);
    }
}
