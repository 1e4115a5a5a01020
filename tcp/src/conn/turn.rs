//! What a sender's turn says of its congestion window: whether it was used (RFC 7661).

use layer::Note;
use layer::boundary::Limiting;

use crate::conn::{Ends, Io, Open};
use crate::send::recovery::Phase;
use crate::send::usage::Turn;
use crate::seq::Seq;

impl Open {
    /// The congestion window is what limits the sender.
    pub fn is_limited(&self) -> bool {
        let cwnd = self.cc.cwnd();
        self.snd.usage.limited(cwnd, cwnd < self.cc.ssthresh())
    }

    /// The sender has had its turn, at whose beginning `before` was SND.NXT.
    pub fn note_turn(&mut self, ends: &Ends, io: &mut Io<'_, '_>, before: Seq) {
        self.snd.usage.turn();
        if self.snd.nxt == before {
            return;
        }
        let (cwnd, ssthresh) = (self.cc.cwnd(), self.cc.ssthresh());
        let spare = self.snd.usage.sent(Turn {
            now: io.now,
            una: self.snd.una,
            nxt: self.snd.nxt,
            full: self.snd.board.pipe().saturating_add(self.snd.mss) > cwnd,
            cwnd,
            slow_start: cwnd < ssthresh,
            rto: self.snd.rtt.rto(io.config),
        });
        let calm = self.snd.recovery.phase() == Phase::Open;
        // A window that the peer or the buffer does not let the application use may be used soon.
        if let Some(used) = spare.filter(|_| calm && self.limiting() == Limiting::Application) {
            // RFC 7661 4.4.3, with Linux's period (RFC 2861): nothing paces what a large window
            // would let out at once, so it is not kept for minutes.
            self.cc.unused(used);
            let (socket, cwnd, ssthresh) = (ends.id, self.cc.cwnd(), self.cc.ssthresh());
            io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
        }
    }
}
