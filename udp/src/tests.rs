//! UDP against a scripted IP below and a scripted hub above. Checksums were summed by hand.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use layer::boundary::{
    BoundAddress, Cast, Datagram, IpError, IpErrorKind, IpIn, IpOut, Path, RejectReason, Route,
    SocketError, SocketId, UdpCommand, UdpEvent, UdpOptions, protocol,
};
use layer::outlet::Driver;
use layer::{
    Accounted, ChecksumState, Counted, Instant, InterfaceId, Layer, PacketBuf, Reason,
    Segmentation, SegmentationKind, checksum,
};

use crate::{Config, MAX_PAYLOAD_V4, Udp};

const US: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const A: SocketId = SocketId(0);
const B: SocketId = SocketId(1);
const C: SocketId = SocketId(2);

struct Bench {
    udp: Udp,
    driver: Driver<UdpEvent, IpOut>,
}

fn at(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

/// A UDP datagram from `PEER`, checksum made, as IP hands it up.
fn datagram(source_port: u16, destination_port: u16, payload: &[u8]) -> Datagram {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let mut bytes = Vec::new();
    for word in [source_port, destination_port, len, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.extend_from_slice(payload);
    let mut sum = checksum::pseudo_header(PEER.into(), US.into(), protocol::UDP, bytes.len());
    sum.add(&bytes);
    bytes[6..8].copy_from_slice(&sum.checksum().to_be_bytes());
    wrap(PacketBuf::copy_from(&bytes))
}

fn wrap(packet: PacketBuf) -> Datagram {
    Datagram {
        interface: InterfaceId(0),
        source: PEER.into(),
        destination: US.into(),
        cast: Cast::Unicast,
        protocol: protocol::UDP,
        ttl: 64,
        tos: 0,
        mtu: 1500,
        header_len: 0,
        packet,
    }
}

impl Bench {
    fn new() -> Self {
        Self { udp: Udp::new(Config::new([1; 16])), driver: Driver::new(64) }
    }

    fn send(&mut self, command: UdpCommand) {
        self.udp.send(Instant::ZERO, command, &mut self.driver.out());
    }

    fn receive(&mut self, item: IpIn) {
        self.udp.receive(Instant::ZERO, item, &mut self.driver.out());
    }

    fn arrives(&mut self, datagram: Datagram) {
        self.receive(IpIn::Datagram(datagram));
    }

    fn up(&mut self) -> Option<UdpEvent> {
        self.driver.up.pop()
    }

    fn down(&mut self) -> Option<IpOut> {
        self.driver.down.pop()
    }

    fn bind_with(&mut self, socket: SocketId, address: SocketAddr, reuse: bool) {
        let local = BoundAddress { address, interface: None };
        let options = UdpOptions::default();
        self.send(UdpCommand::Bind { socket, local, reuse, options });
    }

    /// Binds to any address.
    fn bind(&mut self, socket: SocketId, port: u16) -> SocketAddr {
        self.bind_with(socket, at(Ipv4Addr::UNSPECIFIED, port), false);
        match self.up() {
            Some(UdpEvent::Bound { result: Ok(local), .. }) => local,
            other => panic!("bound, but {other:?}"),
        }
    }

    /// Answers the lookup that is waiting below.
    fn path(&mut self, route: Result<Cast, IpErrorKind>) {
        let Some(IpOut::Lookup { token, protocol, destination, .. }) = self.down() else {
            panic!("no lookup")
        };
        let route = route.map(|cast| Route {
            interface: InterfaceId(0),
            source: US.into(),
            mtu: 1500,
            link_mtu: 1500,
            cast,
        });
        self.receive(IpIn::Path(Path { token, protocol, destination, route }));
    }

    fn connect(&mut self, socket: SocketId, remote: SocketAddr) -> SocketAddr {
        self.send(UdpCommand::Connect { socket, remote: Some(remote) });
        self.path(Ok(Cast::Unicast));
        match self.up() {
            Some(UdpEvent::Connected { result: Ok(local), .. }) => local,
            other => panic!("connected, but {other:?}"),
        }
    }

    fn send_to(&mut self, socket: SocketId, to: Option<SocketAddr>, payload: &[u8]) {
        let packet = PacketBuf::copy_from(payload);
        self.send(UdpCommand::Send { socket, source: None, to, packet });
    }

    /// The next datagram delivered: to whom, and its payload.
    fn delivered(&mut self) -> Option<(SocketId, Vec<u8>)> {
        match self.up()? {
            UdpEvent::Datagram { socket, packet, .. } => Some((socket, packet.to_vec())),
            other => panic!("not a datagram: {other:?}"),
        }
    }

    fn error(&mut self) -> Option<SocketError> {
        match self.up()? {
            UdpEvent::Error { error, .. } => Some(error),
            other => panic!("not an error: {other:?}"),
        }
    }

    fn drops(&self, reason: Reason) -> u64 {
        self.driver.ledger.drops(reason)
    }

    fn counter(&self, wanted: &str) -> u64 {
        let mut found = None;
        self.udp.counters(&mut |name, value| {
            if name == wanted {
                found = Some(value);
            }
        });
        found.unwrap()
    }
}

// test: RFC 768 ports
// test: RFC 1122 4.1.3.5
#[test]
fn a_datagram_reaches_the_socket_on_its_port_with_both_addresses() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    for payload in [&b"hello"[..], b""] {
        bench.arrives(datagram(4000, 7, payload));
        let Some(UdpEvent::Datagram { socket, from, to, packet, .. }) = bench.up() else {
            panic!("not delivered")
        };
        assert_eq!((socket, from, to), (A, at(PEER, 4000), at(US, 7)));
        assert_eq!(packet.to_vec(), payload);
    }
    assert_eq!(bench.counter("UdpInDatagrams"), 2);
}

// test: RFC 1122 4.1.3.1
#[test]
fn a_port_without_a_socket_is_rejected_whole() {
    let mut bench = Bench::new();
    let sent = datagram(4000, 9, b"x");
    bench.arrives(sent.clone());
    let reason = RejectReason::PortUnreachable;
    assert_eq!(bench.down(), Some(IpOut::Reject { reason, datagram: sent.clone() }));
    assert_eq!(bench.counter("UdpNoPorts"), 1);
    bench.arrives(Datagram { cast: Cast::Broadcast, ..sent });
    assert_eq!(bench.down(), None, "never for a broadcast");
    assert_eq!(bench.drops(Reason::UdpNoPort), 1);
}

// test: RFC 768 checksum
// test: RFC 1122 4.1.3.4
#[test]
fn checksums_are_verified_and_zero_means_none() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    // 0a09 0002 + 0a09 0001 + 0011 + 000b + 0fa0 0007 000b 0000 + 6162 6300 = e845; ~ = 17ba.
    let bytes = *b"\x0f\xa0\x00\x07\x00\x0b\x17\xbaabc";
    bench.arrives(wrap(PacketBuf::copy_from(&bytes)));
    assert_eq!(bench.delivered(), Some((A, b"abc".to_vec())));
    let mut wrong = bytes;
    wrong[8] ^= 1;
    bench.arrives(wrap(PacketBuf::copy_from(&wrong)));
    assert_eq!((bench.up(), bench.down()), (None, None), "in silence");
    assert_eq!(bench.drops(Reason::UdpBadChecksum), 1);
    assert_eq!((bench.counter("UdpInCsumErrors"), bench.counter("UdpInErrors")), (1, 1));
    let mut none = wrong;
    none[6..8].copy_from_slice(&[0, 0]);
    bench.arrives(wrap(PacketBuf::copy_from(&none)));
    assert_eq!(bench.delivered(), Some((A, b"`bc".to_vec())));
    let mut vouched = PacketBuf::copy_from(&wrong);
    vouched.offload_mut().checksum = ChecksumState::Verified;
    bench.arrives(wrap(vouched));
    assert!(bench.delivered().is_some(), "the device has checked");
}

