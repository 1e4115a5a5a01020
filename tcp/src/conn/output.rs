//! What leaves: data within the windows, resends, probes, acknowledgements.
//!
//! Data leaves in super-segments of up to 64 KiB; cutting them at the MSS is left to the device or
//! to `link` (metadata, not a second path). Everything here is in bytes.

use layer::boundary::{IpOut, Reachability, Send, protocol};
use layer::{Duration, Instant, Note, PacketBuf, Segmentation, SegmentationKind};

use crate::conn::meter::pieces;
use crate::conn::{Ends, Fate, Io, Open};
use crate::options::{Options, SackBlocks};
use crate::recv::ack::{AckPolicy, Due};
use crate::segment::{Flags, Segment};
use crate::send::ecn::codepoint;
use crate::send::frto::Frto;
use crate::send::recovery::Phase;
use crate::send::{Fin, Probe};
use crate::seq::Seq;
use crate::timers::fired;
use layer::boundary::SocketError;

/// Largest super-segment, payload bytes: 65,535 less the largest IP and TCP headers.
const SUPER: u32 = 65_535 - 60 - 60;

/// The longest round trip for which text waits to fill a super-segment.
const GATHER: Duration = Duration::from_millis(1);

/// Sends one segment down.
pub fn emit(io: &mut Io<'_, '_>, ends: &Ends, segment: Segment, reachability: Reachability) {
    let (source, destination) = (segment.source.ip(), segment.destination.ip());
    io.stats.out_segs += u64::from(pieces(&segment.payload));
    io.out.down.push(IpOut::Datagram(Send {
        interface: None,
        // RFC 9293 3.9.1.1 MUST-45: the connection's own address, always.
        source: Some(source),
        destination,
        protocol: protocol::TCP,
        ttl: ends.ttl,
        // RFC 3168 5, the ECN field is TCP's own, whatever IP_TOS says.
        tos: (ends.tos & !codepoint::MASK) | segment.ecn,
        // RFC 8900: TCP never emits fragments; a path that is too narrow says so (RFC 1191).
        dont_fragment: true,
        reachability,
        packet: segment.write(),
    }));
}

impl Open {
    /// A segment of this connection with ACK, from SND.NXT.
    fn segment(&mut self, ends: &Ends, now: Instant, flags: Flags, seq: Seq) -> Segment {
        let mut segment = Segment::bare(ends.local, ends.remote, flags.with(Flags::ACK), seq);
        segment.ack = self.rcv.nxt;
        // RFC 9293 3.8.5 MUST-30: on every segment before SND.UP, also bare ones.
        if let Some(pointer) = self.snd.urgent.pointer(self.snd.position(seq)) {
            segment.flags = segment.flags.with(Flags::URG);
            segment.urgent = pointer;
        }
        // RFC 3168 6.1.3: on every acknowledgement.
        segment.flags = segment.flags.with(self.rcv.echo.bit());
        segment.window = self.rcv.window.advertise(self.rcv.nxt);
        segment.options = self.rcv.options(now);
        segment
    }

    /// SND.NXT, or the right edge if a probe went past it: a peer whose window is closed accepts
    /// nothing from beyond, not even an acknowledgement.
    pub fn acceptable_seq(&self) -> Seq {
        self.snd.nxt.min(self.snd.una.plus(self.snd.window.size()))
    }

    fn dispatch(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: Segment) {
        // Every segment acknowledges all that came in order.
        self.rcv.ack.sent();
        self.timers.delayed_ack = None;
        self.meter.leaves(&segment, io);
        if segment.flags.has(Flags::URG) {
            self.snd.urgent.announced();
        }
        let reachability = self.reachability(io.config);
        emit(io, ends, segment, reachability);
    }

    /// An acknowledgement without text.
    pub fn send_ack(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let segment = self.segment(ends, io.now, Flags::ACK, self.acceptable_seq());
        self.dispatch(ends, io, segment);
    }

    /// An acknowledgement from one before SND.NXT, which the peer has to answer.
    pub fn send_keepalive(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let segment = self.segment(ends, io.now, Flags::ACK, self.snd.nxt.minus(1));
        self.dispatch(ends, io, segment);
    }

