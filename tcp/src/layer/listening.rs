//! Passive opens: from a SYN to a connection that waits to be accepted (RFC 9293 3.10.7.2), with
//! limits at both steps, and without memory if need be (RFC 4987).
//!
//! ```text
//!   SYN --> request, or cookie if there is no room --> ACK --> connection, if there is room for it
//! ```

use std::sync::Arc;

use layer::boundary::{IpError, SocketId, TcpOptions, TcpState};
use layer::{Instant, Out, Reason};

use super::Tcp;
use super::segments::{ends_of, fatal_while_opening};
use crate::config::{EcnPolicy, SynCookies};
use crate::conn::opening::{Opening, Origin, Outcome, PeerSyn};
use crate::conn::{Ends, Io, Open, Phase, note_state};
use crate::cookie::Carried;
use crate::listen::Listener;
use crate::options::Options;
use crate::recv::paws::clock;
use crate::requests::{Request, RequestKey};
use crate::segment::{Flags, Segment};
use crate::send::ecn::Handshake;
use crate::seq::Seq;
use crate::table::Tuple;

impl Tcp {
    /// RFC 9293 3.10.7.2: a SYN for a listener.
    pub(super) fn passive_open(
        &mut self,
        now: Instant,
        id: SocketId,
        segment: &Segment,
        (mtu, beyond): (u32, Option<Seq>),
        out: &mut Out<'_, Self>,
    ) {
        let Some(listener) = self.listeners.get_mut(&id) else {
            return out.drop(Reason::TcpNoConnection, ());
        };
        let full = listener.requests_full() || self.requests.len() >= self.config.max_half_open;
        // A number that must lie beyond old ones has no place for a cookie.
        let cookie = beyond.is_none()
            && match self.config.syn_cookies {
                SynCookies::Off => false,
                SynCookies::WhenFull => full,
                SynCookies::Always => true,
            };
        if listener.accepts_full() {
            // There is no use in a handshake that cannot be completed.
            self.stats.listen_overflows += 1;
            self.stats.listen_drops += 1;
            return out.drop(Reason::TcpBacklogFull, ());
        }
        if full && !cookie {
            self.stats.req_q_full_drop += 1;
            self.stats.listen_drops += 1;
            return out.drop(Reason::TcpBacklogFull, ());
        }
        if self.table.len() >= self.config.max_connections || self.memory.is_exhausted() {
            self.stats.listen_drops += 1;
            return out.drop(Reason::TcpTableFull, ());
        }
        out.ledger.count_consumed();
        if cookie {
            self.stats.req_q_full_do_cookies += 1;
            listener.overflow(now);
            let options = listener.options.clone();
            return self.send_cookie(now, options, segment, mtu, out);
        }
        listener.requested();
        let options = listener.options.clone();
        self.request(now, id, segment, options, (mtu, beyond), out);
    }

    /// Answers a SYN and remembers it.
    fn request(
        &mut self,
        now: Instant,
        id: SocketId,
        segment: &Segment,
        options: Arc<TcpOptions>,
        (mtu, beyond): (u32, Option<Seq>),
        out: &mut Out<'_, Self>,
    ) {
        let ends = listening_ends(segment, &options);
        let isn = self.isn.isn(now, ends.local, ends.remote);
        // RFC 9293 3.6.1 MAY-2: larger than any number of the connection before. Linux's distance.
        let isn = beyond.map_or(isn, |old| isn.max(old.plus(65_537)));
        let numbers = (isn, self.isn.stamp_offset(ends.local, ends.remote));
        let peer = PeerSyn::of(segment);
        let mut opening = half_open(id, numbers, peer, mtu, options, now);
        opening.ecn.arrived(segment.flags);
        let Self { stats, config, .. } = self;
        opening.transmit(&ends, &mut Io { now, out, stats, config });
        let key = self.requests.insert(Request::new(id, &ends, &opening, peer));
        self.requests.wait(key, opening.retransmit.unwrap_or(now));
    }

    /// A half-open connection of this listener is complete or gone.
    fn leave_backlog(&mut self, listener: SocketId) {
        if let Some(listener) = self.listeners.get_mut(&listener) {
            listener.answered();
        }
    }

    /// Forgets a half-open connection.
    fn drop_request(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.remove(key) {
            self.leave_backlog(request.listener);
        }
    }

    /// The opening that a request stands for. `None` if nobody listens any more.
    fn inflate(&mut self, key: RequestKey) -> Option<(Ends, Opening)> {
        let request = self.requests.get_mut(key)?;
        let options = self.listeners.get(&request.listener)?.options.clone();
        let Tuple { local, remote } = request.tuple();
        let ends =
            Ends { id: SocketId::default(), local, remote, ttl: options.ttl, tos: options.tos };
        let opening = request.opening(options, self.isn.stamp_offset(local, remote));
        Some((ends, opening))
    }

