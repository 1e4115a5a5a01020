//! Packets to ourselves: never on a wire, never unbounded.

use core::net::{IpAddr, Ipv4Addr};

use ip::{Config, Limits};
use layer::boundary::{IpErrorKind, IpIn, IpOut, RejectReason, Send, protocol};
use layer::{Accounted, ChecksumState, InterfaceId, Layer, Reason, Segmentation, SegmentationKind};

use crate::common::*;

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

// test: RFC 1122 3.2.1.3
#[test]
fn packets_to_ourselves_never_leave() {
    let mut host = Host::new();
    for (destination, source, interface) in [
        (US, US, IF0),
        (US_TOO, US_TOO, IF1),
        (LOCALHOST, LOCALHOST, IF0),
        (Ipv4Addr::new(127, 3, 2, 1), LOCALHOST, IF0),
    ] {
        let mut send = to(destination, udp(b"me"));
        send.packet.offload_mut().checksum = ChecksumState::Partial { start: 0, field: 6 };
        host.send(IpOut::Datagram(send));
        let datagram = host.delivered();
        assert_eq!(datagram.source, IpAddr::V4(source));
        assert_eq!(datagram.destination, IpAddr::V4(destination));
        assert_eq!(datagram.interface, interface);
        assert_eq!(datagram.packet.offload().checksum, ChecksumState::Verified);
        assert_eq!(datagram.packet.to_vec()[8..], *b"me");
        assert_eq!(host.down(), []);
    }
}

#[test]
fn a_source_of_ours_may_be_named_and_no_other() {
    let mut host = Host::new();
    let from = |source: Ipv4Addr| Send { source: Some(source.into()), ..to(US, udp(b"x")) };
    for source in [US_TOO, LOCALHOST] {
        host.send(IpOut::Datagram(from(source)));
        assert_eq!(host.delivered().source, IpAddr::V4(source));
    }
    host.send(IpOut::Datagram(from(PEER)));
    assert_eq!(host.error().kind, IpErrorKind::NoSource);
}

#[test]
fn a_super_segment_to_ourselves_is_delivered_whole() {
    let mut host = Host::new();
    let mut segment = data(40_000);
    segment[12] = 5 << 4;
    let mut send = to(US, segment);
    send.protocol = protocol::TCP;
    send.dont_fragment = true;
    let segmentation = Segmentation { kind: SegmentationKind::TcpV4, size: 1460, ecn: false };
    send.packet.offload_mut().segmentation = Some(segmentation);
    host.send(IpOut::Datagram(send));
    let datagram = host.delivered();
    assert_eq!(datagram.packet.len(), 40_000);
    assert_eq!(datagram.mtu, 65_535);
}

#[test]
fn large_datagrams_to_ourselves_are_not_cut() {
    let mut host = Host::new();
    host.send(IpOut::Datagram(to(US, udp(&data(65_507)))));
    assert_eq!(host.delivered().packet.len(), 65_515);
    host.send(IpOut::Datagram(to(US, udp(&data(65_508)))));
    assert_eq!(host.error().kind, IpErrorKind::FragmentationNeeded { mtu: 65_535 });
}

#[test]
fn what_the_transports_have_no_room_for_waits_bounded() {
    let limits = Limits { loopback_packets: 4, ..Limits::default() };
    let mut host = Host::with(Config { limits, ..config() });
    host.driver.up.set_capacity(1);
    for n in 0..7 {
        host.send(IpOut::Datagram(to(US, udp(&[n]))));
    }
    assert_eq!((host.driver.up.len(), host.ip.held_items()), (1, 4));
    assert_eq!(host.drops(Reason::IpQueueFull), 2);
    let mut seen = Vec::new();
    while host.ip.poll_at().is_some() || !host.driver.up.is_empty() {
        seen.push(host.delivered().packet.to_vec()[8]);
        host.poll();
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

// test: RFC 1122 3.2.2.1
#[test]
fn a_closed_port_of_our_own_refuses_as_any_other() {
    for address in [US, LOCALHOST] {
        let mut host = Host::new();
        host.send(IpOut::Datagram(to(address, udp(b"knock"))));
        let datagram = host.delivered();
        host.send(IpOut::Reject { reason: RejectReason::PortUnreachable, datagram });
        let error = host.error();
        assert_eq!(
            (error.kind, error.reporter),
            (IpErrorKind::PortUnreachable, Some(address.into()))
        );
        assert_eq!(error.quote.to_vec(), udp(b"knock"));
        assert_eq!(host.down(), []);
    }
}

#[test]
fn our_own_ping_is_answered_and_that_is_the_end_of_it() {
    let mut host = Host::new();
    let mut send = to(US, icmp(8, 0, [0, 1, 0, 1], b"me"));
    send.protocol = protocol::ICMP;
    host.send(IpOut::Datagram(send));
    host.poll();
    host.silent();
    assert_eq!((host.counter("IcmpInEchos"), host.counter("IcmpInEchoReps")), (1, 1));
    assert_eq!(host.ip.poll_at(), None);
}

#[test]
fn a_host_without_interfaces_still_talks_to_itself() {
    let mut host = Host::with(Config::new([0; 16]));
    host.send(IpOut::Datagram(to(LOCALHOST, udp(b"x"))));
    assert_eq!(host.delivered().interface, InterfaceId(0));
    host.send(IpOut::Datagram(to(PEER, udp(b"x"))));
    assert!(matches!(host.up().as_slice(), [IpIn::Error(_)]));
}
