//! Losses: finding them, paying for them, and taking the payment back when there was none
//! (RFC 8985, RFC 9937, RFC 3522, RFC 4015).

use layer::Note;

use crate::conn::{Ends, Fate, Io, Open};
use crate::segment::{Flags, Segment};
use crate::send::Probe;
use crate::send::frto::{Evidence, Frto, Verdict};
use crate::send::prr::Prr;
use crate::send::rack::Rack;
use crate::send::recovery::Phase;
use crate::send::scoreboard::Delivered;
use crate::send::undo::Undo;

impl Open {
    /// RFC 8985 6: looks for losses, arms the timer for what is only late so far, and
    /// enters recovery at the first one. `flight` is FlightSize (RFC 5681 2: what is reported is
    /// still in it; `usage.rs`), `pipe` what was in the network before the present acknowledgement.
    /// Returns the bytes newly lost.
    pub fn find_losses(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        (flight, pipe): (u32, u32),
    ) -> u32 {
        let recovering = self.snd.recovery.phase() != Phase::Open;
        let srtt = self.snd.rtt.srtt().unwrap_or_default();
        let (board, mss) = (&mut self.snd.board, self.snd.mss);
        let (lost, again) = self.snd.rack.detect(board, io.now, srtt, recovering, mss);
        self.timers.reorder = again;
        if lost > 0 && !self.only_probe_lost() && self.snd.recovery.enter(self.snd.nxt) {
            io.stats.sack_recovery += 1;
            self.reduce(ends, io, flight);
            // RFC 8985 7.4, recovery counts the loss; the probe must not count it again.
            (self.snd.probe, self.timers.probe) = (None, None);
            let prr = Prr::new(pipe, self.snd.usage.freed());
            // RFC 9937 5: the first resend is not held back.
            self.snd.prr = Some((prr, self.snd.board.pipe() + self.snd.mss));
        }
        lost
    }

    /// Cuts the window for a loss with `flight` bytes outstanding, and remembers what it was.
    pub fn reduce(&mut self, ends: &Ends, io: &mut Io<'_, '_>, flight: u32) {
        let mut undo = Undo::new(self.cc.cwnd(), self.cc.ssthresh());
        // What showed the loss was delivered, and has not been counted.
        undo.acknowledged(self.snd.usage.spend());
        self.snd.undo = Some(undo);
        self.cc.loss(flight);
        self.snd.ecn.window_reduced(self.snd.nxt);
        let (socket, cwnd, ssthresh) = (ends.id, self.cc.cwnd(), self.cc.ssthresh());
        io.stats.fast_retrans += 1;
        io.out.note(|| Note::TcpRecovery { socket, entered: true });
        io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
    }

    /// RFC 3168 6.1.2: an echo of congestion is answered as a loss is, but nothing is sent again.
    /// True while the window is being reduced.
    pub fn take_echo(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        segment: &Segment,
        (flight, delivered): (u32, u32),
    ) -> bool {
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        self.snd.ecn.advanced(una);
        if !self.snd.ecn.marks || !segment.flags.has(Flags::ECE) {
            return false;
        }
        let segments = delivered.div_ceil(self.snd.mss);
        io.stats.delivered_ce += u64::from(segments);
        self.meter.delivered_ce = self.meter.delivered_ce.wrapping_add(segments);
        if self.snd.recovery.phase() != Phase::Open || !self.snd.ecn.echoed(una, nxt) {
            // No growth meanwhile, as in Linux's CWR state.
            return self.snd.ecn.reducing(una);
        }
        // This cut is for something that did happen: an earlier one is not taken back behind it.
        self.snd.undo = None;
        self.cc.loss(flight);
        let (socket, cwnd, ssthresh) = (ends.id, self.cc.cwnd(), self.cc.ssthresh());
        io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
        true
    }

    /// Takes the last reduction back if the segment shows that nothing was lost.
    pub fn try_undo(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        segment: &Segment,
        advanced: bool,
        needless: u32,
    ) -> bool {
        let Some(undo) = &mut self.snd.undo else { return false };
        let echo = segment.options.timestamps.filter(|_| advanced && self.rcv.stamps.is_some());
        let late = echo.is_some_and(|stamps| undo.is_answer_to_original(segment.ack, stamps.echo));
        let spurious = late || (needless > 0 && undo.needless(needless));
        if !spurious {
            if self.snd.recovery.phase() == Phase::Open && undo.is_stale(self.snd.una, self.snd.nxt)
            {
                self.snd.undo = None;
            }
            return false;
        }
        if self.snd.recovery.phase() != Phase::Loss {
            self.snd.rack.needless(self.snd.una, self.snd.nxt);
        }
        self.take_back(ends, io);
        true
    }

