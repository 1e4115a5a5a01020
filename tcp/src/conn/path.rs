//! The path is narrower than was thought: smaller segments from now on, and what was too big again
//! (RFC 1191 6.4, RFC 8201 5.4); or wider again.
//!
//! What was lost for its size says nothing about congestion: the window keeps its segments, as
//! Linux's `tcp_simple_retransmit` does, and so shrinks in bytes with them.

use layer::Note;

use crate::conn::{Ends, Io, Open};
use crate::layer::{Paths, Tcp};
use crate::send::mtu::Probed;
use crate::send::recovery::Phase;
use crate::seq::Seq;

impl Open {
    /// Looks whether IP has learnt something about the path.
    pub fn follow_path(&mut self, ends: &Ends, io: &mut Io<'_, '_>, paths: &Paths) {
        if let Some(mtu) = paths.news(&mut self.snd.mtu.seen, ends.remote.ip()) {
            self.snd.mtu.learn(mtu);
            self.fit(ends, io);
        }
    }

    /// The path carries packets of `mtu` bytes only; `tell` IP, which tells the others.
    pub fn narrow(&mut self, ends: &Ends, io: &mut Io<'_, '_>, mtu: u32, tell: bool) {
        if tell {
            io.out.down.push(Tcp::announce(ends.remote.ip(), mtu));
        }
        self.snd.mtu.learn(mtu);
        self.fit(ends, io);
    }

    /// Puts the size that the path allows into force.
    fn fit(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let (size, before) = (self.snd.mtu.size(), self.snd.mss);
        if size == before {
            return;
        }
        self.snd.mss = size;
        self.snd.mtu.changed(self.snd.nxt, size < before);
        // RFC 1191 estimate: no congestion, so the window is as many segments as before.
        self.cc.resize(size);
        let (socket, cwnd, ssthresh) = (ends.id, self.cc.cwnd(), self.cc.ssthresh());
        io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
        if size > before {
            return;
        }
        let lost = self.snd.board.mark_lost(|range| range.end.since(range.start) > size);
        if lost > 0 {
            // RFC 1191 6.4: at once, without waiting for a timeout.
            self.force_one = true;
            // Duplicates that the resends cause are no sign of loss.
            self.snd.recovery.hold(self.snd.nxt);
        }
    }

    /// The retransmission timer expired. True if that is explained by the size of the segment it is
    /// about, the first one, and not to be taken for congestion.
    pub fn timeout_by_size(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> bool {
        // RFC 5927 7.2: a "fragmentation needed" takes effect now that progress fails.
        let Some(mtu) = self.snd.mtu.take_pending() else { return false };
        self.narrow(ends, io, mtu, true);
        self.snd.board.first_lost().is_some_and(|range| range.start == self.snd.una)
    }

    /// RFC 4821 7.7: timeouts of a full segment in a row, and nobody says why: smaller ones.
    pub fn suspect_black_hole(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let full = self.snd.text_end().since(self.snd.una) >= self.snd.mss;
        let (retries, nxt) = (self.snd.retries, self.snd.nxt);
        if full && self.snd.mtu.timed_out(retries, nxt, io.now) {
            self.fit(ends, io);
        }
    }

    /// Everything before `ack` has arrived: that may prove a size.
    pub fn path_carried(&mut self, ends: &Ends, io: &mut Io<'_, '_>, ack: Seq) {
        if self.snd.mtu.acknowledged(self.snd.una, ack, io.now) == Probed::Arrived {
            io.stats.mtup_success += 1;
            self.fit(ends, io);
        }
    }

    /// What lies between `at` and `end` is sent again: a probe among it was too big.
    pub fn path_refused(&mut self, io: &mut Io<'_, '_>, at: Seq, end: Seq) {
        if self.snd.mtu.resent(at, end, io.now) == Probed::Lost {
            io.stats.mtup_fail += 1;
        }
    }

    /// Nothing is lost but a probe: that is an answer, not congestion (RFC 4821 7.5).
    pub fn only_probe_lost(&self) -> bool {
        let lost = self.snd.board.first_lost();
        let probe = self.snd.mtu.probe();
        lost.zip(probe).is_some_and(|(range, (start, size))| {
            range.start == start && self.snd.board.lost_bytes() == size
        })
    }

    /// The size of a probe to be sent at `at` instead of the next new segment: only with data
    /// behind it, whose acknowledgements tell its fate.
    pub fn path_probe(&mut self, io: &Io<'_, '_>, at: Seq) -> Option<u32> {
        let size = self.snd.mtu.candidate(io.now)?;
        let wanted = size + self.snd.mss;
        let allowed = self.cc.cwnd().saturating_sub(self.snd.board.pipe());
        let usable = self.snd.window.usable(self.snd.una, self.snd.nxt);
        let fits = self.snd.unsent().min(usable).min(allowed) >= wanted;
        let probe = fits && self.snd.recovery.phase() == Phase::Open;
        probe.then(|| self.snd.mtu.probing(at, size)).map(|()| size)
    }
}
