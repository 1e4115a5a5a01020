//! SEGMENT ARRIVES in synchronized states, acknowledging, and the ways to end (RFC 9293 3.6,
//! 3.8.6.3, 3.10.7.4; RFC 5961).

mod common;

use common::*;
use layer::boundary::{CloseReason, SocketError, TcpCommand, TcpEvent, TcpOptions};
use layer::{Duration, Reason};
use tcp::{Config, Flags, Seq, Timestamps};

fn closed(reason: CloseReason) -> TcpEvent {
    TcpEvent::Closed { socket: ACCEPTED, reason }
}

#[test]
fn text_is_delivered_in_order_whatever_the_order() {
    let mut bench = Bench::new();
    bench.accept();
    let all = pattern(5000);
    let ack = bench.iss.plus(1);
    for &(from, to) in &[(1000, 2000), (3000, 4000), (500, 3500), (4000, 5000), (0, 600)] {
        let seq = bench.seq.plus(u32::try_from(from).expect("a value"));
        let answers = bench.receive(bench.segment(A, seq, ack, &all[from..to]));
        assert_eq!(answers.len(), 1, "early, duplicate or filling: acknowledged at once");
    }
    assert_eq!(bench.data(), all);
}

// test: RFC 9293 SHLD-31
// test: RFC 9293 MAY-13
#[test]
fn an_early_segment_is_kept_and_the_acknowledgement_jumps() {
    let mut bench = Bench::new();
    bench.accept();
    let ack = bench.iss.plus(1);
    let early = bench.receive(bench.segment(A, bench.seq.plus(3), ack, b"def"));
    assert_eq!(early[0].ack, bench.seq);
    let filled = bench.receive(bench.segment(A, bench.seq, ack, b"abc"));
    assert_eq!(filled[0].ack, bench.seq.plus(6));
    assert_eq!(bench.data(), b"abcdef");
}

// test: RFC 9293 MUST-58
// test: RFC 9293 MUST-59
#[test]
fn a_batch_is_taken_in_before_it_is_acknowledged() {
    let mut bench = Bench::new();
    bench.accept();
    let ack = bench.iss.plus(1);
    for n in 0..20 {
        let segment = bench.segment(A, bench.seq.plus(n * 1000), ack, &[7; 1000]);
        bench.inject(segment);
    }
    bench.poll();
    let sent = bench.sent();
    assert!(sent.len() <= 10, "{} acknowledgements", sent.len());
    assert_eq!(sent.last().map(|segment| segment.ack), Some(bench.seq.plus(20_000)));
}

// test: RFC 9293 SHLD-18
// test: RFC 9293 MUST-40
#[test]
fn a_lone_segment_is_acknowledged_late_but_not_too_late() {
    let mut bench = Bench::new();
    bench.accept();
    // An application that answers at once: acknowledgements may wait for its data.
    assert_eq!(bench.text(b"x", 1).len(), 1, "the first is acknowledged quickly");
    bench.write(ACCEPTED, &b"y"[..]);
    assert_eq!(bench.text(b"x", 2), []);
    bench.ms(39);
    assert_eq!(bench.sent(), []);
    bench.ms(2);
    assert_eq!(bench.sent_one().ack, bench.seq);
}

#[test]
fn data_carries_the_acknowledgement() {
    let mut bench = Bench::new();
    bench.accept();
    bench.text(b"ping", 1);
    let answer = bench.write(ACCEPTED, &b"pong"[..]).remove(0);
    assert_eq!(answer.ack, bench.seq);
    bench.ms(1);
    bench.ack(5);
    bench.ms(100);
    assert_eq!(bench.sent(), []);
}

