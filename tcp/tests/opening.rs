//! The handshake in all its forms (RFC 9293 3.5, 3.7.1, 3.9.1.1, 3.10.7.1 to 3.10.7.3).

mod common;

use common::*;
use layer::boundary::{
    Cast, CloseReason, IpErrorKind, SocketError, SocketId, TcpCommand, TcpEvent, TcpOptions,
};
use layer::{Duration, Layer, PacketBuf, Reason};
use tcp::{BufferSizes, Config, Flags, Options, Segment, Seq};

fn failed(socket: SocketId, error: SocketError) -> Vec<TcpEvent> {
    vec![TcpEvent::Closed { socket, reason: CloseReason::Failed(error) }]
}

fn syn_ack(bench: &Bench) -> Segment {
    let mut segment = bench.segment(SA, IRS, bench.iss.plus(1), b"");
    segment.options = Options { mss: Some(1460), window_scale: Some(7), ..Options::default() };
    segment
}

#[test]
fn active_open() {
    let mut bench = Bench::new();
    let syn = bench.connect(TcpOptions::default());
    assert_eq!((syn.ack, syn.payload.len()), (Seq(0), 0));
    let ack = bench.receive(syn_ack(&bench)).remove(0);
    assert_eq!((ack.flags, ack.seq, ack.ack), (A, bench.iss.plus(1), IRS.plus(1)));
    assert_eq!(bench.state(), "ESTABLISHED");
    assert!(matches!(
        bench.events()[..],
        [TcpEvent::Established { socket: SOCKET, .. }, TcpEvent::Room { .. }]
    ));
}

#[test]
fn passive_open() {
    let mut bench = Bench::new();
    bench.accept();
    assert_eq!(bench.state(), "ESTABLISHED");
}

// test: RFC 9293 MUST-14
// test: RFC 9293 SHLD-5
// test: RFC 9293 MUST-67
#[test]
fn every_syn_carries_the_mss_of_its_path() {
    for (mtu, mss) in [(1500, 1460), (9000, 8960), (576, 536), (65_520, 65_480)] {
        let mut bench = Bench::new();
        bench.mtu = mtu;
        assert_eq!(bench.connect(TcpOptions::default()).options.mss, Some(mss));
        let mut bench = Bench::new();
        bench.mtu = mtu;
        bench.listen(TcpOptions::default());
        assert_eq!(bench.receive(bench.syn())[0].options.mss, Some(mss));
    }
}

// test: RFC 9293 MUST-65
#[test]
fn only_syns_carry_the_mss() {
    let mut bench = Bench::new();
    bench.accept();
    let mut sent = bench.write(ACCEPTED, vec![1; 3000]);
    sent.extend(bench.text(b"x", 3001));
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    sent.extend(bench.sent());
    assert!(sent.len() >= 2);
    assert!(sent.iter().all(|segment| segment.options == Options::default()));
}

// test: RFC 9293 MUST-15
#[test]
fn a_peer_without_mss_gets_536() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options = Options::default();
    bench.iss = bench.receive(syn)[0].seq;
    bench.ack(1);
    let sent = bench.write(ACCEPTED, vec![1; 10_000]);
    let sizes: Vec<u16> = sent
        .iter()
        .map(|segment| match segment.payload.offload().segmentation {
            Some(segmentation) => segmentation.size,
            None => u16::try_from(segment.payload.len()).expect("a value"),
        })
        .collect();
    assert!(sizes.iter().all(|&size| size <= 536), "{sizes:?}");
}

// test: RFC 9293 MUST-16
#[test]
fn segments_are_no_larger_than_the_peer_and_the_path_take() {
    for (theirs, mtu, expected) in [(1000, 1500, 1000), (1460, 1400, 1360), (9000, 1500, 1460)] {
        let mut bench = Bench::new();
        bench.mtu = mtu;
        bench.listen(TcpOptions::default());
        let mut syn = bench.syn();
        syn.options.mss = Some(theirs);
        bench.iss = bench.receive(syn)[0].seq;
        bench.ack(1);
        let sent = bench.write(ACCEPTED, vec![1; 8000]);
        let size = sent[0].payload.offload().segmentation.map(|s| s.size);
        assert_eq!(size, Some(expected));
    }
}

// test: RFC 9293 MUST-10
#[test]
fn simultaneous_open() {
    for lose_first_syn_ack in [false, true] {
        let mut bench = Bench::new();
        bench.connect(TcpOptions::default());
        let crossed = bench.receive(bench.syn()).remove(0);
        assert_eq!((crossed.flags, crossed.seq, crossed.ack), (SA, bench.iss, IRS.plus(1)));
        assert_eq!(bench.state(), "SYN-RECEIVED");
        if lose_first_syn_ack {
            bench.ms(1000);
            assert_eq!(bench.sent_one().flags, SA);
        }
        let answer = bench.receive(syn_ack(&bench));
        assert_eq!(bench.state(), "ESTABLISHED");
        assert!(answer.iter().all(|segment| segment.flags == A));
        assert!(matches!(bench.events()[0], TcpEvent::Established { .. }));
        assert_eq!(bench.write(SOCKET, &b"hello"[..])[0].payload.to_vec(), b"hello");
        bench.text(b"world", 6);
        assert_eq!(bench.data(), b"world");
    }
}

