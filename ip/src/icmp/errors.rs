//! ICMP errors: when to send one and when not to (RFC 1122 3.2.2), and what one received means.

use core::hash::Hasher;
use core::net::IpAddr;

use layer::boundary::{Cast, IpError, IpErrorKind, IpIn, Reachability, Send, protocol};
use layer::{Instant, Note, Out, PacketBuf, Reason};
use siphasher::sip::SipHasher13;

use super::Icmp;
use super::message::{HEADER, Message, kind};
use crate::Ip;
use crate::header::Header;
use crate::receive::Arrival;

/// RFC 1812 4.3.2.3: as much of the packet as leaves the message within 576 bytes.
const QUOTE: usize = 576 - crate::header::HEADER - HEADER;

/// The least of a quote that names the transport's ports (RFC 792).
const QUOTED_TRANSPORT: usize = 8;

/// What we complain about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// Nobody above speaks the protocol.
    ProtocolUnreachable,
    /// No program has the port.
    PortUnreachable,
    /// Fragments did not all come in time.
    ReassemblyTimeExceeded,
    /// The header's byte at `pointer` makes no sense.
    ParameterProblem { pointer: u8 },
}

impl Complaint {
    fn message(self) -> Message {
        let (kind, code, first) = match self {
            Self::ProtocolUnreachable => (kind::UNREACHABLE, 2, 0),
            Self::PortUnreachable => (kind::UNREACHABLE, 3, 0),
            Self::ReassemblyTimeExceeded => (kind::TIME_EXCEEDED, 1, 0),
            // RFC 792 parameter-problem: the pointer is the octet in question.
            Self::ParameterProblem { pointer } => (kind::PARAMETER_PROBLEM, 0, pointer),
        };
        Message { kind, code, rest: [first, 0, 0, 0] }
    }
}

/// RFC 1122 3.2.2: an ICMP error about this packet may be sent. `transport` is what follows its IP
/// header.
pub(crate) fn icmp_allowed(header: &Header, cast: Cast, transport: &[u8]) -> bool {
    // Never about an ICMP error, nor about what might be one: errors would breed errors.
    let about_error = header.protocol == protocol::ICMP
        && !transport.first().is_some_and(|&kind| kind::is_query(kind));
    // Never about a broadcast or multicast, of the link or of IP: a whole subnet would answer.
    let to_many = match cast {
        Cast::Unicast => header.destination.is_multicast() || header.destination.is_broadcast(),
        Cast::Broadcast | Cast::Multicast => true,
    };
    // Never about a fragment other than the first: one error a datagram.
    let later_fragment = header.offset != 0;
    // Never to a source that is no single host. A loopback source passes: from a wire it has been
    // dropped as a martian, so it is our own, and so is the answer.
    let to_nobody = matches!(header.source.octets(), [0 | 224.., ..]);
    !(about_error || to_many || later_fragment || to_nobody)
}

impl Icmp {
    /// One error more keeps within the limit. It costs one to three tokens, by a keyed hash: an
    /// outsider who counts our errors learns little about those sent to others (as in Linux since
    /// SAD DNS, CVE-2020-25705).
    fn error_within_limit(&mut self, now: Instant) -> bool {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(self.errors_sent);
        let sent = self.errors.take(now, 1 + hasher.finish() % 3);
        self.errors_sent += u64::from(sent);
        sent
    }
}

impl Ip {
    /// Sends an ICMP error about a packet, given from its IP header on, where that is allowed and
    /// within the limit. True if it was sent.
    pub(crate) fn complain(
        &mut self,
        now: Instant,
        complaint: Complaint,
        arrival: &Arrival,
        about: &PacketBuf,
        out: &mut Out<'_, Self>,
    ) -> bool {
        let Arrival { interface: _, cast, mtu: _, header } = *arrival;
        let transport = about.head().get(header.header_len..).unwrap_or_default();
        if !icmp_allowed(&header, cast, transport) {
            return false;
        }
        if !self.icmp.error_within_limit(now) {
            self.counters.icmp_out_rate_limited += 1;
            return false;
        }
        let message = complaint.message();
        // RFC 1122 3.2.2: the header and at least 8 bytes, unchanged.
        let mut packet = about.share(0, QUOTE);
        message.prepend_to(&mut packet);
        let send = Send {
            interface: None,
            // From the address the packet was sent to.
            source: Some(IpAddr::V4(header.destination)),
            destination: IpAddr::V4(header.source),
            protocol: protocol::ICMP,
            ttl: None,
            tos: 0,
            dont_fragment: false,
            reachability: Reachability::Unknown,
            packet,
        };
        if !self.send_icmp(send, out) {
            return false;
        }
        match complaint {
            Complaint::ProtocolUnreachable | Complaint::PortUnreachable => {
                self.counters.icmp_out_unreachables += 1;
            }
            Complaint::ReassemblyTimeExceeded => self.counters.icmp_out_time_exceeded += 1,
            Complaint::ParameterProblem { .. } => self.counters.icmp_out_parameter_problems += 1,
        }
        let (kind, code, peer) = (message.kind, message.code, IpAddr::V4(header.source));
        out.note(|| Note::Icmp { kind, code, peer, sent: true });
        true
    }