// test: RFC 9293 MAY-8
#[test]
fn a_window_stays_closed_while_nobody_reads_and_opens_when_somebody_does() {
    let options = TcpOptions { receive_buffer: Some(10_000), ..TcpOptions::default() };
    let mut bench = Bench::new();
    bench.accept_with(options);
    for _ in 0..10 {
        bench.text(&[1; 1000], 1);
    }
    bench.ms(50);
    let probe = bench.receive(bench.segment(A, bench.seq, bench.iss.plus(1), b"p")).remove(0);
    assert_eq!((probe.window, probe.ack), (0, bench.seq));
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 1000 });
    assert_eq!(bench.sent(), [], "not for less than a segment");
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 4000 });
    assert_eq!(bench.sent_one().window, 5000);
    assert_eq!(bench.data().len(), 10_000);
}

// test: RFC 9293 MUST-66
#[test]
fn a_closed_window_still_hears_resets_and_acknowledgements() {
    let options = TcpOptions { receive_buffer: Some(1000), ..TcpOptions::default() };
    let mut bench = Bench::new();
    bench.accept_with(options);
    assert_eq!(bench.text(&[1; 1000], 1).remove(0).window, 0);
    bench.write(ACCEPTED, &b"abc"[..]);
    let mut both = bench.segment(A, bench.seq, bench.iss.plus(4), b"probe");
    both.flags = Flags(A.0 | Flags::URG.0);
    bench.receive(both);
    bench.ms(5000);
    assert_eq!(bench.sent(), [], "abc is acknowledged, not sent again");
    bench.data();
    bench.receive(bench.segment(R, bench.seq, Seq(0), b""));
    assert_eq!(bench.events(), [closed(CloseReason::Failed(SocketError::ConnectionReset))]);
}

// test: RFC 9293 MUST-12
// test: RFC 9293 SHLD-2
#[test]
fn a_normal_end_and_an_abort_look_different() {
    let mut bench = Bench::new();
    bench.accept();
    bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(1), b""));
    assert_eq!(bench.events(), [TcpEvent::Finished { socket: ACCEPTED }]);

    let mut bench = Bench::new();
    bench.accept();
    bench.receive(bench.segment(R, bench.seq, Seq(0), b"twenty octets of why"));
    assert_eq!(bench.events(), [closed(CloseReason::Failed(SocketError::ConnectionReset))]);
    assert_eq!(bench.state(), "CLOSED");
}

// test: RFC 5961 3
#[test]
fn only_a_reset_at_rcv_nxt_resets() {
    let mut bench = Bench::new();
    bench.accept();
    let challenge = bench.receive(bench.segment(R, bench.seq.plus(100), Seq(0), b""));
    assert_eq!((challenge[0].flags, challenge[0].ack), (A, bench.seq));
    assert_eq!(bench.receive(bench.segment(R, bench.seq.minus(1), Seq(0), b"")), []);
    let far = bench.seq.plus(2_000_000_000);
    assert_eq!(bench.receive(bench.segment(R, far, Seq(0), b"")), []);
    assert_eq!((bench.state(), bench.drops(Reason::TcpBlindReset)), ("ESTABLISHED", 1));
}

// test: RFC 5961 4
#[test]
fn a_syn_is_challenged_whatever_its_number() {
    for offset in [0, 1, 1000] {
        let mut bench = Bench::new();
        bench.accept();
        let answer = bench.receive(bench.segment(S, bench.seq.plus(offset), Seq(0), b""));
        assert_eq!((answer[0].flags, answer[0].ack), (A, bench.seq));
        assert_eq!(bench.state(), "ESTABLISHED");
    }
}

// test: RFC 5961 5
#[test]
fn an_impossible_acknowledgement_takes_nothing_with_it() {
    let mut bench = Bench::new();
    bench.accept();
    for ours in [2, 1_000_000, u32::MAX - 100_000] {
        bench.ms(600);
        let answer = bench.receive(bench.segment(A, bench.seq, bench.iss.plus(ours), b"evil"));
        assert_eq!((answer.len(), answer[0].ack), (1, bench.seq), "ours {ours}");
    }
    assert_eq!(bench.data(), b"");
}

