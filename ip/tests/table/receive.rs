//! The way up: what is dropped under which name, and what is delivered how.

use core::net::Ipv4Addr;

use layer::boundary::{AddressState, Cast, NetIn, RouterFact, ethertype, protocol};
use layer::{ChecksumState, Layer, PacketBuf, Reason};

use crate::common::*;

fn good() -> V4 {
    V4::new(protocol::UDP, udp(b"hello"))
}

// test: RFC 1122 3.2.1.6
// test: RFC 1122 3.4
#[test]
fn a_datagram_rises_with_all_its_header_says() {
    let mut host = Host::new();
    host.wire(&V4 { tos: 0xb9, ttl: 7, ..good() });
    let datagram = host.delivered();
    assert_eq!((datagram.source, datagram.destination), (PEER.into(), US.into()));
    assert_eq!((datagram.tos, datagram.ttl, datagram.protocol), (0xb9, 7, 17));
    assert_eq!((datagram.mtu, datagram.header_len, datagram.cast), (1500, 20, Cast::Unicast));
    assert_eq!(datagram.packet.to_vec(), udp(b"hello"));
    assert_eq!((host.counter("IpInReceives"), host.counter("IpInDelivers")), (1, 1));
}

// test: RFC 791 length
#[test]
fn padding_after_the_total_length_is_cut_off() {
    let mut host = Host::new();
    let mut bytes = good().bytes();
    bytes.resize(46, 0xee);
    host.bytes(IF0, Cast::Unicast, bytes);
    assert_eq!(host.delivered().packet.to_vec(), udp(b"hello"));
}

// test: RFC 791 length
#[test]
fn impossible_total_lengths_are_dropped() {
    for total in [0_u16, 19, 34, 65_535] {
        let mut host = Host::new();
        let mut bytes = good().bytes();
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        fix_checksum(&mut bytes);
        host.bytes(IF0, Cast::Unicast, bytes);
        host.dropped(Reason::IpBadLength);
        assert_eq!(host.counter("IpInHdrErrors"), 1);
    }
}

// test: RFC 791 ihl
#[test]
fn impossible_header_lengths_are_dropped() {
    for (ihl, reason) in [
        (0, Reason::IpBadHeaderLength),
        (4, Reason::IpBadHeaderLength),
        // 60 bytes of header in a packet of 33.
        (15, Reason::IpTruncated),
    ] {
        let mut host = Host::new();
        let mut bytes = good().bytes();
        bytes[0] = 0x40 | ihl;
        host.bytes(IF0, Cast::Unicast, bytes);
        host.dropped(reason);
    }
}

#[test]
fn less_than_a_header_is_dropped() {
    for len in 0..20 {
        let mut host = Host::new();
        let mut bytes = good().bytes();
        bytes.truncate(len);
        host.bytes(IF0, Cast::Unicast, bytes);
        host.dropped(Reason::IpTruncated);
    }
}

// test: RFC 1122 3.2.1.1
#[test]
fn another_version_is_dropped_in_silence() {
    for version in [0, 3, 5, 6, 15_u8] {
        let mut host = Host::new();
        let mut bytes = good().bytes();
        bytes[0] = version << 4 | 5;
        fix_checksum(&mut bytes);
        host.bytes(IF0, Cast::Unicast, bytes);
        host.dropped(Reason::IpBadVersion);
    }
    let mut host = Host::new();
    let packet = PacketBuf::copy_from(&good().bytes());
    let (interface, cast, kind) = (IF0, Cast::Unicast, ethertype::IPV6);
    let item = NetIn::Packet { interface, cast, ethertype: kind, packet };
    host.ip.receive(host.now, item, &mut host.driver.out());
    host.dropped(Reason::IpBadVersion);
}

// test: RFC 1122 3.2.1.2
#[test]
fn every_bit_of_the_header_is_under_the_checksum() {
    // Bits 0 to 7 are version and length, which have checks of their own.
    for bit in 8..160 {
        let mut host = Host::new();
        let mut bytes = good().bytes();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        // What a device says about checksums is about the transport's.
        let mut packet = PacketBuf::copy_from(&bytes);
        packet.offload_mut().checksum = ChecksumState::Verified;
        host.packet(IF0, Cast::Unicast, packet);
        host.dropped(Reason::IpBadChecksum);
    }
}

