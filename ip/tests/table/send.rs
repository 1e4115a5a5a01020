//! The way down: route, source address, header, checksum, super-segments.

use core::net::{IpAddr, Ipv4Addr};

use ip::{Config, Interface, RouteEntry};
use layer::boundary::{
    Cast, IpErrorKind, IpIn, IpOut, NetIn, NextHop, Path, Reachability, Route, Send, protocol,
};
use layer::{
    ChecksumState, InterfaceId, Layer, PacketBuf, Reason, Segmentation, SegmentationKind, checksum,
};

use crate::common::*;

// test: RFC 791 3.1
// test: RFC 1122 3.2.1.6
// test: RFC 1122 3.2.1.7
#[test]
fn the_header_says_what_the_transport_asked_for() {
    let mut host = Host::new();
    let send = Send {
        ttl: Some(3),
        tos: 0x2e << 2,
        reachability: Reachability::Confirmed,
        ..to(PEER, udp(b"x"))
    };
    host.send(IpOut::Datagram(send));
    let down = host.down();
    let [item] = down.as_slice() else { panic!("{down:?}") };
    assert_eq!(item.next_hop, NextHop::Neighbour(PEER.into()));
    assert_eq!(item.reachability, Reachability::Confirmed);
    let sent = read(&item.packet);
    assert_eq!((sent.ttl, sent.tos, sent.protocol), (3, 0xb8, 17));
    assert_eq!((sent.source, sent.destination), (US, PEER));
    assert_eq!((sent.dont_fragment, sent.more, sent.offset), (false, false, 0));
    assert_eq!(sent.payload, udp(b"x"));
    // RFC 9293 MAY-10, MAY-11: neither timestamps nor a recorded route are asked for.
    assert_eq!(item.packet.head()[0], 0x45, "a header without options");
}

// test: RFC 1122 3.2.1.7
#[test]
fn ttl_has_a_default_and_is_never_0() {
    let mut host = Host::with(Config { default_ttl: 17, ..config() });
    host.send(IpOut::Datagram(to(PEER, udp(b"x"))));
    assert_eq!(host.sent().ttl, 17);
    host.send(IpOut::Datagram(Send { ttl: Some(0), ..to(PEER, udp(b"x")) }));
    host.dropped(Reason::IpTtlZero);
    let mut host = Host::with(Config { default_ttl: 0, ..config() });
    host.send(IpOut::Datagram(to(PEER, udp(b"x"))));
    assert_eq!(host.sent().ttl, 1);
}

// test: RFC 1122 3.2.1.5
// test: RFC 6864 4.1
// test: RFC 6864 4.3
// test: RFC 9293 MAY-4
#[test]
fn only_what_may_be_fragmented_has_an_identification() {
    let mut host = Host::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        host.send(IpOut::Datagram(to(PEER, udp(b"same"))));
        ids.push(host.sent().id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "the same datagram again has another identification: {ids:?}");
    host.send(IpOut::Datagram(Send { dont_fragment: true, ..to(PEER, udp(b"atomic")) }));
    let sent = host.sent();
    assert!(sent.dont_fragment);
    assert_eq!(sent.id, 0);
}

fn entry(destination: &str, via: Option<[u8; 4]>, interface: InterfaceId, m: u32) -> RouteEntry {
    let destination = destination.parse().expect("a prefix");
    RouteEntry { destination, via: via.map(IpAddr::from), interface, metric: m }
}

// test: RFC 1122 3.3.1.1
// test: RFC 1122 3.3.1.2
// test: RFC 1122 3.3.1.3
#[test]
fn the_longest_prefix_decides_then_the_metric() {
    let config = config()
        .route(entry("192.0.2.0/24", Some([10, 9, 0, 1]), IF0, 5))
        .route(entry("192.0.2.0/24", Some([10, 8, 0, 1]), IF1, 4))
        .route(entry("192.0.2.128/25", Some([10, 9, 0, 3]), IF0, 9));
    let mut host = Host::with(config);
    for (destination, interface, next_hop, source) in [
        ([10, 9, 0, 77], IF0, [10, 9, 0, 77], US),
        ([10, 8, 0, 77], IF1, [10, 8, 0, 77], US_TOO),
        ([192, 0, 2, 1], IF1, [10, 8, 0, 1], US_TOO),
        ([192, 0, 2, 129], IF0, [10, 9, 0, 3], US),
        ([8, 8, 8, 8], IF0, [10, 9, 0, 254], US),
    ] {
        host.send(IpOut::Datagram(to(destination.into(), udp(b"x"))));
        let item = host.down().pop().unwrap();
        assert_eq!(item.interface, interface);
        assert_eq!(item.next_hop, NextHop::Neighbour(next_hop.into()));
        assert_eq!(read(&item.packet).source, source);
    }
    let added = entry("8.8.0.0/16", None, IF1, 0);
    assert!(host.ip.add_route(added));
    assert!(host.ip.routes().contains(&added));
    host.send(IpOut::Datagram(to([8, 8, 8, 8].into(), udp(b"x"))));
    assert_eq!(host.down()[0].next_hop, NextHop::Neighbour([8, 8, 8, 8].into()));
    assert!(host.ip.remove_route(&added));
    host.send(IpOut::Datagram(to([8, 8, 8, 8].into(), udp(b"x"))));
    assert_eq!(host.down()[0].next_hop, NextHop::Neighbour(GATEWAY.into()));
    assert!(!host.ip.add_route(entry("8.8.0.0/16", None, InterfaceId(9), 0)));
}

