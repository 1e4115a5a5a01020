//! ICMP errors: when one is sent, what it says, when it must not be sent, what received ones mean.

use core::net::Ipv4Addr;

use ip::{Config, Limits};
use layer::boundary::{Cast, Datagram, IpErrorKind, IpOut, RejectReason};
use layer::{Duration, Reason};

use crate::common::*;

/// A protocol nobody speaks here (SCTP).
const UNSPOKEN: u8 = 132;

fn reject(host: &mut Host, datagram: Datagram) {
    host.send(IpOut::Reject { reason: RejectReason::PortUnreachable, datagram });
}

// test: RFC 792 unreachable
// test: RFC 1122 3.2.2.1
// test: RFC 1122 3.2.2
// test: RFC 1122 4.1.3.1
#[test]
fn a_refused_datagram_draws_port_unreachable_with_a_quote() {
    let mut host = Host::new();
    for (len, quoted) in [(3, 31), (520, 548), (1400, 548)] {
        let packet = V4 { destination: US_TOO, ..V4::new(17, udp(&data(len))) };
        host.wire(&packet);
        let datagram = host.delivered();
        reject(&mut host, datagram);
        let sent = host.sent();
        assert_eq!((sent.source, sent.destination, sent.protocol), (US_TOO, PEER, 1));
        // The header and data as they came, as much as fits 576 bytes.
        assert_eq!(sent.payload, icmp(3, 3, [0; 4], &packet.bytes()[..quoted]));
    }
    assert_eq!(host.counter("IcmpOutDestUnreachs"), 3);
}

#[test]
fn a_refused_datagram_whose_header_is_gone_is_quoted_with_one_like_it() {
    let mut host = Host::new();
    host.wire(&V4::new(17, udp(b"abc")));
    let mut datagram = host.delivered();
    datagram.header_len = 0;
    reject(&mut host, datagram);
    let payload = host.sent().payload;
    assert_eq!(payload[..2], [3, 3]);
    let quote = &payload[8..];
    assert_eq!((quote[0], quote[9]), (0x45, 17));
    assert_eq!(quote[12..20], [10, 9, 0, 1, 10, 9, 0, 2]);
    assert_eq!(quote[20..], udp(b"abc"));
}

// test: RFC 792 unreachable
// test: RFC 1122 3.2.2.1
#[test]
fn a_protocol_nobody_speaks_draws_protocol_unreachable() {
    let mut host = Host::new();
    let packet = V4::new(UNSPOKEN, data(12));
    host.wire(&packet);
    assert_eq!(host.sent().payload, icmp(3, 2, [0; 4], &packet.bytes()));
    assert_eq!(host.drops(Reason::IpUnknownProtocol), 1);
    assert_eq!(host.counter("IpInUnknownProtos"), 1);
}

// test: RFC 792 parameter-problem
// test: RFC 1122 3.2.1.8
// test: RFC 1122 3.2.2.5
#[test]
fn a_malformed_option_draws_parameter_problem_at_its_place() {
    for (options, pointer) in [
        // A length of 0, of 1, beyond the header; a kind without a length.
        (vec![7, 0, 0, 0], 20),
        (vec![1, 7, 1, 0], 21),
        (vec![7, 5, 4, 0], 20),
        (vec![1, 1, 1, 7], 23),
        (vec![148, 4, 0, 0, 68, 9, 5, 0], 24),
    ] {
        let mut host = Host::new();
        let packet = V4 { options, ..V4::new(17, udp(b"x")) };
        host.wire(&packet);
        assert_eq!(host.sent().payload, icmp(12, 0, [pointer, 0, 0, 0], &packet.bytes()));
        assert_eq!(host.drops(Reason::IpBadOption), 1);
        assert_eq!(host.counter("IcmpOutParmProbs"), 1);
    }
}

