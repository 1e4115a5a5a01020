//! Fragments out and in, with the attacks.

use ip::{Config, Interface, Limits};
use layer::boundary::{Cast, IpOut, Send, protocol};
use layer::{Accounted, ChecksumState, Duration, Layer, PacketBuf, Reason};

use crate::common::*;

/// A packet cut by hand into pieces of `unit` payload bytes.
pub(crate) fn cut(whole: &V4, unit: usize) -> Vec<V4> {
    assert_eq!(unit % 8, 0);
    let count = whole.payload.len().div_ceil(unit);
    let pieces = whole.payload.chunks(unit).enumerate();
    pieces
        .map(|(n, piece)| V4 {
            more: n + 1 < count,
            offset: (n * unit / 8) as u16,
            payload: piece.to_vec(),
            ..whole.clone()
        })
        .collect()
}

fn whole(len: usize) -> V4 {
    V4::new(protocol::UDP, udp(&data(len)))
}

// test: RFC 1122 3.3.3
// test: RFC 791 3.2
// test: RFC 8900 udp
#[test]
fn udp_above_the_mtu_goes_in_fragments() {
    for (len, count) in [(1472, 1), (1473, 2), (2952, 2), (2953, 3), (8192, 6), (65_507, 45)] {
        let mut host = Host::new();
        let payload = udp(&data(len));
        host.send(IpOut::Datagram(to(PEER, payload.clone())));
        let down: Vec<Read> = host.down().iter().map(|item| read(&item.packet)).collect();
        assert_eq!(down.len(), count, "{len} bytes");
        let mut joined = Vec::<u8>::new();
        for (n, fragment) in down.iter().enumerate() {
            assert_eq!((fragment.offset, fragment.id), (joined.len(), down[0].id));
            assert_eq!(fragment.more, n + 1 < count);
            assert!(20 + fragment.payload.len() <= 1500);
            joined.extend(&fragment.payload);
        }
        assert_eq!(joined, payload);
        let created = if count > 1 { count as u64 } else { 0 };
        assert_eq!(host.counter("IpFragCreates"), created);
    }
}

// test: RFC 791 3.2
#[test]
fn fragments_are_cut_at_units_of_eight_bytes_on_every_mtu() {
    for (mtu, expected) in [(576, [552, 1104, 1656]), (68, [48, 96, 144]), (577, [552, 1104, 1656])]
    {
        let interface = Interface::new(mtu).address("10.9.0.2/24".parse().unwrap());
        let mut host = Host::with(Config::new([0; 16]).interface(interface));
        host.send(IpOut::Datagram(to(PEER, udp(&data(2000)))));
        let offsets = host.down().iter().map(|item| read(&item.packet).offset).collect::<Vec<_>>();
        assert_eq!(offsets[1..4], expected, "MTU {mtu}");
    }
}

#[test]
fn the_checksum_of_what_is_cut_is_completed_first() {
    let mut host = Host::new();
    let mut send = to(PEER, udp(&data(3000)));
    send.packet.offload_mut().checksum = ChecksumState::Partial { start: 0, field: 6 };
    host.send(IpOut::Datagram(send));
    let mut joined = vec![10, 9, 0, 2, 10, 9, 0, 1, 0, 17];
    joined.extend(3008_u16.to_be_bytes());
    for item in host.down() {
        assert_eq!(item.packet.offload().checksum, ChecksumState::Complete);
        joined.extend(read(&item.packet).payload);
    }
    assert_eq!(checksum(&joined), 0);
}

#[test]
fn fragments_without_room_below_wait_in_order() {
    let mut host = Host::new();
    host.driver.down.set_capacity(2);
    host.send(IpOut::Datagram(to(PEER, udp(&data(8000)))));
    let mut seen: Vec<Read> = host.down().iter().map(|item| read(&item.packet)).collect();
    // There is room again, but later datagrams go behind, lest they overtake.
    host.send(IpOut::Datagram(to(PEER, udp(b"last"))));
    assert_eq!(host.down(), []);
    let mut rounds = 0;
    loop {
        seen.extend(host.down().iter().map(|item| read(&item.packet)));
        if host.ip.poll_at().is_none() {
            break;
        }
        host.poll();
        rounds += 1;
        assert!(host.driver.down.len() <= 2 && rounds < 10);
    }
    let offsets: Vec<usize> = seen.iter().map(|read| read.offset).collect();
    assert_eq!(offsets, [0, 1480, 2960, 4440, 5920, 7400, 0]);
    assert_eq!(seen[6].payload, udp(b"last"));
}

