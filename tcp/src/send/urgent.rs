//! SND.UP: urgent data that we send (RFC 9293 3.8.5, RFC 6093).
//!
//! ```text
//!        SEG.SEQ            SEG.SEQ + SEG.UP = SND.UP
//!           |==== urgent data ====|---- ordinary data ----
//! ```
//!
//! The pointer moves no byte: it only says how far the peer should read in haste. It is worked out
//! anew for every segment that leaves, resends, probes and bare acknowledgements included.
//!
//! New programs should not use it (RFC 9293 3.8.5 SHLD-13): middleboxes clear the pointer, and
//! systems do not agree on what becomes of the last urgent byte (RFC 6093 3). A second connection,
//! or a message of the program's own, does what it was meant for.

use crate::pack::packed;

/// Where the urgent data that we send ends.
#[derive(Debug, Default)]
pub struct Urgent {
    /// Position in the stream of the octet after the last urgent one, while that one is not
    /// acknowledged.
    end: Option<u64>,
    /// No segment has left yet that says so.
    unannounced: bool,
}

packed!(Urgent { end, unannounced });

impl Urgent {
    /// Everything before position `end` is urgent.
    pub fn mark(&mut self, end: u64) {
        (self.end, self.unannounced) = (Some(end), true);
    }

    /// SEG.UP of a segment whose first octet has this position; `None`: no URG.
    pub fn pointer(&self, position: u64) -> Option<u16> {
        let ahead = self.end?.checked_sub(position).filter(|&ahead| ahead > 0)?;
        // RFC 9293 3.8.5 MUST-31: urgent data may be longer than the pointer reaches. Then the
        // pointer goes as far as it can, and later segments carry it on.
        Some(u16::try_from(ahead).unwrap_or(u16::MAX))
    }

    /// A segment with URG has left.
    pub fn announced(&mut self) {
        self.unannounced = false;
    }

    /// The peer is still to be told of what begins at or before `position`.
    pub fn wants_segment(&self, position: u64) -> bool {
        self.unannounced && self.pointer(position).is_some()
    }

    /// Everything before `position` is acknowledged.
    pub fn acknowledged(&mut self, position: u64) {
        if self.end.is_some_and(|end| end <= position) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // test: RFC 9293 MUST-62
    #[test]
    fn the_pointer_names_the_octet_after_the_urgent_data() {
        let mut urgent = Urgent::default();
        assert_eq!(urgent.pointer(0), None);
        // Octets 100 to 109 are urgent: 110 follows them.
        urgent.mark(110);
        let pointers = [100, 105, 109, 110, 111].map(|position| urgent.pointer(position));
        assert_eq!(pointers, [Some(10), Some(5), Some(1), None, None]);
    }

    // test: RFC 9293 MUST-31
    #[test]
    fn urgent_data_may_be_longer_than_the_pointer_reaches() {
        let mut urgent = Urgent::default();
        urgent.mark(200_000);
        let pointers = [0, 134_464, 134_465, 134_466].map(|position| urgent.pointer(position));
        assert_eq!(pointers, [Some(65_535), Some(65_535), Some(65_535), Some(65_534)]);
    }

    #[test]
    fn it_is_told_once_and_ends_with_its_acknowledgement() {
        let mut urgent = Urgent::default();
        urgent.mark(10);
        assert!(urgent.wants_segment(3) && !urgent.wants_segment(10));
        urgent.announced();
        assert!(!urgent.wants_segment(3));
        urgent.acknowledged(9);
        assert_eq!(urgent.pointer(9), Some(1));
        urgent.acknowledged(10);
        assert_eq!(urgent.pointer(9), None);
    }
}
