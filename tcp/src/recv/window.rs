//! The window we offer (RFC 9293 3.8.6): never moved left, never silly.

use crate::pack::packed;
use crate::seq::Seq;

/// Our receive window: how much the application has not taken yet, and what the peer was told.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveWindow {
    /// Size of the buffer, bytes.
    capacity: u32,
    /// Bytes received in order and not consumed by the application.
    charged: u32,
    /// The right edge that the peer was told.
    edge: Seq,
    /// Our window scale.
    scale: u8,
    /// A segment, bytes: the unit of silly windows.
    mss: u32,
    /// Memory is short: no more than [`SQUEEZED`] segments are offered anew.
    squeezed: bool,
    /// There is no memory: closed, whatever was offered.
    shut: bool,
    /// The right edge that was taken back then, until another one goes as far.
    taken_back: Option<Seq>,
    /// Where the window was closed then, until a whole buffer has come since.
    closed_at: Option<Seq>,
}

packed!(ReceiveWindow {
    edge,
    capacity,
    charged,
    scale,
    mss,
    squeezed,
    shut,
    taken_back,
    closed_at
});

/// Segments of a window under memory pressure, as in Linux.
const SQUEEZED: u32 = 4;

impl ReceiveWindow {
    /// A buffer of `capacity` bytes; the SYN told the peer of `offered` of them from `nxt` on.
    pub fn new(capacity: u32, nxt: Seq, offered: u32, scale: u8, mss: u32) -> Self {
        Self {
            capacity,
            charged: 0,
            edge: nxt.plus(offered),
            scale,
            mss,
            squeezed: false,
            shut: false,
            taken_back: None,
            closed_at: None,
        }
    }

    /// RCV.WND as the peer knows it: what it may send from `nxt` on.
    pub fn offered(&self, nxt: Seq) -> u32 {
        if self.edge.before(nxt) { 0 } else { self.edge.since(nxt) }
    }

    /// How far from `nxt` anything goes that was ever offered (RFC 7323 2.4): the peer may have
    /// sent all that before it heard that the window is closed, and numbers what it says by it.
    pub fn once_offered(&self, nxt: Seq) -> u32 {
        let taken_back = self.taken_back.filter(|edge| edge.after(nxt));
        taken_back.map_or(0, |edge| edge.since(nxt)).max(self.offered(nxt))
    }

    /// A peer that hears nothing newer of the window may stand at `seq`, before `nxt`: at the edge
    /// where the window closed, or at one that was told since.
    pub fn may_stand_at(&self, seq: Seq, nxt: Seq) -> bool {
        let back = nxt.since(seq);
        let span = self.closed_at.map_or(0, |at| nxt.since(at));
        (1..=span.max(1)).contains(&back)
    }

    /// `bytes` in order were taken in.
    pub fn charge(&mut self, bytes: u32) {
        self.charged = self.charged.saturating_add(bytes);
    }

    /// The application has taken `bytes`.
    pub fn consumed(&mut self, bytes: u32) {
        self.charged = self.charged.saturating_sub(bytes);
    }

    /// Bytes that the application has not taken.
    pub fn charged(&self) -> u32 {
        self.charged
    }

    /// Size of the buffer, bytes.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// The shift between field and window.
    pub fn scale(&self) -> u8 {
        self.scale
    }

    /// Changes the buffer's size; a window that was offered stays offered.
    pub fn set_capacity(&mut self, capacity: u32) {
        self.capacity = capacity;
    }

    /// Memory is short, or no longer.
    pub fn squeeze(&mut self, squeezed: bool) {
        self.squeezed = squeezed;
    }

    /// Closes the window at once, taking back what was offered beyond `nxt`.
    pub fn shut(&mut self, nxt: Seq) {
        if self.edge.after(nxt) {
            self.taken_back = Some(self.taken_back.map_or(self.edge, |edge| edge.max(self.edge)));
        }
        self.closed_at = self.closed_at.or(Some(nxt));
        (self.shut, self.edge) = (true, nxt);
    }

    /// There is memory again.
    pub fn reopen(&mut self) {
        self.shut = false;
    }

    /// Memory is short.
    pub fn is_squeezed(&self) -> bool {
        self.squeezed
    }

    /// The window is closed for want of memory.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// Makes the buffer larger, if `capacity` is more than it has.
    pub fn grow(&mut self, capacity: u32) {
        self.capacity = self.capacity.max(capacity);
    }

    /// The window field for a segment that leaves now, and the promise that goes with it.
    pub fn advertise(&mut self, nxt: Seq) -> u16 {
        let field = self.field(nxt);
        self.taken_back = self.taken_back.filter(|edge| edge.after(self.edge));
        self.closed_at = self.closed_at.filter(|at| nxt.since(*at) <= self.capacity);
        field
    }