#[test]
fn no_datagram_is_sent_in_part() {
    let limits = Limits { waiting_fragments: 5, ..Limits::default() };
    let mut host = Host::with(Config { limits, ..config() });
    host.send(IpOut::Datagram(to(PEER, udp(&data(8000)))));
    host.dropped(Reason::IpQueueFull);
    let small = Send { dont_fragment: false, ..to(PEER, udp(&data(7000))) };
    host.send(IpOut::Datagram(small));
    assert_eq!(host.down().len(), 5);
}

// test: RFC 815 3
// test: RFC 791 3.2
// test: RFC 1122 3.2.1.4
#[test]
fn fragments_join_in_any_order_with_repetitions() {
    let payload = udp(&data(568));
    let pieces = cut(&whole(568), 8);
    let forward: Vec<usize> = (0..pieces.len()).collect();
    let backward: Vec<usize> = forward.iter().rev().copied().collect();
    let even_first: Vec<usize> =
        forward.iter().step_by(2).chain(forward.iter().skip(1).step_by(2)).copied().collect();
    let doubled: Vec<usize> = forward.iter().flat_map(|&n| [n, n]).collect();
    for order in [forward, backward, even_first, doubled] {
        let mut host = Host::new();
        let mut up = Vec::new();
        for n in order {
            host.wire(&pieces[n]);
            up.extend(host.up());
        }
        let [layer::boundary::IpIn::Datagram(datagram)] = up.as_slice() else { panic!("{up:?}") };
        assert_eq!(datagram.packet.to_vec(), payload);
        assert_eq!(host.counter("IpReasmOKs"), 1);
    }
}

// test: RFC 791 3.2
#[test]
fn the_largest_datagram_can_be_put_together_and_its_checksum_is_not_vouched_for() {
    let mut host = Host::new();
    for piece in cut(&whole(65_507), 1480) {
        let mut packet = PacketBuf::copy_from(&piece.bytes());
        packet.offload_mut().checksum = ChecksumState::Verified;
        host.packet(IF0, Cast::Unicast, packet);
    }
    let mut datagram = host.delivered();
    assert_eq!(datagram.packet.to_vec(), udp(&data(65_507)));
    assert_eq!(datagram.packet.offload().checksum, ChecksumState::Complete);
    // The header is that of a whole datagram, to be quoted.
    assert!(datagram.packet.retreat(datagram.header_len));
    let header = read(&datagram.packet);
    assert_eq!((header.more, header.offset, header.source), (false, 0, PEER));
    assert_eq!(host.ip.held_items() + host.ip.held_bytes(), 0);
}

#[test]
fn beyond_65535_the_datagram_is_dropped() {
    let mut host = Host::new();
    let pieces = cut(&whole(65_507), 1480);
    for piece in &pieces[..44] {
        host.wire(piece);
    }
    let last = pieces[44].clone();
    host.wire(&V4 { payload: data(last.payload.len() + 1), ..last.clone() });
    host.silent();
    assert_eq!(host.drops(Reason::IpFragmentMalformed), 45);
    host.wire(&last);
    host.silent();
    // The last place an offset can name.
    let mut host = Host::new();
    host.wire(&V4 { offset: 8191, more: true, ..V4::new(17, data(8)) });
    host.dropped(Reason::IpFragmentMalformed);
    // With options in the first fragment alone, the whole can be too long as well.
    let mut host = Host::new();
    host.wire(&V4 { options: vec![1; 4], ..pieces[0].clone() });
    for piece in &pieces[1..] {
        host.wire(piece);
    }
    host.silent();
    assert_eq!(host.drops(Reason::IpFragmentMalformed), 45);
}