#[test]
fn an_interface_named_by_the_transport_is_kept_to() {
    let mut host = Host::new();
    host.send(IpOut::Datagram(Send { interface: Some(IF1), ..to(PEER, udp(b"x")) }));
    assert_eq!(host.error().kind, IpErrorKind::NoRoute);
    let near = Ipv4Addr::new(10, 8, 0, 9);
    host.send(IpOut::Datagram(Send { interface: Some(IF1), ..to(near, udp(b"x")) }));
    assert_eq!(host.down()[0].interface, IF1);
    let gone = Some(InterfaceId(7));
    host.send(IpOut::Datagram(Send { interface: gone, ..to(near, udp(b"x")) }));
    assert_eq!(host.error().kind, IpErrorKind::NoRoute);
}

// test: RFC 1122 3.3.4.3
#[test]
fn the_source_is_the_address_nearest_to_the_next_hop() {
    let interface = Interface::new(1500)
        .address("10.1.0.1/16".parse().expect("a prefix"))
        .address("10.1.7.1/24".parse().expect("a prefix"))
        .address("172.16.0.1/24".parse().expect("a prefix"));
    let config = Config::new([1; 16])
        .interface(interface)
        .gateway(Ipv4Addr::new(172, 16, 0, 254).into(), IF0);
    let mut host = Host::with(config);
    for (destination, source) in [
        ([10, 1, 3, 3], [10, 1, 0, 1]),
        ([10, 1, 7, 3], [10, 1, 7, 1]),
        ([172, 16, 0, 9], [172, 16, 0, 1]),
        // By the gateway, so from the gateway's subnet.
        ([8, 8, 8, 8], [172, 16, 0, 1]),
        ([255, 255, 255, 255], [10, 1, 0, 1]),
    ] {
        host.send(IpOut::Datagram(to(destination.into(), udp(b"x"))));
        assert_eq!(host.sent().source, Ipv4Addr::from(source), "towards {destination:?}");
    }
}

// test: RFC 1122 3.3.4.3
// test: RFC 1122 3.2.1.3
// test: RFC 1112 source
#[test]
fn a_source_named_by_the_transport_must_be_ours() {
    let mut host = Host::new();
    let from = |source: [u8; 4]| Send { source: Some(source.into()), ..to(PEER, udp(b"abc")) };
    host.send(IpOut::Datagram(from([10, 8, 0, 2])));
    assert_eq!(host.sent().source, US_TOO);
    for source in [
        [10, 9, 0, 3],
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
        [10, 9, 0, 255],
    ] {
        let before = host.drops(Reason::IpNoSource);
        host.send(IpOut::Datagram(from(source)));
        let error = host.error();
        assert_eq!((error.kind, error.reporter), (IpErrorKind::NoSource, None));
        assert_eq!(error.quote.to_vec(), udp(b"abc"));
        assert_eq!(host.drops(Reason::IpNoSource), before + 1);
        assert_eq!(host.down(), []);
    }
}

#[test]
fn without_a_route_the_transport_is_told() {
    let mut host = Host::with(Config { routes: Vec::new(), ..config() });
    for destination in [[192, 0, 2, 1], [0, 0, 0, 1], [240, 0, 0, 1]] {
        host.send(IpOut::Datagram(to(destination.into(), udp(b"abc"))));
        let error = host.error();
        assert_eq!((error.kind, error.destination), (IpErrorKind::NoRoute, destination.into()));
        assert_eq!((error.protocol, error.quote.to_vec()), (protocol::UDP, udp(b"abc")));
    }
    assert_eq!((host.drops(Reason::IpNoRoute), host.counter("IpOutNoRoutes")), (3, 3));
    let v6 = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
    host.send(IpOut::Datagram(Send { destination: v6, ..to(PEER, udp(b"abc")) }));
    assert_eq!(host.error().kind, IpErrorKind::NoRoute);
}

