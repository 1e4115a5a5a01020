//! TIME-WAIT: what ends it early (RFC 6191), what prolongs it, and what does neither.

mod common;

use common::{A, ACCEPTED, Bench, FA, IRS, R, S, SA};
use layer::boundary::{TcpCommand, TcpOptions, TcpState};
use layer::{Duration, Layer};
use tcp::{Config, Options, Segment, Seq, Timestamps};

/// The peer's clock in its last segment before TIME-WAIT.
const RECENT: u32 = 5000;

fn stamped(mut segment: Segment, value: Option<u32>) -> Segment {
    segment.options.timestamps = value.map(|value| Timestamps { value, echo: 0 });
    segment
}

/// A connection that we closed first, in TIME-WAIT; with timestamps or without.
fn waiting(stamps: Option<u32>) -> Bench {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let syn_ack = bench.receive(stamped(bench.syn(), stamps)).remove(0);
    assert_eq!(syn_ack.options.timestamps.is_some(), stamps.is_some());
    bench.iss = syn_ack.seq;
    let ack = |bench: &Bench, flags, ours: u32| {
        stamped(bench.segment(flags, bench.seq, bench.iss.plus(ours), b""), stamps)
    };
    bench.receive(ack(&bench, A, 1));
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.receive(ack(&bench, FA, 2));
    bench.sent();
    bench.events();
    assert_eq!(bench.state(), "TIME-WAIT");
    bench
}

/// A SYN `distance` from the next number the peer would have used.
fn new_syn(distance: i32, stamp: Option<u32>) -> Segment {
    let next = IRS.plus(2);
    let seq = Seq(next.0.wrapping_add_signed(distance));
    let mut syn = Segment::bare(common::remote(), common::local(), S, seq);
    syn.window = 64_000;
    syn.options = Options { mss: Some(1460), ..Options::default() };
    stamped(syn, stamp)
}

// The table of RFC 6191 2: did the old one use timestamps, number and timestamp of the SYN, and
// whether it opens anew.
// test: RFC 6191 2
// test: RFC 9293 SHLD-4
// test: RFC 9293 MAY-2
#[test]
fn a_syn_that_can_be_no_old_one_opens_anew() {
    const WITH: Option<u32> = Some(RECENT);
    const NEWER: Option<u32> = Some(RECENT + 1);
    const OLDER: Option<u32> = Some(RECENT - 1);
    let table: &[(Option<u32>, i32, Option<u32>, bool)] = &[
        // Newer timestamp: whatever the number.
        (WITH, 1000, NEWER, true),
        (WITH, 0, NEWER, true),
        (WITH, -1000, NEWER, true),
        // Equal: the number decides.
        (WITH, 1000, WITH, true),
        (WITH, 0, WITH, false),
        (WITH, -1000, WITH, false),
        // Older: never.
        (WITH, 1000, OLDER, false),
        // The new one has none: the number decides.
        (WITH, 1, None, true),
        (WITH, 0, None, false),
        // Only the new one has them: always.
        (None, -1000, NEWER, true),
        // Neither: the number decides.
        (None, 1, None, true),
        (None, 0, None, false),
        (None, -1, None, false),
    ];
    for &(stamps, distance, stamp, anew) in table {
        let mut bench = waiting(stamps);
        bench.ms(1000);
        let answer = bench.receive(new_syn(distance, stamp)).remove(0);
        let row = format!("{stamps:?} {distance} {stamp:?}");
        if anew {
            assert_eq!(answer.flags, SA, "{row}");
            // Beyond all that the old connection used.
            assert!(answer.seq.after(bench.iss.plus(65_536)), "{row}");
            assert_eq!(bench.state(), "SYN-RECEIVED", "{row}");
        } else {
            assert_eq!((answer.flags, answer.seq), (A, bench.iss.plus(2)), "{row}");
            assert_eq!(answer.ack, IRS.plus(2), "{row}");
            assert_eq!(bench.state(), "TIME-WAIT", "{row}");
        }
    }
}

