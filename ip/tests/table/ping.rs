//! Echo requests of our own: what goes out, and what comes of them.

use core::net::Ipv4Addr;

use ip::Ping;
use layer::boundary::{IpErrorKind, NetIn};
use layer::{Duration, Layer, Note, Reason};

use crate::common::*;

const PING: Ping =
    Ping { destination: core::net::IpAddr::V4(PEER), identifier: 0xabcd, sequence: 7, length: 56 };

/// Asked once; the question is out.
fn asked() -> Host {
    let mut host = Host::new();
    host.driver.ledger.listen(true);
    host.ip.ping(host.now, PING, &mut host.driver.out()).expect("a way there");
    host
}

fn pattern() -> Vec<u8> {
    (0..56).collect()
}

fn answer(rest: [u8; 4]) -> V4 {
    V4 { ttl: 61, ..V4::new(1, icmp(0, 0, rest, &pattern())) }
}

const OURS: [u8; 4] = [0xab, 0xcd, 0, 7];

fn notes(host: &mut Host) -> Vec<Note> {
    host.driver.ledger.take_notes()
}

// test: RFC 792 echo
#[test]
fn a_question_is_an_echo_request_with_its_numbers_and_data() {
    let mut host = asked();
    let sent = host.sent();
    assert_eq!((sent.source, sent.destination, sent.protocol), (US, PEER, 1));
    assert_eq!(sent.payload, icmp(8, 0, OURS, &pattern()));
    assert_eq!((host.counter("IcmpOutEchos"), host.counter("IcmpOutMsgs")), (1, 1));
}

#[test]
fn an_answer_counts_once_and_only_if_it_was_asked_for() {
    let mut host = asked();
    host.now += Duration::from_micros(1500);
    host.wire(&answer([0xab, 0xcd, 0, 8]));
    host.wire(&V4 { source: FAR, ..answer(OURS) });
    host.wire(&answer(OURS));
    host.wire(&answer(OURS));
    let rtt = Duration::from_micros(1500);
    let peer = PEER.into();
    let (identifier, sequence, bytes, ttl) = (0xabcd, 7, 56, 61);
    let ignored = Note::Dropped(Reason::IcmpIgnored);
    let reply = Note::EchoReply { peer, identifier, sequence, bytes, ttl, rtt };
    assert_eq!(notes(&mut host), [ignored.clone(), ignored.clone(), reply, ignored]);
    assert_eq!(host.counter("IcmpInEchoReps"), 4);
}

#[test]
fn an_error_about_the_question_ends_it() {
    let mut host = asked();
    let question = V4 { source: US, destination: PEER, ..V4::new(1, icmp(8, 0, OURS, &pattern())) };
    let error = V4 { source: GATEWAY, ..V4::new(1, icmp(3, 1, [0; 4], &question.bytes()[..28])) };
    host.wire(&error);
    host.wire(&answer(OURS));
    let failed = Note::EchoFailed {
        peer: PEER.into(),
        reporter: Some(GATEWAY.into()),
        identifier: 0xabcd,
        sequence: 7,
        kind: IpErrorKind::HostUnreachable,
    };
    assert_eq!(notes(&mut host), [failed, Note::Dropped(Reason::IcmpIgnored)]);
}

#[test]
fn a_neighbour_that_does_not_answer_ends_it_too() {
    let mut host = asked();
    let packet = host.down().remove(0).packet;
    let item = NetIn::Unreachable { interface: IF0, next_hop: PEER.into(), packet };
    host.ip.receive(host.now, item, &mut host.driver.out());
    let failed = Note::EchoFailed {
        peer: PEER.into(),
        reporter: None,
        identifier: 0xabcd,
        sequence: 7,
        kind: IpErrorKind::NeighbourFailed,
    };
    assert_eq!(notes(&mut host), [failed, Note::Dropped(Reason::IpNeighbourFailed)]);
}

#[test]
fn we_answer_ourselves() {
    let mut host = Host::new();
    host.driver.ledger.listen(true);
    let ping = Ping { destination: US.into(), ..PING };
    host.ip.ping(host.now, ping, &mut host.driver.out()).unwrap();
    host.poll();
    let said = notes(&mut host);
    assert!(matches!(said[..], [Note::EchoReply { sequence: 7, .. }]), "{said:?}");
    host.silent();
}

#[test]
fn only_one_host_can_be_asked_and_only_where_a_route_leads() {
    let mut host = Host::with(
        ip::Config::new([1; 16])
            .interface(ip::Interface::new(1500).address("10.9.0.2/24".parse().unwrap())),
    );
    for (to, why) in [
        (FAR, IpErrorKind::NoRoute),
        (Ipv4Addr::new(10, 9, 0, 255), IpErrorKind::Prohibited),
        (Ipv4Addr::new(224, 0, 0, 1), IpErrorKind::Prohibited),
    ] {
        let ping = Ping { destination: to.into(), ..PING };
        let result = host.ip.ping(host.now, ping, &mut host.driver.out());
        if to.is_multicast() {
            assert!(result.is_err(), "{to}");
        } else {
            assert_eq!(result, Err(why), "{to}");
        }
    }
    host.silent();
}

#[test]
fn open_questions_are_bounded() {
    let mut host = asked();
    for sequence in 8..8 + 1024 {
        host.ip.ping(host.now, Ping { sequence, ..PING }, &mut host.driver.out()).unwrap();
    }
    let _ = notes(&mut host);
    host.wire(&answer(OURS));
    host.wire(&answer([0xab, 0xcd, 0, 8]));
    let said = notes(&mut host);
    assert_eq!(said[0], Note::Dropped(Reason::IcmpIgnored));
    assert!(matches!(said[1], Note::EchoReply { sequence: 8, .. }), "{said:?}");
}