#[test]
fn challenges_are_limited() {
    let mut bench = Bench::new();
    bench.accept();
    let mut answers = 0;
    for _ in 0..100 {
        answers += bench.receive(bench.segment(S, bench.seq, Seq(0), b"")).len();
    }
    assert_eq!(answers, 1);
    bench.ms(500);
    assert_eq!(bench.receive(bench.segment(S, bench.seq, Seq(0), b"")).len(), 1);
}

#[test]
fn text_beyond_the_window_is_cut_off() {
    let options = TcpOptions { receive_buffer: Some(1000), ..TcpOptions::default() };
    let mut bench = Bench::new();
    bench.accept_with(options);
    bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(1), &pattern(1500)));
    assert_eq!(bench.data(), pattern(1000));
    assert_eq!(bench.state(), "ESTABLISHED", "the FIN lay beyond it");
}

#[test]
fn urgent_data_is_delivered_in_line() {
    for pointer in [0, 1, 3, 6, 7, 65_535] {
        let mut bench = Bench::new();
        bench.accept();
        let mut segment = bench.segment(PA, bench.seq, bench.iss.plus(1), b"abcdef");
        segment.flags = segment.flags.with(Flags::URG);
        segment.urgent = pointer;
        bench.receive(segment);
        assert_eq!(bench.data(), b"abcdef");
    }
}

#[test]
fn passive_close() {
    let mut bench = Bench::new();
    bench.accept();
    let segment = bench.segment(FA, bench.seq, bench.iss.plus(1), b"bye");
    let ack = bench.receive(segment).remove(0);
    assert_eq!((ack.ack, bench.state()), (bench.seq.plus(4), "CLOSE-WAIT"));
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 3 });
    bench.seq = bench.seq.plus(4);
    // RFC 9293 3.6.1 MAY-1: half-close: we may still send.
    assert_eq!(bench.write(ACCEPTED, &b"rest"[..])[0].payload.to_vec(), b"rest");
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    let fin = bench.sent_one();
    assert_eq!((fin.flags, fin.seq, bench.state()), (FA, bench.iss.plus(5), "LAST-ACK"));
    bench.ack(6);
    assert_eq!(bench.state(), "CLOSED");
}

// test: RFC 9293 MUST-13
#[test]
fn active_close_waits_two_msl_and_starts_again_for_a_repeated_fin() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    assert_eq!((bench.sent_one().flags, bench.state()), (FA, "FIN-WAIT-1"));
    bench.ack(2);
    assert_eq!(bench.state(), "FIN-WAIT-2");
    let fin = bench.segment(FA, bench.seq, bench.iss.plus(2), b"");
    assert_eq!(bench.receive(fin.clone())[0].ack, bench.seq.plus(1));
    assert_eq!(bench.state(), "TIME-WAIT");
    bench.advance(Duration::from_secs(50));
    assert_eq!(bench.receive(fin)[0].ack, bench.seq.plus(1));
    bench.advance(Duration::from_secs(59));
    assert_eq!(bench.state(), "TIME-WAIT");
    bench.advance(Duration::from_secs(2));
    assert_eq!((bench.state(), bench.events()), ("CLOSED", vec![]));
}

// test: RFC 1337 3
#[test]
fn a_reset_does_not_end_time_wait() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(2), b""));
    assert_eq!(bench.state(), "TIME-WAIT");
    bench.receive(bench.segment(R, bench.seq.plus(1), Seq(0), b""));
    assert_eq!(bench.state(), "TIME-WAIT");
}

#[test]
fn simultaneous_close() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Shutdown { socket: ACCEPTED });
    bench.sent();
    bench.receive(bench.segment(FA, bench.seq, bench.iss.plus(1), b""));
    assert_eq!(bench.state(), "CLOSING");
    bench.seq = bench.seq.plus(1);
    bench.ack(2);
    assert_eq!(bench.state(), "TIME-WAIT");
    let finished = TcpEvent::Finished { socket: ACCEPTED };
    assert_eq!(bench.events(), [finished, closed(CloseReason::Finished)]);
}

