//! Corners in which a connection could stick, leak, storm or lie. Each of these went wrong once.

mod common;

use common::*;
use layer::boundary::{CloseReason, SocketError, TcpCommand, TcpEvent, TcpOptions};
use layer::{Duration, Layer, Reason};
use tcp::{Config, Flags, Segment, Seq, Timestamps};

fn text_len(segments: &[Segment]) -> usize {
    segments.iter().map(|segment| segment.payload.len()).sum()
}

/// A bare ACK with a window of zero.
fn closed_window(bench: &Bench, ours: u32) -> Segment {
    let mut ack = bench.segment(A, bench.seq, bench.iss.plus(ours), b"");
    ack.window = 0;
    ack
}

#[test]
fn no_sack_blocks_beside_text_where_they_would_not_fit() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options.sack_permitted = true;
    syn.options.timestamps = Some(Timestamps { value: 1, echo: 0 });
    bench.iss = bench.receive(syn)[0].seq;
    bench.ack(1);
    let early = bench.segment(A, bench.seq.plus(10), bench.iss.plus(1), b"early");
    assert_eq!(bench.receive(early)[0].options.sack.len(), 1);
    let sent = bench.write(ACCEPTED, pattern(1448));
    let headers = 20 + 20 + sent[0].options.len();
    assert!(headers + sent[0].payload.len() <= 1500, "{sent:?}");
}

#[test]
fn a_segment_of_a_loopback_is_larger_than_any_super_segment() {
    let mut bench = Bench::new();
    bench.mtu = 65_535;
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options.mss = Some(65_495);
    bench.iss = bench.receive(syn)[0].seq;
    bench.receive({
        let mut ack = bench.segment(A, bench.seq, bench.iss.plus(1), b"");
        ack.window = 65_535;
        ack
    });
    assert_eq!(text_len(&bench.write(ACCEPTED, pattern(200_000))), 65_495);
}

#[test]
fn a_probe_does_not_put_our_acknowledgements_beyond_the_peers_window() {
    let mut bench = Bench::new();
    bench.accept();
    bench.receive(closed_window(&bench, 1));
    bench.write(ACCEPTED, pattern(1000));
    assert_eq!(bench.next_sent().payload.len(), 1);
    let mut text = bench.segment(PA, bench.seq, bench.iss.plus(1), &[1; 3000]);
    text.window = 0;
    bench.receive(text);
    let ack = bench.next_sent();
    assert_eq!((ack.seq, ack.ack), (bench.iss.plus(1), bench.seq.plus(3000)));
}

#[test]
fn time_wait_and_an_opening_do_not_storm_at_each_other() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(2), b""));
    assert_eq!(bench.state(), "TIME-WAIT");
    bench.sent();
    let stray = bench.segment(A, bench.seq.plus(5000), bench.iss.plus(1), b"");
    let answers: usize = (0..100).map(|_| bench.receive(stray.clone()).len()).sum();
    assert_eq!(answers, 1);

    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    bench.receive(bench.syn());
    let stray = bench.segment(A, IRS.plus(100_000), Seq(7), b"");
    let answers: usize = (0..100).map(|_| bench.receive(stray.clone()).len()).sum();
    assert_eq!(answers, 1);
}

#[test]
fn a_handshake_that_completes_after_its_listener_closed_is_reset() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    bench.iss = bench.receive(bench.syn())[0].seq;
    bench.command(TcpCommand::Close { socket: SOCKET });
    let answer = bench.ack(1);
    assert!(answer.iter().any(|segment| segment.flags.has(R)), "{answer:?}");
    assert_eq!((bench.state(), bench.events()), ("CLOSED", vec![]));
}

#[test]
fn a_fin_takes_no_buffer() {
    // Exactly at the edge of a full window: bare, and after the last text.
    for (text, rest) in [(&[1; 1000][..], &b""[..]), (&[1; 600], &[2; 400])] {
        let mut bench = Bench::new();
        let options = TcpOptions { receive_buffer: Some(1000), ..TcpOptions::default() };
        bench.accept_with(options);
        bench.text(text, 1);
        bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(1), rest));
        assert_eq!(bench.state(), "CLOSE-WAIT");
        assert_eq!(bench.data().len(), 1000);
    }
}

#[test]
fn a_repeated_fin_is_acknowledged_each_time() {
    let mut bench = Bench::new();
    bench.accept();
    let fin = bench.segment(FA, bench.seq, bench.iss.plus(1), b"");
    for _ in 0..3 {
        assert_eq!(bench.receive(fin.clone())[0].ack, bench.seq.plus(1));
    }
}