    fn field(&mut self, nxt: Seq) -> u16 {
        let (free, known) = (self.free(), self.offered(nxt));
        // RFC 9293 3.8.6.2.2 MUST-39: the edge moves by a segment or half the buffer at least.
        let gain = free.saturating_sub(known);
        if gain >= self.silly() {
            let field = u16::try_from(free >> self.scale).unwrap_or(u16::MAX);
            self.edge = self.edge.max(nxt.plus(u32::from(field) << self.scale));
            return field;
        }
        // RFC 9293 3.8.6 SHLD-14: the edge is not moved left, also if the buffer shrank; what is
        // not a whole scale unit is rounded up, because it was promised. But not past the end of
        // the buffer: bytes sent one by one would push the edge before them for ever. RFC 7323 2.4:
        // then less is said than is still accepted.
        let unit = 1 << self.scale;
        let units = known.div_ceil(unit).min(free.div_ceil(unit)).max(known / unit);
        let field = u16::try_from(units).unwrap_or(u16::MAX);
        self.edge = self.edge.max(nxt.plus(u32::from(field) << self.scale));
        field
    }

    /// The application has made so much room that the peer should be told (RFC 9293 3.8.6.2.2).
    pub fn update_due(&self, nxt: Seq) -> bool {
        let known = self.offered(nxt);
        let gain = self.free().saturating_sub(known);
        let capacity = self.capacity.min(self.expressible());
        // RFC 9293 3.8.6.2.2 MUST-39: not for less than half the buffer or a segment.
        if gain < self.silly() {
            return false;
        }
        // Above that as BSD does: tell when it matters, not at every read.
        gain >= capacity / 4 || known <= capacity / 8
    }

    /// Less than this is not worth offering.
    fn silly(&self) -> u32 {
        (self.capacity.min(self.expressible()) / 2).min(self.mss).max(1)
    }

    /// The largest window that the field can say.
    fn expressible(&self) -> u32 {
        u32::from(u16::MAX) << self.scale
    }

    fn free(&self) -> u32 {
        let limit = match (self.shut, self.squeezed) {
            (true, _) => 0,
            (false, true) => self.mss.saturating_mul(SQUEEZED),
            (false, false) => self.expressible(),
        };
        self.capacity.saturating_sub(self.charged).min(self.expressible()).min(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // test: RFC 9293 SHLD-14
    // test: RFC 7323 2.4
    #[test]
    fn the_edge_never_moves_left_by_a_unit() {
        let mut window = ReceiveWindow::new(100_000, Seq(0), 65_535, 3, 1460);
        let mut edge = Seq(65_535);
        let mut nxt = Seq(0);
        for step in 0..200_u32 {
            if step == 50 {
                window.set_capacity(10_000);
            }
            let take = window.offered(nxt).min(step * 37 % 1500);
            nxt = nxt.plus(take);
            window.charge(take);
            if step % 3 == 0 {
                window.consumed(step * 20);
            }
            let told = nxt.plus(u32::from(window.advertise(nxt)) << 3);
            assert!(edge.since(told) < 8 || told.after(edge), "{edge} then {told}");
            edge = told.max(edge);
        }
    }

    // test: RFC 7323 2.4
    #[test]
    fn bytes_sent_one_by_one_do_not_push_the_edge_before_them() {
        let mut window = ReceiveWindow::new(20_000, Seq(0), 20_000, 7, 1460);
        let mut nxt = Seq(0);
        // Nobody reads; each byte is acknowledged. One scale unit of rounding is 128.
        while window.offered(nxt) > 0 && nxt.before(Seq(40_000)) {
            nxt = nxt.plus(1);
            window.charge(1);
            window.advertise(nxt);
        }
        assert!(nxt.at_or_before(Seq(20_000 + 128)), "{nxt} taken into 20,000 bytes");
    }

    // test: RFC 9293 MUST-39
    #[test]
    fn reading_byte_by_byte_gives_no_silly_update() {
        let mut window = ReceiveWindow::new(20_000, Seq(0), 20_000, 0, 1460);
        window.charge(20_000);
        let nxt = Seq(20_000);
        assert_eq!(window.advertise(nxt), 0);
        let mut read = 0;
        while !window.update_due(nxt) {
            window.consumed(1);
            read += 1;
        }
        assert_eq!(read, 1460);
        assert_eq!(window.advertise(nxt), 1460);
    }

    #[test]
    fn under_pressure_four_segments_are_offered_and_none_taken_back() {
        let mut window = ReceiveWindow::new(60_000, Seq(0), 60_000, 0, 1000);
        window.squeeze(true);
        window.charge(20_000);
        assert_eq!(window.advertise(Seq(20_000)), 40_000, "promised");
        window.charge(38_000);
        window.consumed(58_000);
        assert_eq!(window.advertise(Seq(58_000)), 4000, "2000 were left of the promise");
        window.squeeze(false);
        assert_eq!(window.advertise(Seq(58_000)), 60_000);
        window.shut(Seq(58_000));
        assert_eq!((window.advertise(Seq(58_000)), window.update_due(Seq(58_000))), (0, false));
        window.reopen();
        assert!(window.update_due(Seq(58_000)));
    }

    // test: RFC 9293 REC-1
    #[test]
    fn the_largest_window_fits_32_bits() {
        let mut window = ReceiveWindow::new(1 << 30, Seq(u32::MAX - 5), 0, 14, 1460);
        let nxt = Seq(u32::MAX - 5);
        assert_eq!(window.advertise(nxt), 65_535);
        assert_eq!(window.offered(nxt), 1_073_725_440);
    }
}
