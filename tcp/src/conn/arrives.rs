//! SEGMENT ARRIVES for synchronized connections (RFC 9293 3.10.7.4): eight steps in the RFC's
//! order, one function each. The third, security, does not exist any more in practice.

use layer::Reason;
use layer::boundary::{CloseReason, SocketError, TcpState};

use crate::conn::guard::may_echo;
use crate::conn::state::Event;
use crate::conn::{Ends, Fate, Io, Open};
use crate::recv::Text;
use crate::recv::ack::Arrival;
use crate::segment::{Flags, Segment};
use crate::send::ecn::codepoint;
use crate::seq::Seq;

/// Whether the next step is taken.
enum Step<T> {
    /// On to the next one, with what it needs.
    Next(T),
    /// The segment is done with; the connection's fate.
    Done(Fate),
}

macro_rules! step {
    ($step:expr) => {
        match $step {
            Step::Next(value) => value,
            Step::Done(fate) => return fate,
        }
    };
}

impl Open {
    /// Processes one segment.
    pub fn arrives(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: Segment) -> Fate {
        self.meter.arrived(&segment, io.now);
        self.bare_arrival = segment.is_empty();
        // Before any of it is cut off: the pointer counts from the segment's own first number.
        let urgent = segment.flags.has(Flags::URG);
        let up = urgent.then(|| segment.seq.plus(u32::from(segment.urgent)));
        let segment = step!(self.first_check_sequence(ends, io, segment));
        let segment = step!(self.second_check_rst(ends, io, segment));
        let segment = step!(self.fourth_check_syn(ends, io, segment));
        let segment = step!(self.fifth_check_ack(ends, io, segment));
        self.sixth_check_urg(up);
        let segment = step!(self.seventh_process_text(ends, io, segment));
        self.eighth_check_fin(ends, io, &segment);
        assert!(self.snd.una.at_or_before(self.snd.nxt), "SND.UNA <= SND.NXT");
        if self.state == TcpState::TimeWait { Fate::TimeWait } else { Fate::Stay }
    }

