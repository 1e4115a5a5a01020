//! The way down: route and source, checksum, header, and fragments where they are needed.

use core::net::{IpAddr, Ipv4Addr};

use layer::boundary::{
    Cast, Datagram, IpError, IpErrorKind, IpIn, NetOut, Path, RejectReason, Send, ethertype,
    protocol,
};
use layer::{
    ChecksumState, Instant, InterfaceId, Out, PacketBuf, Reason, SegmentationKind, checksum,
};

use crate::Ip;
use crate::fragment;
use crate::header::{HEADER, Header, MAX_PACKET};
use crate::icmp::Complaint;
use crate::plan::{Plan, Way};
use crate::receive::Arrival;

/// Transport bytes quoted upward with a local error: every header we know fits.
const QUOTE: usize = 64;

/// RFC 1112 6.1: a multicast goes no further than the link unless somebody asks.
const MULTICAST_TTL: u8 = 1;

impl Ip {
    /// Sends a transport's datagram, or says upward why not.
    pub(crate) fn send_datagram(&mut self, send: Send, out: &mut Out<'_, Self>) {
        self.counters.out_requests += 1;
        let plan = match self.plan(send.interface, send.source, send.destination) {
            Ok(plan) => plan,
            Err(kind) => return self.fail(send, InterfaceId::default(), kind, out),
        };
        // RFC 1122 3.2.1.7: TTL 0 is never sent.
        if send.ttl == Some(0) {
            self.counters.out_discards += 1;
            return out.drop(Reason::IpTtlZero, send.packet);
        }
        if let Err(kind) = self.check_size(&plan, &send) {
            return self.fail(send, plan.interface, kind, out);
        }
        self.emit(plan, send, out);
    }

    /// Sends a datagram whose plan is made and whose size is right.
    pub(crate) fn emit(&mut self, plan: Plan, mut send: Send, out: &mut Out<'_, Self>) {
        if !add_pseudo_header(&mut send, &plan) {
            self.counters.out_discards += 1;
            return out.drop(Reason::IpBadLength, send.packet);
        }
        let header = self.header_for(&plan, &send);
        let whole =
            header.total_len <= plan.mtu as usize || send.packet.offload().segmentation.is_some();
        let Send { reachability, mut packet, protocol, .. } = send;
        match plan.way {
            Way::Loop => {
                header.prepend_to(&mut packet);
                if let Err(packet) = self.loopback.push(plan.interface, packet) {
                    self.counters.out_discards += 1;
                    out.drop(Reason::IpQueueFull, packet);
                }
            }
            Way::Wire(next_hop) => {
                let item = |packet| NetOut {
                    interface: plan.interface,
                    next_hop,
                    ethertype: ethertype::IPV4,
                    reachability,
                    packet,
                };
                if whole {
                    header.prepend_to(&mut packet);
                    self.push_down(item(packet), protocol, out);
                } else {
                    self.send_fragments(header, packet, plan.mtu as usize, item, out);
                }
            }
        }
    }

    fn header_for(&mut self, plan: &Plan, send: &Send) -> Header {
        let Plan { source, destination, cast, .. } = *plan;
        let default_ttl = match cast {
            Cast::Unicast | Cast::Broadcast => self.default_ttl,
            Cast::Multicast => MULTICAST_TTL,
        };
        // RFC 6864 4.1: an atomic datagram's identification means nothing; ours is 0.
        // RFC 1122 3.2.1.5: a retransmission does not repeat the first one's identification.
        let identification = if send.dont_fragment {
            0
        } else {
            self.identifications.next(source, destination, send.protocol)
        };
        Header {
            header_len: HEADER,
            total_len: HEADER + send.packet.len(),
            tos: send.tos,
            identification,
            dont_fragment: send.dont_fragment,
            more_fragments: false,
            offset: 0,
            ttl: send.ttl.unwrap_or(default_ttl),
            protocol: send.protocol,
            source,
            destination,
        }
    }