#[test]
fn fragments_of_different_datagrams_never_mix() {
    let [first, second] = [cut(&whole(100), 64), cut(&whole(100), 64)];
    let last = &second[1];
    let mut host = Host::new();
    host.wire(&first[0]);
    for other in [
        V4 { id: 0x4321, ..last.clone() },
        V4 { protocol: 6, offset: 8, ..last.clone() },
        V4 { source: GATEWAY, ..last.clone() },
        V4 { destination: US_TOO, ..last.clone() },
    ] {
        host.wire(&other);
        host.silent();
    }
    host.bytes(IF1, Cast::Unicast, last.bytes());
    host.silent();
    host.wire(last);
    assert_eq!(host.delivered().packet.to_vec(), udp(&data(100)));
}

// test: RFC 5722 overlap
// test: RFC 1858 4
#[test]
fn an_overlap_drops_the_whole_datagram_and_what_follows() {
    let pieces = cut(&whole(100), 32);
    let shifted = |offset, len, more| V4 { offset, more, payload: data(len), ..pieces[0].clone() };
    for (why, overlap) in [
        ("other bytes", V4 { payload: data(32), ..pieces[1].clone() }),
        ("begins inside", shifted(5, 32, true)),
        ("ends inside", shifted(3, 16, true)),
        ("within", shifted(5, 8, true)),
        ("around", shifted(3, 64, true)),
        ("same bytes, longer", shifted(4, 40, true)),
        ("ends before what was there", shifted(2, 8, false)),
        ("same bytes, another end", V4 { more: false, ..pieces[1].clone() }),
    ] {
        let mut host = Host::new();
        host.wire(&pieces[1]);
        host.wire(&overlap);
        assert_eq!(host.drops(Reason::IpFragmentOverlap), 2, "{why}");
        for piece in &pieces {
            host.wire(piece);
        }
        assert_eq!((why, host.up()), (why, vec![]));
        assert_eq!(host.drops(Reason::IpFragmentOverlap), 2 + pieces.len() as u64);
        assert_eq!((host.counter("IpExtReasmOverlaps"), host.counter("IpReasmFails")), (1, 1));
        // After its time the identification is free again.
        host.wait(Duration::from_secs(60));
        assert_eq!(host.down(), [], "no error about what was poisoned");
        assert_eq!(host.counter("IpReasmTimeout"), 0);
        for piece in &pieces {
            host.wire(piece);
        }
        assert_eq!(host.delivered().packet.to_vec(), udp(&data(100)));
    }
}

#[test]
fn two_ends_drop_the_datagram() {
    for (end, more) in [(20_u16, false), (16, true)] {
        let mut host = Host::new();
        let pieces = cut(&whole(100), 64);
        host.wire(&pieces[1]);
        host.wire(&V4 { offset: end, more, payload: data(8), ..pieces[0].clone() });
        host.silent();
        assert_eq!(host.drops(Reason::IpFragmentOverlap), 2);
    }
}

// test: RFC 1858 3
#[test]
fn a_first_fragment_that_splits_the_tcp_header_is_never_delivered() {
    let mut segment = vec![0; 80];
    // Ten words of header, then a number of words that no header has.
    for (words, unit, delivered) in [
        (10, 8, 0),
        (10, 16, 0),
        (10, 24, 0),
        (10, 32, 0),
        (10, 40, 1),
        (10, 64, 1),
        (0, 16, 0),
        (4, 16, 0),
    ] {
        segment[12] = words << 4;
        let mut host = Host::new();
        for piece in cut(&V4::new(protocol::TCP, segment.clone()), unit).iter().rev() {
            host.wire(piece);
        }
        assert_eq!(host.up().len(), delivered, "{unit} bytes first");
        assert_eq!(host.drops(Reason::IpFragmentTiny) > 0, delivered == 0);
    }
}

// test: RFC 3128 offset-one
#[test]
fn a_tcp_fragment_at_offset_one_drops_its_datagram() {
    let mut host = Host::new();
    let first = V4 { more: true, ..V4::new(protocol::TCP, vec![0x50; 40]) };
    host.wire(&first);
    host.wire(&V4 { offset: 1, more: true, ..first.clone() });
    assert_eq!(host.drops(Reason::IpFragmentTiny), 2);
    host.wire(&V4 { offset: 5, ..V4::new(protocol::TCP, data(8)) });
    host.silent();
}