    /// Is any of it in the window? What is not is cut off.
    fn first_check_sequence(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        mut segment: Segment,
    ) -> Step<Segment> {
        if self.is_old_duplicate(io, &segment) {
            io.stats.paws_estab += 1;
            // RFC 2883 4: a late original behind its resend is a duplicate like any other.
            if segment.seq.before(self.rcv.nxt) && !segment.payload.is_empty() {
                let end = segment.seq.plus(segment.text_len());
                self.rcv.came_twice(segment.seq, end.min(self.rcv.nxt));
            }
            self.answer(ends, io, &segment);
            io.out.drop(Reason::TcpPaws, segment);
            return Step::Done(Fate::Stay);
        }
        let nxt = self.rcv.nxt;
        let window = self.rcv.window.offered(nxt);
        // A FIN takes a number but no buffer: it is judged by the text before it.
        let syn = u32::from(segment.flags.has(Flags::SYN));
        let len = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX) + syn;
        let starts = segment.seq.within(nxt, window);
        let ends_inside = len > 0 && segment.seq.plus(len - 1).within(nxt, window);
        // RFC 5961 3: a reset outside the window is nothing at all.
        let reset = segment.flags.has(Flags::RST);
        // What the peer was once offered it may have sent, and says what it says from behind that.
        let once = self.rcv.window.once_offered(nxt);
        let reach = segment.seq.since(nxt);
        let acceptable = match (len, window) {
            // One more than the RFC: what a peer sends that has probed our closed window.
            (0, 0) => segment.seq == nxt || (!reset && reach <= once.max(1)),
            // One more than the RFC: a bare segment just at the right edge, as Linux does. It is
            // what a peer sends that has filled our window, and its ACK counts.
            (0, _) => starts || (!reset && reach <= once),
            (_, 0) => false,
            (_, _) => starts || ends_inside,
        };
        if !acceptable {
            // RFC 9293 3.10.7.4: with a window of zero, valid ACKs, URGs and RSTs are still taken;
            // RFC 7323 2.4: also where the window was open once.
            let valid = segment.seq == nxt || (!reset && reach <= once);
            if window == 0 && valid && syn == 0 {
                self.rcv.ack.demand();
                segment.payload.truncate(0);
                segment.flags.0 &= !Flags::FIN.0;
                return Step::Next(segment);
            }
            if self.probes_crossed(&segment) {
                self.rcv.ack.demand();
                segment.payload.truncate(0);
                segment.flags.0 &= !Flags::FIN.0;
                segment.seq = nxt;
                return Step::Next(segment);
            }
            return self.unacceptable(ends, io, segment);
        }
        if let (Some(stamps), Some(theirs)) = (&mut self.rcv.stamps, segment.options.timestamps) {
            stamps.update(theirs.value, segment.seq, self.rcv.last_ack_sent, io.now);
        }
        if segment.flags.has(Flags::SYN) {
            return Step::Next(segment);
        }
        if segment.seq.before(nxt) {
            let known = nxt.since(segment.seq);
            self.rcv.came_twice(segment.seq, nxt);
            segment.payload.advance(known as usize);
            segment.seq = nxt;
        }
        let text = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        let room = window.saturating_sub(segment.seq.since(nxt));
        if text > room {
            segment.payload.truncate(room as usize);
            segment.flags.0 &= !Flags::FIN.0;
        }
        Step::Next(segment)
    }

    /// One more than the RFC: old by one number, and its ACK counts. An end that has sent an octet
    /// or a FIN past a closed window says everything from before it (`acceptable_seq`). If both
    /// ends have, and both were taken, then each finds old what the other says, resends of the
    /// octet included, and neither would ever learn that it was taken and the window is open.
    /// Where a window was taken back for want of memory, it may be old by more than one.
    fn probes_crossed(&self, segment: &Segment) -> bool {
        let beyond = self.snd.nxt.after(self.acceptable_seq());
        let news = segment.flags.has(Flags::ACK) && self.snd.una.before(segment.ack);
        let plain = !segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::RST);
        beyond && news && plain && self.rcv.window.may_stand_at(segment.seq, self.rcv.nxt)
    }

    /// RFC 7323 5.3 R1 (PAWS). A reset is exempt: it could come from a host that has restarted.
    fn is_old_duplicate(&self, io: &Io<'_, '_>, segment: &Segment) -> bool {
        let (Some(stamps), Some(theirs)) = (self.rcv.stamps, segment.options.timestamps) else {
            return false;
        };
        !segment.flags.has(Flags::RST) && stamps.is_old(theirs.value, io.now)
    }

    /// Not acceptable: acknowledge, so that a peer that lost our ACK learns where we are.
    fn unacceptable(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        segment: Segment,
    ) -> Step<Segment> {
        if !segment.flags.has(Flags::RST) {
            if segment.seq.before(self.rcv.nxt) && !segment.payload.is_empty() {
                self.rcv.came_twice(segment.seq, segment.seq.plus(segment.text_len()));
                io.stats.dsack_old_sent += u64::from(self.rcv.sack.is_some());
            }
            self.answer(ends, io, &segment);
        }
        let duplicate = segment.seq.before(self.rcv.nxt);
        let reason = if duplicate { Reason::TcpDuplicate } else { Reason::TcpOutsideWindow };
        io.out.drop(reason, segment);
        Step::Done(Fate::Stay)
    }

    /// Acknowledges a segment that is not taken. Bare ones could be answered by bare ones for ever,
    /// so those answers are limited.
    fn answer(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: &Segment) {
        if may_echo(segment) {
            self.challenge(ends, io);
        } else {
            self.send_ack(ends, io);
        }
    }

    fn second_check_rst(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        segment: Segment,
    ) -> Step<Segment> {
        if !segment.flags.has(Flags::RST) {
            return Step::Next(segment);
        }
        // RFC 5961 3: only a reset at exactly RCV.NXT resets; elsewhere in the window the peer is
        // asked, and a real one resets at the right place.
        if segment.seq != self.rcv.nxt {
            self.challenge(ends, io);
            io.out.drop(Reason::TcpBlindReset, segment);
            return Step::Done(Fate::Stay);
        }
        // RFC 9293 3.5.3 SHLD-2: text in a reset does not matter.
        io.out.consume(segment);
        io.stats.estab_resets += 1;
        Step::Done(match self.state {
            // RFC 9293 3.10.7.4: both sides had finished anyway.
            TcpState::Closing | TcpState::LastAck | TcpState::TimeWait => {
                Fate::Gone(CloseReason::Finished)
            }
            TcpState::Closed
            | TcpState::Listen
            | TcpState::SynSent
            | TcpState::SynReceived
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::CloseWait => Fate::failed(SocketError::ConnectionReset),
        })
    }

    fn fourth_check_syn(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        segment: Segment,
    ) -> Step<Segment> {
        if !segment.flags.has(Flags::SYN) {
            return Step::Next(segment);
        }
        // RFC 5961 4: whatever its number, a SYN gets a challenge ACK; a peer that restarted
        // answers with a reset.
        io.stats.syn_challenge += 1;
        self.challenge(ends, io);
        io.out.drop(Reason::TcpBlindSyn, segment);
        Step::Done(Fate::Stay)
    }

    fn fifth_check_ack(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        segment: Segment,
    ) -> Step<Segment> {
        if !segment.flags.has(Flags::ACK) {
            io.out.drop(Reason::TcpBadFlags, segment);
            return Step::Done(Fate::Stay);
        }
        let (ack, una, nxt) = (segment.ack, self.snd.una, self.snd.nxt);
        // RFC 5961 5: too old or for what was never sent: acknowledged, not believed.
        if ack.after(nxt) || ack.before(una.minus(self.snd.window.largest().max(1))) {
            self.challenge(ends, io);
            io.out.drop(Reason::TcpBadAck, segment);
            return Step::Done(Fate::Stay);
        }
        self.heard(io.now);
        // An answer of any kind: the peer is there (RFC 9293 3.8.6.1 MUST-37). For a socket that
        // nobody holds any more that does not go on for ever (RFC 6429).
        if self.snd.window.size() == 0 && !self.orphan {
            self.snd.retries = 0;
        }
        if una.at_or_before(ack) {
            self.take_acknowledgement(ends, io, &segment);
        }
        self.take_window(&segment);
        if self.snd.fin_acknowledged() {
            self.enter(Event::FinAcknowledged, ends, io);
            if self.state == TcpState::Closed {
                io.out.consume(segment);
                return Step::Done(Fate::Gone(CloseReason::Finished));
            }
        }
        Step::Next(segment)
    }

    /// Urgent data is delivered in line; the pointer `up` moves nothing (RFC 9293 3.8.5, RFC 6093).
    fn sixth_check_urg(&mut self, up: Option<Seq>) {
        // RFC 9293 3.10.7.4: after the peer's FIN this should not occur: ignored.
        if !self.peer_has_finished() {
            // RFC 9293 3.8.5 MUST-32: the latest mark is what the application is told.
            self.tell.urgent = up.and_then(|up| self.rcv.urgent(up)).or(self.tell.urgent);
        }
    }

    /// The peer's FIN was reached: there is nothing behind it.
    fn peer_has_finished(&self) -> bool {
        match self.state {
            TcpState::CloseWait | TcpState::Closing | TcpState::LastAck | TcpState::TimeWait => {
                true
            }
            TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::Closed
            | TcpState::Listen
            | TcpState::SynSent
            | TcpState::SynReceived => false,
        }
    }

    fn seventh_process_text(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        mut segment: Segment,
    ) -> Step<Segment> {
        if segment.payload.is_empty() {
            // RFC 9293 3.10.7.4 MAY-13: an early FIN is acknowledged at once, like early text.
            if segment.flags.has(Flags::FIN) && segment.seq.after(self.rcv.nxt) {
                self.rcv.ack.demand();
            }
            return Step::Next(segment);
        }
        // RFC 9293 3.10.7.4: after the peer's FIN there can be no text.
        if self.peer_has_finished() {
            return Step::Next(segment);
        }
        // RFC 9293 3.6.1 SHLD-3: data for an application that is gone is answered by a reset.
        if self.orphan {
            io.stats.abort_on_data += 1;
            self.send_reset(ends, io);
            io.out.drop(Reason::TcpNoConnection, segment);
            return Step::Done(Fate::failed(SocketError::ConnectionAborted));
        }
        let text_end = segment.seq.plus(u32::try_from(segment.payload.len()).unwrap_or(u32::MAX));
        if !self.make_place(io, &mut segment) {
            self.send_ack(ends, io);
            segment.seq = text_end;
            return Step::Next(segment);
        }
        let text = core::mem::take(&mut segment.payload);
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let size = text.offload().segmentation.map_or(len, |s| u32::from(s.size));
        let offered = self.rcv.window.offered(self.rcv.nxt);
        let text_end = segment.seq.plus(len);
        self.measure(io.now, &segment, size.min(len));
        let echo = self.rcv.echo.arrived(segment.flags, segment.ecn == codepoint::CE);
        let ack_now = match self.rcv.text(segment.seq, text, io.config.max_pieces) {
            Text::InOrder { bytes, hole } => {
                let arrival = Arrival { now: io.now, bytes, segment: size.min(len), offered };
                let much = self.rcv.ack.in_order(&arrival, self.snd.rtt.rto(io.config));
                if hole { Some(true) } else { much.then_some(false) }
            }
            Text::Early => {
                io.stats.ofo_queue += 1;
                self.meter.rcv_ooopack = self.meter.rcv_ooopack.wrapping_add(1);
                Some(true)
            }
            Text::Duplicate => {
                io.stats.dsack_ofo_sent += u64::from(self.rcv.sack.is_some());
                io.out.ledger.count_drop(Reason::TcpDuplicate);
                Some(true)
            }
            Text::Refused => {
                io.stats.ofo_drop += 1;
                io.out.ledger.count_drop(Reason::TcpReceiveBufferFull);
                segment.flags.0 &= !Flags::FIN.0;
                Some(true)
            }
        };
        // RFC 9293 3.10.7.4 MAY-13: an early segment is acknowledged at once; RFC 5681 4.2: also
        // one that fills a hole. MUST-58, MUST-59: in-order text when the batch ends. A
        // mark is news.
        if ack_now.is_some() || echo {
            self.send_ack(ends, io);
        }
        segment.seq = text_end;
        Step::Next(segment)
    }

    fn eighth_check_fin(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: &Segment) {
        let over = self.peer_has_finished();
        if segment.flags.has(Flags::FIN) && over {
            // Behind the first one there is no second: RCV.NXT stays where it is.
            self.rcv.ack.demand();
        } else if segment.flags.has(Flags::FIN) {
            let text = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
            let at = segment.seq.plus(text);
            // The first one counts, unless text has passed it: then it was none.
            if self.rcv.fin.is_none_or(|known| known.before(self.rcv.nxt)) {
                self.rcv.fin = Some(at);
            }
        }
        io.out.ledger.count_consumed();
        if over || !self.rcv.fin_reached() {
            return;
        }
        self.rcv.nxt = self.rcv.nxt.plus(1);
        self.tell.finished = true;
        self.rcv.ack.demand();
        self.enter(Event::Fin, ends, io);
        if self.state == TcpState::Closing && self.snd.fin_acknowledged() {
            self.enter(Event::FinAcknowledged, ends, io);
        }
    }
}
