//! The way up: is it IPv4, is it well formed, is it for us, is it whole, who wants it?
//!
//! Checks come in the order of RFC 1122 3.2.1; each one that fails drops the packet under a reason
//! of its own. The common packet (no options, unicast, whole, TCP or UDP) passes straight through
//! without an allocation.

use core::net::IpAddr;

use layer::boundary::{Cast, Datagram, IpError, IpErrorKind, IpIn, ethertype, protocol};
use layer::{Instant, InterfaceId, Out, PacketBuf, Reason};

use crate::Ip;
use crate::addresses::Destination;
use crate::header::{self, HEADER, Header, OptionFault};
use crate::icmp::Complaint;
use crate::loopback::LOOPBACK_MTU;
use crate::reassembly::Taken;

/// A datagram that passed the checks, or is being checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) interface: InterfaceId,
    /// The stricter of link and IP.
    pub(crate) cast: Cast,
    /// MTU of the way it came, bytes.
    pub(crate) mtu: u32,
    pub(crate) header: Header,
}

impl Ip {
    /// A packet from a wire.
    pub(crate) fn receive_packet(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        link_cast: Cast,
        kind: u16,
        mut packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        self.counters.in_receives += 1;
        // IPv6 is not spoken yet.
        if kind != ethertype::IPV4 {
            self.counters.in_header_errors += 1;
            return out.drop(Reason::IpBadVersion, packet);
        }
        let header = match header::check(&mut packet) {
            Ok(header) => header,
            Err(reason) => {
                self.counters.in_header_errors += 1;
                return out.drop(reason, packet);
            }
        };
        let cast = match self.check_addresses(interface, link_cast, &header) {
            Ok(cast) => cast,
            Err(reason) => {
                self.counters.in_address_errors += 1;
                return out.drop(reason, packet);
            }
        };
        // RFC 1122 3.2.1.7: a datagram for us is not dropped for its TTL, not even for 0 or 1.
        let arrival = Arrival { interface, cast, mtu: self.addresses.mtu(interface), header };
        if header.header_len > HEADER
            && let Err(fault) =
                header::walk_options(packet.header(header.header_len).unwrap_or(&[]))
        {
            return self.refuse_options(now, fault, &arrival, packet, out);
        }
        self.accept(now, arrival, packet, out);
    }

    /// A packet of ours to ourselves: our own header needs no checks.
    pub(crate) fn receive_looped(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        self.counters.in_receives += 1;
        let Some(header) = Header::read(packet.head()) else {
            return out.drop(Reason::IpTruncated, packet);
        };
        let arrival = Arrival { interface, cast: Cast::Unicast, mtu: LOOPBACK_MTU, header };
        self.accept(now, arrival, packet, out);
    }

    /// RFC 1122 3.2.1.3: who may send to whom.
    fn check_addresses(
        &self,
        interface: InterfaceId,
        link_cast: Cast,
        header: &Header,
    ) -> Result<Cast, Reason> {
        let Header { source, destination, .. } = *header;
        // 0/8, 127/8, groups, 240/4 with the limited broadcast: no single host's address.
        // RFC 1112 source: a group is no source.
        if matches!(source.octets(), [0 | 127 | 224.., ..])
            || self.addresses.broadcast_of(source).is_some()
            // Our own address comes back from a wire only by a loop or by forgery.
            || self.addresses.owner(source).is_some()
        {
            return Err(Reason::IpMartianSource);
        }
        if matches!(destination.octets(), [0 | 127, ..]) {
            return Err(Reason::IpMartianDestination);
        }
        match self.addresses.classify(interface, destination) {
            Destination::Ours(_) => match link_cast {
                Cast::Unicast => Ok(Cast::Unicast),
                // RFC 1122 3.3.6: what came by link broadcast for a unicast address is dropped.
                Cast::Broadcast | Cast::Multicast => Err(Reason::IpUnicastInBroadcast),
            },
            Destination::Broadcast => Ok(Cast::Broadcast),
            Destination::Group => Ok(Cast::Multicast),
            // RFC 1112 filter: groups that nobody joined.
            Destination::UnjoinedGroup => Err(Reason::IpUnjoinedGroup),
            // For whatever network we stand for; what came by link broadcast is nobody's.
            Destination::Other if self.any_address && link_cast == Cast::Unicast => {
                Ok(Cast::Unicast)
            }
            // RFC 1122 3.1: a host does not forward.
            Destination::Other => Err(Reason::IpNotForUs),
        }
    }

    fn refuse_options(
        &mut self,
        now: Instant,
        fault: OptionFault,
        arrival: &Arrival,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        self.counters.in_header_errors += 1;
        match fault {
            OptionFault::SourceRoute => out.drop(Reason::IpSourceRoute, packet),
            OptionFault::Malformed { pointer } => {
                // RFC 1122 3.2.2.5: a header we cannot understand draws parameter problem.
                self.complain(now, Complaint::ParameterProblem { pointer }, arrival, &packet, out);
                out.drop(Reason::IpBadOption, packet);
            }
        }
    }

