//! Recovery with SACK: what is resent and when, what it costs, and what is taken back
//! (RFC 6675, RFC 8985, RFC 9937, RFC 3522, RFC 4015, RFC 2018 8).

mod common;

use common::*;
use layer::boundary::TcpOptions;
use tcp::{Segment, Timestamps};

const MSS: u32 = 1000;

/// A sender with ten segments of 1000 bytes out, 100 ms after the handshake took 50 ms.
struct Sending {
    bench: Bench,
    /// The peer's timestamp clock, and what it last heard of ours; None without timestamps.
    echo: Option<u32>,
}

impl Sending {
    fn new(timestamps: bool) -> Self {
        let mut bench = Bench::new();
        bench.listen(TcpOptions::default());
        let mut syn = bench.syn();
        syn.options.mss = Some(1000 + if timestamps { 12 } else { 0 });
        syn.options.sack_permitted = true;
        syn.options.timestamps = timestamps.then_some(Timestamps { value: 1, echo: 0 });
        let answer = bench.receive(syn).remove(0);
        bench.iss = answer.seq;
        bench.ms(50);
        let echo = answer.options.timestamps.map(|stamps| stamps.value);
        let mut sending = Self { bench, echo };
        sending.ack(0, &[]);
        sending.bench.events();
        let sent = sending.bench.write(ACCEPTED, pattern(100_000));
        assert_eq!(sent.iter().map(|s| s.payload.len()).sum::<usize>(), 10_000);
        sending.echo = sent[0].options.timestamps.map(|stamps| stamps.value);
        sending.bench.ms(50);
        sending
    }

    /// An acknowledgement of `segments`, with blocks of segments from .. to.
    fn ack(&mut self, segments: u32, blocks: &[(u32, u32)]) -> Vec<Segment> {
        let number = |n: u32| self.bench.iss.plus(1 + n * MSS);
        let mut ack = self.bench.segment(A, self.bench.seq, number(segments), b"");
        ack.options.timestamps = self.echo.map(|echo| Timestamps { value: 2, echo });
        for &(from, to) in blocks {
            assert!(ack.options.sack.push((number(from), number(to))));
        }
        self.bench.receive(ack)
    }

    /// Which segments these are, super-segments taken apart.
    fn numbers(&self, sent: &[Segment]) -> Vec<u32> {
        let number = |segment: &Segment| segment.seq.since(self.bench.iss.plus(1)) / MSS;
        let count = |segment: &Segment| u32::try_from(segment.payload.len()).expect("few") / MSS;
        sent.iter().flat_map(|s| number(s)..number(s) + count(s)).collect()
    }
}

// test: RFC 6675 4
// test: RFC 6675 5
#[test]
fn two_holes_are_filled_in_one_round_trip_with_one_cut() {
    let mut sending = Sending::new(false);
    let sent = sending.ack(0, &[(1, 2)]);
    assert_eq!(sending.numbers(&sent), [10], "limited transmit: one more is in the network");
    let sent = sending.ack(0, &[(1, 2), (3, 4)]);
    assert_eq!(sending.numbers(&sent), [11]);
    let sent = sending.ack(0, &[(3, 5), (1, 2)]);
    assert_eq!(sending.numbers(&sent), [0], "the third report: the first hole");
    let sent = sending.ack(0, &[(3, 10), (1, 2)]);
    assert_eq!(sending.numbers(&sent)[..1], [2], "lost ones go before new ones");
    assert_eq!(sending.bench.tcp.stats().sack_recovery, 1);
    sending.bench.ms(50);
    let sent = sending.ack(2, &[(3, 10)]);
    assert!(!sending.numbers(&sent).contains(&2), "it is on its way");
    sending.ack(10, &[]);
    assert_eq!(sending.bench.tcp.stats().sack_recovery, 1);
    assert_eq!(sending.bench.tcp.stats().timeouts, 0);
    let info = sending.bench.tcp.connections().remove(0);
    assert_eq!((info.congestion, info.ssthresh), ("cubic", 7 * MSS), "0.7 of the ten out");
}

// test: RFC 8985 6
#[test]
fn what_is_late_but_not_lost_is_waited_for() {
    let mut sending = Sending::new(false);
    let sent = sending.ack(0, &[(1, 3)]);
    assert_eq!(sending.numbers(&sent), [10, 11], "new ones only");
    // A quarter of the shortest round trip, 50 ms, after the report it would be lost.
    sending.bench.ms(12);
    assert_eq!(sending.bench.sent(), []);
    sending.ack(10, &[]);
    assert_eq!(sending.bench.tcp.stats().retrans_segs, 0);

    let mut sending = Sending::new(false);
    sending.ack(0, &[(1, 3)]);
    sending.bench.ms(13);
    let sent = sending.bench.sent();
    assert_eq!(sending.numbers(&sent), [0]);
}

// test: RFC 8985 7
#[test]
fn a_lost_tail_is_probed_once_before_the_timeout() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options.sack_permitted = true;
    bench.iss = bench.receive(syn)[0].seq;
    bench.ms(50);
    bench.ack(1);
    bench.write(ACCEPTED, pattern(4380));
    let start = bench.now;
    let probe = bench.next_sent();
    assert_eq!(bench.now.since(start).as_millis(), 100, "two round trips");
    assert_eq!((probe.seq, probe.payload.len()), (bench.iss.plus(2921), 1460), "the last one");
    let next = bench.next_sent();
    assert_eq!(next.seq, bench.iss.plus(1), "then the timeout, from the probe on");
    assert_eq!((bench.tcp.stats().loss_probes, bench.tcp.stats().timeouts), (1, 1));
}