// test: RFC 1122 3.3.6
// test: RFC 1122 3.3.7
#[test]
fn broadcasts_and_groups_go_to_all_on_the_right_link() {
    let mut host = Host::new();
    let group = [239, 1, 2, 3];
    for (destination, source, interface, next_hop, ttl) in [
        ([255, 255, 255, 255], None, IF0, NextHop::Broadcast, 64),
        ([255, 255, 255, 255], Some(US_TOO), IF1, NextHop::Broadcast, 64),
        ([10, 9, 0, 255], None, IF0, NextHop::Broadcast, 64),
        ([10, 8, 0, 255], None, IF1, NextHop::Broadcast, 64),
        (group, None, IF0, NextHop::Group(group.into()), 1),
        (group, Some(US_TOO), IF1, NextHop::Group(group.into()), 1),
    ] {
        let send = to(destination.into(), udp(b"x"));
        host.send(IpOut::Datagram(Send { source: source.map(IpAddr::V4), ..send }));
        let item = host.down().pop().unwrap();
        assert_eq!((item.interface, item.next_hop), (interface, next_hop));
        // RFC 1112 6.1 wants a multicast to stay on the link by default.
        assert_eq!(read(&item.packet).ttl, ttl);
    }
}

#[test]
fn a_partial_checksum_gets_the_pseudo_header() {
    let mut host = Host::new();
    let mut send = to(PEER, udp(b"odd"));
    send.packet.offload_mut().checksum = ChecksumState::Partial { start: 0, field: 6 };
    host.send(IpOut::Datagram(send));
    let mut item = host.down().pop().unwrap();
    let state = item.packet.offload().checksum;
    assert_eq!(state, ChecksumState::Partial { start: 20, field: 6 }, "moved with the header");
    // The device completes it, and the receiver finds it right.
    assert!(checksum::complete(&mut item.packet));
    let payload = read(&item.packet).payload;
    let pseudo = [10, 9, 0, 2, 10, 9, 0, 1, 0, 17, 0, payload.len() as u8];
    assert_eq!(checksum_of(&[&pseudo, payload.as_slice()].concat()), 0);
}

fn checksum_of(bytes: &[u8]) -> u16 {
    crate::common::checksum(bytes)
}

#[test]
fn checksum_metadata_beyond_the_packet_is_a_counted_drop() {
    let mut host = Host::new();
    let mut send = to(PEER, udp(b"x"));
    send.packet.offload_mut().checksum = ChecksumState::Partial { start: 8, field: 16 };
    host.send(IpOut::Datagram(send));
    host.dropped(Reason::IpBadLength);
}

fn tcp(len: usize) -> Vec<u8> {
    let mut segment = vec![0; 20 + len];
    segment[12] = 5 << 4;
    segment
}

fn super_segment(len: usize, size: u16) -> Send {
    let mut send = to(PEER, tcp(len));
    send.protocol = protocol::TCP;
    send.dont_fragment = true;
    let segmentation = Segmentation { kind: SegmentationKind::TcpV4, size, ecn: false };
    send.packet.offload_mut().segmentation = Some(segmentation);
    send.packet.offload_mut().checksum = ChecksumState::Partial { start: 0, field: 16 };
    send
}

// test: RFC 8900 tcp
#[test]
fn super_segments_pass_whole_if_their_segments_fit() {
    let mut host = Host::new();
    let largest = 65_535 - 40;
    for (len, size, fits) in [
        (14_600, 1460, true),
        (largest, 1460, true),
        (largest + 1, 1460, false),
        (14_600, 1461, false),
        // Shorter than one segment.
        (1000, 2000, true),
    ] {
        host.send(IpOut::Datagram(super_segment(len, size)));
        if fits {
            let sent = host.sent();
            assert_eq!(sent.payload.len(), 20 + len);
            assert!(sent.dont_fragment && !sent.more);
            let length = (20 + len) as u16;
            let mut pseudo = vec![10, 9, 0, 2, 10, 9, 0, 1, 0, 6];
            pseudo.extend(length.to_be_bytes());
            let sum = !checksum_of(&pseudo);
            assert_eq!(sent.payload[16..18], sum.to_be_bytes());
        } else {
            assert_eq!(host.error().kind, IpErrorKind::FragmentationNeeded { mtu: 1500 });
            assert_eq!(host.down(), []);
        }
    }
}