// test: RFC 1122 3.2.1.3
// test: RFC 1112 source
// test: RFC 9293 MUST-63
#[test]
fn sources_that_are_no_single_host_are_dropped() {
    for source in [
        [0, 0, 0, 0],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [127, 255, 255, 255],
        [224, 0, 0, 1],
        [239, 1, 2, 3],
        [240, 0, 0, 1],
        [255, 255, 255, 255],
        // Broadcast addresses of our two subnets, and their old form.
        [10, 9, 0, 255],
        [10, 8, 0, 255],
        [10, 9, 0, 0],
        // Ourselves.
        [10, 9, 0, 2],
        [10, 8, 0, 2],
    ] {
        let mut host = Host::new();
        host.wire(&V4 { source: source.into(), ..good() });
        host.dropped(Reason::IpMartianSource);
        assert_eq!(host.counter("IpInAddrErrors"), 1);
    }
}

// test: RFC 1122 3.2.1.3
// test: RFC 1122 3.1
#[test]
fn what_is_not_for_us_is_dropped_in_silence() {
    for (destination, reason) in [
        ([127, 0, 0, 1], Reason::IpMartianDestination),
        ([0, 0, 0, 0], Reason::IpMartianDestination),
        ([10, 9, 0, 3], Reason::IpNotForUs),
        ([192, 0, 2, 1], Reason::IpNotForUs),
        ([240, 0, 0, 1], Reason::IpNotForUs),
        // The broadcast address of the other link's subnet.
        ([10, 8, 0, 255], Reason::IpNotForUs),
    ] {
        let mut host = Host::new();
        host.wire(&V4 { destination: destination.into(), ..good() });
        host.dropped(reason);
    }
}

// test: RFC 1122 3.3.6
#[test]
fn broadcasts_of_all_forms_are_received_as_such() {
    for destination in [[255, 255, 255, 255], [10, 9, 0, 255], [10, 9, 0, 0]] {
        let mut host = Host::new();
        let packet = V4 { destination: destination.into(), ..good() };
        host.bytes(IF0, Cast::Broadcast, packet.bytes());
        assert_eq!(host.delivered().cast, Cast::Broadcast);
        // By unicast at the link it is still a broadcast.
        host.wire(&packet);
        assert_eq!(host.delivered().cast, Cast::Broadcast);
    }
}

// test: RFC 1122 3.3.6
#[test]
fn unicast_within_a_link_broadcast_is_dropped() {
    for cast in [Cast::Broadcast, Cast::Multicast] {
        let mut host = Host::new();
        host.bytes(IF0, cast, good().bytes());
        host.dropped(Reason::IpUnicastInBroadcast);
    }
}

// test: RFC 1112 all-hosts
// test: RFC 1112 filter
// test: RFC 1122 3.3.7
#[test]
fn groups_are_received_where_they_were_joined() {
    let group = Ipv4Addr::new(239, 1, 2, 3);
    let to_group = V4 { destination: group, ..good() };
    let mut host = Host::new();
    host.bytes(IF0, Cast::Multicast, to_group.bytes());
    host.dropped(Reason::IpUnjoinedGroup);
    assert!(host.ip.join_group(IF0, group.into()));
    host.bytes(IF0, Cast::Multicast, to_group.bytes());
    assert_eq!(host.delivered().cast, Cast::Multicast);
    host.bytes(IF1, Cast::Multicast, to_group.bytes());
    host.silent();
    assert!(host.ip.leave_group(IF0, group.into()));
    host.bytes(IF0, Cast::Multicast, to_group.bytes());
    host.silent();
    // All hosts: never left.
    let all = Ipv4Addr::new(224, 0, 0, 1);
    assert!(!host.ip.leave_group(IF0, all.into()));
    host.bytes(IF0, Cast::Multicast, V4 { destination: all, ..good() }.bytes());
    assert_eq!(host.delivered().destination, all);
}

// test: RFC 1122 3.2.1.7
#[test]
fn a_low_ttl_is_no_reason_to_drop_what_has_arrived() {
    for ttl in [0, 1] {
        let mut host = Host::new();
        host.wire(&V4 { ttl, ..good() });
        assert_eq!(host.delivered().ttl, ttl);
    }
}

