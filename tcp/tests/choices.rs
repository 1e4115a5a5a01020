//! What RFC 9293 lets an implementation choose (its MAYs), and what this one has chosen. The head
//! of the crate has the answers in a table; each is pinned here.

mod common;

use bytes::Bytes;
use common::*;
use layer::boundary::{
    Cast, CloseReason, Datagram, IpErrorKind, IpIn, SocketError, TcpCommand, TcpEvent, TcpOptions,
    protocol,
};
use layer::{InterfaceId, Layer, Reason};
use tcp::{Config, Flags, Options};

/// Yes: after a close the peer's data is refused, by a reset; after a shutdown it is taken.
// test: RFC 9293 MAY-1
#[test]
fn a_closed_socket_takes_no_more_data_and_a_half_closed_one_does() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Shutdown { socket: ACCEPTED });
    assert_eq!(bench.sent_one().flags, FA);
    bench.text(b"still taken", 2);
    assert_eq!((bench.data(), bench.state()), (b"still taken".to_vec(), "FIN-WAIT-2"));
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 11 });
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.sent();
    assert_eq!(bench.text(b"late", 2)[0].flags, RA);
    assert_eq!((bench.events(), bench.state()), (vec![], "CLOSED"));
}

/// Yes: on every SYN and SYN-ACK, repeated ones and those of the default size too.
// test: RFC 9293 MAY-3
#[test]
fn the_mss_is_sent_always() {
    let mut bench = Bench::new();
    bench.mtu = 576;
    let syn = bench.connect(TcpOptions::default());
    assert_eq!(syn.options.mss, Some(536));
    assert_eq!(bench.next_sent().options.mss, Some(536));
    let mut bench = Bench::new();
    bench.mtu = 576;
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options = Options::default();
    assert_eq!(bench.receive(syn)[0].options.mss, Some(536));
    assert_eq!(bench.next_sent().options.mss, Some(536));
}

/// No, but for the segment that the peer waits for first: the window says where to stop.
// test: RFC 9293 MAY-7
#[test]
fn what_lies_beyond_a_shrunken_window_is_not_sent_again() {
    let mut bench = Bench::new();
    bench.accept();
    assert_eq!(bench.write(ACCEPTED, pattern(14_600)).len(), 1);
    let mut shrunk = bench.segment(A, bench.seq, bench.iss.plus(1461), b"");
    shrunk.window = 3000;
    bench.receive(shrunk);
    let edge = bench.iss.plus(1461 + 3000);
    for _ in 0..4 {
        let again = bench.next_sent();
        assert_eq!(again.seq, bench.iss.plus(1461));
        assert!(again.seq.plus(again.len()).at_or_before(edge));
    }
    let mut tiny = bench.segment(A, bench.seq, bench.iss.plus(1461), b"");
    tiny.window = 100;
    bench.receive(tiny);
    assert_eq!(bench.next_sent().seq, bench.iss.plus(1461), "the first one all the same");
}

/// No: the hub hears the same whatever the DSCP and PSH of what arrives.
// test: RFC 9293 MAY-9
// test: RFC 9293 MAY-17
#[test]
fn neither_dscp_nor_push_is_shown_to_the_program() {
    let mut heard = Vec::new();
    for (tos, flags) in [(0, A), (0xb8, A), (0, PA), (0x20, PA)] {
        let mut bench = Bench::new();
        bench.accept();
        let segment = bench.segment(flags, bench.seq, bench.iss.plus(1), b"text");
        let (source, destination) = (segment.source.ip(), segment.destination.ip());
        let mut packet = segment.write();
        complete(&mut packet, source, destination);
        let datagram = Datagram {
            interface: InterfaceId(0),
            source,
            destination,
            cast: Cast::Unicast,
            protocol: protocol::TCP,
            ttl: 64,
            tos,
            mtu: 1500,
            header_len: 0,
            packet,
        };
        bench.tcp.receive(bench.now, IpIn::Datagram(datagram), &mut bench.driver.out());
        bench.poll();
        heard.push(bench.events());
    }
    let chunk = Bytes::from_static(b"text");
    assert_eq!(heard[0], [TcpEvent::Data { socket: ACCEPTED, chunk }]);
    assert!(heard.iter().all(|events| *events == heard[0]), "{heard:?}");
}