#[test]
fn text_that_passes_a_fin_proves_it_wrong() {
    let mut bench = Bench::new();
    bench.accept();
    let ack = bench.iss.plus(1);
    bench.receive(bench.segment(FA, bench.seq.plus(100), ack, b""));
    bench.receive(bench.segment(A, bench.seq, ack, &[1; 200]));
    bench.receive(bench.segment(FA, bench.seq.plus(200), ack, b""));
    assert_eq!(bench.state(), "CLOSE-WAIT");
}

#[test]
fn without_timestamps_the_back_off_lasts_until_a_sample() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    // Each answer comes after the timer, so nothing is ever timed; the timer must grow past it.
    let mut ours = 1;
    for _ in 0..12 {
        bench.write(ACCEPTED, &b"x"[..]);
        ours += 1;
        bench.ms(1000);
        bench.ack(ours);
    }
    let resent = bench.tcp.stats().retrans_segs;
    assert!(resent <= 8, "{resent} needless resends of 12 segments");
}

#[test]
fn a_send_buffer_that_grows_is_room() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { send_buffer: Some(16_384), ..TcpOptions::default() });
    let options = Box::new(TcpOptions { send_buffer: Some(1 << 20), ..TcpOptions::default() });
    bench.command(TcpCommand::Configure { socket: ACCEPTED, options });
    let room = TcpEvent::Room { socket: ACCEPTED, bytes: (1 << 20) - 16_384 };
    assert_eq!(bench.events(), [room]);
}

#[test]
fn an_address_is_free_again_when_its_connection_has_failed() {
    let mut bench = Bench::new();
    let local = layer::boundary::BoundAddress {
        address: std::net::SocketAddr::from(([0, 0, 0, 0], 5555)),
        interface: None,
    };
    let bind = |bench: &mut Bench, n: u64| {
        let socket = layer::boundary::SocketId(n);
        let (reuse_address, reuse_port) = (false, false);
        bench.command(TcpCommand::Bind { socket, local, reuse_address, reuse_port });
        bench.events()
    };
    assert!(matches!(bind(&mut bench, 1)[..], [TcpEvent::Bound { result: Ok(_), .. }]));
    bench.connect(TcpOptions::default());
    bench.receive(bench.segment(RA, Seq(0), bench.iss.plus(1), b""));
    let refused = CloseReason::Failed(SocketError::ConnectionRefused);
    assert_eq!(bench.events(), [TcpEvent::Closed { socket: SOCKET, reason: refused }]);
    assert!(matches!(bind(&mut bench, 2)[..], [TcpEvent::Bound { result: Ok(_), .. }]));
}

#[test]
fn an_address_that_is_not_ours_is_not_bound() {
    let mut bench = Bench::new();
    bench.route = Err(layer::boundary::IpErrorKind::NoSource);
    let local = layer::boundary::BoundAddress {
        address: std::net::SocketAddr::from(([192, 0, 2, 1], 80)),
        interface: None,
    };
    let (reuse_address, reuse_port) = (false, false);
    bench.command(TcpCommand::Bind { socket: SOCKET, local, reuse_address, reuse_port });
    bench.poll();
    let result = Err(SocketError::AddressNotAvailable);
    assert_eq!(bench.events(), [TcpEvent::Bound { socket: SOCKET, result }]);
}

#[test]
fn small_pieces_are_handed_up_together_and_pin_no_frames() {
    let mut bench = Bench::new();
    bench.accept();
    let ack = bench.iss.plus(1);
    for n in 0..500 {
        let segment = bench.segment(A, bench.seq.plus(n), ack, b"x");
        bench.inject(segment);
    }
    bench.poll();
    let chunks = bench.events();
    assert!(matches!(&chunks[..], [TcpEvent::Data { chunk, .. }] if chunk.len() == 500));
}

// test: RFC 6429 3
#[test]
fn a_closed_socket_is_not_held_for_ever_by_a_closed_window() {
    let mut bench = Bench::new();
    bench.accept();
    bench.receive(closed_window(&bench, 1));
    bench.write(ACCEPTED, pattern(1000));
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    let closed = closed_window(&bench, 1);
    let end = bench.now + Duration::from_secs(7200);
    while bench.now < end && bench.state() != "CLOSED" {
        bench.now = bench.tcp.poll_at().map_or(end, |at| at.max(bench.now));
        bench.poll();
        if !bench.sent().is_empty() {
            bench.inject(closed.clone());
        }
    }
    assert_eq!(bench.state(), "CLOSED");
}