// test: RFC 1122 3.3.3
// test: RFC 8900 tcp
#[test]
fn too_big_and_not_to_be_cut_is_told_with_the_mtu() {
    let mut host = Host::new();
    let mut send = to(PEER, udp(&data(1500)));
    send.dont_fragment = true;
    host.send(IpOut::Datagram(send));
    let error = host.error();
    assert_eq!(error.kind, IpErrorKind::FragmentationNeeded { mtu: 1500 });
    assert!(error.quote.len() >= 8);
    assert_eq!((host.drops(Reason::IpTooBig), host.counter("IpFragFails")), (1, 1));
    // RFC 8900: nor is TCP, even where it forgot to forbid it.
    host.send(IpOut::Datagram(Send { protocol: protocol::TCP, ..to(PEER, tcp(1461)) }));
    assert_eq!(host.error().kind, IpErrorKind::FragmentationNeeded { mtu: 1500 });
    assert_eq!(host.down(), []);
    // Beyond 65,535 nothing helps.
    host.send(IpOut::Datagram(to(PEER, data(65_516))));
    assert_eq!(host.error().kind, IpErrorKind::FragmentationNeeded { mtu: 1500 });
}

fn lookup(host: &mut Host, source: Option<Ipv4Addr>, destination: [u8; 4]) -> Path {
    host.send(IpOut::Lookup {
        token: 77,
        protocol: protocol::TCP,
        interface: None,
        source: source.map(IpAddr::V4),
        destination: destination.into(),
    });
    match host.up().as_slice() {
        [IpIn::Path(path)] => path.clone(),
        other => panic!("expected a path: {other:?}"),
    }
}

// test: RFC 1122 3.3.3
// test: RFC 1122 3.3.4.3
// test: RFC 1122 3.4
#[test]
fn a_lookup_says_how_packets_would_leave() {
    let mut host = Host::new();
    let route = |interface, source: Ipv4Addr, mtu, cast| {
        Ok(Route { interface, source: source.into(), mtu, link_mtu: mtu, cast })
    };
    for (source, destination, expected) in [
        (None, [10, 9, 0, 1], route(IF0, US, 1500, Cast::Unicast)),
        (None, [10, 8, 0, 1], route(IF1, US_TOO, 576, Cast::Unicast)),
        (Some(US_TOO), [10, 9, 0, 1], route(IF0, US_TOO, 1500, Cast::Unicast)),
        (None, [10, 9, 0, 255], route(IF0, US, 1500, Cast::Broadcast)),
        (None, [224, 0, 0, 9], route(IF0, US, 1500, Cast::Multicast)),
        (None, [10, 9, 0, 2], route(IF0, US, 65_535, Cast::Unicast)),
        (None, [10, 8, 0, 2], route(IF1, US_TOO, 65_535, Cast::Unicast)),
        (None, [127, 0, 0, 1], route(IF0, Ipv4Addr::LOCALHOST, 65_535, Cast::Unicast)),
        (Some(PEER), [10, 9, 0, 1], Err(IpErrorKind::NoSource)),
        (Some(PEER), [10, 9, 0, 2], Err(IpErrorKind::NoSource)),
        (None, [0, 0, 0, 0], Err(IpErrorKind::NoRoute)),
    ] {
        let path = lookup(&mut host, source, destination);
        assert_eq!(path.route, expected, "to {destination:?} from {source:?}");
        assert_eq!((path.token, path.protocol), (77, protocol::TCP));
    }
}

// test: RFC 1122 3.3.1.4
// test: RFC 1122 3.3.8
#[test]
fn a_neighbour_that_does_not_answer_is_told_to_the_transport() {
    let mut host = Host::new();
    host.send(IpOut::Datagram(to(FAR, udp(b"anybody?"))));
    let item = host.down().pop().unwrap();
    let back = |packet| NetIn::Unreachable { interface: IF0, next_hop: GATEWAY.into(), packet };
    host.ip.receive(host.now, back(item.packet), &mut host.driver.out());
    let error = host.error();
    assert_eq!((error.kind, error.reporter), (IpErrorKind::NeighbourFailed, None));
    assert_eq!((error.source, error.destination), (US.into(), FAR.into()));
    assert_eq!(error.quote.to_vec(), udp(b"anybody?"));
    // A later fragment does not say which program sent it.
    let fragment = V4 { offset: 3, ..V4::new(protocol::UDP, data(64)) };
    let packet = PacketBuf::copy_from(&fragment.bytes());
    host.ip.receive(host.now, back(packet), &mut host.driver.out());
    host.dropped(Reason::IpNeighbourFailed);
    // Our own ICMP has nobody above to be told.
    let echo = V4::new(protocol::ICMP, icmp(0, 0, [0; 4], b""));
    let packet = PacketBuf::copy_from(&echo.bytes());
    host.ip.receive(host.now, back(packet), &mut host.driver.out());
    host.silent();
    assert_eq!(host.drops(Reason::IpNeighbourFailed), 2);
}