// test: RFC 9293 MUST-13
#[test]
fn it_lasts_two_msl_after_the_last_fin_of_the_peer() {
    let mut bench = waiting(None);
    bench.ms(59_999);
    let fin = bench.segment(FA, IRS.plus(1), bench.iss.plus(2), b"");
    assert_eq!(bench.receive(fin).len(), 1);
    bench.ms(59_999);
    // A FIN from elsewhere is answered, but prolongs nothing.
    let fin = bench.segment(FA, IRS.plus(900), bench.iss.plus(2), b"");
    assert_eq!(bench.receive(fin).len(), 1);
    assert_eq!(bench.state(), "TIME-WAIT");
    bench.ms(1);
    assert_eq!(bench.state(), "CLOSED");
    assert_eq!(bench.tcp.poll_at(), None);
}

// test: RFC 1337 3
#[test]
fn a_reset_does_not_end_it() {
    let mut bench = waiting(None);
    let reset = bench.segment(R, IRS.plus(2), Seq(0), b"");
    assert_eq!(bench.receive(reset), []);
    assert_eq!(bench.state(), "TIME-WAIT");
}

// RFC 7323 3: once agreed, every segment carries timestamps; also those of TIME-WAIT.
#[test]
fn its_acknowledgements_carry_timestamps() {
    let mut bench = waiting(Some(RECENT));
    let fin = stamped(bench.segment(FA, IRS.plus(1), bench.iss.plus(2), b""), Some(RECENT));
    let answer = bench.receive(fin).remove(0);
    assert_eq!(answer.options.timestamps.map(|stamps| stamps.echo), Some(RECENT));
}

// The port of a connection in TIME-WAIT is in use until its end; a full table takes the oldest.
#[test]
fn the_oldest_gives_way_when_the_table_is_full() {
    let mut bench = Bench::with(Config { max_connections: 2, ..Config::new([7; 16]) });
    bench.listen(TcpOptions::default());
    for port in 4000..4005 {
        let from = |mut segment: Segment| {
            segment.source.set_port(port);
            segment
        };
        let syn_ack = bench.receive(from(bench.syn())).remove(0);
        bench.iss = syn_ack.seq;
        bench.receive(from(bench.segment(A, IRS.plus(1), bench.iss.plus(1), b"")));
        let accepted = bench.events()[0].socket();
        bench.command(TcpCommand::Close { socket: accepted });
        bench.receive(from(bench.segment(FA, IRS.plus(1), bench.iss.plus(2), b"")));
        bench.sent();
        bench.events();
        bench.advance(Duration::from_millis(10));
    }
    let ports: Vec<u16> = bench.tcp.connections().iter().map(|c| c.remote.port()).collect();
    assert_eq!(ports, [4003, 4004]);
}

/// A SYN that finds no place is dropped, and nothing is given up for it: the peer that did not hear
/// our last ACK is still answered.
// test: RFC 6191 2
#[test]
fn a_new_syn_that_finds_no_place_ends_nothing() {
    let mut bench = waiting(None);
    for port in 5000..5009 {
        let mut syn = bench.syn();
        syn.source.set_port(port);
        assert_eq!(bench.receive(syn).len(), 1);
    }
    let waits = |bench: &Bench| {
        bench.tcp.connections().iter().filter(|c| c.state == TcpState::TimeWait).count()
    };
    assert_eq!(bench.receive(new_syn(1000, None)), []);
    assert_eq!((waits(&bench), bench.tcp.stats().tw_recycled), (1, 0));
    let fin = bench.segment(FA, IRS.plus(1), bench.iss.plus(2), b"");
    let answer = bench.receive(fin).remove(0);
    assert_eq!((answer.flags, answer.ack), (A, IRS.plus(2)));
    // With a place it opens anew.
    let mut reset = bench.segment(R, IRS.plus(1), Seq(0), b"");
    reset.source.set_port(5000);
    bench.receive(reset);
    assert_eq!(bench.receive(new_syn(1000, None)).remove(0).flags, SA);
    assert_eq!((waits(&bench), bench.tcp.stats().tw_recycled), (0, 1));
}