    /// The response of RFC 4015: as if the reduction had never been.
    fn take_back(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let Some(undo) = self.snd.undo.take() else { return };
        let (cwnd, ssthresh) = (undo.restored_cwnd(), undo.ssthresh);
        self.snd.frto = Frto::Off;
        self.snd.ecn.restored();
        self.snd.prr = None;
        self.snd.recovery.cancel();
        self.snd.board.unmark();
        self.cc.restore(cwnd, ssthresh);
        self.timers.reorder = None;
        self.force_one = false;
        io.stats.undo += 1;
        let socket = ends.id;
        io.out.note(|| Note::TcpRecovery { socket, entered: false });
        io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
    }

    /// RFC 5682: asks whether the last timeout was for nothing. True if it was taken back.
    pub fn judge_timeout(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        delivered: &Delivered,
        advanced: bool,
        duplicate: bool,
    ) -> bool {
        // Without SACK one number covers what was resent and what was not: then nothing is known.
        let known = self.snd.sack || !delivered.resent;
        let evidence = Evidence {
            una: self.snd.una,
            nxt: self.snd.nxt,
            advanced,
            duplicate: duplicate || (!advanced && delivered.bytes > 0),
            original: delivered.original.filter(|_| known),
        };
        match self.snd.frto.judge(&evidence) {
            Verdict::Open => false,
            Verdict::Real => {
                // Without SACK nobody counts the new data out of the network.
                self.force_one = true;
                false
            }
            Verdict::Spurious => {
                io.stats.spurious_rtos += 1;
                self.take_back(ends, io);
                true
            }
        }
    }

    /// RFC 6298 5.4 to 5.6: the retransmission timer expired.
    pub fn retransmission_timeout(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> Fate {
        io.stats.timeouts += 1;
        let fresh = self.snd.retries == 0 && self.snd.recovery.phase() != Phase::Loss;
        self.snd.ecn.window_reduced(self.snd.nxt);
        let ask = self.snd.retries > 0 || self.snd.recovery.phase() == Phase::Open;
        let fate = self.unanswered(io);
        if fate != Fate::Stay {
            return fate;
        }
        if self.timeout_by_size(ends, io) {
            return Fate::Stay;
        }
        // RFC 5682 2.1 step 1 and 3.2: not amid a recovery, unless by timeouts of the same segment.
        self.snd.frto = if ask { Frto::Resent(self.snd.nxt) } else { Frto::Off };
        if fresh {
            self.snd.undo = Some(Undo::new(self.cc.cwnd(), self.cc.ssthresh()));
        }
        self.meter.timed_out(fresh);
        self.cc.timeout(self.snd.usage.flight(self.snd.flight()), fresh);
        self.snd.recovery.timeout(self.snd.nxt);
        self.snd.board.timeout();
        self.snd.rtt.back_off();
        self.suspect_black_hole(ends, io);
        (self.snd.prr, self.snd.probe) = (None, None);
        (self.timers.reorder, self.timers.probe) = (None, None);
        self.force_one = true;
        let (socket, cwnd, ssthresh) = (ends.id, self.cc.cwnd(), self.cc.ssthresh());
        io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
        Fate::Stay
    }

    /// RFC 8985 7: while all goes well, the tail is probed before the timer would expire. In
    /// recovery too, when two round trips brought no sign of anything: that is the one rescue that
    /// RFC 6675 4 (4) allows, for a tail behind which nothing comes that could show its loss.
    pub fn arm_probe(&mut self, io: &Io<'_, '_>) {
        let flight = self.snd.flight();
        let quiet = match self.snd.recovery.phase() {
            Phase::Open => self.snd.board.sacked_bytes() == 0,
            Phase::Recovery => true,
            Phase::Loss => false,
        };
        let ready = quiet && self.snd.board.lost_bytes() == 0 && self.snd.probe.is_none();
        let Some(expires) = self.timers.retransmit.filter(|_| self.snd.sack && ready && flight > 0)
        else {
            self.timers.probe = None;
            return;
        };
        let lone = flight <= self.snd.mss;
        let at = io.now + Rack::probe_timeout(self.snd.rtt.srtt(), lone);
        // RFC 8985 7.2, no later than the retransmission timer, in whose place it comes then; but a
        // rescue does not put off the timeout.
        if at < expires || self.snd.recovery.phase() == Phase::Open {
            self.timers.probe.get_or_insert(at.min(expires));
        }
    }

    /// RFC 8985 7.4.2: the probe is answered. If it was a resend and not a needless one, it filled
    /// a hole that nobody would have noticed: that was a loss. The original was only late if a
    /// second answer comes, a report of the duplicate or, without one, a bare duplicate; so what
    /// just reaches the probe's end decides nothing yet.
    pub fn judge_probe(&mut self, io: &mut Io<'_, '_>, duplicate: bool, needless: bool) {
        let Some(Probe { end, resend, flight }) = self.snd.probe else { return };
        if self.snd.una.before(end) {
            return;
        }
        if !resend || needless || duplicate {
            self.snd.probe = None;
        } else if self.snd.una.after(end) {
            self.snd.probe = None;
            io.stats.loss_probe_recovery += 1;
            self.cc.loss(flight);
            self.snd.ecn.window_reduced(self.snd.nxt);
        }
    }
}