// test: RFC 791 3.1
// test: RFC 1122 3.2.1.8
// test: RFC 9293 MUST-50
// test: RFC 9293 MAY-10
// test: RFC 9293 MAY-11
#[test]
fn options_are_skipped_by_their_length() {
    for options in [
        vec![1, 1, 1, 0],
        // Router alert.
        vec![148, 4, 0, 0],
        // Record route for one address, then the end, then junk after the end.
        vec![7, 7, 4, 0, 0, 0, 0, 0, 99, 99, 99, 99],
        // Timestamp, then an unknown one.
        vec![68, 8, 5, 0, 0, 0, 0, 0, 200, 4, 1, 2],
        // 40 bytes of an unknown one.
        [vec![222, 40], vec![7; 38]].concat(),
    ] {
        let mut host = Host::new();
        let header_len = 20 + options.len();
        host.wire(&V4 { options, ..good() });
        let mut datagram = host.delivered();
        assert_eq!((datagram.packet.to_vec(), datagram.header_len), (udp(b"hello"), header_len));
        assert!(datagram.packet.retreat(header_len), "the header is there to be quoted");
    }
}

// test: RFC 7126 4.3
// test: RFC 7126 4.4
#[test]
fn source_routes_are_refused_and_counted() {
    for kind in [131, 137] {
        let mut host = Host::new();
        host.wire(&V4 { options: vec![1, kind, 7, 8, 10, 9, 0, 1], ..good() });
        host.dropped(Reason::IpSourceRoute);
    }
}

// test: RFC 6864 4.1
#[test]
fn the_identification_of_a_whole_datagram_means_nothing() {
    let mut host = Host::new();
    for _ in 0..3 {
        host.wire(&V4 { id: 7, ..good() });
        assert_eq!(host.delivered().packet.to_vec(), udp(b"hello"));
    }
}

// test: RFC 1122 3.3.4.2
#[test]
fn each_address_is_answered_from_on_whichever_link_it_was_asked() {
    let mut host = Host::new();
    for (interface, destination) in [(IF0, US), (IF0, US_TOO), (IF1, US), (IF1, US_TOO)] {
        let request = icmp(8, 0, [0, 1, 0, 1], b"?");
        let packet = V4 { destination, ..V4::new(protocol::ICMP, request) };
        host.bytes(interface, Cast::Unicast, packet.bytes());
        assert_eq!(host.sent().source, destination);
    }
}

#[test]
fn an_address_in_conflict_is_not_ours_until_it_is_ready_again() {
    let mut host = Host::new();
    let tell = |host: &mut Host, state| {
        let item = NetIn::Address { interface: IF0, address: US.into(), state };
        host.ip.receive(host.now, item, &mut host.driver.out());
    };
    tell(&mut host, AddressState::Conflict);
    host.wire(&good());
    host.dropped(Reason::IpNotForUs);
    // It is the other station's now, which may well talk to our second address.
    let from_other = V4 { source: US, destination: US_TOO, ..good() };
    host.bytes(IF1, Cast::Unicast, from_other.bytes());
    assert_eq!(host.delivered().source, US);
    tell(&mut host, AddressState::Ready);
    host.wire(&good());
    assert_eq!(host.delivered().destination, US);
}

#[test]
fn router_facts_are_taken_in() {
    let mut host = Host::new();
    let fact = RouterFact::Default { router: GATEWAY.into(), lifetime_s: 1800 };
    let item = NetIn::Router { interface: IF0, fact };
    host.ip.receive(host.now, item, &mut host.driver.out());
    host.silent();
    assert_eq!(host.driver.ledger.consumed(), 1);
}

#[test]
fn a_vouched_transport_checksum_stays_vouched() {
    let mut host = Host::new();
    let mut packet = PacketBuf::copy_from(&good().bytes());
    packet.offload_mut().checksum = ChecksumState::Partial { start: 20, field: 6 };
    host.packet(IF0, Cast::Unicast, packet);
    let state = host.delivered().packet.offload().checksum;
    assert_eq!(state, ChecksumState::Partial { start: 0, field: 6 });
}