// test: RFC 9293 SHLD-3
#[test]
fn closing_with_unread_data_or_data_after_close_resets() {
    let mut bench = Bench::new();
    bench.accept();
    bench.text(b"unread", 1);
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    assert_eq!(bench.sent_one().flags, RA);
    assert_eq!(bench.state(), "CLOSED");

    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.sent();
    assert_eq!(bench.text(b"late", 2)[0].flags, RA);
    assert_eq!(bench.state(), "CLOSED");
}

#[test]
fn a_lingering_time_of_zero_resets() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { linger: Some(Duration::ZERO), ..TcpOptions::default() });
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    assert_eq!((bench.sent_one().flags, bench.state()), (RA, "CLOSED"));
}

#[test]
fn the_fin_follows_what_is_queued_and_is_resent() {
    let mut bench = Bench::new();
    bench.accept();
    bench.write(ACCEPTED, pattern(20_000));
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    assert_eq!((bench.sent(), bench.state()), (vec![], "FIN-WAIT-1"));
    let last = bench.ack(14_601).pop().expect("a value");
    let end = last.seq.plus(u32::try_from(last.payload.len()).expect("a value"));
    assert_eq!((last.flags.has(Flags::FIN), end), (true, bench.iss.plus(20_001)));
    bench.ack(20_001);
    bench.ms(250);
    let fin = bench.sent_one();
    assert_eq!((fin.flags, fin.seq), (FA, bench.iss.plus(20_001)));
    bench.ack(20_002);
    assert_eq!(bench.state(), "FIN-WAIT-2");
}

#[test]
fn a_closed_socket_does_not_wait_for_ever_for_the_peers_fin() {
    let mut bench =
        Bench::with(Config { fin_wait_2: Duration::from_secs(5), ..Config::new([1; 16]) });
    bench.accept();
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.ack(2);
    bench.advance(Duration::from_secs(4));
    assert_eq!(bench.state(), "FIN-WAIT-2");
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.state(), "CLOSED");
}

#[test]
fn an_early_fin_waits_for_the_text_before_it() {
    let mut bench = Bench::new();
    bench.accept();
    let ack = bench.iss.plus(1);
    bench.receive(bench.segment(FA, bench.seq.plus(3), ack, b"def"));
    assert_eq!((bench.state(), bench.events()), ("ESTABLISHED", vec![]));
    bench.receive(bench.segment(A, bench.seq, ack, b"abc"));
    assert_eq!(bench.state(), "CLOSE-WAIT");
    assert_eq!(bench.data(), b"abcdef");
}

#[test]
fn data_before_a_reset_is_still_delivered() {
    let mut bench = Bench::new();
    bench.accept();
    bench.driver.up.set_capacity(0);
    bench.text(b"last words", 1);
    bench.receive(bench.segment(R, bench.seq, Seq(0), b""));
    assert_eq!(bench.events(), []);
    bench.driver.up.set_capacity(64);
    bench.poll();
    let events = bench.events();
    assert!(matches!(&events[0], TcpEvent::Data { chunk, .. } if &chunk[..] == b"last words"));
    assert_eq!(events[1], closed(CloseReason::Failed(SocketError::ConnectionReset)));
}

/// A connection that agreed on timestamps and SACK; the peer's clock starts at 1000.
fn accept_with_all_options() -> Bench {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options.sack_permitted = true;
    syn.options.timestamps = Some(Timestamps { value: 1000, echo: 0 });
    let answer = bench.receive(syn).remove(0);
    assert!(answer.options.sack_permitted);
    assert_eq!(answer.options.timestamps.map(|stamps| stamps.echo), Some(1000));
    bench.iss = answer.seq;
    bench.receive(stamped(&bench, 1001, 0, b""));
    bench.events();
    bench
}