    /// A segment for a half-open connection.
    pub(super) fn request_arrives(
        &mut self,
        key: RequestKey,
        now: Instant,
        segment: Segment,
        mtu: u32,
        out: &mut Out<'_, Self>,
    ) {
        let Some((ends, mut opening)) = self.inflate(key) else {
            // RFC 9293 3.10.7.1: the listener has gone, and its half-open connections with it.
            self.drop_request(key);
            return self.unknown(now, segment, mtu, None, out);
        };
        let Origin::Passive(listener) = opening.origin else { return };
        let others = Flags::SYN.0 | Flags::RST.0;
        let completes = segment.flags.0 & (Flags::ACK.0 | others) == Flags::ACK.0
            && segment.ack == opening.iss.plus(1);
        if completes && !self.may_complete(listener) {
            // As Linux with tcp_abort_on_overflow 0: our SYN-ACK comes again, and its answer.
            return out.drop(Reason::TcpBacklogFull, segment);
        }
        let Self { stats, config, .. } = self;
        let outcome = opening.arrives(&ends, &mut Io { now, out, stats, config }, segment);
        self.follow_request(key, now, outcome, (ends, &opening), out);
    }

    /// Acts on what became of a half-open connection.
    fn follow_request(
        &mut self,
        key: RequestKey,
        now: Instant,
        outcome: Outcome,
        (ends, opening): (Ends, &Opening),
        out: &mut Out<'_, Self>,
    ) {
        match outcome {
            Outcome::Stay => {
                if let Some(request) = self.requests.get_mut(key) {
                    request.keep(opening);
                }
            }
            Outcome::Open(open, segment) => {
                self.drop_request(key);
                self.complete(now, ends, open, segment, out);
            }
            Outcome::Failed(_) | Outcome::Vanished => {
                self.stats.attempt_fails += 1;
                self.drop_request(key);
            }
        }
    }

    /// Is there room for one more connection? Counts if there is not.
    fn may_complete(&mut self, listener: SocketId) -> bool {
        let overflow = self.listeners.get(&listener).is_none_or(Listener::accepts_full);
        let room = !overflow && !self.is_full();
        self.stats.listen_overflows += u64::from(overflow);
        self.stats.listen_drops += u64::from(!room);
        room
    }

    /// A handshake that a peer began is complete: now it is a connection.
    fn complete(
        &mut self,
        now: Instant,
        mut ends: Ends,
        open: Box<Open>,
        segment: Option<Segment>,
        out: &mut Out<'_, Self>,
    ) {
        ends.id = SocketId(self.next_accepted);
        self.next_accepted += 1;
        self.stats.passive_opens += 1;
        if let Some(listener) = open.listener.and_then(|id| self.listeners.get_mut(&id)) {
            listener.completed();
        }
        let Self { stats, config, .. } = self;
        let io = &mut Io { now, out, stats, config };
        note_state(&ends, io, TcpState::SynReceived, open.state);
        open.note_window(&ends, io);
        let key = self.insert(ends, Phase::Open(open));
        if let Some(segment) = segment {
            self.deliver_rest(key, now, segment, out);
        }
        self.mark_due(key);
        self.hint(key);
    }

    /// Sends SYN-ACKs again, or gives up.
    pub(super) fn poll_requests(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        while out.down.room() > 0
            && let Some(key) = self.requests.pop_due(now)
        {
            let Some((ends, mut opening)) = self.inflate(key) else {
                self.drop_request(key);
                continue;
            };
            opening.retransmit = Some(now);
            let Self { stats, config, .. } = self;
            let outcome = opening.on_timer(&ends, &mut Io { now, out, stats, config });
            self.follow_request(key, now, outcome, (ends, &opening), out);
            self.requests.wait(key, opening.retransmit.unwrap_or(now));
        }
    }

    /// RFC 9293 3.9.2.2 MUST-54: an ICMP error about a SYN-ACK of ours, if `seq` is its number.
    pub(super) fn request_error(
        &mut self,
        tuple: &Tuple,
        seq: Seq,
        error: IpError,
        out: &mut Out<'_, Self>,
    ) {
        let key = self.requests.find(tuple);
        // RFC 5927 4.1: only for a segment that is really out.
        let ours = key.filter(|&key| self.requests.get_mut(key).is_some_and(|r| r.iss == seq));
        let Some(key) = ours else { return out.drop(Reason::TcpErrorUnclaimed, error) };
        if fatal_while_opening(&error) {
            self.stats.attempt_fails += 1;
            self.drop_request(key);
        }
        out.consume(error);
    }