    /// A checked packet, from its IP header on.
    fn accept(
        &mut self,
        now: Instant,
        arrival: Arrival,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        // RFC 6864 4.1: without a fragment the identification means nothing and is not looked at.
        if arrival.header.is_fragment() {
            self.gather(now, &arrival, packet, out);
        } else {
            self.deliver(now, &arrival, packet, out);
        }
    }

    fn gather(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        let Arrival { interface, cast, mtu, header } = *arrival;
        self.counters.reassembly_required += 1;
        let taken = self.reassembly.take(now, interface, cast, &header, &packet);
        match taken {
            // Accounted as held; the bytes were copied.
            Taken::Held => {}
            Taken::Duplicate => out.consume(packet),
            Taken::Whole(whole) => {
                self.counters.reassembly_oks += 1;
                // One item of many is delivered; the others are done with.
                for _ in 1..whole.fragments {
                    out.consume(());
                }
                if let Some(header) = Header::read(whole.packet.head()) {
                    let arrival = Arrival { interface, cast: whole.cast, mtu, header };
                    self.deliver(now, &arrival, whole.packet, out);
                }
            }
            Taken::Refused { reason } => out.drop(reason, packet),
            Taken::GivenUp { reason, others } => {
                self.counters.reassembly_fails += 1;
                if reason == Reason::IpFragmentOverlap {
                    self.counters.reassembly_overlaps += 1;
                }
                out.ledger.add_drops(reason, others as u64);
                out.drop(reason, packet);
            }
        }
        let evicted = self.reassembly.take_evicted();
        self.counters.reassembly_fails += evicted.datagrams as u64;
        out.ledger.add_drops(Reason::IpReassemblyFull, evicted.fragments as u64);
    }

    /// A whole datagram, from its IP header on.
    fn deliver(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        mut packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        let Arrival { interface, cast, mtu, header } = *arrival;
        if header.protocol == protocol::ICMP {
            self.counters.in_delivers += 1;
            packet.advance(header.header_len);
            return self.receive_icmp(now, arrival, packet, out);
        }
        if !self.protocols.contains(&header.protocol) {
            self.counters.in_unknown_protocols += 1;
            // RFC 1122 3.2.2.1: protocol unreachable where nobody speaks it.
            self.complain(now, Complaint::ProtocolUnreachable, arrival, &packet, out);
            return out.drop(Reason::IpUnknownProtocol, packet);
        }
        self.counters.in_delivers += 1;
        self.counters.count_ecn(header.tos);
        packet.advance(header.header_len);
        out.up.push(IpIn::Datagram(Datagram {
            interface,
            source: IpAddr::V4(header.source),
            destination: IpAddr::V4(header.destination),
            cast,
            protocol: header.protocol,
            ttl: header.ttl,
            tos: header.tos,
            mtu,
            header_len: header.header_len,
            packet,
        }));
    }

    /// Gives up datagrams that did not become whole in time.
    pub(crate) fn expire_reassembly(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        while let Some(expired) = self.reassembly.pop_expired(now) {
            if expired.fragments == 0 {
                continue;
            }
            self.counters.reassembly_timeouts += 1;
            self.counters.reassembly_fails += 1;
            out.ledger.add_drops(Reason::IpReassemblyTimeout, expired.fragments as u64);
            // RFC 1122 3.3.2: time exceeded is sent only if fragment 0 came.
            if let Some(first) = expired.first
                && let Some(header) = Header::read(first.head())
            {
                let (interface, cast) = (expired.interface, expired.cast);
                let mtu = self.addresses.mtu(interface);
                let arrival = Arrival { interface, cast, mtu, header };
                self.complain(now, Complaint::ReassemblyTimeExceeded, &arrival, &first, out);
            }
        }
    }

    /// A neighbour did not answer: the packet that waited for it comes back.
    pub(crate) fn neighbour_failed(
        &mut self,
        interface: InterfaceId,
        mut packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        let _ = packet.pull(HEADER);
        let Some(header) = Header::read(packet.head()) else {
            return out.drop(Reason::IpNeighbourFailed, packet);
        };
        if header.protocol == protocol::ICMP && header.offset == 0 {
            packet.advance(header.header_len);
            let error = IpErrorKind::NeighbourFailed;
            self.ping_failed(header.destination, None, error, &mut packet, out);
            return out.drop(Reason::IpNeighbourFailed, packet);
        }
        // Fragments after the first quote no ports.
        if header.offset != 0 || !self.protocols.contains(&header.protocol) {
            return out.drop(Reason::IpNeighbourFailed, packet);
        }
        packet.advance(header.header_len);
        let length = u32::try_from(header.total_len).unwrap_or(u32::MAX);
        // RFC 1122 3.3.8: errors rise with the addresses they concern.
        out.up.push(IpIn::Error(IpError {
            interface,
            kind: IpErrorKind::NeighbourFailed,
            reporter: None,
            source: IpAddr::V4(header.source),
            destination: IpAddr::V4(header.destination),
            protocol: header.protocol,
            length,
            quote: packet,
        }));
    }
}