/// In-window text `at` bytes on, with the peer's clock at `value`.
fn stamped(bench: &Bench, value: u32, at: u32, text: &[u8]) -> tcp::Segment {
    let mut segment = bench.segment(A, bench.seq.plus(at), bench.iss.plus(1), text);
    segment.options.timestamps = Some(Timestamps { value, echo: 0 });
    segment
}

// test: RFC 7323 3
// test: RFC 6691 2
#[test]
fn timestamps_are_on_every_segment_but_resets_and_come_out_of_the_text() {
    let mut bench = accept_with_all_options();
    bench.receive(stamped(&bench, 1005, 0, b"0123456789"));
    let sent = bench.write(ACCEPTED, pattern(3000));
    assert_eq!(sent[0].payload.offload().segmentation.map(|s| s.size), Some(1448));
    assert_eq!(sent[0].options.timestamps.map(|stamps| stamps.echo), Some(1005));
    bench.command(TcpCommand::Abort { socket: ACCEPTED });
    assert_eq!(bench.sent_one().options, tcp::Options::default());
}

// test: RFC 7323 5
#[test]
fn an_old_timestamp_is_acknowledged_and_dropped_but_not_on_a_reset() {
    let mut bench = accept_with_all_options();
    let answer = bench.receive(stamped(&bench, 999, 0, b"old"));
    assert_eq!((answer[0].ack, bench.drops(Reason::TcpPaws)), (bench.seq, 1));
    assert_eq!(bench.data(), b"");
    let mut reset = stamped(&bench, 999, 0, b"");
    reset.flags = R;
    bench.receive(reset);
    assert_eq!(bench.state(), "CLOSED");
}

// test: RFC 2018 4
#[test]
fn early_blocks_are_reported_newest_first() {
    let mut bench = accept_with_all_options();
    let start = bench.seq;
    let blocks = |answer: &[tcp::Segment]| -> Vec<(u32, u32)> {
        answer[0].options.sack.iter().map(|(a, b)| (a.since(start), b.since(start))).collect()
    };
    let mut now = 1001;
    let mut early = |bench: &mut Bench, at: u32| {
        now += 1;
        bench.receive(stamped(bench, now, at, &[1; 100]))
    };
    assert_eq!(blocks(&early(&mut bench, 100)), [(100, 200)]);
    assert_eq!(blocks(&early(&mut bench, 300)), [(300, 400), (100, 200)]);
    assert_eq!(blocks(&early(&mut bench, 500)), [(500, 600), (300, 400), (100, 200)]);
    let four = early(&mut bench, 700);
    assert_eq!(blocks(&four), [(700, 800), (500, 600), (300, 400)], "three beside timestamps");
    assert_eq!(blocks(&early(&mut bench, 200)), [(100, 400), (700, 800), (500, 600)]);
    assert_eq!(blocks(&early(&mut bench, 0)), [(700, 800), (500, 600)]);
}

// test: RFC 2883 4
#[test]
fn what_came_twice_is_reported_once_and_first() {
    let mut bench = accept_with_all_options();
    let start = bench.seq;
    bench.receive(stamped(&bench, 1002, 0, &[1; 100]));
    bench.receive(stamped(&bench, 1003, 200, &[1; 100]));
    let again = bench.receive(stamped(&bench, 1004, 0, &[1; 100])).remove(0);
    let blocks: Vec<_> = again.options.sack.iter().collect();
    assert_eq!(blocks[0], (start, start.plus(100)));
    assert_eq!(blocks[1], (start.plus(200), start.plus(300)));
    let next = bench.receive(stamped(&bench, 1005, 400, &[1; 100])).remove(0);
    assert!(next.options.sack.iter().all(|(from, _)| from.after(start.plus(100))));
}

// test: RFC 7323 2
// test: RFC 2018 2
#[test]
fn what_the_peer_did_not_offer_is_not_used() {
    let mut bench = Bench::new();
    bench.accept();
    let early = bench.receive(bench.segment(A, bench.seq.plus(5), bench.iss.plus(1), b"x"));
    assert_eq!(early[0].options, tcp::Options::default());
}
