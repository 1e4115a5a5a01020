//! What a synchronized connection sends, and when: windows, Nagle, timeouts, fast retransmit,
//! probes (RFC 9293 3.7.4, 3.8; RFC 5681; RFC 6298; RFC 6582).

mod common;

use common::*;
use layer::boundary::{TcpCommand, TcpEvent, TcpOptions};
use layer::{Duration, Layer};
use tcp::{Flags, Segment};

fn text_of(segments: &[Segment]) -> Vec<u8> {
    segments.iter().flat_map(|segment| segment.payload.to_vec()).collect()
}

/// Payload bytes of all segments, super-segments counted by what they are cut into.
fn sizes(segments: &[Segment]) -> Vec<usize> {
    segments
        .iter()
        .flat_map(|segment| {
            let (len, cut) = (segment.payload.len(), segment.payload.offload().segmentation);
            let size = cut.map_or(len.max(1), |s| usize::from(s.size));
            (0..len).step_by(size).map(move |from| size.min(len - from))
        })
        .collect()
}

#[test]
fn the_initial_window_leaves_at_once_and_no_more() {
    let mut bench = Bench::new();
    bench.accept();
    let sent = bench.write(ACCEPTED, pattern(100_000));
    assert_eq!(text_of(&sent), pattern(100_000)[..14_600]);
    assert_eq!(sizes(&sent), [1460; 10]);
}

// test: RFC 9293 MUST-1
#[test]
fn a_window_of_32768_and_more_is_not_negative() {
    let mut bench = Bench::new();
    bench.accept();
    bench.write(ACCEPTED, pattern(200_000));
    let mut acked = 14_601;
    let mut flight = 0;
    for _ in 0..3 {
        let mut ack = bench.segment(A, bench.seq, bench.iss.plus(acked), b"");
        ack.window = 65_535;
        flight = text_of(&bench.receive(ack)).len();
        acked += u32::try_from(flight).expect("a value");
    }
    assert!(flight > 40_000, "{flight} bytes in one flight");
}

// test: RFC 9293 SHLD-28
#[test]
fn bulk_goes_in_full_segments() {
    let mut bench = Bench::new();
    bench.accept();
    let mut all = bench.write(ACCEPTED, pattern(300_000));
    let mut acked = 1 + text_of(&all).len();
    while acked <= 300_000 {
        let sent = bench.ack(u32::try_from(acked).expect("a value"));
        acked += text_of(&sent).len();
        all.extend(sent);
    }
    let sizes = sizes(&all);
    let full = sizes.iter().filter(|&&size| size == 1460).count();
    assert!(full * 100 > sizes.len() * 99, "{full} of {}", sizes.len());
    assert!(text_of(&all) == pattern(300_000));
}

// test: RFC 9293 SHLD-7
#[test]
fn nagle_keeps_one_small_segment_in_flight() {
    let mut bench = Bench::new();
    bench.accept();
    let mut sent = bench.write(ACCEPTED, &b"a"[..]);
    for _ in 0..99 {
        sent.extend(bench.write(ACCEPTED, &b"a"[..]));
        bench.ms(1);
    }
    assert_eq!(sizes(&sent), [1]);
    assert_eq!(sizes(&bench.ack(2)), [99]);
}

// test: RFC 9293 MUST-17
#[test]
fn without_nagle_each_write_leaves_at_once() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    for n in 0..5 {
        assert_eq!(sizes(&bench.write(ACCEPTED, vec![n])), [1]);
    }
}

#[test]
fn a_corked_socket_holds_a_tail_until_uncorked() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { cork: true, ..TcpOptions::default() });
    assert_eq!(sizes(&bench.write(ACCEPTED, pattern(2000))), [1460]);
    assert_eq!(sizes(&bench.ack(1461)), Vec::<usize>::new());
    let options = Box::new(TcpOptions::default());
    bench.command(TcpCommand::Configure { socket: ACCEPTED, options });
    assert_eq!(sizes(&bench.sent()), [540]);
}

// test: RFC 9293 MUST-60
// test: RFC 9293 MUST-61
// test: RFC 9293 SHLD-27
#[test]
fn only_the_segment_that_empties_the_queue_is_pushed() {
    let mut bench = Bench::new();
    bench.accept();
    let first = bench.write(ACCEPTED, pattern(2000));
    assert!(!first[0].flags.has(Flags::PSH));
    for _ in 0..3 {
        bench.write(ACCEPTED, pattern(100));
    }
    let rest = bench.ack(1461);
    assert_eq!(sizes(&rest), [840], "several writes are one push");
    assert!(rest[0].flags.has(Flags::PSH));
}