// test: RFC 768 checksum
#[test]
fn over_ipv6_a_checksum_of_zero_is_refused() {
    let mut bench = Bench::new();
    bench.bind_with(A, "[::]:7".parse().unwrap(), false);
    bench.up();
    let mut item = wrap(PacketBuf::copy_from(&[0x0f, 0xa0, 0, 7, 0, 9, 0, 0, b'x']));
    item.source = "fe80::1".parse().unwrap();
    item.destination = "fe80::2".parse().unwrap();
    bench.arrives(item);
    assert_eq!(bench.up(), None);
    assert_eq!(bench.drops(Reason::UdpBadChecksum), 1);
}

// test: RFC 768 length
#[test]
fn lengths_below_eight_or_beyond_the_packet_are_dropped_and_padding_is_cut() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    // (length field, bytes after the header): checksum 0, so that only the length decides.
    for (len, follow) in [(7_u8, 4), (0, 4), (13, 4), (9, 0)] {
        let mut bytes = vec![0x0f, 0xa0, 0, 7, 0, len, 0, 0];
        bytes.resize(8 + follow, b'p');
        bench.arrives(wrap(PacketBuf::copy_from(&bytes)));
        assert_eq!(bench.up(), None, "length {len} in {} bytes", 8 + follow);
    }
    bench.arrives(wrap(PacketBuf::copy_from(&[0x0f, 0xa0, 0, 7, 0, 8, 0])));
    assert_eq!(bench.drops(Reason::UdpBadLength), 5);
    // The same checksum as above, two bytes of padding behind: they are not summed.
    let padded = *b"\x0f\xa0\x00\x07\x00\x0b\x17\xbaabcPP";
    bench.arrives(wrap(PacketBuf::copy_from(&padded)));
    assert_eq!(bench.delivered(), Some((A, b"abc".to_vec())));
}

