//! What comes from below: segments to their connections, listeners, or nobody; errors; routes.

use core::net::{IpAddr, SocketAddr};

use layer::boundary::{Cast, CloseReason, Datagram, IpError, IpErrorKind, Reachability, SocketId};
use layer::{Instant, Out, Reason};

use super::Tcp;
use crate::conn::closing::reset_for;
use crate::conn::meter::pieces;
use crate::conn::opening::Outcome;
use crate::conn::output::emit;
use crate::conn::{Connection, Ends, Fate, Io, Open, Phase};
use crate::segment::{Flags, Segment};
use crate::seq::Seq;
use crate::table::{Key, Tuple};

/// What a segment led to, by the phase of its connection.
enum Led {
    Opening(Outcome),
    Open(Fate),
    Nothing,
}

impl Tcp {
    /// A datagram for TCP.
    pub(super) fn datagram(&mut self, now: Instant, datagram: Datagram, out: &mut Out<'_, Self>) {
        self.now = now;
        self.stats.in_segs += u64::from(pieces(&datagram.packet));
        let (cast, mtu) = (datagram.cast, datagram.mtu);
        let segment = match Segment::read(datagram) {
            Ok(segment) => segment,
            Err(reason) => {
                self.stats.in_errs += 1;
                self.stats.in_csum_errors += u64::from(reason == Reason::TcpBadChecksum);
                out.drop(reason, ());
                return;
            }
        };
        // RFC 9293 3.9.2.3 MUST-57, MUST-63: not to groups, and not from what is no host.
        if cast != Cast::Unicast || !is_possible(segment.source) {
            out.drop(Reason::TcpNotUnicast, segment);
            return;
        }
        let tuple = Tuple { local: segment.destination, remote: segment.source };
        match self.table.find(&tuple) {
            Some(key) => self.deliver(key, now, segment, out),
            None => match self.requests.find(&tuple) {
                Some(key) => self.request_arrives(key, now, segment, mtu, out),
                None => self.dead_or_unknown(now, &tuple, segment, mtu, out),
            },
        }
    }

