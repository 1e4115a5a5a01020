//! The size of the send buffer, and how much of it the hub may fill.
//!
//! ```text
//!   |<------------------------- capacity ------------------------->|
//!   |  held: sent or waiting  |  credit: granted, not used  | room |
//! ```
//!
//! The hub never sends more than it was granted, so what is granted stays granted; a buffer that
//! shrinks does so by granting nothing until it has emptied. An unsized buffer follows the
//! congestion window, as Linux's does: what is out, and as much again to follow it.

use crate::pack::packed;

/// How much the hub may put into one connection's send buffer.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Size of the buffer, bytes.
    capacity: u32,
    /// Granted to the hub and not used by it.
    credit: u32,
}

packed!(Room { capacity, credit });

/// What is in the buffer, and what else bears on granting more.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// Bytes in the buffer, sent or not.
    pub held: u32,
    /// Bytes of it that were never sent.
    pub unsent: u32,
    /// TCP_NOTSENT_LOWAT: the hub may have so many bytes unsent, a segment at least.
    pub lowat: Option<u32>,
    /// Largest segment, bytes.
    pub mss: u32,
    /// The buffer is treated as no larger than this: memory is short.
    pub limit: u32,
}

impl Room {
    /// An empty buffer, of which nothing is granted yet.
    pub fn new(capacity: u32) -> Self {
        Self { capacity, credit: 0 }
    }

    /// Size of the buffer, bytes.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Changes the size.
    pub fn set_capacity(&mut self, capacity: u32) {
        self.capacity = capacity;
    }

    /// The hub has sent so many bytes.
    pub fn used(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_sub(bytes);
    }

    /// The hub was told of so many bytes more.
    pub fn granted(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes);
    }

    /// Bytes worth granting now: room is granted in big steps. A hub without credit cannot starve:
    /// when the buffer has emptied, all of it is room.
    pub fn to_grant(self, fill: Fill) -> Option<u32> {
        let capacity = self.capacity.min(fill.limit);
        let free = capacity.saturating_sub(fill.held).saturating_sub(self.credit);
        let step = capacity / 4;
        let (room, step) = match fill.lowat {
            None => (free, step),
            Some(lowat) => {
                let lowat = lowat.max(fill.mss);
                let wanted = lowat.saturating_sub(fill.unsent).saturating_sub(self.credit);
                // Linux wakes a writer when half of it is gone.
                (free.min(wanted), step.min(lowat / 2))
            }
        };
        (room > 0 && room >= step).then_some(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Fill = Fill { held: 0, unsent: 0, lowat: None, mss: 1460, limit: u32::MAX };

    #[test]
    fn the_whole_buffer_is_granted_once() {
        let mut room = Room::new(1000);
        assert_eq!(room.to_grant(EMPTY), Some(1000));
        room.granted(1000);
        assert_eq!(room.to_grant(EMPTY), None);
        room.used(400);
        assert_eq!(room.to_grant(Fill { held: 400, ..EMPTY }), None);
        assert_eq!(room.to_grant(Fill { held: 200, ..EMPTY }), None, "less than a quarter");
        assert_eq!(room.to_grant(Fill { held: 150, ..EMPTY }), Some(250));
    }

    #[test]
    fn a_buffer_that_shrinks_grants_nothing_until_it_has_emptied() {
        let mut room = Room::new(1000);
        room.granted(1000);
        room.used(1000);
        room.set_capacity(400);
        assert_eq!(room.to_grant(Fill { held: 400, ..EMPTY }), None);
        assert_eq!(room.to_grant(Fill { held: 100, ..EMPTY }), Some(300));
    }

    #[test]
    fn with_a_low_water_mark_only_so_much_waits_unsent() {
        let mut room = Room::new(100_000);
        let fill = Fill { lowat: Some(10_000), ..EMPTY };
        assert_eq!(room.to_grant(fill), Some(10_000));
        room.granted(10_000);
        room.used(10_000);
        assert_eq!(room.to_grant(Fill { held: 10_000, unsent: 10_000, ..fill }), None);
        assert_eq!(room.to_grant(Fill { held: 10_000, unsent: 5001, ..fill }), None);
        // What is sent does not count, acknowledged or not.
        assert_eq!(room.to_grant(Fill { held: 10_000, unsent: 5000, ..fill }), Some(5000));
        assert_eq!(room.to_grant(Fill { held: 99_000, unsent: 0, ..fill }), None, "a full buffer");
    }

    #[test]
    fn a_tiny_mark_still_lets_a_segment_through() {
        let room = Room::new(100_000);
        assert_eq!(room.to_grant(Fill { lowat: Some(1), ..EMPTY }), Some(1460));
    }
}
