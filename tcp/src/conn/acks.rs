//! What an acknowledgement means to the sender: what is delivered, what is lost, how the window
//! moves. The inside of the fifth step of SEGMENT ARRIVES.

use layer::Note;

use crate::cc::Acked;
use crate::conn::{Ends, Io, Open};
use crate::segment::Segment;
use crate::send::frto::Frto;
use crate::send::recovery::{Advice, Phase};
use crate::send::scoreboard::Delivered;

impl Open {
    /// SND.UNA =< SEG.ACK =< SND.NXT.
    pub fn take_acknowledgement(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: &Segment) {
        let advanced = segment.ack.after(self.snd.una);
        let flight = self.snd.flight();
        let limited = self.is_limited();
        let going_back = self.snd.recovery.phase() == Phase::Loss;
        let duplicate = !advanced && self.is_duplicate(segment);
        let mut delivered = Delivered::default();
        let mut freed = 0;
        if advanced {
            self.path_carried(ends, io, segment.ack);
            self.snd.board.acknowledged(segment.ack, io.now, &mut delivered);
            freed = self.snd.acknowledge(segment.ack);
            self.patience.renew();
        }
        let needless = self.take_blocks(io, segment, &mut delivered);
        self.note_delivery(io, freed, &delivered, needless);
        if advanced {
            let echoed = segment.options.timestamps.zip(self.rcv.stamps);
            let stamped = echoed.and_then(|(theirs, ours)| ours.round_trip(theirs.echo, io.now));
            self.snd.rtt.acknowledged(delivered.rtt, stamped, io.config);
        }
        let flight = self.snd.usage.flight(flight);
        self.snd.usage.earn(delivered.bytes);
        if let Some(undo) = &mut self.snd.undo {
            undo.acknowledged(delivered.bytes);
        }
        let undone = self.try_undo(ends, io, segment, advanced, needless)
            || self.judge_timeout(ends, io, &delivered, advanced, duplicate);
        if undone {
            // The answer was to the original: when the resend left says nothing.
            delivered.latest = delivered.latest.filter(|latest| !latest.resent);
        }
        self.snd.rack.delivered(&delivered, io.now);
        if self.snd.sack {
            self.judge_probe(io, duplicate && segment.options.sack.is_empty(), needless > 0);
            self.recover_with_sack(ends, io, &delivered, advanced, flight);
        } else {
            self.recover_without_sack(ends, io, advanced, duplicate, freed, flight);
        }
        // On a way that reorders, a report is as good as an acknowledgement. Either way each byte
        // counts once, when it is delivered.
        let reorders = self.snd.rack.reordering_seen();
        let told = advanced || (reorders && delivered.bytes > 0);
        let held = undone
            || self.take_echo(ends, io, segment, (flight, delivered.bytes))
            || self.snd.recovery.phase() == Phase::Recovery;
        let new = if told || held { self.snd.usage.spend() } else { 0 };
        if told && !held {
            // RFC 5681 3.1: after a timeout one segment an acknowledgement; what the receiver held
            // already must not open the window at one stroke.
            let counted = if going_back { new.min(self.snd.mss) } else { new };
            let before = self.cc.cwnd();
            self.cc.acknowledged(&Acked {
                now: io.now,
                bytes: counted,
                limited,
                rtt: delivered.rtt,
                srtt: self.snd.rtt.srtt(),
                una: self.snd.una,
                nxt: self.snd.nxt,
            });
            if self.cc.cwnd() != before {
                self.note_window(ends, io);
            }
        }
        if advanced {
            // RFC 6298 5.2, 5.3: all acknowledged stops the timer, new data restarts it.
            self.timers.retransmit =
                (self.snd.flight() > 0).then(|| io.now + self.snd.rtt.rto(io.config));
        }
        if delivered.bytes > 0 {
            // Answers still come: two round trips from the last one.
            self.timers.probe = None;
            self.grow_send_buffer(io.config);
        }
        self.snd.usage.delivered(delivered.bytes);
    }