// test: RFC 1122 4.1.3.6
#[test]
fn a_broadcast_or_multicast_sender_is_not_heard() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    for source in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1)] {
        bench.arrives(Datagram { source: source.into(), ..datagram(4000, 7, b"x") });
    }
    assert_eq!((bench.up(), bench.down()), (None, None));
    assert_eq!(bench.drops(Reason::IpMartianSource), 2);
}

#[test]
fn the_connected_socket_comes_first_then_the_bound_address_then_any() {
    let mut bench = Bench::new();
    let any = at(Ipv4Addr::UNSPECIFIED, 7);
    for (socket, address) in [(A, any), (B, at(US, 7)), (C, at(US, 7))] {
        bench.bind_with(socket, address, true);
        if address != any {
            bench.path(Ok(Cast::Unicast));
        }
        assert!(matches!(bench.up(), Some(UdpEvent::Bound { result: Ok(_), .. })));
    }
    bench.connect(C, at(PEER, 4000));
    bench.arrives(datagram(4000, 7, b"c"));
    assert_eq!(bench.delivered(), Some((C, b"c".to_vec())));
    bench.arrives(datagram(4001, 7, b"b"));
    assert_eq!(bench.delivered(), Some((B, b"b".to_vec())));
    let elsewhere = Ipv4Addr::new(10, 9, 0, 77);
    let mut other = datagram(4001, 7, b"a");
    other.packet.offload_mut().checksum = ChecksumState::Verified;
    bench.arrives(Datagram { destination: elsewhere.into(), ..other.clone() });
    assert_eq!(bench.delivered(), Some((A, b"a".to_vec())));
    // A broadcast reaches all that match: not B and C, bound to another address.
    let broadcast = Ipv4Addr::new(10, 9, 0, 255);
    bench.arrives(Datagram { destination: broadcast.into(), cast: Cast::Broadcast, ..other });
    assert_eq!(bench.delivered(), Some((A, b"a".to_vec())));
    assert_eq!(bench.up(), None);
}