    /// Neither longer than the length field can say, nor, where that is forbidden, to be cut.
    fn check_size(&mut self, plan: &Plan, send: &Send) -> Result<(), IpErrorKind> {
        let total = HEADER + send.packet.len();
        let mtu = plan.mtu as usize;
        // RFC 8900 tcp: TCP learns the size that fits; it is never cut here.
        let may_cut = !send.dont_fragment && send.protocol != protocol::TCP;
        let fits = match segment_len(&send.packet) {
            // A super-segment exceeds the MTU on purpose; what counts is what it will be cut to.
            Some(segment) => total <= MAX_PACKET && (HEADER + segment).min(total) <= mtu,
            // RFC 1122 3.3.3: what exceeds the MTU is cut, unless that is forbidden.
            None => total <= mtu || (may_cut && total <= MAX_PACKET),
        };
        if fits || matches!(plan.way, Way::Loop) && total <= MAX_PACKET {
            return Ok(());
        }
        self.counters.fragment_fails += 1;
        Err(IpErrorKind::FragmentationNeeded { mtu: plan.mtu })
    }

    /// RFC 8900 udp: UDP above the MTU is cut unless the program forbids it; all or nothing.
    fn send_fragments(
        &mut self,
        header: Header,
        mut packet: PacketBuf,
        mtu: usize,
        item: impl Fn(PacketBuf) -> NetOut,
        out: &mut Out<'_, Self>,
    ) {
        let count = fragment::count(packet.len(), mtu);
        // The checksum covers all fragments, so nobody below can complete it.
        let complete = checksum::complete(&mut packet);
        if !complete || self.waiting.len() + count > self.limits.waiting_fragments {
            self.counters.fragment_fails += 1;
            return out.drop(Reason::IpQueueFull, packet);
        }
        self.counters.fragment_oks += 1;
        self.counters.fragment_creates += count as u64;
        for piece in fragment::cut(header, &packet, mtu) {
            self.push_down(item(piece), header.protocol, out);
        }
    }

    /// Hands a packet down. TCP has asked for room before it made the segment; what else there is
    /// may wait here, in order, so that a datagram in many fragments does not overrun the outlet.
    fn push_down(&mut self, item: NetOut, protocol: u8, out: &mut Out<'_, Self>) {
        let at_once = self.waiting.is_empty() && out.down.room() > 0;
        if at_once || protocol == protocol::TCP {
            out.down.push(item);
        } else if self.waiting.len() < self.limits.waiting_fragments {
            self.waiting.push_back(item);
        } else {
            self.counters.out_discards += 1;
            out.drop(Reason::IpQueueFull, item);
        }
    }

    /// Tells the transport why its datagram was not sent.
    fn fail(
        &mut self,
        send: Send,
        interface: InterfaceId,
        kind: IpErrorKind,
        out: &mut Out<'_, Self>,
    ) {
        let reason = if matches!(kind, IpErrorKind::FragmentationNeeded { .. }) {
            self.counters.out_discards += 1;
            Reason::IpTooBig
        } else {
            self.counters.out_no_routes += 1;
            if kind == IpErrorKind::NoSource { Reason::IpNoSource } else { Reason::IpNoRoute }
        };
        out.up.push(IpIn::Error(IpError {
            interface: send.interface.unwrap_or(interface),
            kind,
            reporter: None,
            source: send.source.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            destination: send.destination,
            protocol: send.protocol,
            length: u32::try_from(HEADER + send.packet.len()).unwrap_or(u32::MAX),
            quote: send.packet.share(0, QUOTE),
        }));
        out.drop(reason, send.packet);
    }

    /// Answers how packets to a destination would leave (RFC 1122 3.3.4.3, RFC 9293 3.9.1.1).
    pub(crate) fn answer_lookup(
        &mut self,
        token: u64,
        protocol: u8,
        interface: Option<InterfaceId>,
        source: Option<IpAddr>,
        destination: IpAddr,
        out: &mut Out<'_, Self>,
    ) {
        let route = self.plan(interface, source, destination).map(Into::into);
        out.up.push(IpIn::Path(Path { token, protocol, destination, route }));
    }