    /// An ICMP error about a packet of ours: told to the transport that sent it.
    pub(super) fn receive_error(
        &mut self,
        arrival: &Arrival,
        message: Message,
        mut packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        match message.kind {
            kind::UNREACHABLE => self.counters.icmp_in_unreachables += 1,
            kind::TIME_EXCEEDED => self.counters.icmp_in_time_exceeded += 1,
            _parameter_problem => self.counters.icmp_in_parameter_problems += 1,
        }
        let Some(error) = meaning(message) else {
            return out.drop(Reason::IcmpIgnored, packet);
        };
        packet.advance(HEADER);
        let Some(quoted) = read_quote(&mut packet) else {
            self.counters.icmp_in_errors += 1;
            return out.drop(Reason::IcmpBadQuote, packet);
        };
        // An error about a packet we did not send is a mistake or a forgery; later fragments name
        // no ports; errors to many are nonsense.
        if !self.is_local(quoted.source) || quoted.offset != 0 || arrival.cast != Cast::Unicast {
            self.counters.icmp_in_errors += 1;
            return out.drop(Reason::IcmpBadQuote, packet);
        }
        let reporter = IpAddr::V4(arrival.header.source);
        if quoted.protocol == protocol::ICMP {
            packet.advance(quoted.header_len);
            let destination = quoted.destination;
            return match self.ping_failed(destination, Some(reporter), error, &mut packet, out) {
                true => out.consume(packet),
                false => out.drop(Reason::IcmpIgnored, packet),
            };
        }
        if !self.protocols.contains(&quoted.protocol) {
            return out.drop(Reason::IcmpIgnored, packet);
        }
        let (kind, code) = (message.kind, message.code);
        out.note(|| Note::Icmp { kind, code, peer: reporter, sent: false });
        packet.advance(quoted.header_len);
        // RFC 1122 3.2.2.1, 3.2.2.4, 3.2.2.5: handed to the transport; RFC 9293 MUST-54 needs the
        // quote to find the connection.
        out.up.push(IpIn::Error(IpError {
            interface: arrival.interface,
            kind: error,
            reporter: Some(reporter),
            source: IpAddr::V4(quoted.source),
            destination: IpAddr::V4(quoted.destination),
            protocol: quoted.protocol,
            length: u32::try_from(quoted.total_len).unwrap_or(u32::MAX),
            quote: packet,
        }));
    }
}

/// The header of the packet an error quotes, if there is one with 8 bytes after it.
fn read_quote(packet: &mut PacketBuf) -> Option<Header> {
    let available = packet.len().min(crate::header::MAX_HEADER + QUOTED_TRANSPORT);
    if !packet.pull(available) {
        return None;
    }
    let header = Header::read(packet.head())?;
    (packet.len() >= header.header_len + QUOTED_TRANSPORT).then_some(header)
}

/// What an error says; `None` for codes without a meaning.
fn meaning(message: Message) -> Option<IpErrorKind> {
    let [pointer, _, high, low] = message.rest;
    Some(match (message.kind, message.code) {
        (kind::UNREACHABLE, 0 | 6 | 11) => IpErrorKind::NetUnreachable,
        (kind::UNREACHABLE, 1 | 7 | 8 | 12) => IpErrorKind::HostUnreachable,
        (kind::UNREACHABLE, 2) => IpErrorKind::ProtocolUnreachable,
        (kind::UNREACHABLE, 3) => IpErrorKind::PortUnreachable,
        (kind::UNREACHABLE, 4) => {
            IpErrorKind::FragmentationNeeded { mtu: u32::from(u16::from_be_bytes([high, low])) }
        }
        (kind::UNREACHABLE, 5) => IpErrorKind::SourceRouteFailed,
        (kind::UNREACHABLE, 9 | 10 | 13 | 14 | 15) => IpErrorKind::Prohibited,
        (kind::TIME_EXCEEDED, 0) => IpErrorKind::TtlExceeded,
        (kind::TIME_EXCEEDED, 1) => IpErrorKind::ReassemblyTimeExceeded,
        (kind::PARAMETER_PROBLEM, _) => {
            IpErrorKind::ParameterProblem { pointer: u32::from(pointer) }
        }
        _no_meaning => return None,
    })
}
