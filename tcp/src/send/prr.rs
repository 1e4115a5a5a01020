//! Proportional rate reduction (RFC 9937): during recovery, what leaves follows what arrives.

use crate::pack::packed;

/// The state of one recovery. All sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Prr {
    /// RecoverFS: what was in flight when recovery began.
    recover_fs: u32,
    /// prr_delivered.
    delivered: u64,
    /// prr_out.
    out: u64,
}

packed!(Prr { recover_fs, delivered, out });

impl Prr {
    /// Recovery begins with `pipe` bytes outstanding, and `freed` more that were delivered since
    /// the sender last had its turn: it has not replaced them yet, and what it may send for them is
    /// proportioned as well.
    pub fn new(pipe: u32, freed: u32) -> Self {
        let recover_fs = pipe.saturating_add(freed).max(1);
        Self { recover_fs, delivered: freed.into(), out: 0 }
    }

    /// The congestion window after an acknowledgement that delivered `delivered` bytes.
    ///
    /// `safe`: SND.UNA advanced and no further loss was found (RFC 9937's SafeACK).
    pub fn window(
        &mut self,
        delivered: u32,
        pipe: u32,
        ssthresh: u32,
        mss: u32,
        safe: bool,
    ) -> u32 {
        self.delivered += u64::from(delivered);
        let mut send = if pipe > ssthresh {
            // In proportion, so that the window ends at ssthresh when recovery ends.
            let goal = (self.delivered * u64::from(ssthresh)).div_ceil(u64::from(self.recover_fs));
            goal.saturating_sub(self.out)
        } else {
            // Below the target: as much as was delivered, and one segment more while it goes well.
            let grow = self.delivered.saturating_sub(self.out).max(u64::from(delivered))
                + if safe { u64::from(mss) } else { 0 };
            grow.min(u64::from(ssthresh - pipe))
        };
        if self.out == 0 {
            // The first resend is never held back.
            send = send.max(u64::from(mss));
        }
        pipe.saturating_add(u32::try_from(send).unwrap_or(u32::MAX))
    }

    /// `bytes` left.
    pub fn sent(&mut self, bytes: u32) {
        self.out += u64::from(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    // test: RFC 9937 5
    #[test]
    fn half_of_what_is_delivered_leaves_while_above_the_target() {
        // 20 segments out, one lost, target 10.
        let mut prr = Prr::new(20 * MSS, 0);
        let mut pipe = 19 * MSS;
        let mut sent = 0;
        for _ in 0..18 {
            pipe -= MSS;
            let window = prr.window(MSS, pipe, 10 * MSS, MSS, false);
            let room = (window.saturating_sub(pipe)) / MSS * MSS;
            prr.sent(room);
            pipe += room;
            sent += room;
        }
        assert!((9 * MSS..=10 * MSS).contains(&sent), "{sent}");
        assert!(pipe.abs_diff(10 * MSS) <= MSS, "ends at the target: {pipe}");
    }

    // test: RFC 9937 5
    #[test]
    fn what_was_delivered_before_the_senders_turn_is_replaced_in_proportion() {
        // Of 100 segments 90 were acknowledged in one batch, and its next report shows a loss. The
        // target is 70: 62 may leave at once, as they had if each of the 90 had let one out.
        let mut prr = Prr::new(10 * MSS, 90 * MSS);
        let pipe = 8 * MSS;
        assert_eq!(prr.window(MSS, pipe, 70 * MSS, MSS, false), 70 * MSS);
        // Had 20 been acknowledged, 14 might leave.
        let mut prr = Prr::new(80 * MSS, 20 * MSS);
        let pipe = 79 * MSS;
        assert_eq!(prr.window(0, pipe, 70 * MSS, MSS, false), pipe + 14 * MSS);
    }

    #[test]
    fn the_first_resend_is_never_held_back() {
        let mut prr = Prr::new(20 * MSS, 0);
        assert!(prr.window(100, 19 * MSS, 10 * MSS, MSS, false) >= 20 * MSS);
    }

    #[test]
    fn below_the_target_no_more_leaves_than_arrived_unless_it_goes_well() {
        let mut prr = Prr::new(20 * MSS, 0);
        prr.sent(MSS);
        assert_eq!(prr.window(MSS, 3 * MSS, 10 * MSS, MSS, false), 4 * MSS);
        let mut prr = Prr::new(20 * MSS, 0);
        prr.sent(MSS);
        assert_eq!(prr.window(MSS, 3 * MSS, 10 * MSS, MSS, true), 5 * MSS);
    }
}
