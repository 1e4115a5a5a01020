//! Receiving when memory is short: see [`crate::memory`] for the order in which things give way.

use layer::Reason;

use crate::conn::{Io, Open};
use crate::memory::Allowance;
use crate::recv::CHUNK;
use crate::segment::{Flags, Segment};

impl Open {
    /// What the connection may do in the step that follows.
    pub fn allow(&mut self, mut allowance: Allowance) {
        let enough = self.rcv.ack.segment().max(self.snd.mss).saturating_add(CHUNK);
        if self.rcv.memory() == 0 {
            // One segment, also where segments are larger than the least that each may hold.
            allowance.more = allowance.more.max(enough);
        }
        self.rcv.allowance = allowance;
        let relieved = self.rcv.window.is_squeezed() && !allowance.squeezed;
        self.rcv.window.squeeze(allowance.squeezed);
        // What was read under pressure was not worth telling then.
        if relieved && self.rcv.window.update_due(self.rcv.nxt) {
            self.rcv.ack.demand();
        }
        if self.rcv.window.is_shut() && allowance.more >= enough {
            self.rcv.window.reopen();
            self.rcv.ack.demand();
        }
    }

    /// Memory held by the buffers, the hub's part of them included, bytes.
    pub fn memory_held(&self) -> u32 {
        let held = self.snd.buffer.held_bytes().saturating_add(self.rcv.memory());
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// Finds place for the text of a segment, and cuts off what has none. False if none has.
    pub fn make_place(&mut self, io: &mut Io<'_, '_>, segment: &mut Segment) -> bool {
        let text = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        if self.rcv.overweight() {
            io.stats.rcv_collapsed += 1;
            self.rcv.collapse();
        }
        if self.fits(text) {
            return true;
        }
        io.stats.prune_called += 1;
        // Early data first: it is not acknowledged, and SACK may go back on its word (RFC 2018 8).
        let missing = text.saturating_add(CHUNK).saturating_sub(self.rcv.allowance.more);
        let freed = self.rcv.prune(missing);
        io.stats.ofo_pruned += u64::from(freed > 0);
        self.rcv.allowance.more = self.rcv.allowance.more.saturating_add(freed);
        if !self.fits(text) && self.rcv.collapsible() {
            io.stats.rcv_collapsed += 1;
            self.rcv.allowance.more = self.rcv.allowance.more.saturating_add(self.rcv.collapse());
        }
        if self.fits(text) {
            return true;
        }
        let in_order = segment.seq == self.rcv.nxt;
        let part = self.rcv.allowance.more.saturating_sub(CHUNK);
        if in_order && part >= self.rcv.ack.segment().clamp(1, text) {
            segment.payload.truncate(part as usize);
            segment.flags.0 &= !Flags::FIN.0;
            return true;
        }
        // RFC 9293 3.8.6 SHLD-14 gives way: with the edge left where it was, the peer would resend
        // into nothing until it gave up; a closed window it probes for ever. As Linux does.
        if in_order {
            self.rcv.window.shut(self.rcv.nxt);
            io.stats.rcvq_drop += 1;
        }
        io.stats.rcv_pruned += 1;
        io.out.ledger.count_drop(Reason::TcpReceiveBufferFull);
        segment.payload.truncate(0);
        segment.flags.0 &= !Flags::FIN.0;
        false
    }

    fn fits(&self, text: u32) -> bool {
        text.saturating_add(CHUNK) <= self.rcv.allowance.more
    }
}