    /// Takes in SACK blocks; answers how many bytes were reported as needlessly resent.
    fn take_blocks(
        &mut self,
        io: &Io<'_, '_>,
        segment: &Segment,
        delivered: &mut Delivered,
    ) -> u32 {
        if !self.snd.sack || segment.options.sack.is_empty() {
            return 0;
        }
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let mut blocks = segment.options.sack.iter().peekable();
        let mut needless = 0;
        // RFC 2883 4: the first block is a duplicate if it lies below the acknowledgement or
        // within the second one.
        if let Some(&(from, to)) = blocks.peek() {
            let second = segment.options.sack.iter().nth(1);
            let within = second.is_some_and(|(a, b)| a.at_or_before(from) && to.at_or_before(b));
            if from.before(to) && (to.at_or_before(una) || within) {
                // RFC 2883 5: it is no new data.
                needless = to.since(from);
                self.snd.rack.dsack(una, nxt);
                blocks.next();
            }
        }
        for (from, to) in blocks {
            // A peer that reports what was never sent, or nothing, is not believed.
            if from.before(to) && una.before(to) && to.at_or_before(nxt) {
                let from = from.max(una);
                self.snd.board.sacked(from, to, io.now, delivered);
            }
        }
        needless
    }

    /// RACK finds what is lost, PRR says how fast to send.
    fn recover_with_sack(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        delivered: &Delivered,
        advanced: bool,
        flight: u32,
    ) {
        if let Some(ended) = self.snd.recovery.reached(self.snd.una) {
            self.leave_recovery(ends, io, ended);
        }
        let pipe = self.snd.board.pipe().saturating_add(delivered.bytes);
        let lost = self.find_losses(ends, io, (flight, pipe));
        let (pipe, ssthresh) = (self.snd.board.pipe(), self.cc.ssthresh());
        if let Some((prr, window)) = &mut self.snd.prr {
            let safe = advanced && lost == 0;
            *window = prr.window(delivered.bytes, pipe, ssthresh, self.snd.mss, safe);
        }
    }

    fn leave_recovery(&mut self, ends: &Ends, io: &mut Io<'_, '_>, ended: Phase) {
        (self.snd.prr, self.snd.frto) = (None, Frto::Off);
        self.snd.rack.recovered();
        if ended == Phase::Recovery {
            self.cc.recovered(self.snd.board.pipe().max(self.cc.ssthresh()));
        }
        let (socket, cwnd, ssthresh) = (ends.id, self.cc.cwnd(), self.cc.ssthresh());
        io.out.note(|| Note::TcpRecovery { socket, entered: false });
        io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
    }

    /// Duplicates and partial acknowledgements (RFC 6582).
    fn recover_without_sack(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        advanced: bool,
        duplicate: bool,
        freed: u32,
        flight: u32,
    ) {
        let (una, nxt, mss) = (self.snd.una, self.snd.nxt, self.snd.mss);
        let advice = if advanced {
            self.snd.recovery.advanced(una, freed, mss)
        } else if duplicate {
            self.snd.recovery.duplicate(una, nxt, mss)
        } else {
            Advice::Nothing
        };
        match advice {
            Advice::Nothing => {}
            Advice::Enter => {
                io.stats.reno_recovery += 1;
                self.reduce(ends, io, flight);
                self.lose_first();
            }
            Advice::ResendNext => self.lose_first(),
            Advice::Leave => {
                self.cc.recovered(self.snd.flight());
                let socket = ends.id;
                io.out.note(|| Note::TcpRecovery { socket, entered: false });
            }
        }
    }

    /// Without SACK only the first hole is known.
    fn lose_first(&mut self) {
        self.snd.board.mark_first_lost(self.snd.mss);
        self.force_one = true;
    }

    /// RFC 5681 2, "duplicate acknowledgment".
    fn is_duplicate(&self, segment: &Segment) -> bool {
        let window = u64::from(segment.window) << self.snd.window.scale();
        self.bare_arrival
            && self.snd.flight() > 0
            && window == u64::from(self.snd.window.size())
            // While a closed window is probed, every answer looks like one.
            && self.snd.window.size() > 0
    }

    /// Takes the window of the segment, if it is not an old one.
    pub fn take_window(&mut self, segment: &Segment) {
        if segment.ack.before(self.snd.una) {
            return;
        }
        let was_closed = self.snd.window.size() == 0;
        self.snd.window.update(segment.window, segment.seq, segment.ack);
        if was_closed && self.snd.window.size() > 0 {
            self.timers.persist = None;
            self.snd.persist.reset();
            self.patience.renew();
            // What was sent into the closed window as a probe was probably thrown away.
            let out = self.snd.flight();
            self.snd.board.mark_first_lost(out);
        }
    }

    /// Our timestamp clock, if timestamps are in use.
    pub fn stamp(&self, io: &Io<'_, '_>) -> Option<u32> {
        self.rcv.stamps.map(|stamps| stamps.option(io.now).value)
    }
}
