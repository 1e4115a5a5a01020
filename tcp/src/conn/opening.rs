//! SYN-SENT and SYN-RECEIVED: the handshake, both ways and simultaneous (RFC 9293 3.5, 3.10.7.3).

use std::sync::Arc;

use layer::Instant;
use layer::boundary::{Reachability, SocketError, SocketId, TcpOptions, TcpState};
use layer::{Duration, Reason};

use crate::cc;
use crate::config::Config;
use crate::conn::guard::limit;
use crate::conn::keepalive::KeepAlive;
use crate::conn::meter::Meter;
use crate::conn::output::emit;
use crate::conn::patience::Patience;
use crate::conn::{Ends, Io, Open, Tell, note_state, state};
use crate::options::{Options, Timestamps};
use crate::recv::Receiver;
use crate::recv::paws::{Stamps, clock};
use crate::recv::sack::SackReport;
use crate::segment::{Flags, Segment};
use crate::send::ecn::Handshake;
use crate::send::mtu::PathMtu;
use crate::send::room::Room;
use crate::send::rtt::RttEstimator;
use crate::send::window::SendWindow;
use crate::send::{Fin, Sender};
use crate::seq::Seq;
use crate::timers::{Timers, fired};

/// RFC 9293 3.7.1 MUST-15: what a peer can take that does not say, IPv4 and IPv6.
const DEFAULT_MSS: (u16, u16) = (536, 1220);

/// No peer may make us send less than this at a time: tiny segments are an attack (CVE-2019-11479;
/// Linux's `tcp_min_snd_mss`).
const LEAST_MSS: u16 = 48;

/// Who began. RFC 9293 3.5 MUST-11: SYN-RECEIVED remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Our application called.
    Active,
    /// A listener answered.
    Passive(SocketId),
}

/// A connection that is not synchronized yet.
#[derive(Debug)]
pub struct Opening {
    /// SYN-SENT or SYN-RECEIVED.
    pub state: TcpState,
    /// Who began.
    pub origin: Origin,
    /// Our initial number.
    pub iss: Seq,
    /// What the peer's SYN said, once it is here.
    pub peer: Option<PeerSyn>,
    /// Largest IP packet of the interface, bytes.
    pub mtu: u32,
    /// Socket options.
    pub options: Arc<TcpOptions>,
    /// When the SYN is sent again.
    pub retransmit: Option<Instant>,
    /// Resends so far.
    pub retries: u32,
    /// When a segment that should not have come was last answered (RFC 5961 7).
    pub challenged: Option<Instant>,
    /// What is added to our timestamp clock on this connection.
    pub stamp_offset: u32,
    /// When the first SYN left, for the first round-trip sample; a cookie does not know it.
    pub sent_at: Option<Instant>,
    /// What the SYNs said about ECN.
    pub ecn: Handshake,
    /// The application has already closed its sending side.
    pub shutdown: bool,
    /// The window scale that our first SYN named: it stays in force whatever becomes of the buffer.
    pub scale: Option<u8>,
    /// The window that it offered: no less is accepted, whatever becomes of the buffer.
    pub offered: Option<u16>,
    /// The application told us the last soft error to remember (RFC 9293 3.9.2.2).
    pub soft_error: Option<SocketError>,
}

/// What a SYN says about its sender.
#[derive(Clone, Copy, Debug)]
pub struct PeerSyn {
    /// IRS.
    pub irs: Seq,
    /// Its window, never scaled.
    pub window: u16,
    /// Its options.
    pub options: Options,
}

/// What becomes of an opening.
pub enum Outcome {
    /// It waits on.
    Stay,
    /// It is synchronized; the segment goes on from the fifth step.
    Open(Box<Open>, Option<Segment>),
    /// It failed.
    Failed(SocketError),
    /// A passive one ended: the listener goes on as if nothing had been.
    Vanished,
}

/// The smallest shift, `least` or more, with which a window field can say `capacity`.
fn scale_for(capacity: u32, least: u8) -> u8 {
    (least..Options::MAX_SCALE)
        .find(|&shift| (65_535_u32 << shift) >= capacity)
        .unwrap_or(Options::MAX_SCALE)
}

