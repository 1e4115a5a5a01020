//! An idle connection holds no buffers: what its collections took while there was data is given
//! back when it has been quiet for a while.
//!
//! There is no timer for this. Whoever sent something had a retransmission timer, whose hint in the
//! deadline heap pops when all is long acknowledged; that visit, which finds nothing to do, is the
//! time to tidy up.

use crate::conn::{Io, Open};

impl Open {
    /// Gives memory back if nothing is under way and nothing was for as long as the shortest
    /// retransmission timeout.
    pub fn rest(&mut self, io: &Io<'_, '_>) {
        let quiet = self.snd.flight() == 0 && self.snd.buffer.is_empty();
        if quiet && io.now.since(self.keepalive.heard_at()) >= io.config.rto_min {
            self.snd.buffer.release();
            self.snd.board.release();
            self.rcv.release();
        }
    }
}