#[test]
fn a_broadcast_reaches_every_socket_on_the_port() {
    let mut bench = Bench::new();
    for socket in [A, B] {
        bench.bind_with(socket, at(Ipv4Addr::UNSPECIFIED, 7), true);
        bench.up();
    }
    bench.arrives(Datagram { cast: Cast::Broadcast, ..datagram(4000, 7, b"x") });
    assert_eq!(bench.delivered(), Some((A, b"x".to_vec())));
    assert_eq!(bench.delivered(), Some((B, b"x".to_vec())));
}

#[test]
fn ports_are_shared_only_by_agreement_and_addresses_must_be_ours() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    let refused = |error| Some(UdpEvent::Bound { socket: B, result: Err(error) });
    bench.bind_with(B, at(US, 7), true);
    assert_eq!(bench.up(), refused(SocketError::AddressInUse));
    bench.bind_with(B, at(PEER, 8), false);
    bench.path(Err(IpErrorKind::NoSource));
    assert_eq!(bench.up(), refused(SocketError::AddressNotAvailable));
    bench.send(UdpCommand::Close { socket: A });
    bench.bind(B, 7);
    let local = bench.bind(C, 0);
    assert!(local.port() >= 1024, "RFC 6056 3.2: {local}");
    assert_eq!(bench.udp.sockets(), 2);
}

// test: RFC 1122 4.1.3.3
#[test]
fn errors_find_the_connected_socket_by_what_they_quote() {
    let mut bench = Bench::new();
    let local = bench.connect(A, at(PEER, 9));
    assert_eq!(local.ip(), US, "the source that IP chose");
    let error = |source_port: u16, kind| {
        let mut quote = Vec::from(source_port.to_be_bytes());
        quote.extend_from_slice(&[0, 9, 0, 9, 0, 0]);
        IpIn::Error(IpError {
            interface: InterfaceId(0),
            kind,
            reporter: Some(PEER.into()),
            source: US.into(),
            destination: PEER.into(),
            protocol: protocol::UDP,
            length: 28,
            quote: PacketBuf::copy_from(&quote),
        })
    };
    bench.receive(error(local.port(), IpErrorKind::PortUnreachable));
    assert_eq!(bench.error(), Some(SocketError::ConnectionRefused));
    bench.receive(error(local.port(), IpErrorKind::TtlExceeded));
    assert_eq!(bench.error(), Some(SocketError::HostUnreachable));
    bench.receive(error(local.port() ^ 1, IpErrorKind::PortUnreachable));
    assert_eq!(bench.up(), None);
    assert_eq!(bench.drops(Reason::UdpErrorUnclaimed), 1);
}

#[test]
fn an_unconnected_socket_hears_of_local_failures_only() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    let error = |reporter, kind| {
        IpIn::Error(IpError {
            interface: InterfaceId(0),
            kind,
            reporter,
            source: Ipv4Addr::UNSPECIFIED.into(),
            destination: Ipv4Addr::new(8, 8, 8, 8).into(),
            protocol: protocol::UDP,
            length: 28,
            quote: PacketBuf::copy_from(&[0, 7, 0, 9, 0, 9, 0, 0]),
        })
    };
    bench.receive(error(None, IpErrorKind::NoRoute));
    assert_eq!(bench.error(), Some(SocketError::NetworkUnreachable));
    bench.receive(error(Some(PEER.into()), IpErrorKind::HostUnreachable));
    assert_eq!(bench.up(), None);
}

