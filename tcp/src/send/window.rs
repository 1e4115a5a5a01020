//! The window that the peer offers (RFC 9293 3.10.7.4, SND.WL1 and SND.WL2).

use crate::pack::packed;
use crate::seq::Seq;

/// SND.WND, and from which segment it is.
#[derive(Clone, Copy, Debug)]
pub struct SendWindow {
    size: u32,
    largest: u32,
    scale: u8,
    wl1: Seq,
    wl2: Seq,
}

packed!(SendWindow { wl2, size, largest, scale, wl1 });

impl SendWindow {
    /// From a SYN, whose field is never scaled (RFC 7323 2.2), and the scale for later ones.
    pub fn new(field: u16, scale: u8, seq: Seq, ack: Seq) -> Self {
        let size = u32::from(field);
        Self { size, largest: size, scale, wl1: seq, wl2: ack }
    }

    /// SND.WND, bytes from SND.UNA.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The shift that makes a field a window (RFC 7323 2.2).
    pub fn scale(&self) -> u8 {
        self.scale
    }

    /// MAX.SND.WND: the largest seen (RFC 9293 3.8.6.2.1).
    pub fn largest(&self) -> u32 {
        self.largest
    }

    /// Takes the window of an acceptable segment, unless it is older than the one we have.
    /// True if it changed.
    pub fn update(&mut self, field: u16, seq: Seq, ack: Seq) -> bool {
        // RFC 9293 3.10.7.4, SND.WL1 and SND.WL2. A higher acknowledgement was sent later, too,
        // though a resend may have brought it with an old number: SND.UNA moves with it, and the
        // right edge must not, unless the peer says so (as Linux's `tcp_may_update_window`).
        let newer = self.wl1.before(seq)
            || self.wl2.before(ack)
            || (self.wl1 == seq && self.wl2.at_or_before(ack));
        if !newer {
            return false;
        }
        // RFC 9293 3.1 MUST-1 and REC-1: unsigned, scaled into 32 bits (at most 2^30).
        let size = u32::from(field) << self.scale;
        let changed = size != self.size;
        (self.size, self.wl1, self.wl2) = (size, seq, ack);
        self.largest = self.largest.max(size);
        changed
    }

    /// Usable window (RFC 9293 3.8.6.2.1): what may still be sent past `nxt`. A window that shrank
    /// below what is in flight counts as 0 (MUST-34).
    pub fn usable(&self, una: Seq, nxt: Seq) -> u32 {
        self.size.saturating_sub(nxt.since(una))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // test: RFC 9293 MUST-1
    #[test]
    fn the_field_is_unsigned() {
        let mut window = SendWindow::new(65_535, 0, Seq(1), Seq(1));
        assert_eq!(window.size(), 65_535);
        window.update(0x8000, Seq(2), Seq(1));
        assert_eq!(window.usable(Seq(0), Seq(0)), 32_768);
    }

    #[test]
    fn an_older_segment_does_not_move_it() {
        let mut window = SendWindow::new(1000, 2, Seq(10), Seq(5));
        assert!(!window.update(9, Seq(9), Seq(5)));
        assert!(!window.update(9, Seq(10), Seq(4)));
        assert_eq!(window.size(), 1000);
        assert!(window.update(9, Seq(10), Seq(5)));
        assert_eq!((window.size(), window.largest()), (36, 1000));
    }

    #[test]
    fn what_a_resend_acknowledges_does_not_move_the_right_edge() {
        let mut window = SendWindow::new(1000, 0, Seq(10), Seq(5));
        // Byte 6 to 104 are acknowledged, and the application there has read nothing.
        assert!(window.update(900, Seq(9), Seq(105)));
        assert_eq!(window.usable(Seq(105), Seq(1005)), 0);
    }

    // test: RFC 9293 MUST-34
    #[test]
    fn a_shrunken_window_is_zero_not_negative() {
        let mut window = SendWindow::new(5000, 0, Seq(1), Seq(1));
        window.update(100, Seq(2), Seq(1));
        assert_eq!(window.usable(Seq(0), Seq(4000)), 0);
    }
}