impl PeerSyn {
    /// From a segment with SYN.
    pub fn of(segment: &Segment) -> Self {
        Self { irs: segment.seq, window: segment.window, options: segment.options }
    }
}

impl Opening {
    /// A new opening in `state`. The caller sends its first segment with [`Opening::transmit`].
    pub fn new(
        state: TcpState,
        origin: Origin,
        (iss, stamp_offset): (Seq, u32),
        peer: Option<PeerSyn>,
        mtu: u32,
        options: Arc<TcpOptions>,
        now: Instant,
    ) -> Self {
        Self {
            state,
            origin,
            iss,
            peer,
            mtu,
            options,
            retransmit: None,
            retries: 0,
            challenged: None,
            stamp_offset,
            sent_at: Some(now),
            ecn: Handshake::default(),
            shutdown: false,
            scale: None,
            offered: None,
            soft_error: None,
        }
    }

    /// Sends SYN or SYN-ACK, as the state asks, and arms the timer.
    pub fn transmit(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let mut segment = Segment::bare(ends.local, ends.remote, Flags::SYN, self.iss);
        if let (TcpState::SynReceived, Some(peer)) = (self.state, self.peer) {
            segment.flags = Flags::SYN.with(Flags::ACK);
            segment.ack = peer.irs.plus(1);
        }
        self.scale = Some(self.our_scale(io.config));
        let answer = segment.flags.has(Flags::ACK);
        segment.flags = segment.flags.with(self.ecn.bits(io.config.ecn, answer, self.retries));
        // RFC 7323 2: the window in a SYN is never scaled.
        segment.window = u16::try_from(self.offered(io.config)).unwrap_or(u16::MAX);
        self.offered = Some(segment.window);
        segment.options = Options {
            // RFC 9293 3.7.1 MUST-14, SHLD-5, MAY-3: MSS on every SYN.
            mss: Some(self.our_mss(ends)),
            window_scale: self.scaling().then(|| self.our_scale(io.config)),
            sack_permitted: io.config.sack && self.peer_offers(|o| o.sack_permitted),
            timestamps: (io.config.timestamps && self.peer_offers(|o| o.timestamps.is_some()))
                .then(|| Timestamps { value: clock(self.stamp_offset, io.now), echo: self.echo() }),
            ..Options::default()
        };
        emit(io, ends, segment, self.reachability(io.config));
        // RFC 9293 3.8.3 MUST-22: SYNs are resent with back-off like anything else.
        let at = io.now + self.rto(io.config);
        self.retransmit = Some(self.expires().map_or(at, |end| end.min(at)));
    }

    /// The retransmission timeout now, backed off.
    pub fn rto(&self, config: &Config) -> Duration {
        let backoff = 1_u32.checked_shl(self.retries).unwrap_or(u32::MAX);
        config.rto_initial.saturating_mul(backoff).min(config.rto_max * 2)
    }

    /// RFC 9293 3.7.1 MUST-67: what we can take is the path's packet less fixed headers.
    fn our_mss(&self, ends: &Ends) -> u16 {
        let headers = if ends.remote.is_ipv4() { 40 } else { 60 };
        let mss = u16::try_from(self.mtu.saturating_sub(headers)).unwrap_or(u16::MAX);
        mss.min(self.options.max_segment.unwrap_or(u16::MAX)).max(LEAST_MSS)
    }

    /// RFC 9293 3.7.1 MUST-16: the least of what the peer takes and the path carries.
    pub fn send_mss(&self, ends: &Ends) -> u32 {
        let default = if ends.remote.is_ipv4() { DEFAULT_MSS.0 } else { DEFAULT_MSS.1 };
        let theirs = self.peer.and_then(|peer| peer.options.mss).unwrap_or(default);
        u32::from(theirs.max(LEAST_MSS).min(self.our_mss(ends)))
    }

