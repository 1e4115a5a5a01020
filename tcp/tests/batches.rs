//! Acknowledgements that come in one batch, before the sender has its turn, count as much as those
//! that come one by one (RFC 5681 3.1, RFC 9438 4.6, RFC 9937); and a window that is not used is
//! not kept (RFC 7661).

mod common;

use common::*;
use layer::boundary::{ConnectionInfo, TcpOptions};
use tcp::Segment;

const MSS: u32 = 1000;

/// A sender of segments of 1000 bytes, of which the first ten are out; the round trip is 50 ms.
struct Sending {
    bench: Bench,
}

impl Sending {
    fn new(bytes: usize) -> Self {
        let mut bench = Bench::new();
        let options = TcpOptions { nodelay: true, ..TcpOptions::default() };
        bench.listen(options);
        let mut syn = bench.syn();
        syn.options.mss = Some(1000);
        syn.options.sack_permitted = true;
        bench.iss = bench.receive(syn).remove(0).seq;
        bench.ms(50);
        bench.ack(1);
        let sent = bench.write(ACCEPTED, pattern(bytes));
        assert_eq!(sent.iter().map(|s| s.payload.len()).sum::<usize>(), bytes.min(10_000));
        bench.ms(50);
        Self { bench }
    }

    /// An acknowledgement of `segments` and a report of those from .. to, without a turn after it.
    fn inject(&mut self, segments: u32, block: Option<(u32, u32)>) {
        let number = |n: u32| self.bench.iss.plus(1 + n * MSS);
        let mut ack = self.bench.segment(A, self.bench.seq, number(segments), b"");
        if let Some((from, to)) = block {
            assert!(ack.options.sack.push((number(from), number(to))));
        }
        self.bench.inject(ack);
    }

    /// The sender has its turn: which segments leave.
    fn turn(&mut self) -> Vec<u32> {
        self.bench.poll();
        let sent = self.bench.sent();
        let number = |segment: &Segment| segment.seq.since(self.bench.iss.plus(1)) / MSS;
        let count = |segment: &Segment| u32::try_from(segment.payload.len()).expect("few") / MSS;
        sent.iter().flat_map(|s| number(s)..number(s) + count(s)).collect()
    }

    fn info(&self) -> ConnectionInfo {
        self.bench.tcp.connections().remove(0)
    }
}

// test: RFC 5681 3.1
#[test]
fn slow_start_doubles_whether_acknowledgements_come_at_once_or_one_by_one() {
    let (mut at_once, mut singly) = (Sending::new(100_000), Sending::new(100_000));
    let mut leave = Vec::new();
    for n in 1..=10 {
        at_once.inject(n, None);
        singly.inject(n, None);
        leave.extend(singly.turn());
    }
    assert_eq!(at_once.turn(), leave);
    assert_eq!(leave, (10..30).collect::<Vec<_>>());
    assert_eq!((at_once.info().cwnd, singly.info().cwnd), (20 * MSS, 20 * MSS));
}

/// The cut is from what the path carried, not from what a batch has left of it. 20 segments are
/// out; 10 are acknowledged and then 3 reported behind a hole, in one batch. 70 % of 20 remain: 14,
/// and that many are out again after the turn (RFC 9937; the 13 that were delivered would be too
/// many): 6 are there, neither reported nor lost, so 8 leave.
// test: RFC 9438 4.6
// test: RFC 9937 5
#[test]
fn a_loss_at_the_end_of_a_batch_is_cut_from_the_whole_flight() {
    let mut sending = Sending::new(100_000);
    sending.inject(10, None);
    assert_eq!(sending.turn(), (10..30).collect::<Vec<_>>());
    sending.bench.ms(50);
    for n in 11..=20 {
        sending.inject(n, None);
    }
    for n in 22..=24 {
        sending.inject(20, Some((21, n)));
    }
    let sent = sending.turn();
    assert_eq!(sending.info().ssthresh, 14 * MSS);
    assert_eq!(sent, [20, 30, 31, 32, 33, 34, 35, 36]);
}

/// A connection that had a large window and has been used a little for a second does not send it
/// all at once.
// test: RFC 7661 4
#[test]
fn a_window_that_is_hardly_used_is_not_spent_as_a_burst_later() {
    let mut sending = Sending::new(30_000);
    sending.inject(10, None);
    assert_eq!(sending.turn().len(), 20);
    sending.bench.ms(50);
    sending.inject(30, None);
    assert_eq!(sending.turn(), []);
    assert_eq!(sending.info().cwnd, 40 * MSS);
    // A segment every 50 ms for six seconds, acknowledged after 50 ms.
    for n in 30..150 {
        sending.bench.write(ACCEPTED, pattern(1000));
        sending.bench.ms(50);
        sending.inject(n + 1, None);
        sending.bench.poll();
    }
    let info = sending.info();
    assert!((10 * MSS..=11 * MSS).contains(&info.cwnd), "{}", info.cwnd);
    // It is soon there again: the threshold remembers.
    assert!(info.ssthresh >= 30 * MSS, "{}", info.ssthresh);
    sending.bench.sent();
    let burst = sending.bench.write(ACCEPTED, pattern(100_000));
    assert!(burst.iter().map(|segment| segment.payload.len()).sum::<usize>() <= 11_000);
}