// test: RFC 6298 5.4
// test: RFC 6298 5.5
#[test]
fn timeouts_resend_the_first_segment_and_double() {
    let mut bench = Bench::new();
    bench.accept();
    // Not full, or the path would be suspected.
    bench.write(ACCEPTED, pattern(1000));
    let start = bench.now;
    let mut times = Vec::new();
    for _ in 0..6 {
        let resent = bench.next_sent();
        assert_eq!((resent.seq, resent.payload.len()), (bench.iss.plus(1), 1000));
        times.push(bench.now.since(start).as_millis());
    }
    // The handshake took no time: RTO is the floor of 200 ms.
    assert_eq!(times, [200, 600, 1400, 3000, 6200, 12_600]);
}

// test: RFC 6298 5.3
#[test]
fn an_acknowledgement_of_new_data_restarts_the_timer() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    bench.write(ACCEPTED, pattern(500));
    let start = bench.now;
    bench.ms(100);
    bench.write(ACCEPTED, pattern(500));
    assert_eq!(bench.ack(501), []);
    let resent = bench.next_sent();
    assert_eq!((resent.seq, resent.payload.len()), (bench.iss.plus(501), 500));
    // SRTT 1/8 * 100 ms, and at least 200 ms more, from the acknowledgement on.
    assert_eq!(bench.now.since(start).as_micros(), 100_000 + 12_500 + 200_000);
}

// test: RFC 5681 3.2
// test: RFC 3042 2
#[test]
fn the_third_duplicate_resends_one_segment_and_each_further_one_lets_one_out() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { congestion: Some("reno"), ..TcpOptions::default() });
    assert_eq!(sizes(&bench.write(ACCEPTED, pattern(100_000))), [1460; 10]);
    // RFC 3042: the first two let one new segment out each.
    assert_eq!(sizes(&bench.ack(1)), [1460]);
    assert_eq!(sizes(&bench.ack(1)), [1460]);
    let resent = bench.ack(1);
    assert_eq!(resent[0].seq, bench.iss.plus(1));
    assert_eq!(sizes(&resent), [1460]);
    assert_eq!(bench.tcp.stats().fast_retrans, 1);
    // ssthresh is 10 * 1460 / 2 = 5 segments: what limited transmit let out does not count; 12 are
    // out; 3 + 4 more duplicates inflate to 12.
    for _ in 0..4 {
        assert_eq!(bench.ack(1), []);
    }
    assert_eq!(sizes(&bench.ack(1)), [1460]);
}

// test: RFC 6582 3.2
#[test]
fn a_partial_acknowledgement_resends_the_next_hole() {
    let mut bench = Bench::new();
    bench.accept();
    bench.write(ACCEPTED, pattern(14_600));
    for _ in 0..3 {
        bench.ack(1);
    }
    let sent = bench.ack(1461 + 1460);
    assert_eq!((sent[0].seq, sizes(&sent)), (bench.iss.plus(2921), vec![1460]));
    assert_eq!(bench.tcp.stats().reno_recovery, 1, "one cut");
    assert_eq!(bench.ack(14_601), []);
}

// test: RFC 9293 MUST-35
// test: RFC 9293 MUST-36
#[test]
fn a_closed_window_is_probed_with_one_octet_and_reopens() {
    let mut bench = Bench::new();
    bench.accept();
    let closed = |bench: &Bench, ours| {
        let mut ack = bench.segment(A, bench.seq, bench.iss.plus(ours), b"");
        ack.window = 0;
        ack
    };
    bench.receive(closed(&bench, 1));
    assert_eq!(bench.write(ACCEPTED, pattern(3000)), []);
    let start = bench.now;
    let mut times = Vec::new();
    for _ in 0..4 {
        let probe = bench.next_sent();
        assert_eq!((probe.seq, probe.payload.to_vec()), (bench.iss.plus(1), vec![0]));
        times.push(bench.now.since(start).as_millis());
        assert_eq!(bench.receive(closed(&bench, 1)), []);
    }
    assert_eq!(times, [200, 600, 1400, 3000]);
    let sent = bench.ack(1);
    assert_eq!(sizes(&sent), [1460, 1460], "full segments, and Nagle keeps the tail");
    assert!(text_of(&sent) == pattern(3000)[..2920], "from the octet that the probe carried");
}