    /// RFC 7323 2.3: the smallest shift that can express the buffer. One that nobody has set may
    /// grow later: at least Linux's 7.
    fn our_scale(&self, config: &Config) -> u8 {
        if let Some(named) = self.scale {
            return named;
        }
        let capacity = self.options.receive_buffer.unwrap_or(config.receive_buffer.most);
        let least = if self.options.receive_buffer.is_some() { 0 } else { 7 };
        scale_for(capacity, least)
    }

    /// The answer is a cookie, which does not remember what scale it named: one that depends on no
    /// option of the listener, which may change before the cookie comes back.
    pub fn forgetful(&mut self, config: &Config) {
        self.scale = Some(scale_for(config.receive_buffer.most, 7));
    }

    fn capacity(&self, config: &Config) -> u32 {
        self.options.receive_buffer.unwrap_or(config.receive_buffer.initial)
    }

    fn offered(&self, config: &Config) -> u32 {
        self.offered.map_or_else(|| self.capacity(config).min(65_535), u32::from)
    }

    /// A first SYN offers everything; an answer only what the peer's SYN offered (RFC 7323 2,
    /// RFC 2018 2).
    fn peer_offers(&self, what: impl Fn(&Options) -> bool) -> bool {
        self.peer.is_none_or(|peer| what(&peer.options))
    }

    fn scaling(&self) -> bool {
        self.peer_offers(|options| options.window_scale.is_some())
    }

    /// The peer's timestamp, to be echoed; 0 before there is one.
    fn echo(&self) -> u32 {
        self.peer.and_then(|peer| peer.options.timestamps).map_or(0, |stamps| stamps.value)
    }

    /// A segment for this opening.
    pub fn arrives(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: Segment) -> Outcome {
        match self.state {
            TcpState::SynSent => self.in_syn_sent(ends, io, segment),
            TcpState::SynReceived => self.in_syn_received(ends, io, segment),
            TcpState::Closed
            | TcpState::Listen
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::CloseWait
            | TcpState::Closing
            | TcpState::LastAck
            | TcpState::TimeWait => unreachable!("an opening is in one of two states"),
        }
    }

    /// RFC 9293 3.10.7.3, in its order: ACK, RST, security, SYN.
    fn in_syn_sent(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: Segment) -> Outcome {
        let has_ack = segment.flags.has(Flags::ACK);
        if has_ack && segment.ack != self.iss.plus(1) {
            if !segment.flags.has(Flags::RST) {
                let mut reset = Segment::bare(ends.local, ends.remote, Flags::RST, segment.ack);
                reset.ack = Seq(0);
                io.stats.out_rsts += 1;
                emit(io, ends, reset, Reachability::Unknown);
            }
            io.out.drop(Reason::TcpBadAck, segment);
            return Outcome::Stay;
        }
        if segment.flags.has(Flags::RST) {
            if !has_ack {
                io.out.drop(Reason::TcpBlindReset, segment);
                return Outcome::Stay;
            }
            io.out.consume(segment);
            return Outcome::Failed(SocketError::ConnectionRefused);
        }
        if !segment.flags.has(Flags::SYN) {
            io.out.drop(Reason::TcpBadFlags, segment);
            return Outcome::Stay;
        }
        self.peer = Some(PeerSyn::of(&segment));
        self.ecn.arrived(segment.flags);
        if has_ack {
            return self.synchronize(ends, io, segment);
        }
        // RFC 9293 3.5 MUST-10: simultaneous open is supported: both SYNs crossed.
        io.out.consume(segment);
        let to = state::follow(self.state, state::Event::Syn);
        note_state(ends, io, self.state, to);
        self.state = to;
        (self.retries, self.sent_at) = (0, Some(io.now));
        self.transmit(ends, io);
        Outcome::Stay
    }