// test: RFC 1122 3.2.2
// test: RFC 6633 send
#[test]
fn no_error_is_sent_where_it_must_not_be() {
    let bad_options = vec![7, 0, 0, 0];
    let about_icmp =
        |kind| V4 { options: bad_options.clone(), ..V4::new(1, icmp(kind, 0, [0; 4], &data(28))) };
    let unspoken = V4::new(UNSPOKEN, data(12));
    let everybody = Ipv4Addr::BROADCAST;
    let subnet = Ipv4Addr::new(10, 9, 0, 255);
    let all_hosts = Ipv4Addr::new(224, 0, 0, 1);
    for (why, cast, packet) in [
        ("about an error", Cast::Unicast, about_icmp(3)),
        ("about an error", Cast::Unicast, about_icmp(4)),
        ("about an error", Cast::Unicast, about_icmp(5)),
        ("about an error", Cast::Unicast, about_icmp(11)),
        ("about an error", Cast::Unicast, about_icmp(12)),
        ("about a type unknown", Cast::Unicast, about_icmp(99)),
        ("about a broadcast", Cast::Unicast, V4 { destination: everybody, ..unspoken.clone() }),
        ("about a broadcast", Cast::Unicast, V4 { destination: subnet, ..unspoken.clone() }),
        ("about a multicast", Cast::Unicast, V4 { destination: all_hosts, ..unspoken.clone() }),
        ("about a link broadcast", Cast::Broadcast, unspoken.clone()),
        (
            "about a later fragment",
            Cast::Unicast,
            V4 { offset: 1, options: bad_options.clone(), ..V4::new(17, data(8)) },
        ),
        ("to nobody", Cast::Unicast, V4 { source: all_hosts, ..unspoken.clone() }),
        ("to nobody", Cast::Unicast, V4 { source: [0, 0, 0, 0].into(), ..unspoken.clone() }),
        ("to nobody", Cast::Unicast, V4 { source: [240, 0, 0, 1].into(), ..unspoken.clone() }),
        ("to ourselves", Cast::Unicast, V4 { source: US, ..unspoken.clone() }),
    ] {
        let mut host = Host::new();
        host.bytes(IF0, cast, packet.bytes());
        assert_eq!((why, host.down()), (why, vec![]));
        assert_eq!(host.driver.ledger.total_drops(), 1, "{why}");
    }
    // The same about a question is sent.
    let mut host = Host::new();
    host.wire(&about_icmp(8));
    assert_eq!(host.sent().payload[..2], [12, 0]);
}

// test: RFC 1122 3.2.2
#[test]
fn a_refused_broadcast_is_not_answered() {
    let mut host = Host::new();
    let destination = Ipv4Addr::new(10, 9, 0, 255);
    host.bytes(IF0, Cast::Broadcast, V4 { destination, ..V4::new(17, udp(b"x")) }.bytes());
    let datagram = host.delivered();
    reject(&mut host, datagram);
    host.silent();
}

// test: RFC 1122 3.2.2
#[test]
fn errors_are_limited_in_rate() {
    let limits = Limits { icmp_errors_per_second: 10, icmp_errors_burst: 30, ..Limits::default() };
    let mut host = Host::with(Config { limits, ..config() });
    for _ in 0..100 {
        host.wire(&V4::new(UNSPOKEN, data(12)));
    }
    // Each costs one to three tokens of thirty.
    let at_once = host.down().len();
    assert!((10..=30).contains(&at_once), "{at_once} at once");
    assert_eq!(host.counter("IcmpOutRateLimitGlobal") as usize, 100 - at_once);
    let mut later = 0;
    for _ in 0..100 {
        host.wait(Duration::from_millis(100));
        host.wire(&V4::new(UNSPOKEN, data(12)));
        later += host.down().len();
    }
    assert!((33..=100).contains(&later), "{later} in ten seconds");
}

/// Our UDP datagram to a far host, as an error quotes it.
fn quoted() -> V4 {
    V4 { source: US, destination: FAR, ..V4::new(17, udp(b"hello")) }
}

