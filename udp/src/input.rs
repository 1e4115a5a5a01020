//! What comes up from IP: datagrams, errors about ours, and answers to lookups.

use core::net::SocketAddr;

use etherparse::UdpHeaderSlice;
use layer::boundary::{
    Cast, Datagram, IpError, IpErrorKind, IpOut, RejectReason, SocketId, UdpEvent, protocol,
};
use layer::{Out, PacketBuf, Reason, Segmentation, SegmentationKind, checksum};

use crate::table::Flow;
use crate::{HEADER, Udp, drop_malformed};

/// The fields of a UDP header that has passed the checks.
struct Header {
    source_port: u16,
    destination_port: u16,
}

/// What all copies of a datagram have in common.
#[derive(Clone, Copy)]
struct Envelope {
    flow: Flow,
    cast: Cast,
}

impl Udp {
    pub(crate) fn datagram_arrives(&mut self, mut datagram: Datagram, out: &mut Out<'_, Self>) {
        let header = match check(&mut datagram) {
            Ok(header) => header,
            Err(reason) => {
                if reason == Reason::UdpBadChecksum {
                    self.stats.in_csum_errors += 1;
                }
                return drop_malformed(&mut self.stats, reason, datagram, out);
            }
        };
        let flow = Flow {
            local: SocketAddr::new(datagram.destination, header.destination_port),
            remote: SocketAddr::new(datagram.source, header.source_port),
            interface: datagram.interface,
        };
        let envelope = Envelope { flow, cast: datagram.cast };
        match datagram.cast {
            Cast::Unicast => match self.table.unicast(&flow) {
                Some(socket) => self.deliver(socket, envelope, payload(datagram.packet), out),
                None => self.reject(datagram, out),
            },
            Cast::Broadcast | Cast::Multicast => {
                let sockets = self.table.group(&flow);
                let Some((last, others)) = sockets.split_last() else {
                    // RFC 1122 3.2.2: no ICMP error for a broadcast or multicast.
                    self.stats.no_ports += 1;
                    return out.drop(Reason::UdpNoPort, datagram);
                };
                let payload = payload(datagram.packet);
                for socket in others {
                    self.deliver(*socket, envelope, payload.clone(), out);
                }
                self.deliver(*last, envelope, payload, out);
            }
        }
    }

    /// RFC 1122 4.1.3.1: nobody is on that port, and the sender is told so by ICMP.
    fn reject(&mut self, datagram: Datagram, out: &mut Out<'_, Self>) {
        self.stats.no_ports += 1;
        out.down.push(IpOut::Reject { reason: RejectReason::PortUnreachable, datagram });
    }

    /// Delivers a payload, or each datagram of a super-segment.
    fn deliver(
        &mut self,
        socket: SocketId,
        envelope: Envelope,
        mut payload: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        match payload.offload_mut().segmentation.take() {
            Some(Segmentation { kind: SegmentationKind::Udp, size, .. }) if size > 0 => {
                let size = usize::from(size);
                for offset in (0..payload.len()).step_by(size) {
                    let len = size.min(payload.len() - offset);
                    self.deliver_one(socket, envelope, len, out, || payload.share(offset, len));
                }
                if payload.is_empty() {
                    self.deliver_one(socket, envelope, 0, out, || payload);
                }
            }
            Some(_) | None => {
                self.deliver_one(socket, envelope, payload.len(), out, || payload);
            }
        }
    }

    fn deliver_one(
        &mut self,
        id: SocketId,
        Envelope { flow, cast }: Envelope,
        len: usize,
        out: &mut Out<'_, Self>,
        packet: impl FnOnce() -> PacketBuf,
    ) {
        let default_limit = self.config.receive_buffer;
        let charged = self.sockets.get_mut(&id).is_some_and(|s| s.charge(len, default_limit));
        if !charged {
            self.stats.rcvbuf_errors += 1;
            self.stats.in_errors += 1;
            return out.drop(Reason::UdpReceiveBufferFull, ());
        }
        self.stats.in_datagrams += 1;
        // RFC 1122 4.1.3.5: the application learns the address that was asked.
        let event = UdpEvent::Datagram {
            socket: id,
            from: flow.remote,
            to: flow.local,
            interface: flow.interface,
            cast,
            packet: packet(),
        };
        self.raise(event, out);
    }