    /// A reset; the connection is over after it.
    pub fn send_reset(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        io.stats.out_rsts += 1;
        let mut segment = self.segment(ends, io.now, Flags::RST, self.acceptable_seq());
        segment.flags = Flags::RST.with(Flags::ACK);
        (segment.window, segment.urgent) = (0, 0);
        segment.options = Options::default();
        self.dispatch(ends, io, segment);
    }

    /// The batch ended or a timer fired: send what may be sent. False if the outlet is full and
    /// something had to stay.
    pub fn output(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> bool {
        let before = self.snd.nxt;
        let sent_all = self.resend(ends, io) && self.send_new(ends, io);
        self.note_turn(ends, io, before);
        assert!(self.snd.una.at_or_before(self.snd.nxt), "SND.UNA <= SND.NXT");
        self.arm_persist(io);
        self.arm_retransmit(io);
        self.arm_probe(io);
        // A closed window holds up data, not the news that there is urgent data (RFC 9293 3.4
        // MUST-66 is the peer's side of it).
        if self.snd.urgent.wants_segment(self.snd.position(self.acceptable_seq())) {
            self.rcv.ack.demand();
        }
        self.arm_user_timeout(io);
        self.arm_keepalive(io);
        match self.rcv.ack.at_end_of_batch(self.options.quickack) {
            Due::Now => self.send_ack(ends, io),
            Due::Later => {
                let deadline = AckPolicy::deadline(io.now, io.config.delayed_ack);
                self.timers.delayed_ack.get_or_insert(deadline);
            }
            Due::Nothing => {}
        }
        self.note_limits(io.now);
        sent_all
    }

    /// Bytes that may be in the network now.
    pub fn window_now(&self) -> u32 {
        match self.snd.prr {
            Some((_, window)) => window,
            None => self.cc.cwnd().saturating_add(self.snd.recovery.inflation()),
        }
    }

    /// Sends lost ranges again, first ones first (RFC 6675 5), within the congestion window and,
    /// but for the very first segment, within the peer's (RFC 9293 3.8.6 SHLD-16). False if the
    /// outlet is full.
    fn resend(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> bool {
        if self.snd.frto.asks() {
            // RFC 5682 2.1 step 2.b: first new data, if there is any that may be sent.
            if self.snd.frto.has_asked(self.snd.nxt) || self.next_new().is_some() {
                return true;
            }
            self.snd.frto = Frto::Off;
        }
        while let Some(range) = self.snd.board.first_lost() {
            // A lost piece is resent at the granularity of segments, never as a super-segment.
            let len = range.end.since(range.start).min(self.snd.mss);
            let past_edge = range.start.since(self.snd.una) + len > self.snd.window.size();
            if past_edge && range.start != self.snd.una {
                break;
            }
            let pipe = self.snd.board.pipe();
            // When nothing is under way, nothing would ever come that opens the window.
            if !self.force_one && pipe > 0 && pipe + len > self.window_now() {
                break;
            }
            if io.out.down.room() == 0 {
                return false;
            }
            let timeout = self.snd.recovery.phase() == Phase::Loss;
            if self.resend_at(ends, io, range.start, self.snd.mss, timeout) == 0 {
                break;
            }
            // RFC 6298 5.1: it runs; a forced resend restarts the timer.
            let rto = io.now + self.snd.rtt.rto(io.config);
            if core::mem::take(&mut self.force_one) {
                self.timers.retransmit = Some(rto);
            }
            self.timers.retransmit.get_or_insert(rto);
            self.timers.probe = None;
        }
        true
    }

    /// Resends up to `len` bytes from `at`; returns the sequence space it took.
    fn resend_at(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        at: Seq,
        len: u32,
        timeout: bool,
    ) -> u32 {
        let bytes = self.resend_size(at, len);
        let fin = matches!(self.snd.fin, Fin::Sent(fin) if fin == at.plus(bytes));
        let space = bytes + u32::from(fin);
        if space == 0 {
            return 0;
        }
        self.snd.retransmits += 1;
        self.meter.bytes_retrans += u64::from(bytes);
        io.stats.retrans_segs += 1;
        io.stats.slow_start_retrans += u64::from(self.snd.recovery.phase() == Phase::Loss);
        // `emit` counts it as sent; resends are not (RFC 4022 tcpOutSegs).
        io.stats.out_segs = io.stats.out_segs.wrapping_sub(1);
        let (socket, seq) = (ends.id, at.0);
        io.out.note(|| Note::TcpRetransmit { socket, seq, bytes, timeout });
        let (end, nxt) = (at.plus(space), self.snd.nxt);
        self.path_refused(io, at, end);
        self.snd.board.resent(at, end.min(nxt), io.now);
        if end.after(nxt) {
            self.snd.board.sent(nxt, end, io.now);
            self.snd.nxt = end;
        }
        let stamp = self.stamp(io);
        if let Some(undo) = &mut self.snd.undo {
            undo.resent(end, space, stamp);
        }
        if let Some((prr, _)) = &mut self.snd.prr {
            prr.sent(space);
        }
        self.send_text(ends, io, at, (bytes, fin), false);
        space
    }

    /// Bytes to resend from `at`, at most `len`. A small piece (a probe's octet, an old write)
    /// takes new text along as far as the peer's window goes, so that it does not stay small.
    fn resend_size(&self, at: Seq, len: u32) -> u32 {
        let edge = self.snd.una.plus(self.snd.window.size()).max(self.snd.nxt);
        let end = self.snd.text_end().min(edge);
        if at.before(end) { end.since(at).min(len) } else { 0 }
    }

    /// Sends what was never sent, as far as windows, silly-window avoidance and Nagle allow.
    /// False if the outlet is full.
    fn send_new(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> bool {
        if self.snd.board.lost_bytes() > 0 && !self.snd.frto.asks() {
            return true;
        }
        self.forget_idle_window(io);
        while let Some((bytes, fin)) = self.next_new() {
            if io.out.down.room() == 0 {
                return false;
            }
            let at = self.snd.nxt;
            let (bytes, fin) = self.path_probe(io, at).map_or((bytes, fin), |size| (size, false));
            self.snd.nxt = at.plus(bytes + u32::from(fin));
            if fin {
                self.snd.fin = Fin::Sent(at.plus(bytes));
            }
            self.snd.board.sent(at, self.snd.nxt, io.now);
            if let Some((prr, _)) = &mut self.snd.prr {
                prr.sent(bytes + u32::from(fin));
            }
            self.send_text(ends, io, at, (bytes, fin), true);
            let all = self.snd.unsent() == 0;
            self.meter.sent_new(self.snd.nxt, bytes, self.snd.mss, all, io);
            self.snd.last_sent = Some(io.now);
            self.timers.probe = None;
            self.timers.persist = None;
            // RFC 6298 5.1: sending starts the timer if it does not run.
            self.timers.retransmit.get_or_insert(io.now + self.snd.rtt.rto(io.config));
        }
        true
    }

    /// RFC 5681 4.1: after a timeout's worth of silence the window says nothing about the network.
    fn forget_idle_window(&mut self, io: &Io<'_, '_>) {
        let idle =
            self.snd.last_sent.is_some_and(|at| io.now.since(at) > self.snd.rtt.rto(io.config));
        if idle && self.snd.flight() == 0 && self.snd.unsent() > 0 {
            self.cc.idle();
            self.snd.last_sent = Some(io.now);
        }
    }

    /// Bytes of text for the next new segment, and whether FIN goes with it.
    fn next_new(&self) -> Option<(u32, bool)> {
        let unsent = self.snd.unsent();
        let allowed = self.window_now().saturating_sub(self.snd.board.pipe());
        let usable = self.snd.window.usable(self.snd.una, self.snd.nxt).min(allowed);
        let bytes = self.segment_size(unsent, unsent.min(usable));
        let fin = self.snd.fin == Fin::Queued && bytes == unsent;
        // A FIN alone needs no window: it takes no buffer.
        (bytes > 0 || fin).then_some((bytes, fin))
    }

    /// Silly-window avoidance and Nagle (RFC 9293 3.8.6.2.1, 3.7.4) on `possible` of `unsent`.
    fn segment_size(&self, unsent: u32, possible: u32) -> u32 {
        let mss = self.snd.mss;
        let last = possible == unsent;
        // Neither Nagle nor a cork holds up the end of a stream, or urgent data.
        let urgent = self.snd.urgent.pointer(self.snd.position(self.snd.nxt)).is_some();
        let closing = self.snd.fin == Fin::Queued || urgent;
        // RFC 9293 3.7.4 MUST-17: Nagle can be turned off.
        let corked = self.options.cork && !closing;
        let hold_small = corked || !(self.options.nodelay || closing);
        if possible >= mss {
            // A loopback's segment may be larger than any super-segment. Those who cut one copy the
            // urgent pointer as it is, which would move it.
            let most = if urgent { mss } else { (SUPER - SUPER % mss).max(mss) };
            let bytes = possible.min(most);
            if bytes < most && !closing && !self.options.nodelay && self.gathers(most) {
                return 0;
            }
            let tail = bytes % mss;
            // RFC 9293 3.9.1.2 SHLD-28: full segments whenever possible.
            return if last && bytes == unsent && !hold_small { bytes } else { bytes - tail };
        }
        let idle = self.snd.flight() == 0;
        // RFC 9293 3.7.4 SHLD-7: one small segment at a time.
        // RFC 9293 3.9.1.2 MUST-60: what is held goes when the flight is acknowledged.
        if last && (!hold_small || (idle && !corked)) {
            return possible;
        }
        // RFC 9293 3.8.6.2.1 MUST-38: not a silly segment, but half the largest window is enough.
        if idle && possible > 0 && possible >= self.snd.window.largest() / 2 { possible } else { 0 }
    }

    /// A super-segment is out, and what is acknowledged of it comes soon: until then more text may
    /// gather for the next one. A frame costs the same whatever it carries; Linux holds back for
    /// the same reason (tcp_tso_should_defer, tcp_autocorking). At most a round trip is lost, so
    /// this is for short ones.
    fn gathers(&self, most: u32) -> bool {
        let short = self.snd.rtt.srtt().is_some_and(|srtt| srtt <= GATHER);
        short && self.snd.flight() >= most && self.snd.prr.is_none() && !self.force_one
    }

    /// One segment with `bytes` of text from `at`, and FIN if asked.
    fn send_text(
        &mut self,
        ends: &Ends,
        io: &mut Io<'_, '_>,
        at: Seq,
        (bytes, fin): (u32, bool),
        new: bool,
    ) {
        let end = at.plus(bytes);
        let mut flags = Flags::ACK;
        if fin {
            flags = flags.with(Flags::FIN);
        }
        // RFC 9293 3.9.1.2 MUST-61: PSH on the segment that empties the queue.
        if bytes > 0 && !end.before(self.snd.text_end()) {
            flags = flags.with(Flags::PSH);
        }
        if bytes > 0 {
            // RFC 5681 4.1: resends and probes are data, too.
            self.snd.last_sent = Some(io.now);
        }
        let (ecn, cwr) = self.snd.ecn.on_text(new && bytes > 0);
        let mut segment = self.segment(ends, io.now, flags.with(cwr), at);
        segment.ecn = ecn;
        let mut text = PacketBuf::new();
        self.snd.buffer.slice(self.snd.position(at), bytes as usize, &mut text);
        // A probe of the path is one packet, however large.
        if bytes > self.snd.mss && self.snd.mtu.probe() != Some((at, bytes)) {
            let kind = if ends.remote.is_ipv4() {
                SegmentationKind::TcpV4
            } else {
                SegmentationKind::TcpV6
            };
            let size = u16::try_from(self.snd.mss).unwrap_or(u16::MAX);
            text.offload_mut().segmentation =
                Some(Segmentation { kind, size, ecn: cwr.has(Flags::CWR) });
        }
        segment.payload = text;
        self.rcv.ack.text_sent(io.now, io.config.delayed_ack);
        // Blocks would not fit beside a full segment; early data is acknowledged by itself at once.
        segment.options.sack = SackBlocks::default();
        self.dispatch(ends, io, segment);
    }

    /// Runs the persist timer while something waits and nothing that is under way will bring an
    /// answer (RFC 9293 3.8.6.1 MUST-35, MUST-36).
    fn arm_persist(&mut self, io: &Io<'_, '_>) {
        let closed = self.snd.window.size() == 0;
        let waiting = self.snd.unsent() > 0;
        if closed && (waiting || self.snd.flight() > 0) {
            // The probe byte, once sent, is covered by this timer and not by the others.
            (self.timers.retransmit, self.timers.probe) = (None, None);
        } else if !(waiting && self.snd.flight() == 0) {
            self.timers.persist = None;
            self.snd.persist.reset();
            return;
        }
        let (rto, longest) = (self.snd.rtt.rto(io.config), io.config.rto_max);
        let at = self.snd.persist.next(io.now, rto, longest);
        self.timers.persist.get_or_insert(at);
    }

    /// RFC 6298 5.1: what is out is timed, by this timer or by that of a closed window, whatever
    /// stopped it: with neither the connection would wait for ever.
    fn arm_retransmit(&mut self, io: &Io<'_, '_>) {
        if self.snd.flight() > 0 && self.snd.window.size() > 0 {
            self.timers.retransmit.get_or_insert(io.now + self.snd.rtt.rto(io.config));
        }
    }

    /// Does what the timers say. The segments leave in `output`.
    pub fn on_timers(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> Fate {
        if fired(&mut self.timers.fin_wait_2, io.now) {
            return Fate::failed(SocketError::TimedOut);
        }
        if fired(&mut self.timers.linger, io.now) {
            return self.abort(ends, io);
        }
        if fired(&mut self.timers.user_timeout, io.now) {
            return self.give_up(io);
        }
        if fired(&mut self.timers.delayed_ack, io.now) {
            io.stats.delayed_acks += 1;
            self.rcv.ack.demand();
        }
        if fired(&mut self.timers.persist, io.now) {
            return self.probe(ends, io);
        }
        if fired(&mut self.timers.reorder, io.now) {
            let flight = self.snd.usage.flight(self.snd.flight());
            self.find_losses(ends, io, (flight, self.snd.board.pipe()));
        }
        // Before the retransmission timer, which the probe starts again.
        if fired(&mut self.timers.probe, io.now) && self.snd.flight() > 0 {
            self.probe_tail(ends, io);
        }
        if fired(&mut self.timers.retransmit, io.now) && self.snd.flight() > 0 {
            return self.retransmission_timeout(ends, io);
        }
        if fired(&mut self.timers.keepalive, io.now) {
            return self.keep_alive(ends, io);
        }
        Fate::Stay
    }

    /// RFC 8985 7: one segment, new if there is one and the peer's window has room, else the
    /// last one again.
    fn probe_tail(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let at = self.snd.nxt;
        let usable = self.snd.window.usable(self.snd.una, at);
        let new = self.snd.unsent().min(usable).min(self.snd.mss);
        io.stats.loss_probes += 1;
        if new > 0 {
            self.snd.nxt = at.plus(new);
            self.snd.board.sent(at, self.snd.nxt, io.now);
            self.send_text(ends, io, at, (new, false), true);
        } else if let Some(last) = self.snd.board.last_open() {
            let len = last.end.since(last.start).min(self.snd.mss);
            self.resend_at(ends, io, last.end.minus(len), len, false);
        }
        let (end, flight) = (self.snd.nxt, self.snd.usage.flight(self.snd.flight()));
        self.snd.probe = Some(Probe { end, resend: new == 0, flight });
        // RFC 8985 7: the retransmission timer starts again from the probe.
        if self.snd.recovery.phase() == Phase::Open {
            self.timers.retransmit = Some(io.now + self.snd.rtt.rto(io.config));
        }
    }

    /// The persist timer expired: one octet past the window, or what silly-window avoidance held.
    fn probe(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> Fate {
        // RFC 9293 3.8.6.1 MUST-37: probing goes on for ever while the peer answers; each answer
        // sets `retries` back.
        let fate = self.unanswered(io);
        if fate != Fate::Stay {
            return fate;
        }
        self.snd.persist.probed();
        io.stats.win_probe += 1;
        if self.snd.flight() > 0 {
            self.resend_at(ends, io, self.snd.una, 1, true);
            return Fate::Stay;
        }
        let at = self.snd.nxt;
        // RFC 9293 3.8.6.2.1 (4): the override timeout sends what fits; RFC 9293 3.8.6.1 MUST-36:
        // at least one octet, whatever the window says.
        let usable = self.snd.window.usable(self.snd.una, at);
        let bytes = self.snd.unsent().min(usable.clamp(1, self.snd.mss));
        if bytes > 0 {
            self.snd.nxt = at.plus(bytes);
            self.snd.board.sent(at, self.snd.nxt, io.now);
            self.snd.last_sent = Some(io.now);
            self.send_text(ends, io, at, (bytes, false), usable > 0);
            if usable > 0 {
                self.timers.retransmit = Some(io.now + self.snd.rtt.rto(io.config));
            }
        }
        Fate::Stay
    }
}