// test: RFC 9293 MUST-11
#[test]
fn a_reset_in_syn_received_depends_on_who_began() {
    let mut passive = Bench::new();
    passive.listen(TcpOptions::default());
    passive.receive(passive.syn());
    assert_eq!(passive.receive(passive.segment(R, IRS.plus(1), Seq(0), b"")), []);
    assert_eq!((passive.state(), passive.events()), ("CLOSED", vec![]));
    assert_eq!(passive.receive(passive.syn())[0].flags, SA, "the listener stays");

    let mut active = Bench::new();
    active.connect(TcpOptions::default());
    active.receive(active.syn());
    active.receive(active.segment(R, IRS.plus(1), Seq(0), b""));
    assert_eq!(active.events(), failed(SOCKET, SocketError::ConnectionRefused));
}

#[test]
fn refused_by_a_reset_that_acknowledges_our_syn() {
    let mut bench = Bench::new();
    bench.connect(TcpOptions::default());
    bench.receive(bench.segment(RA, Seq(0), bench.iss.plus(2), b""));
    assert_eq!(bench.events(), [], "a reset for another number counts for nothing");
    bench.receive(bench.segment(RA, Seq(0), bench.iss.plus(1), b""));
    assert_eq!(bench.events(), failed(SOCKET, SocketError::ConnectionRefused));
}

#[test]
fn closed_port_answers_with_a_reset_and_never_to_a_reset() {
    let mut bench = Bench::new();
    let reset = bench.receive(bench.syn()).remove(0);
    assert_eq!((reset.flags, reset.seq, reset.ack), (RA, Seq(0), IRS.plus(1)));
    let stray = bench.segment(A, Seq(5), Seq(77), b"abc");
    let reset = bench.receive(stray).remove(0);
    assert_eq!((reset.flags, reset.seq, reset.ack), (R, Seq(77), Seq(0)));
    assert_eq!(bench.receive(bench.segment(R, Seq(5), Seq(0), b"")), []);
    assert_eq!(bench.drops(Reason::TcpNoConnection), 3);
}

#[test]
fn a_listener_drops_what_has_neither_syn_nor_ack_nor_rst() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    for flags in [Flags::FIN, Flags::PSH, Flags(0)] {
        assert_eq!(bench.receive(bench.segment(flags, IRS, Seq(0), b"x")), []);
    }
    assert_eq!(bench.drops(Reason::TcpBadFlags), 3);
}

// test: RFC 9293 MUST-22
// test: RFC 9293 MUST-23
#[test]
fn syns_back_off_and_give_up_after_three_minutes() {
    let mut bench = Bench::new();
    bench.connect(TcpOptions::default());
    let start = bench.now;
    let mut times = Vec::new();
    while bench.events().is_empty() {
        bench.now = bench.now.max(bench.tcp.poll_at().expect("a value"));
        bench.poll();
        if !bench.sent().is_empty() {
            times.push(bench.now.since(start).as_secs());
        }
    }
    assert_eq!(times, [1, 3, 7, 15, 31, 63, 127]);
    assert!(bench.now.since(start) >= Duration::from_secs(180), "{}", bench.now);
}

// test: RFC 9293 MUST-41
#[test]
fn listening_disturbs_no_connection_on_the_port() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Listen {
        socket: SOCKET,
        backlog: 3,
        options: Box::new(TcpOptions::default()),
    });
    bench.text(b"on", 1);
    assert_eq!(bench.data(), b"on");
}

// test: RFC 9293 MUST-46
#[test]
fn no_connection_to_a_group() {
    for cast in [Cast::Broadcast, Cast::Multicast] {
        let mut bench = Bench::new();
        bench.route = Ok(cast);
        let options = Box::new(TcpOptions::default());
        bench.command(TcpCommand::Connect { socket: SOCKET, remote: remote(), options });
        assert_eq!(bench.sent(), []);
        bench.poll();
        assert_eq!(bench.events(), failed(SOCKET, SocketError::NetworkUnreachable));
    }
}

// test: RFC 9293 MUST-57
#[test]
fn a_syn_to_a_group_is_dropped_silently() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let syn = bench.syn();
    let (from, to) = (syn.source.ip(), syn.destination.ip());
    let mut packet = syn.write();
    complete(&mut packet, from, to);
    for cast in [Cast::Broadcast, Cast::Multicast] {
        bench.datagram(packet.clone(), from, to, cast);
    }
    bench.poll();
    assert_eq!((bench.sent(), bench.drops(Reason::TcpNotUnicast)), (vec![], 2));
}