/// Lets time pass until the timer expires for the `n`th time; what left meanwhile.
fn until_timeout(sending: &mut Sending, n: u64) -> Vec<u32> {
    let mut all = Vec::new();
    while sending.bench.tcp.stats().timeouts < n {
        let sent = sending.bench.next_sent();
        all.extend(sending.numbers(&[sent]));
    }
    all
}

// test: RFC 2018 8
#[test]
fn a_peer_that_takes_back_its_reports_gets_everything_again() {
    let mut sending = Sending::new(false);
    sending.ack(0, &[(5, 10)]);
    until_timeout(&mut sending, 1);
    // What it reported is not sent again at once, but it is kept.
    let mut resent = Vec::new();
    for segments in 1..=5 {
        let sent = sending.ack(segments, &[]);
        resent.extend(sending.numbers(&sent));
    }
    assert!((5..10).all(|n| !resent.contains(&n)), "{resent:?}");
    // It has the first five, and does not move on to what it reported: it has taken that back.
    let mut resent = until_timeout(&mut sending, 2);
    for segments in 6..10 {
        let sent = sending.ack(segments, &[]);
        resent.extend(sending.numbers(&sent));
    }
    assert!((5..10).all(|n| resent.contains(&n)), "{resent:?}");
}

#[test]
fn a_timeout_that_was_only_a_delay_is_taken_back_by_timestamps() {
    let mut sending = Sending::new(true);
    let before = sending.bench.tcp.connections().remove(0);
    while sending.bench.tcp.stats().timeouts == 0 {
        sending.bench.next_sent();
    }
    assert_eq!(sending.bench.tcp.connections()[0].cwnd, MSS);
    // The peer answers the originals: it echoes their time.
    sending.ack(10, &[]);
    let after = sending.bench.tcp.connections().remove(0);
    assert_eq!(sending.bench.tcp.stats().undo, 1);
    assert!(after.cwnd >= before.cwnd && after.ssthresh == before.ssthresh);
    assert!(sending.bench.tcp.stats().retrans_segs <= 2, "at most the probe and one resend");
}

#[test]
fn a_fast_resend_that_was_needless_is_taken_back_by_d_sack() {
    let mut sending = Sending::new(false);
    let before = sending.bench.tcp.connections()[0].cwnd;
    for blocks in [&[(1, 2)][..], &[(1, 3)], &[(1, 4)]] {
        sending.ack(0, blocks);
    }
    assert_eq!(sending.bench.tcp.stats().sack_recovery, 1);
    sending.ack(4, &[]);
    assert!(sending.bench.tcp.connections()[0].cwnd < before);
    // The original arrived after all; then the resend, which is reported as a duplicate.
    sending.ack(4, &[(0, 1)]);
    assert_eq!(sending.bench.tcp.stats().undo, 1);
    assert!(sending.bench.tcp.connections()[0].cwnd >= before);
}

// test: RFC 2883 5
#[test]
fn a_duplicate_report_is_no_new_data() {
    let mut sending = Sending::new(false);
    sending.ack(3, &[]);
    let before = sending.bench.tcp.connections()[0].clone();
    for _ in 0..5 {
        sending.ack(3, &[(0, 1)]);
    }
    let after = sending.bench.tcp.connections()[0].clone();
    assert_eq!((before.cwnd, before.retransmits), (after.cwnd, after.retransmits));
}

/// The duplicate lies above what is acknowledged: within the block that follows it.
// test: RFC 2883 4
#[test]
fn a_duplicate_within_a_block_is_one_too() {
    let mut sending = Sending::new(false);
    for blocks in [&[(1, 2)][..], &[(3, 4), (1, 2)], &[(3, 5), (1, 2)], &[(3, 10), (1, 2)]] {
        sending.ack(0, blocks);
    }
    assert_eq!(sending.bench.tcp.stats().retrans_segs, 2, "0 and 2");
    // Segment 2 was only late; then its resend comes, while 0 is still awaited.
    sending.ack(0, &[(1, 10)]);
    sending.ack(0, &[(2, 3), (1, 10)]);
    assert_eq!(sending.bench.tcp.stats().undo, 0, "0 may be lost");
    sending.ack(10, &[]);
    sending.ack(10, &[(0, 1)]);
    assert_eq!(sending.bench.tcp.stats().undo, 1);
}

#[test]
fn reports_of_what_was_never_sent_are_not_believed() {
    let mut sending = Sending::new(false);
    for blocks in [&[(5000, 6000)][..], &[(9, 3)], &[(2, 2)], &[(8, 100_000)]] {
        let sent = sending.ack(0, blocks);
        assert_eq!(sending.numbers(&sent), [] as [u32; 0]);
    }
    sending.ack(10, &[]);
    assert_eq!(sending.bench.tcp.stats().retrans_segs, 0);
}

#[test]
fn a_reduction_is_not_taken_back_long_after() {
    let mut sending = Sending::new(false);
    for blocks in [&[(1, 2)][..], &[(1, 3)], &[(1, 4)]] {
        sending.ack(0, blocks);
    }
    // Bulk goes on, round trip by round trip, with something always out.
    let mut acked = 4;
    while acked < 80 {
        let sent = sending.ack(acked, &[]);
        acked = sending.numbers(&sent).last().map_or(acked + 1, |&last| last);
        sending.bench.ms(50);
    }
    let before = sending.bench.tcp.connections()[0].clone();
    assert!(before.in_flight > 0);
    sending.ack(acked, &[(0, 1)]);
    assert_eq!(sending.bench.tcp.stats().undo, 0);
}
