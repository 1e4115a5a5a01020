//! Echo, and the messages that are ignored.

use core::net::Ipv4Addr;

use ip::{Config, Limits};
use layer::boundary::{Cast, NextHop, protocol};
use layer::{ChecksumState, Duration, PacketBuf, Reason};

use crate::common::*;

fn echo(data: &[u8]) -> V4 {
    V4::new(protocol::ICMP, icmp(8, 0, [0xab, 0xcd, 0x12, 0x34], data))
}

// test: RFC 792 echo
// test: RFC 1122 3.2.2.6
#[test]
fn an_echo_request_is_answered_with_all_it_carried() {
    for len in [0, 1, 56, 1472] {
        let mut host = Host::new();
        host.wire(&V4 { tos: 0x0b, ..echo(&data(len)) });
        let down = host.down();
        let [item] = down.as_slice() else { panic!("{down:?}") };
        assert_eq!(item.next_hop, NextHop::Neighbour(PEER.into()));
        let reply = read(&item.packet);
        assert_eq!((reply.source, reply.destination, reply.protocol), (US, PEER, 1));
        // The class of service comes back without the mark of congestion.
        assert_eq!((reply.ttl, reply.tos, reply.dont_fragment), (64, 0x08, false));
        assert_eq!(reply.payload, icmp(0, 0, [0xab, 0xcd, 0x12, 0x34], &data(len)));
        assert_eq!(host.counter("IcmpInEchos"), 1);
        assert_eq!(host.counter("IcmpOutEchoReps"), 1);
    }
}

// test: RFC 1122 3.2.2.6
#[test]
fn a_big_echo_comes_and_goes_in_fragments() {
    let mut host = Host::new();
    let whole = echo(&data(65_507));
    for piece in crate::fragments::cut(&whole, 1480) {
        host.wire(&piece);
    }
    let down = host.down();
    assert_eq!(down.len(), 45, "65,515 bytes in pieces of 1480");
    let mut payload = Vec::new();
    for item in &down {
        let fragment = read(&item.packet);
        assert_eq!(fragment.offset, payload.len());
        payload.extend(fragment.payload);
    }
    assert_eq!(payload, icmp(0, 0, [0xab, 0xcd, 0x12, 0x34], &data(65_507)));
}

// test: RFC 1122 3.2.2.6
#[test]
fn an_echo_to_many_is_not_answered() {
    for (cast, destination) in [
        (Cast::Broadcast, Ipv4Addr::BROADCAST),
        (Cast::Broadcast, Ipv4Addr::new(10, 9, 0, 255)),
        (Cast::Unicast, Ipv4Addr::new(10, 9, 0, 255)),
        (Cast::Multicast, Ipv4Addr::new(224, 0, 0, 1)),
    ] {
        let mut host = Host::new();
        host.bytes(IF0, cast, V4 { destination, ..echo(b"x") }.bytes());
        host.dropped(Reason::IcmpIgnored);
        assert_eq!(host.counter("IcmpInEchos"), 1);
    }
}

// test: RFC 792 checksum
#[test]
fn a_wrong_checksum_or_a_cut_message_is_dropped() {
    for bit in 0..12 * 8 {
        let mut host = Host::new();
        let mut packet = echo(b"data");
        packet.payload[bit / 8] ^= 0x80 >> (bit % 8);
        host.wire(&packet);
        host.dropped(Reason::IcmpBadChecksum);
        assert_eq!(host.counter("IcmpInCsumErrors"), 1);
    }
    for len in 0..8 {
        let mut host = Host::new();
        let mut packet = echo(b"");
        packet.payload.truncate(len);
        host.wire(&packet);
        host.dropped(Reason::IcmpTruncated);
    }
}

#[test]
fn a_message_the_device_vouches_for_is_not_summed_again() {
    let mut host = Host::new();
    let mut packet = echo(b"x");
    packet.payload[2] ^= 1;
    let mut packet = PacketBuf::copy_from(&packet.bytes());
    packet.offload_mut().checksum = ChecksumState::Verified;
    host.packet(IF0, Cast::Unicast, packet);
    // What goes out has a checksum of its own.
    assert_eq!(host.sent().payload, icmp(0, 0, [0xab, 0xcd, 0x12, 0x34], b"x"));
}

// test: RFC 1122 3.2.2
// test: RFC 1122 3.2.2.2
// test: RFC 1122 3.2.2.3
// test: RFC 1122 3.2.2.7
// test: RFC 1122 3.2.2.8
// test: RFC 1122 3.2.2.9
// test: RFC 6633 receive
// test: RFC 5927 6.2
// test: RFC 9293 MUST-55
#[test]
fn every_other_type_is_ignored() {
    let quote = V4 { source: US, destination: PEER, ..V4::new(6, vec![0; 20]) }.bytes();
    for kind in (0..=255).filter(|kind| ![3, 8, 11, 12].contains(kind)) {
        let mut host = Host::new();
        host.wire(&V4::new(protocol::ICMP, icmp(kind, 0, [10, 9, 0, 77], &quote)));
        host.dropped(Reason::IcmpIgnored);
        let counted = ["IcmpInSrcQuenchs", "IcmpInRedirects", "IcmpInEchoReps"];
        let counted = counted.map(|name| host.counter(name));
        let expected = match kind {
            4 => [1, 0, 0],
            5 => [0, 1, 0],
            0 => [0, 0, 1],
            _ => [0, 0, 0],
        };
        assert_eq!(counted, expected, "type {kind}");
    }
}

#[test]
fn echo_replies_have_a_limit() {
    let limits = Limits { echo_per_second: 10, echo_burst: 3, ..Limits::default() };
    let mut host = Host::with(Config { limits, ..config() });
    for _ in 0..5 {
        host.wire(&echo(b"x"));
    }
    assert_eq!(host.down().len(), 3);
    assert_eq!(host.drops(Reason::IcmpRateLimited), 2);
    host.wait(Duration::from_millis(100));
    host.wire(&echo(b"x"));
    host.wire(&echo(b"x"));
    assert_eq!(host.down().len(), 1, "one more after a tenth of a second");
}

#[test]
fn an_echo_from_where_no_route_leads_is_a_counted_drop() {
    let mut host = Host::with(Config { routes: Vec::new(), ..config() });
    host.wire(&V4 { source: FAR, ..echo(b"x") });
    host.dropped(Reason::IpNoRoute);
}