// test: RFC 1122 4.1.4
#[test]
fn what_is_sent_carries_the_whole_ip_service_and_a_checksum_to_complete() {
    let mut bench = Bench::new();
    let local = BoundAddress { address: at(US, 7), interface: Some(InterfaceId(3)) };
    let options =
        UdpOptions { ttl: Some(3), tos: 0x10, dont_fragment: true, ..UdpOptions::default() };
    bench.send(UdpCommand::Bind { socket: A, local, reuse: false, options });
    bench.path(Ok(Cast::Unicast));
    bench.up();
    bench.send_to(A, Some(at(PEER, 4000)), b"abc");
    let Some(IpOut::Datagram(sent)) = bench.down() else { panic!("not sent") };
    assert_eq!(sent.packet.to_vec(), *b"\x00\x07\x0f\xa0\x00\x0b\x00\x00abc");
    let partial = ChecksumState::Partial { start: 0, field: 6 };
    assert_eq!(sent.packet.offload().checksum, partial);
    assert_eq!((sent.source, sent.destination), (Some(US.into()), PEER.into()));
    assert_eq!((sent.ttl, sent.tos, sent.dont_fragment), (Some(3), 0x10, true));
    assert_eq!((sent.interface, sent.protocol), (Some(InterfaceId(3)), protocol::UDP));
}

// test: RFC 1122 4.1.3.5
#[test]
fn the_source_is_the_callers_choice_or_ips() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    for source in [None, Some(IpAddr::from(US))] {
        let packet = PacketBuf::copy_from(b"x");
        let to = Some(at(PEER, 4000));
        bench.send(UdpCommand::Send { socket: A, source, to, packet });
        let Some(IpOut::Datagram(sent)) = bench.down() else { panic!("not sent") };
        assert_eq!(sent.source, source);
    }
}

#[test]
fn what_cannot_be_sent_is_answered_and_counted() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    let too_long = vec![0; MAX_PAYLOAD_V4 + 1];
    let v6 = "[fe80::1]:9".parse().unwrap();
    let cases = [
        (Some(at(PEER, 9)), &too_long[..], SocketError::MessageTooLong),
        (Some(at(PEER, 0)), b"x", SocketError::InvalidInput),
        (Some(v6), b"x", SocketError::FamilyNotSupported),
        (None, b"x", SocketError::NotConnected),
        (Some(at(Ipv4Addr::BROADCAST, 9)), b"x", SocketError::PermissionDenied),
    ];
    for (to, payload, error) in cases {
        bench.send_to(A, to, payload);
        assert_eq!(bench.error(), Some(error));
        assert_eq!(bench.down(), None);
    }
    assert_eq!(bench.drops(Reason::UdpUnsendable), 5);
    bench.send_to(A, Some(at(PEER, 9)), &too_long[1..]);
    assert!(matches!(bench.down(), Some(IpOut::Datagram(_))), "65,507 bytes fit");
}

#[test]
fn a_subnets_broadcast_address_needs_the_option_too() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    let broadcast = Some(at(Ipv4Addr::new(10, 9, 0, 255), 9));
    bench.send_to(A, broadcast, b"1");
    bench.send_to(A, broadcast, b"2");
    assert_eq!(bench.udp.held_items(), 2);
    bench.path(Ok(Cast::Broadcast));
    assert_eq!(bench.error(), Some(SocketError::PermissionDenied));
    assert_eq!((bench.down(), bench.udp.held_items()), (None, 0));
    // A neighbour that only looks like one: asked for once, then remembered.
    let neighbour = Some(at(Ipv4Addr::new(10, 9, 0, 3), 9));
    bench.up();
    bench.send_to(A, neighbour, b"1");
    bench.send_to(A, neighbour, b"2");
    bench.path(Ok(Cast::Unicast));
    bench.send_to(A, neighbour, b"3");
    for expected in [b'1', b'2', b'3'] {
        let Some(IpOut::Datagram(sent)) = bench.down() else { panic!("not sent") };
        assert_eq!(sent.packet.to_vec().last(), Some(&expected));
    }
    let options = UdpOptions { broadcast: true, ..UdpOptions::default() };
    bench.send(UdpCommand::Configure { socket: A, options });
    bench.send_to(A, broadcast, b"now");
    assert!(matches!(bench.down(), Some(IpOut::Datagram(_))));
}