#[test]
fn fragments_of_impossible_length_are_dropped() {
    for (more, payload) in [(true, data(12)), (true, vec![]), (false, vec![])] {
        let mut host = Host::new();
        host.wire(&V4 { more, offset: 2, payload, ..whole(0) });
        host.dropped(Reason::IpFragmentMalformed);
        assert_eq!(host.ip.held_items(), 0);
    }
}

// test: RFC 1122 3.3.2
// test: RFC 792 time-exceeded
#[test]
fn the_time_is_fixed_and_its_end_is_told_if_fragment_0_came() {
    let pieces = cut(&whole(100), 32);
    let mut host = Host::new();
    host.wire(&pieces[0]);
    assert_eq!(host.ip.poll_at(), Some(host.now + Duration::from_secs(60)));
    host.wait(Duration::from_secs(59));
    // A later fragment, new or not, gives no more time.
    host.wire(&pieces[1]);
    host.wire(&pieces[0]);
    host.silent();
    host.wait(Duration::from_millis(999));
    host.silent();
    host.wait(Duration::from_millis(1));
    let sent = host.sent();
    assert_eq!((sent.source, sent.destination), (US, PEER));
    assert_eq!(sent.payload, icmp(11, 1, [0; 4], &pieces[0].bytes()));
    assert_eq!(host.drops(Reason::IpReassemblyTimeout), 2);
    assert_eq!(host.counter("IpReasmTimeout"), 1);
    assert_eq!((host.ip.poll_at(), host.ip.held_items()), (None, 0));

    let mut host = Host::new();
    host.wire(&pieces[1]);
    host.wait(Duration::from_secs(60));
    host.dropped(Reason::IpReassemblyTimeout);
}

#[test]
fn over_the_memory_the_oldest_datagram_goes() {
    let limits = Limits { reassembly_datagrams: 3, ..Limits::default() };
    let mut host = Host::with(Config { limits, ..config() });
    let pieces = cut(&whole(100), 64);
    for id in 1..=4 {
        host.wire(&V4 { id, ..pieces[0].clone() });
    }
    assert_eq!(host.drops(Reason::IpReassemblyFull), 1);
    assert_eq!(host.counter("IpReasmFails"), 1);
    for (id, delivered) in [(2, 1), (3, 1), (4, 1), (1, 0)] {
        host.wire(&V4 { id, ..pieces[1].clone() });
        assert_eq!(host.up().len(), delivered, "datagram {id}");
    }
}

#[test]
fn memory_is_bounded_by_bytes_and_by_bytes_of_one() {
    let limits =
        Limits { reassembly_bytes: 100_000, reassembly_bytes_each: 20_000, ..Limits::default() };
    let mut host = Host::with(Config { limits, ..config() });
    for id in 0..1000 {
        host.wire(&V4 { id, more: true, ..whole(1000) });
        assert!(host.ip.held_bytes() <= 100_000);
    }
    assert!(host.ip.held_items() > 50, "and it is used");
    // Many small fragments of one datagram: it is given up, the others stay.
    let before = host.ip.held_items();
    for offset in 0..1000 {
        host.wire(&V4 { id: 9999, more: true, offset: offset * 2, ..V4::new(17, data(8)) });
    }
    let held = host.ip.held_items();
    assert!((before - 20..=before).contains(&held), "one datagram does not push out the others");
}

// test: RFC 1122 3.2.2
#[test]
fn a_timeout_about_an_icmp_error_or_a_broadcast_is_not_told() {
    let error = V4::new(protocol::ICMP, icmp(3, 3, [0; 4], &data(100)));
    let broadcast = V4 { destination: [10, 9, 0, 255].into(), ..whole(100) };
    for (cast, packet) in [(Cast::Unicast, error), (Cast::Broadcast, broadcast)] {
        let mut host = Host::new();
        host.bytes(IF0, cast, cut(&packet, 64)[0].bytes());
        host.wait(Duration::from_secs(61));
        host.dropped(Reason::IpReassemblyTimeout);
    }
}

#[test]
fn congestion_met_by_a_fragment_is_met_by_the_datagram() {
    let pieces = cut(&V4 { tos: 2, ..whole(100) }, 64);
    let mut host = Host::new();
    host.wire(&pieces[0]);
    host.wire(&V4 { tos: 3, ..pieces[1].clone() });
    assert_eq!(host.delivered().tos, 3);
}