#[test]
fn the_first_acknowledgement_after_a_timeout_opens_one_segment() {
    let mut bench = Bench::new();
    bench.accept();
    bench.write(ACCEPTED, pattern(100_000));
    while bench.tcp.stats().timeouts == 0 {
        bench.next_sent();
    }
    bench.ack(14_601);
    assert!(bench.tcp.connections()[0].cwnd <= 2 * 1460);
}

#[test]
fn old_bare_segments_are_not_answered_one_by_one() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options.timestamps = Some(Timestamps { value: 1000, echo: 0 });
    bench.iss = bench.receive(syn)[0].seq;
    let mut old = bench.segment(A, bench.seq, bench.iss.plus(1), b"");
    old.options.timestamps = Some(Timestamps { value: 1000, echo: 0 });
    bench.receive(old.clone());
    old.options.timestamps = Some(Timestamps { value: 999, echo: 0 });
    let answers: usize = (0..100).map(|_| bench.receive(old.clone()).len()).sum();
    assert_eq!((answers, bench.drops(Reason::TcpPaws)), (1, 100));
}

#[test]
fn a_probe_into_a_window_nearly_closed_is_not_told_of_a_few_bytes() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { receive_buffer: Some(20_000), ..TcpOptions::default() });
    for _ in 0..20 {
        bench.text(&[1; 1000], 1);
    }
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 7 });
    let answer = bench.receive(bench.segment(A, bench.seq, bench.iss.plus(1), b"p"));
    assert_eq!(answer.last().map(|segment| segment.window), Some(0));
}

#[test]
fn probes_into_our_closed_window_are_no_sign_of_loss() {
    let options = TcpOptions { receive_buffer: Some(1000), ..TcpOptions::default() };
    let mut bench = Bench::new();
    bench.accept_with(options);
    bench.text(&[1; 1000], 1);
    bench.write(ACCEPTED, pattern(5000));
    for _ in 0..5 {
        bench.receive(bench.segment(A, bench.seq, bench.iss.plus(1), b"p"));
    }
    assert_eq!(bench.tcp.stats().fast_retrans, 0);
}

#[test]
fn a_tiny_receive_buffer_still_receives() {
    for capacity in [1, 64, 127, 200] {
        let mut bench = Bench::new();
        bench.listen(TcpOptions { receive_buffer: Some(capacity), ..TcpOptions::default() });
        let mut syn = bench.syn();
        syn.options.window_scale = Some(7);
        bench.iss = bench.receive(syn)[0].seq;
        bench.ack(1);
        for _ in 0..3 {
            bench.text(&[1], 1);
            bench.ms(50);
            assert_eq!(bench.data(), [1], "capacity {capacity}");
            bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 1 });
        }
    }
}

#[test]
fn a_full_table_lets_old_connections_go_first() {
    let mut bench = Bench::with(Config { max_connections: 1, ..Config::new([7; 16]) });
    bench.accept();
    let mut syn = bench.syn();
    syn.source.set_port(4001);
    assert_eq!(bench.receive(syn.clone()), []);
    assert_eq!(bench.drops(Reason::TcpTableFull), 1);
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(2), b""));
    assert_eq!(bench.state(), "TIME-WAIT");
    bench.sent();
    // A SYN alone could be anybody's: only the last ACK of its handshake takes the place.
    let iss = bench.receive(syn)[0].seq;
    let states = |bench: &Bench| bench.tcp.connections().iter().map(|c| c.state.name()).collect();
    let before: Vec<&str> = states(&bench);
    assert_eq!(before, ["SYN-RECEIVED", "TIME-WAIT"]);
    let mut ack = bench.segment(A, IRS.plus(1), iss.plus(1), b"");
    ack.source.set_port(4001);
    bench.receive(ack);
    let after: Vec<&str> = states(&bench);
    assert_eq!(after, ["ESTABLISHED"]);
}

#[test]
fn a_repeated_syn_does_not_keep_an_opening_alive() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let syn = bench.syn();
    bench.receive(syn.clone());
    for _ in 0..200 {
        if bench.state() == "CLOSED" {
            return;
        }
        bench.ms(900);
        bench.sent();
        if bench.state() != "CLOSED" {
            bench.inject(syn.clone());
        }
    }
    panic!("still {}", bench.state());
}

#[test]
fn a_corked_socket_that_shuts_down_sends_what_it_has() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { cork: true, ..TcpOptions::default() });
    assert_eq!(bench.write(ACCEPTED, &b"tail"[..]), []);
    bench.command(TcpCommand::Shutdown { socket: ACCEPTED });
    let sent = bench.sent_one();
    assert_eq!(sent.payload.to_vec(), b"tail");
    assert!(sent.flags.has(Flags::FIN));
}