#[test]
fn connecting_to_a_broadcast_address_needs_the_option_and_a_route_is_needed_at_all() {
    let mut bench = Bench::new();
    let remote = Some(at(Ipv4Addr::new(10, 9, 0, 255), 9));
    for (route, error) in [
        (Ok(Cast::Broadcast), SocketError::PermissionDenied),
        (Err(IpErrorKind::NoRoute), SocketError::NetworkUnreachable),
    ] {
        bench.send(UdpCommand::Connect { socket: A, remote });
        bench.path(route);
        assert_eq!(bench.up(), Some(UdpEvent::Connected { socket: A, result: Err(error) }));
    }
}

#[test]
fn a_connected_socket_hears_only_its_peer_until_it_disconnects() {
    let mut bench = Bench::new();
    let local = bench.connect(A, at(PEER, 9));
    bench.arrives(datagram(10, local.port(), b"stranger"));
    assert!(matches!(bench.down(), Some(IpOut::Reject { .. })));
    bench.arrives(datagram(9, local.port(), b"peer"));
    assert_eq!(bench.delivered(), Some((A, b"peer".to_vec())));
    bench.send_to(A, None, b"x");
    assert!(matches!(bench.down(), Some(IpOut::Datagram(sent)) if sent.destination == PEER));
    bench.send(UdpCommand::Connect { socket: A, remote: None });
    let result = Ok(at(Ipv4Addr::UNSPECIFIED, local.port()));
    assert_eq!(bench.up(), Some(UdpEvent::Connected { socket: A, result }));
    bench.arrives(datagram(10, local.port(), b"anybody"));
    assert_eq!(bench.delivered(), Some((A, b"anybody".to_vec())));
}

#[test]
fn the_receive_buffer_fills_and_empties() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    let options = UdpOptions { receive_buffer: Some(1000), ..UdpOptions::default() };
    bench.send(UdpCommand::Configure { socket: A, options });
    // 244 + 256 bytes each: two fit.
    for _ in 0..3 {
        bench.arrives(datagram(4000, 7, &[b'x'; 244]));
    }
    assert_eq!(bench.driver.up.len(), 2);
    assert_eq!(bench.drops(Reason::UdpReceiveBufferFull), 1);
    assert_eq!(bench.counter("UdpRcvbufErrors"), 1);
    bench.send(UdpCommand::Consumed { socket: A, bytes: 244 });
    bench.arrives(datagram(4000, 7, &[b'x'; 244]));
    assert_eq!(bench.driver.up.len(), 3);
}

#[test]
fn a_super_segment_is_split_into_its_datagrams() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    let mut merged = datagram(4000, 7, b"aaabbbc");
    let offload = merged.packet.offload_mut();
    offload.checksum = ChecksumState::Verified;
    offload.segmentation = Some(Segmentation { kind: SegmentationKind::Udp, size: 3, ecn: false });
    bench.arrives(merged);
    for expected in [&b"aaa"[..], b"bbb", b"c"] {
        assert_eq!(bench.delivered(), Some((A, expected.to_vec())));
    }
    assert_eq!(bench.up(), None);
}

#[test]
fn without_room_above_charged_datagrams_wait_in_order() {
    let mut bench = Bench::new();
    bench.bind(A, 7);
    bench.driver.up.set_capacity(1);
    for payload in [b"1", b"2", b"3"] {
        bench.arrives(datagram(4000, 7, payload));
    }
    assert_eq!((bench.driver.up.len(), bench.udp.held_items()), (1, 2));
    for expected in [b"1", b"2", b"3"] {
        assert_eq!(bench.delivered(), Some((A, expected.to_vec())));
        bench.udp.poll(Instant::ZERO, &mut bench.driver.out());
    }
    assert_eq!(bench.udp.poll_at(), None);
    bench.send(UdpCommand::Close { socket: A });
    bench.arrives(datagram(4000, 7, b"4"));
    assert_eq!(bench.up(), None, "closed");
}