// test: RFC 9293 MUST-3
#[test]
fn a_flipped_bit_anywhere_is_not_answered() {
    let mut bench = Bench::new();
    bench.accept();
    let segments = [
        bench.syn(),
        bench.segment(PA, IRS.plus(1), bench.iss.plus(1), b"data"),
        bench.segment(FA, IRS.plus(1), bench.iss.plus(1), b""),
        bench.segment(R, IRS.plus(1), bench.iss.plus(1), b""),
    ];
    let mut flips = 0;
    for segment in segments {
        let (from, to) = (segment.source.ip(), segment.destination.ip());
        let mut packet = segment.write();
        complete(&mut packet, from, to);
        for bit in 0..packet.len() * 8 {
            let mut bytes = packet.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bench.datagram(PacketBuf::copy_from(&bytes), from, to, Cast::Unicast);
            flips += 1;
        }
    }
    bench.poll();
    assert_eq!((bench.sent(), bench.events(), bench.state()), (vec![], vec![], "ESTABLISHED"));
    assert_eq!(bench.drops(Reason::TcpBadChecksum), flips);
}

#[test]
fn half_open_connections_end_by_themselves() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    bench.receive(bench.syn());
    bench.advance(Duration::from_secs(100));
    assert_eq!(bench.sent().len(), 5, "Linux's tcp_synack_retries");
    assert_eq!((bench.state(), bench.events()), ("CLOSED", vec![]));
}

// test: RFC 9293 MUST-54
// test: RFC 9293 MUST-56
// test: RFC 5927 4.1
#[test]
fn errors_find_their_opening_and_only_hard_ones_end_it() {
    let hard = [IpErrorKind::PortUnreachable, IpErrorKind::ProtocolUnreachable];
    for kind in hard {
        let mut bench = Bench::new();
        bench.connect(TcpOptions::default());
        bench.icmp(kind, bench.iss.plus(1));
        assert_eq!(bench.events(), [], "it quotes a number that is not out");
        bench.icmp(kind, bench.iss);
        assert_eq!(bench.events(), failed(SOCKET, kind.socket_error()));
    }
    let soft = [
        IpErrorKind::NetUnreachable,
        IpErrorKind::HostUnreachable,
        IpErrorKind::SourceRouteFailed,
        IpErrorKind::TtlExceeded,
        IpErrorKind::ReassemblyTimeExceeded,
        IpErrorKind::ParameterProblem { pointer: 0 },
    ];
    for kind in soft {
        let mut bench = Bench::new();
        bench.connect(TcpOptions::default());
        bench.icmp(kind, bench.iss);
        assert_eq!((bench.events(), bench.state()), (vec![], "SYN-SENT"));
    }
}

#[test]
fn no_route_is_said_at_once() {
    let mut bench = Bench::new();
    bench.route = Err(IpErrorKind::NoRoute);
    let options = Box::new(TcpOptions::default());
    bench.command(TcpCommand::Connect { socket: SOCKET, remote: remote(), options });
    bench.poll();
    assert_eq!(bench.events(), failed(SOCKET, SocketError::NetworkUnreachable));
}

#[test]
fn the_window_is_scaled_only_if_both_syns_say_so() {
    for (theirs, expected) in [(None, 65_525), (Some(3), 8191)] {
        let mut bench = Bench::with(Config {
            receive_buffer: BufferSizes::fixed(1 << 20),
            ..Config::new([7; 16])
        });
        bench.listen(TcpOptions::default());
        let mut syn = bench.syn();
        syn.options.window_scale = theirs;
        let answer = bench.receive(syn).remove(0);
        assert_eq!(answer.options.window_scale, theirs.map(|_| 7));
        assert_eq!(answer.window, 65_535, "never scaled in a SYN");
        bench.iss = answer.seq;
        bench.ack(1);
        let ack = bench.text(b"0123456789", 1).remove(0);
        let field = u32::from(ack.window);
        assert_eq!(field, expected, "ten bytes are not worth moving the edge");
    }
}

#[test]
fn a_new_syn_reopens_time_wait_and_an_old_one_is_answered() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    assert_eq!(bench.sent_one().flags, FA);
    bench.ack(2);
    bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(2), b""));
    assert_eq!(bench.state(), "TIME-WAIT");
    let old = bench.receive(bench.syn()).remove(0);
    assert_eq!((old.flags, old.ack), (A, bench.seq.plus(1)));
    let mut fresh = bench.syn();
    fresh.seq = bench.seq.plus(1000);
    assert_eq!(bench.receive(fresh)[0].flags, SA);
    assert_eq!(bench.state(), "SYN-RECEIVED");
}

#[test]
fn flags_print_as_tcpdump_does() {
    assert_eq!(format!("{:?}", Flags(0xff)), "FSRP.UEW");
    assert_eq!(format!("{SA:?}"), "S.");
}