// test: RFC 9293 MUST-37
#[test]
fn a_closed_window_is_probed_for_as_long_as_it_is_answered() {
    let mut bench = Bench::new();
    bench.accept();
    let mut closed = bench.segment(A, bench.seq, bench.iss.plus(1), b"");
    closed.window = 0;
    bench.receive(closed.clone());
    bench.write(ACCEPTED, pattern(10));
    let end = bench.now + Duration::from_secs(1800 * 4);
    while bench.now < end {
        bench.now = bench.now.max(bench.tcp.poll_at().expect("a value"));
        bench.poll();
        if !bench.sent().is_empty() {
            bench.inject(closed.clone());
        }
    }
    assert_eq!(bench.state(), "ESTABLISHED");
    assert_eq!(text_of(&bench.ack(1)), pattern(10));
}

// test: RFC 9293 MUST-38
#[test]
fn a_window_that_opens_by_single_octets_gets_no_silly_segments() {
    let mut bench = Bench::new();
    bench.accept();
    let mut ack = bench.segment(A, bench.seq, bench.iss.plus(1), b"");
    ack.window = 0;
    bench.receive(ack.clone());
    bench.write(ACCEPTED, pattern(5000));
    for window in 1..1460 {
        ack.window = window;
        assert_eq!(bench.receive(ack.clone()), [], "window {window}");
    }
    ack.window = 1460;
    assert_eq!(sizes(&bench.receive(ack)), [1460]);
}

// test: RFC 9293 MUST-34
// test: RFC 9293 SHLD-15
// test: RFC 9293 SHLD-16
// test: RFC 9293 SHLD-17
#[test]
fn a_window_that_shrinks_below_the_flight_does_no_harm() {
    let mut bench = Bench::new();
    bench.accept();
    bench.write(ACCEPTED, pattern(50_000));
    let mut shrunk = bench.segment(A, bench.seq, bench.iss.plus(1461), b"");
    shrunk.window = 3000;
    assert_eq!(bench.receive(shrunk.clone()), [], "nothing new beyond the edge");
    bench.ms(200);
    let resent = bench.sent();
    assert_eq!((resent[0].seq, sizes(&resent)), (bench.iss.plus(1461), vec![1460]));
    for _ in 0..400 {
        bench.now = bench.now.max(bench.tcp.poll_at().expect("a value"));
        bench.poll();
        bench.sent();
        bench.inject(shrunk.clone());
    }
    assert_eq!(bench.state(), "ESTABLISHED");
    let mut all = text_of(&bench.ack(14_601));
    assert_eq!(all.len() % 1460, 0);
    let mut acked = 14_601 + u32::try_from(all.len()).expect("a value");
    while acked < 50_001 {
        let sent = text_of(&bench.ack(acked));
        acked += u32::try_from(sent.len()).expect("a value");
        all.extend(sent);
    }
    assert!(all == pattern(50_000)[14_600..]);
}

#[test]
fn an_idle_connection_starts_again_from_the_initial_window() {
    let mut bench = Bench::new();
    bench.accept();
    let mut acked = 1;
    for _ in 0..3 {
        let sent = bench.write(ACCEPTED, pattern(60_000));
        acked += u32::try_from(text_of(&sent).len()).expect("a value");
        loop {
            let sent = text_of(&bench.ack(acked)).len();
            acked += u32::try_from(sent).expect("a value");
            if sent == 0 {
                break;
            }
        }
    }
    bench.ms(5000);
    assert_eq!(text_of(&bench.write(ACCEPTED, pattern(60_000))).len(), 14_600);
}