// test: RFC 1122 3.2.2.1
// test: RFC 1122 3.2.2.4
// test: RFC 1122 3.2.2.5
// test: RFC 1122 3.3.8
// test: RFC 792 time-exceeded
#[test]
fn errors_received_rise_to_the_transport_they_concern() {
    use IpErrorKind::*;
    let reporter = Ipv4Addr::new(198, 51, 100, 1);
    for (kind, code, rest, expected) in [
        (3, 0, [0; 4], NetUnreachable),
        (3, 1, [0; 4], HostUnreachable),
        (3, 2, [0; 4], ProtocolUnreachable),
        (3, 3, [0; 4], PortUnreachable),
        (3, 4, [0, 0, 5, 0], FragmentationNeeded { mtu: 1280 }),
        (3, 4, [0; 4], FragmentationNeeded { mtu: 0 }),
        (3, 5, [0; 4], SourceRouteFailed),
        (3, 6, [0; 4], NetUnreachable),
        (3, 7, [0; 4], HostUnreachable),
        (3, 8, [0; 4], HostUnreachable),
        (3, 9, [0; 4], Prohibited),
        (3, 10, [0; 4], Prohibited),
        (3, 11, [0; 4], NetUnreachable),
        (3, 12, [0; 4], HostUnreachable),
        (3, 13, [0; 4], Prohibited),
        (11, 0, [0; 4], TtlExceeded),
        (11, 1, [0; 4], ReassemblyTimeExceeded),
        (12, 0, [9, 0, 0, 0], ParameterProblem { pointer: 9 }),
    ] {
        let mut host = Host::new();
        let message = icmp(kind, code, rest, &quoted().bytes());
        host.wire(&V4 { source: reporter, ..V4::new(1, message) });
        let error = host.error();
        assert_eq!((error.kind, error.reporter), (expected, Some(reporter.into())));
        assert_eq!((error.source, error.destination), (US.into(), FAR.into()));
        assert_eq!((error.protocol, error.quote.to_vec()), (17, udp(b"hello")));
        assert_eq!(host.down(), []);
    }
}

#[test]
fn eight_bytes_of_transport_are_enough_of_a_quote() {
    let options = vec![1, 1, 1, 0];
    for (quote, len, usable) in [
        (quoted(), 28, true),
        (quoted(), 27, false),
        (quoted(), 19, false),
        (quoted(), 0, false),
        (V4 { options: options.clone(), ..quoted() }, 32, true),
        (V4 { options, ..quoted() }, 31, false),
    ] {
        let mut host = Host::new();
        host.wire(&V4::new(1, icmp(3, 3, [0; 4], &quote.bytes()[..len])));
        if usable {
            assert_eq!(
                host.error().quote.to_vec(),
                udp(b"")[..4].iter().copied().chain([0, 13, 0, 0]).collect::<Vec<_>>()
            );
        } else {
            host.dropped(Reason::IcmpBadQuote);
        }
    }
}

#[test]
fn a_quote_that_cannot_be_ours_is_dropped() {
    for (quote, reason) in [
        (V4 { source: PEER, ..quoted() }, Reason::IcmpBadQuote),
        (V4 { offset: 4, ..quoted() }, Reason::IcmpBadQuote),
        // Our own echo replies have nobody above to be told.
        (V4 { protocol: 1, ..quoted() }, Reason::IcmpIgnored),
        (V4 { protocol: UNSPOKEN, ..quoted() }, Reason::IcmpIgnored),
    ] {
        let mut host = Host::new();
        host.wire(&V4::new(1, icmp(3, 3, [0; 4], &quote.bytes())));
        host.dropped(reason);
    }
    let mut host = Host::new();
    let to_many = V4 {
        destination: Ipv4Addr::BROADCAST,
        ..V4::new(1, icmp(3, 3, [0; 4], &quoted().bytes()))
    };
    host.bytes(IF0, Cast::Broadcast, to_many.bytes());
    host.dropped(Reason::IcmpBadQuote);
    for (kind, code) in [(3, 16), (3, 255), (11, 2)] {
        let mut host = Host::new();
        host.wire(&V4::new(1, icmp(kind, code, [0; 4], &quoted().bytes())));
        host.dropped(Reason::IcmpIgnored);
    }
}

#[test]
fn errors_show_as_notes_to_who_listens() {
    let mut host = Host::new();
    host.driver.ledger.listen(true);
    host.wire(&V4::new(1, icmp(3, 3, [0; 4], &quoted().bytes())));
    host.wire(&V4::new(UNSPOKEN, data(8)));
    let notes = host.driver.ledger.take_notes();
    let icmp = |code, sent| layer::Note::Icmp { kind: 3, code, peer: PEER.into(), sent };
    assert!(notes.contains(&icmp(3, false)) && notes.contains(&icmp(2, true)), "{notes:?}");
}