    /// RFC 9293 3.10.7.4 for SYN-RECEIVED: sequence, RST, SYN, ACK. Text that comes early is not
    /// acknowledged and comes again.
    fn in_syn_received(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: Segment) -> Outcome {
        let Some(peer) = self.peer else { return Outcome::Vanished };
        let nxt = peer.irs.plus(1);
        let window = self.offered(io.config);
        let repeated = segment.seq == peer.irs && segment.flags.has(Flags::SYN);
        // RFC 9293 3.5, Figure 8: the peer's half of a simultaneous open, a SYN-ACK, starts at IRS:
        // its ACK is what counts.
        let crossed = repeated && segment.flags.has(Flags::ACK) && self.origin == Origin::Active;
        if repeated {
            self.ecn.arrived(segment.flags);
        }
        let acceptable = segment.seq.within(nxt, window.max(1)) || crossed;
        if !acceptable {
            if repeated && !segment.flags.has(Flags::ACK) {
                // The peer did not get our SYN-ACK. Our own timer goes on: it must come to its end.
                let expires = self.retransmit;
                if limit(&mut self.challenged, io) {
                    self.transmit(ends, io);
                }
                self.retransmit = expires;
                io.out.consume(segment);
                return Outcome::Stay;
            }
            if !segment.flags.has(Flags::RST) {
                self.acknowledge(ends, io, nxt);
            }
            io.out.drop(Reason::TcpOutsideWindow, segment);
            return Outcome::Stay;
        }
        if segment.flags.has(Flags::RST) {
            if segment.seq != nxt {
                self.acknowledge(ends, io, nxt);
                io.out.drop(Reason::TcpBlindReset, segment);
                return Outcome::Stay;
            }
            io.out.consume(segment);
            io.stats.embryonic_rsts += 1;
            return match self.origin {
                Origin::Passive(_) => Outcome::Vanished,
                Origin::Active => Outcome::Failed(SocketError::ConnectionRefused),
            };
        }
        if segment.flags.has(Flags::SYN) && !crossed {
            let outcome = match self.origin {
                // RFC 9293 3.10.7.4, fourth: a passive one returns to LISTEN.
                Origin::Passive(_) => Outcome::Vanished,
                Origin::Active => {
                    // RFC 5961 4, as once synchronized.
                    self.acknowledge(ends, io, nxt);
                    Outcome::Stay
                }
            };
            io.out.drop(Reason::TcpBlindSyn, segment);
            return outcome;
        }
        if !segment.flags.has(Flags::ACK) {
            io.out.drop(Reason::TcpBadFlags, segment);
            return Outcome::Stay;
        }
        // RFC 9293 3.10.7.4: an ACK of anything but our SYN gets a reset.
        if segment.ack != self.iss.plus(1) {
            let reset = Segment::bare(ends.local, ends.remote, Flags::RST, segment.ack);
            io.stats.out_rsts += 1;
            emit(io, ends, reset, Reachability::Unknown);
            io.out.drop(Reason::TcpBadAck, segment);
            return Outcome::Stay;
        }
        self.synchronize(ends, io, segment)
    }

    /// Says where we are, unless that was said a moment ago.
    fn acknowledge(&mut self, ends: &Ends, io: &mut Io<'_, '_>, nxt: Seq) {
        if !limit(&mut self.challenged, io) {
            return;
        }
        let mut ack = Segment::bare(ends.local, ends.remote, Flags::ACK, self.iss.plus(1));
        ack.ack = nxt;
        let scale = if self.scaling() { self.our_scale(io.config) } else { 0 };
        ack.window = u16::try_from(self.offered(io.config) >> scale).unwrap_or(u16::MAX);
        if io.config.timestamps && self.peer_offers(|o| o.timestamps.is_some()) {
            let value = clock(self.stamp_offset, io.now);
            ack.options.timestamps = Some(Timestamps { value, echo: self.echo() });
        }
        emit(io, ends, ack, Reachability::Unknown);
    }