    /// RFC 4987 3.6: answers a SYN and remembers nothing.
    fn send_cookie(
        &mut self,
        now: Instant,
        options: Arc<TcpOptions>,
        segment: &Segment,
        mtu: u32,
        out: &mut Out<'_, Self>,
    ) {
        let ends = listening_ends(segment, &options);
        let tuple = Tuple { local: ends.local, remote: ends.remote };
        let mut peer = PeerSyn::of(segment);
        let mut ecn = Handshake::default();
        ecn.arrived(segment.flags);
        let carried = Carried {
            scale: peer.options.window_scale,
            sack: peer.options.sack_permitted,
            ecn: ecn.is_asked() && self.config.ecn != EcnPolicy::Off,
        };
        if peer.options.timestamps.is_none() || !self.config.timestamps {
            // Nothing would bring them back.
            peer.options = Options { mss: peer.options.mss, ..Options::default() };
            ecn = Handshake::default();
        }
        let offset = self.isn.stamp_offset(ends.local, ends.remote);
        let stamp = carried.stamp(offset, now);
        let mut opening = half_open(SocketId::default(), (Seq(0), 0), peer, mtu, options, now);
        // The clock is bent so that it shows the stamp: this opening ends with this function.
        opening.stamp_offset = stamp.wrapping_sub(clock(0, now));
        opening.forgetful(&self.config);
        let mss = u16::try_from(opening.send_mss(&ends)).unwrap_or(u16::MAX);
        opening.ecn = ecn;
        opening.iss = self.cookies.make(now, &tuple, peer.irs, mss);
        self.stats.syncookies_sent += 1;
        let Self { stats, config, .. } = self;
        opening.transmit(&ends, &mut Io { now, out, stats, config });
    }

    /// An acknowledgement that belongs to nothing, for a listener: perhaps a cookie comes back.
    /// Gives the segment back if it has no part in this.
    pub(super) fn cookie_arrives(
        &mut self,
        now: Instant,
        id: SocketId,
        segment: Segment,
        mtu: u32,
        out: &mut Out<'_, Self>,
    ) -> Option<Segment> {
        let others = Flags::SYN.0 | Flags::RST.0;
        let bare_ack = segment.flags.0 & (Flags::ACK.0 | others) == Flags::ACK.0;
        let on = self.config.syn_cookies != SynCookies::Off;
        let Some(listener) = self.listeners.get(&id) else { return Some(segment) };
        if !bare_ack || !on || !listener.expects_cookies(now) {
            return Some(segment);
        }
        let options = listener.options.clone();
        let ends = listening_ends(&segment, &options);
        let tuple = Tuple { local: ends.local, remote: ends.remote };
        let (irs, iss) = (segment.seq.minus(1), segment.ack.minus(1));
        let Some(mss) = self.cookies.check(now, &tuple, irs, iss) else {
            self.stats.syncookies_failed += 1;
            return Some(segment);
        };
        self.stats.syncookies_recv += 1;
        if !self.may_complete(id) {
            out.drop(Reason::TcpBacklogFull, segment);
            return None;
        }
        let offset = self.isn.stamp_offset(ends.local, ends.remote);
        let peer = self.remembered(irs, mss, offset, &segment);
        let mut opening = half_open(id, (iss, offset), peer, mtu, options, now);
        opening.sent_at = None;
        opening.forgetful(&self.config);
        let stamps = segment.options.timestamps.filter(|_| self.config.timestamps);
        if stamps.is_some_and(|stamps| Carried::read(offset, stamps.echo).ecn) {
            opening.ecn = Handshake::agreed();
        }
        let Self { stats, config, .. } = self;
        let outcome = opening.arrives(&ends, &mut Io { now, out, stats, config }, segment);
        if let Outcome::Open(open, segment) = outcome {
            self.complete(now, ends, open, segment, out);
        }
        None
    }

    /// What the SYN had said, as far as cookie and timestamp tell it.
    fn remembered(&self, irs: Seq, mss: u16, offset: u32, segment: &Segment) -> PeerSyn {
        let stamps = segment.options.timestamps.filter(|_| self.config.timestamps);
        let carried = stamps.map(|stamps| Carried::read(offset, stamps.echo));
        let options = Options {
            mss: Some(mss),
            window_scale: carried.and_then(|carried| carried.scale),
            sack_permitted: carried.is_some_and(|carried| carried.sack),
            timestamps: stamps,
            ..Options::default()
        };
        PeerSyn { irs, window: segment.window, options }
    }
}

/// SYN-RECEIVED after a passive open.
fn half_open(
    listener: SocketId,
    numbers: (Seq, u32),
    peer: PeerSyn,
    mtu: u32,
    options: Arc<TcpOptions>,
    now: Instant,
) -> Opening {
    let (state, origin) = (TcpState::SynReceived, Origin::Passive(listener));
    Opening::new(state, origin, numbers, Some(peer), mtu, options, now)
}

/// The ends of what opens by this segment, before it has an id.
fn listening_ends(segment: &Segment, options: &TcpOptions) -> Ends {
    let mut ends = ends_of(segment, SocketId::default());
    (ends.ttl, ends.tos) = (options.ttl, options.tos);
    ends
}