    /// A transport refused a datagram: answers its sender where that is allowed.
    pub(crate) fn reject(
        &mut self,
        now: Instant,
        reason: RejectReason,
        datagram: Datagram,
        out: &mut Out<'_, Self>,
    ) {
        let complaint = match reason {
            // RFC 1122 4.1.3.1: no program on the port.
            RejectReason::PortUnreachable => Complaint::PortUnreachable,
        };
        let Datagram { interface, source, destination, cast, mut packet, .. } = datagram;
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
            return out.drop(Reason::IcmpIgnored, packet);
        };
        let had_header = datagram.header_len >= HEADER && packet.retreat(datagram.header_len);
        let header = if had_header { Header::read(packet.head()) } else { None };
        let header = header.unwrap_or_else(|| {
            // The transport had to copy the front away: a header of the same meaning is quoted.
            let header = Header {
                header_len: HEADER,
                total_len: HEADER + packet.len(),
                tos: datagram.tos,
                identification: 0,
                dont_fragment: false,
                more_fragments: false,
                offset: 0,
                ttl: datagram.ttl,
                protocol: datagram.protocol,
                source,
                destination,
            };
            header.prepend_to(&mut packet);
            header
        });
        let arrival = Arrival { interface, cast, mtu: datagram.mtu, header };
        if self.complain(now, complaint, &arrival, &packet, out) {
            out.consume(packet);
        } else {
            out.drop(Reason::IcmpRateLimited, packet);
        }
    }

    /// A transport has validated or probed a path MTU.
    pub(crate) fn believe_path_mtu(
        &mut self,
        now: Instant,
        destination: IpAddr,
        mtu: u32,
        out: &mut Out<'_, Self>,
    ) {
        out.consume(());
        if let IpAddr::V4(v4) = destination {
            self.path_mtus.set(now, v4, mtu);
            self.last_plan.forget();
            self.announce_path_mtu(destination, out);
        }
    }

    /// Tells every transport the path MTU now in force.
    pub(crate) fn announce_path_mtu(&mut self, destination: IpAddr, out: &mut Out<'_, Self>) {
        let Ok(plan) = self.plan(None, None, destination) else { return };
        for &protocol in &self.protocols {
            out.up.push(IpIn::PathMtu { protocol, destination, mtu: plan.mtu });
        }
    }
}

/// Bytes of transport header and payload in each segment of a super-segment.
fn segment_len(packet: &PacketBuf) -> Option<usize> {
    let segmentation = packet.offload().segmentation?;
    let transport_header = match segmentation.kind {
        SegmentationKind::TcpV4 | SegmentationKind::TcpV6 => {
            packet.head().get(12).map_or(20, |byte| usize::from(byte >> 4) * 4)
        }
        SegmentationKind::Udp => 8,
    };
    Some(transport_header + usize::from(segmentation.size))
}

/// Adds the sum of the pseudo-header to a checksum field the transport left 0: only IP knows the
/// final addresses. False if the metadata points outside the packet.
fn add_pseudo_header(send: &mut Send, plan: &Plan) -> bool {
    let packet = &mut send.packet;
    let ChecksumState::Partial { start, field } = packet.offload().checksum else { return true };
    let at = usize::from(start) + usize::from(field);
    if !packet.pull(at + 2) {
        return false;
    }
    let (source, destination) = (IpAddr::V4(plan.source), IpAddr::V4(plan.destination));
    let len = packet.len() - usize::from(start);
    let sum = checksum::pseudo_header(source, destination, send.protocol, len);
    match packet.head_mut().get_mut(at..at + 2) {
        Some(bytes) => {
            bytes.copy_from_slice(&sum.value().to_be_bytes());
            true
        }
        None => false,
    }
}