    /// Both SYNs are here and ours is acknowledged: ESTABLISHED.
    fn synchronize(&mut self, ends: &Ends, io: &mut Io<'_, '_>, mut segment: Segment) -> Outcome {
        let Some(peer) = self.peer else { return Outcome::Vanished };
        let (syn_was_lost, stamps) = (self.retries > 0, self.agreed_stamps(peer, io));
        let (ecn, echo) = self.ecn.halves();
        // RFC 6691: the MSS counts fixed headers only; options come out of the text.
        let stamps_len = if stamps.is_some() { 12 } else { 0 };
        let mss = self.send_mss(ends) - stamps_len;
        // RFC 7323 2: only if both SYNs carried the option.
        let (our_scale, their_scale) = match peer.options.window_scale {
            Some(theirs) => (self.our_scale(io.config), theirs),
            None => (0, 0),
        };
        let mut rtt = RttEstimator::new(io.config, syn_was_lost);
        if let (false, Some(sent_at)) = (syn_was_lost, self.sent_at) {
            rtt.sample(io.now.since(sent_at), io.config);
        }
        let in_syn = segment.flags.has(Flags::SYN);
        let field = if in_syn { segment.window } else { peer.window };
        let window = SendWindow::new(field, their_scale, peer.irs, self.iss);
        let mtu = PathMtu::new(mss, ends.remote.ip(), stamps.is_some(), self.iss);
        let mut open = Box::new(Open {
            state: self.state,
            snd: Sender::new(self.iss, mtu, window, rtt),
            rcv: Receiver::new(
                peer.irs,
                self.capacity(io.config),
                self.offered(io.config),
                our_scale,
                mss,
            ),
            cc: cc::by_name(
                self.options.congestion.unwrap_or(io.config.congestion),
                mss,
                syn_was_lost,
            ),
            timers: Timers::default(),
            room: Room::new(self.options.send_buffer.unwrap_or(io.config.send_buffer.initial)),
            options: self.options.clone(),
            tell: Tell { established: true, soft_error: self.soft_error, ..Tell::default() },
            listener: match self.origin {
                Origin::Passive(listener) => Some(listener),
                Origin::Active => None,
            },
            orphan: false,
            patience: Patience::default(),
            keepalive: KeepAlive::new(io.now),
            challenged: None,
            force_one: false,
            bare_arrival: false,
            meter: Meter::new(io.now, self.mtu, u32::from(self.our_mss(ends)) - stamps_len),
        });
        (open.rcv.stamps, open.rcv.echo, open.snd.ecn) = (stamps, echo, ecn);
        // RFC 2018 2: only if both sides agreed.
        open.snd.sack = io.config.sack && peer.options.sack_permitted;
        open.rcv.sack = open.snd.sack.then(SackReport::default);
        open.establish(ends, io);
        if self.shutdown {
            open.snd.fin = Fin::Queued;
            open.enter(state::Event::Close, ends, io);
        }
        if in_syn {
            // RFC 9293 3.10.7.3: the SYN is acknowledged; data with it is processed further on.
            open.rcv.ack.demand();
            segment.flags.0 &= !Flags::SYN.0;
            segment.seq = segment.seq.plus(1);
            // The field was unscaled: it is taken already, not again as if it were scaled.
            segment.window = u16::try_from(u32::from(field) >> their_scale).unwrap_or(field);
            if segment.is_empty() {
                open.meter.arrived(&segment, io.now);
                io.out.consume(segment);
                return Outcome::Open(open, None);
            }
        }
        Outcome::Open(open, Some(segment))
    }

    /// RFC 7323 3: timestamps, if both SYNs carried them.
    fn agreed_stamps(&self, peer: PeerSyn, io: &Io<'_, '_>) -> Option<Stamps> {
        let theirs = peer.options.timestamps.filter(|_| io.config.timestamps)?;
        Some(Stamps::new(self.stamp_offset, theirs.value, io.now))
    }

    /// The timer: sends the SYN again, or gives up.
    pub fn on_timer(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> Outcome {
        if !fired(&mut self.retransmit, io.now) {
            return Outcome::Stay;
        }
        if self.is_hopeless(io) {
            io.stats.abort_on_timeout += 1;
            return match self.origin {
                Origin::Active => Outcome::Failed(self.soft_error.unwrap_or(SocketError::TimedOut)),
                Origin::Passive(_) => Outcome::Vanished,
            };
        }
        self.retries += 1;
        io.stats.retrans_segs += 1;
        io.stats.syn_retrans += 1;
        io.stats.out_segs = io.stats.out_segs.wrapping_sub(1);
        self.transmit(ends, io);
        Outcome::Stay
    }
}