/// Yes (RFC 5961 5): what acknowledges the never sent, or the long gone, brings no data.
// test: RFC 9293 MAY-12
#[test]
fn text_beside_an_impossible_acknowledgement_is_not_taken() {
    let mut bench = Bench::new();
    bench.accept();
    for (at, ack) in [bench.iss.plus(2), bench.iss.minus(70_000)].into_iter().enumerate() {
        // Past the limit of challenge ACKs.
        bench.ms(1000);
        let injected = bench.segment(PA, bench.seq, ack, b"injected");
        let answer = bench.receive(injected);
        assert_eq!((answer[0].flags, answer[0].ack), (A, bench.seq));
        assert_eq!(bench.drops(Reason::TcpBadAck), at as u64 + 1);
        assert_eq!(bench.events(), []);
    }
    bench.text(b"real", 1);
    assert_eq!(bench.data(), b"real");
}

/// No: there is no call that takes queued data back. Closing sends all of it.
// test: RFC 9293 MAY-14
#[test]
fn what_was_written_cannot_be_flushed() {
    let mut bench = Bench::new();
    bench.accept();
    let sent = bench.write(ACCEPTED, pattern(30_000));
    let mut text: Vec<u8> = sent.iter().flat_map(|segment| segment.payload.to_vec()).collect();
    assert!(text.len() < 30_000, "some is queued");
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    let mut fin = false;
    while !fin {
        let acked = u32::try_from(text.len()).expect("a value") + 1;
        for segment in bench.ack(acked) {
            text.extend(segment.payload.to_vec());
            fin |= segment.flags.has(Flags::FIN);
        }
    }
    assert!(text == pattern(30_000));
}

/// No: there is nothing to control. What empties the queue is pushed, what does not is not.
// test: RFC 9293 MAY-15
#[test]
fn pushing_is_not_the_programs_business() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    for text in ["a", "b", "c"] {
        let sent = bench.write(ACCEPTED, text);
        assert_eq!(sent.iter().map(|segment| segment.flags).collect::<Vec<_>>(), [PA]);
    }
    let sent = bench.write(ACCEPTED, pattern(100_000));
    assert!(!sent.is_empty() && sent.iter().all(|segment| segment.flags == A));
}

/// No: text without PSH is handed up, and sent, at once.
// test: RFC 9293 MAY-16
#[test]
fn nothing_is_held_for_a_push() {
    let mut bench = Bench::new();
    bench.accept();
    let segment = bench.segment(A, bench.seq, bench.iss.plus(1), b"unpushed");
    bench.receive(segment);
    assert_eq!(bench.data(), b"unpushed");
    assert_eq!(bench.write(ACCEPTED, "x").len(), 1);
}

/// Yes: CUBIC unless something else is asked for.
// test: RFC 9293 MAY-18
#[test]
fn congestion_control_has_a_name_and_can_be_chosen() {
    for (asked, expected) in [(None, "cubic"), (Some("reno"), "reno"), (Some("cubic"), "cubic")] {
        let mut bench = Bench::new();
        bench.accept_with(TcpOptions { congestion: asked, ..TcpOptions::default() });
        assert_eq!(bench.tcp.connections()[0].congestion, expected);
    }
    let mut bench = Bench::with(Config { congestion: "reno", ..Config::new([7; 16]) });
    bench.accept();
    assert_eq!(bench.tcp.connections()[0].congestion, "reno");
}

/// As RFC 5461 practises it: 2 and 3 end an opening that they quote rightly, nothing else; 4 is
/// about the size of packets.
// test: RFC 9293 SHLD-26
#[test]
fn hard_errors_end_only_openings() {
    let hard = [
        (IpErrorKind::ProtocolUnreachable, SocketError::ProtocolUnreachable),
        (IpErrorKind::PortUnreachable, SocketError::ConnectionRefused),
    ];
    for (kind, error) in hard {
        let mut bench = Bench::new();
        bench.connect(TcpOptions::default());
        bench.icmp(kind, bench.iss);
        let reason = CloseReason::Failed(error);
        assert_eq!(bench.events(), [TcpEvent::Closed { socket: SOCKET, reason }]);
        // SYN-RECEIVED by a simultaneous open.
        let mut bench = Bench::new();
        bench.connect(TcpOptions::default());
        bench.receive(bench.syn());
        assert_eq!(bench.state(), "SYN-RECEIVED");
        bench.icmp(kind, bench.iss);
        assert_eq!(bench.state(), "CLOSED");
        // Synchronized, with the quoted segment really out.
        let mut bench = Bench::new();
        bench.accept();
        bench.write(ACCEPTED, "out");
        bench.icmp(kind, bench.iss.plus(1));
        assert_eq!(bench.state(), "ESTABLISHED");
    }
    let mut bench = Bench::new();
    bench.connect(TcpOptions::default());
    bench.icmp(IpErrorKind::FragmentationNeeded { mtu: 1400 }, bench.iss);
    assert_eq!(bench.state(), "SYN-SENT");
}