#[test]
fn room_is_granted_again_as_bytes_are_acknowledged() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { send_buffer: Some(40_000), ..TcpOptions::default() });
    bench.write(ACCEPTED, pattern(40_000));
    bench.events();
    let (mut acked, mut granted) = (14_601, 0);
    while acked <= 40_001 {
        acked += u32::try_from(text_of(&bench.ack(acked)).len()).expect("a value").max(1);
        for event in bench.events() {
            match event {
                TcpEvent::Room { bytes, .. } => granted += bytes,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!((30_000..=40_000).contains(&granted), "{granted}");
}

#[test]
fn a_full_outlet_keeps_segments_back_and_loses_none() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    bench.driver.down.set_capacity(1);
    let mut got = Vec::new();
    for n in 0..5_u8 {
        bench.command(TcpCommand::Send { socket: ACCEPTED, data: vec![n].into() });
    }
    for _ in 0..10 {
        got.extend(text_of(&bench.sent()));
        bench.poll();
    }
    assert_eq!(got, [0, 1, 2, 3, 4]);
}

// test: RFC 9293 MUST-56
// test: RFC 9293 SHLD-25
// test: RFC 5927 5.2
#[test]
fn errors_never_end_a_synchronized_connection_but_are_told() {
    use layer::boundary::IpErrorKind as K;
    for kind in [K::PortUnreachable, K::ProtocolUnreachable, K::HostUnreachable, K::TtlExceeded] {
        let mut bench = Bench::new();
        bench.accept();
        bench.write(ACCEPTED, pattern(10));
        bench.icmp(kind, bench.iss.plus(500));
        assert_eq!(bench.events(), [], "it quotes a number that is not out");
        bench.icmp(kind, bench.iss.plus(1));
        let error = kind.socket_error();
        assert_eq!(bench.events(), [TcpEvent::SoftError { socket: ACCEPTED, error }]);
        assert_eq!(bench.state(), "ESTABLISHED");
    }
}

/// A connection to a peer `ms` away that takes 8 MB at once, its window far open and nothing out;
/// and how much the peer has acknowledged, as [`Bench::ack`] counts.
fn wide_open(ms: u64, options: TcpOptions) -> (Bench, u32) {
    let mut bench = Bench::new();
    bench.listen(options);
    let mut syn = bench.syn();
    syn.options.window_scale = Some(7);
    bench.iss = bench.receive(syn).remove(0).seq;
    bench.ms(ms);
    bench.ack(1);
    bench.command(TcpCommand::Accepted { listener: SOCKET });
    let mut acked = 1;
    for _ in 0..6 {
        let mut sent = text_of(&bench.write(ACCEPTED, pattern(400 * 1460))).len();
        while sent > 0 {
            acked += u32::try_from(sent).expect("a value");
            bench.ms(ms);
            sent = text_of(&bench.ack(acked)).len();
        }
    }
    (bench, acked)
}

/// What leaves at once of 44 full segments, which fill a super-segment, and of ten more.
fn two_writes(bench: &mut Bench) -> [usize; 2] {
    let sent = bench.write(ACCEPTED, pattern(44 * 1460));
    [text_of(&sent).len(), text_of(&bench.write(ACCEPTED, pattern(10 * 1460))).len()]
}

#[test]
fn text_gathers_while_a_super_segment_is_out_to_a_near_peer() {
    let (mut bench, acked) = wide_open(0, TcpOptions::default());
    assert_eq!(two_writes(&mut bench), [44 * 1460, 0]);
    // More of it fills a super-segment, which leaves; the rest waits for the first answer.
    let sent = bench.write(ACCEPTED, pattern(40 * 1460));
    assert_eq!(sent.iter().map(|s| s.payload.len()).collect::<Vec<_>>(), [44 * 1460]);
    let sent = bench.ack(acked + 88 * 1460);
    assert_eq!(text_of(&sent).len(), 6 * 1460);
    // What ends the stream does not wait.
    assert_eq!(two_writes(&mut bench), [44 * 1460, 0]);
    bench.command(TcpCommand::Shutdown { socket: ACCEPTED });
    let sent = bench.sent();
    assert_eq!(text_of(&sent).len(), 10 * 1460);
    assert!(sent.last().is_some_and(|last| last.flags.has(Flags::FIN)));
}

#[test]
fn text_does_not_gather_over_a_long_way_or_without_nagle() {
    let (mut bench, _) = wide_open(20, TcpOptions::default());
    assert_eq!(two_writes(&mut bench), [44 * 1460, 10 * 1460]);
    let nodelay = TcpOptions { nodelay: true, ..TcpOptions::default() };
    let (mut bench, _) = wide_open(0, nodelay);
    assert_eq!(two_writes(&mut bench), [44 * 1460, 10 * 1460]);
}