    /// RFC 1122 4.1.3.3: an error is handed to the application whose datagram it is about.
    ///
    /// A connected socket is told of every error. One that is not connected is told only what
    /// went wrong right here (no route, too big), which Linux reports from `sendto` itself: an
    /// ICMP error would hit whatever it sends next, to whomever.
    pub(crate) fn error_arrives(&mut self, mut error: IpError, out: &mut Out<'_, Self>) {
        let here = match error.kind {
            IpErrorKind::NoRoute
            | IpErrorKind::NoSource
            | IpErrorKind::FragmentationNeeded { .. } => error.reporter.is_none(),
            IpErrorKind::NetUnreachable
            | IpErrorKind::HostUnreachable
            | IpErrorKind::ProtocolUnreachable
            | IpErrorKind::PortUnreachable
            | IpErrorKind::SourceRouteFailed
            | IpErrorKind::Prohibited
            | IpErrorKind::TtlExceeded
            | IpErrorKind::ReassemblyTimeExceeded
            | IpErrorKind::ParameterProblem { .. }
            | IpErrorKind::NeighbourFailed => false,
        };
        let sender = if error.quote.pull(4) {
            let (source_port, destination_port) = ports(error.quote.head());
            let destination = SocketAddr::new(error.destination, destination_port);
            self.table.sender(error.source, source_port, destination, here)
        } else {
            None
        };
        match sender {
            Some(socket) => {
                self.tell(socket, error.kind.socket_error(), out);
                out.consume(error);
            }
            None => out.drop(Reason::UdpErrorUnclaimed, error),
        }
    }
}

/// The checks of RFC 768 and RFC 1122 4.1.3; the packet is cut to the length its header states.
fn check(datagram: &mut Datagram) -> Result<Header, Reason> {
    // RFC 1122 4.1.3.6: no answer could go to such a sender.
    let source = datagram.source;
    if source.is_multicast() || source == core::net::Ipv4Addr::BROADCAST {
        return Err(Reason::IpMartianSource);
    }
    let packet = &mut datagram.packet;
    if !packet.pull(HEADER) {
        return Err(Reason::UdpBadLength);
    }
    let header = packet.header(HEADER).unwrap_or_default();
    let Ok(header) = UdpHeaderSlice::from_slice(header) else {
        return Err(Reason::UdpBadLength);
    };
    let (len, sum) = (usize::from(header.length()), header.checksum());
    let header =
        Header { source_port: header.source_port(), destination_port: header.destination_port() };
    // RFC 768 length: at least the header, at most what IP carried.
    if len < HEADER || len > packet.len() {
        return Err(Reason::UdpBadLength);
    }
    // RFC 768 length: octets behind it are padding.
    packet.truncate(len);
    // RFC 768 checksum: zero means that the sender made none. RFC 8200 8.1: not with IPv6.
    let none_made = sum == 0 && datagram.destination.is_ipv4();
    let valid = if sum == 0 {
        none_made || packet.offload().vouched()
    } else {
        // RFC 1122 4.1.3.4: a wrong one is dropped in silence.
        checksum::verify(packet, source, datagram.destination, protocol::UDP)
    };
    if valid { Ok(header) } else { Err(Reason::UdpBadChecksum) }
}

fn payload(mut packet: PacketBuf) -> PacketBuf {
    packet.advance(HEADER);
    packet
}

/// The first two words of a quoted header.
fn ports(header: &[u8]) -> (u16, u16) {
    match header {
        [a, b, c, d, ..] => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
        [..] => (0, 0),
    }
}