    /// A segment for a connection in the table.
    fn deliver(&mut self, key: Key, now: Instant, segment: Segment, out: &mut Out<'_, Self>) {
        self.allow(key);
        let Self { table, stats, config, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        let io = &mut Io { now, out, stats, config };
        let Connection { ends, phase, .. } = connection;
        let led = match phase {
            Phase::Opening(opening) => Led::Opening(opening.arrives(ends, io, segment)),
            Phase::Open(open) => Led::Open(open.arrives(ends, io, segment)),
            // An idle one was woken a moment ago.
            Phase::Idle(_) | Phase::Over(_) => {
                io.out.drop(Reason::TcpNoConnection, segment);
                Led::Nothing
            }
        };
        match led {
            Led::Opening(outcome) => self.follow_opening(key, now, outcome, out),
            Led::Open(fate) => {
                self.follow(key, now, fate, out);
                self.mark_due(key);
            }
            Led::Nothing => {}
        }
        self.settle(key);
        self.hint(key);
    }

    /// The rest of the segment that completed a handshake.
    pub(super) fn deliver_rest(
        &mut self,
        key: Key,
        now: Instant,
        segment: Segment,
        out: &mut Out<'_, Self>,
    ) {
        let Self { table, stats, config, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        let Phase::Open(open) = &mut connection.phase else { return };
        let io = &mut Io { now, out, stats, config };
        let fate = open.arrives(&connection.ends, io, segment);
        self.follow(key, now, fate, out);
    }

    /// A handshake of ours is complete.
    pub(super) fn opened(
        &mut self,
        key: Key,
        mut open: Box<Open>,
        now: Instant,
        out: &mut Out<'_, Self>,
    ) {
        let Self { table, stats, config, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        open.note_window(&connection.ends, &mut Io { now, out, stats, config });
        open.orphan = connection.orphan;
        connection.phase = Phase::Open(open);
    }

    /// A segment without a connection: for a listener, or for nobody (RFC 9293 3.10.7.1, .2).
    /// A SYN that reopens a connection in TIME-WAIT has to begin `beyond` the old numbers.
    pub(super) fn unknown(
        &mut self,
        now: Instant,
        segment: Segment,
        mtu: u32,
        beyond: Option<Seq>,
        out: &mut Out<'_, Self>,
    ) {
        let tuple = Tuple { local: segment.destination, remote: segment.source };
        let listener = self.ports.listener(tuple.local, self.requests.flow(&tuple));
        let (syn, others) = (Flags::SYN, Flags::ACK.0 | Flags::RST.0);
        if let Some(listener) = listener
            && segment.flags.has(syn)
            && segment.flags.0 & others == 0
        {
            self.passive_open(now, listener, &segment, (mtu, beyond), out);
            return;
        }
        let segment = match listener {
            Some(listener) => match self.cookie_arrives(now, listener, segment, mtu, out) {
                Some(segment) => segment,
                None => return,
            },
            None => segment,
        };
        if listener.is_some() && segment.flags.0 & (syn.0 | others) == 0 {
            // RFC 9293 3.10.7.2: neither SYN, ACK nor RST: dropped, not answered.
            out.drop(Reason::TcpBadFlags, segment);
            return;
        }
        if let Some(mut reset) = reset_for(&segment) {
            if segment.flags.has(Flags::ACK) {
                reset.ack = Seq(0);
            }
            self.stats.out_rsts += 1;
            let ends = ends_of(&segment, SocketId::default());
            let Self { stats, config, .. } = self;
            emit(&mut Io { now, out, stats, config }, &ends, reset, Reachability::Unknown);
        }
        out.drop(Reason::TcpNoConnection, segment);
    }

    /// Puts a connection in the table and starts its timer.
    pub(super) fn insert(&mut self, ends: Ends, phase: Phase) -> Key {
        self.ports.connected(ends.local.port());
        let key = self.table.insert(Connection {
            ends,
            phase,
            orphan: false,
            due: false,
            charged: 0,
            starved: false,
            stirred: false,
            hinted: None,
        });
        self.hint(key);
        key
    }

    /// RFC 9293 3.9.2.2 MUST-54: an ICMP error finds the connection it is about.
    pub(super) fn error(&mut self, now: Instant, error: IpError, out: &mut Out<'_, Self>) {
        let quoted = quoted_ports(&error);
        let found = quoted.map(|(source, destination, seq)| {
            let local = SocketAddr::new(error.source, source);
            let remote = SocketAddr::new(error.destination, destination);
            (Tuple { local, remote }, seq)
        });
        let Some((tuple, seq)) = found else {
            out.drop(Reason::TcpErrorUnclaimed, error);
            return;
        };
        let Some(key) = self.table.find(&tuple) else {
            return self.request_error(&tuple, seq, error, out);
        };
        if let IpErrorKind::FragmentationNeeded { mtu } = error.kind {
            return self.too_big(now, (key, seq), mtu, error, out);
        }
        self.awake(key);
        let Some(connection) = self.table.get_mut(key) else { return };
        let told = error.kind.socket_error();
        let refused = match &mut connection.phase {
            // RFC 5927 4.1: only for a segment that is really out.
            Phase::Opening(opening) if opening.iss == seq => {
                opening.soft_error = Some(told);
                fatal_while_opening(&error)
            }
            Phase::Open(open) if seq.within(open.snd.una, open.snd.flight().max(1)) => {
                // RFC 9293 3.9.2.2 MUST-56, RFC 5461: never fatal once synchronized.
                open.tell.soft_error = Some(told);
                open.patience.trouble(told);
                false
            }
            Phase::Opening(_) | Phase::Open(_) | Phase::Idle(_) | Phase::Over(_) => {
                out.drop(Reason::TcpErrorUnclaimed, error);
                return;
            }
        };
        out.consume(error);
        if refused {
            self.stats.attempt_fails += 1;
            self.end(key, now, CloseReason::Failed(told), out);
        } else {
            self.mark_due(key);
        }
    }
}

/// Whether a host can have this address and port. Which of ours it must not be, IP knows.
fn is_possible(source: SocketAddr) -> bool {
    let host = match source.ip() {
        // 240/4 is reserved, and the last of it is a broadcast (RFC 1122 3.2.1.3).
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip.octets()[0] < 240,
        // An IPv4 address in IPv6 form is not for the wire (RFC 4291 2.5.5.2).
        IpAddr::V6(ip) => {
            !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none()
        }
    };
    host && source.port() != 0
}

pub(super) fn ends_of(segment: &Segment, id: SocketId) -> Ends {
    Ends { id, local: segment.destination, remote: segment.source, ttl: None, tos: 0 }
}

/// RFC 9293 3.9.2.2 SHLD-26 as RFC 5461 practises it: hard errors end an opening. What we know
/// ourselves does too, as on Linux: a neighbour that does not answer is EHOSTUNREACH.
pub(super) fn fatal_while_opening(error: &IpError) -> bool {
    match error.kind {
        IpErrorKind::ProtocolUnreachable
        | IpErrorKind::PortUnreachable
        | IpErrorKind::NoRoute
        | IpErrorKind::NoSource
        | IpErrorKind::NeighbourFailed => true,
        IpErrorKind::NetUnreachable
        | IpErrorKind::HostUnreachable
        | IpErrorKind::FragmentationNeeded { .. }
        | IpErrorKind::SourceRouteFailed
        | IpErrorKind::Prohibited
        | IpErrorKind::TtlExceeded
        | IpErrorKind::ReassemblyTimeExceeded
        | IpErrorKind::ParameterProblem { .. } => false,
    }
}

/// Source port, destination port and sequence number of the quoted segment of ours.
fn quoted_ports(error: &IpError) -> Option<(u16, u16, Seq)> {
    let mut quote = [0; 8];
    if error.quote.copy_to(&mut quote) < quote.len() {
        return None;
    }
    let [a, b, c, d, e, f, g, h] = quote;
    let seq = Seq(u32::from_be_bytes([e, f, g, h]));
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), seq))
}
