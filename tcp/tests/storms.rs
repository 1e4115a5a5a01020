//! Segments that answer each other: a stack that hears itself, and two that each take the other for
//! wrong (RFC 5961 7, LAND, RFC 9293 3.5). None may go on at the pace of the wire.

mod common;

use common::*;
use layer::boundary::{BoundAddress, TcpCommand, TcpEvent, TcpOptions};
use layer::{Duration, Layer};
use tcp::{Flags, Segment, Seq};

/// What the stack sends comes back to it at once, for so long; how many segments that were.
fn echo(bench: &mut Bench, mut sent: Vec<Segment>, span: Duration) -> usize {
    let (end, mut count) = (bench.now + span, 0);
    loop {
        while let Some(segment) = sent.pop() {
            count += 1;
            assert!(count < 1000, "a storm: {segment:?}");
            if segment.destination == segment.source {
                sent.extend(bench.receive(segment));
            }
        }
        match bench.tcp.poll_at() {
            Some(at) if at <= end => bench.now = bench.now.max(at),
            _ => break,
        }
        bench.poll();
        sent = bench.sent();
    }
    bench.now = end;
    count
}

/// LAND (CVE-1999-0016): a SYN from a listener's own address and port.
#[test]
fn a_listener_that_seems_to_call_itself_calms_down() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.source = syn.destination;
    let sent = bench.receive(syn);
    let count = echo(&mut bench, sent, Duration::from_secs(200));
    assert!(count < 50, "{count} segments");
    assert_eq!((bench.state(), bench.events()), ("CLOSED", vec![]));
}

/// Any segment at all from our own address and port, to a connection with ourselves and to none.
#[test]
fn no_segment_to_ourselves_goes_round_for_ever() {
    for flags in 0..=255 {
        for listening in [false, true] {
            let mut bench = Bench::new();
            if listening {
                bench.listen(TcpOptions::default());
            }
            let mut segment = bench.segment(Flags(flags), IRS, Seq(77), b"x");
            segment.source = segment.destination;
            let sent = bench.receive(segment);
            let count = echo(&mut bench, sent, Duration::from_secs(10));
            assert!(count < 20, "{count} segments after {:?}", Flags(flags));
        }
    }
}

/// A program that binds a port and connects to it: simultaneous open with itself.
// test: RFC 9293 MUST-10
#[test]
fn a_socket_that_calls_its_own_port_talks_to_itself() {
    let mut bench = Bench::new();
    let own = BoundAddress { address: local(), interface: None };
    bench.command(TcpCommand::Bind {
        socket: SOCKET,
        local: own,
        reuse_address: false,
        reuse_port: false,
    });
    let options = Box::new(TcpOptions { nodelay: true, ..TcpOptions::default() });
    bench.command(TcpCommand::Connect { socket: SOCKET, remote: local(), options });
    let sent = bench.sent();
    let count = echo(&mut bench, sent, Duration::from_secs(1));
    assert_eq!(bench.state(), "ESTABLISHED");
    assert!(count < 10, "{count} segments");
    let opened = bench.events().into_iter().any(|e| matches!(e, TcpEvent::Established { .. }));
    assert!(opened);
    let sent = bench.write(SOCKET, &b"hello"[..]);
    let count = echo(&mut bench, sent, Duration::from_secs(1));
    assert_eq!((bench.data(), count), (b"hello".to_vec(), 2));
    bench.command(TcpCommand::Shutdown { socket: SOCKET });
    let sent = bench.sent();
    let count = echo(&mut bench, sent, Duration::from_secs(100));
    assert!(count < 10, "{count} segments");
    assert_eq!(bench.state(), "CLOSED");
}

/// Two connections on one tuple with other numbers, as after a forged restart: every bare segment
/// of one is wrong for the other.
// test: RFC 5961 7
#[test]
fn two_stacks_out_of_step_do_not_storm() {
    let mut ours = Bench::new();
    let mut theirs = Bench::new();
    ours.accept();
    theirs.accept();
    // What one says to its peer is heard by the other, with a way of 1 ms.
    let turn = |mut segment: Segment, to: &Bench, shift: u32| {
        (segment.source, segment.destination) = (remote(), to.local);
        segment.seq = segment.seq.plus(shift);
        segment
    };
    let first = theirs.segment(A, Seq(0x4000_0000), Seq(5), b"");
    let mut waiting = vec![(true, first)];
    let mut count = 0;
    for _ in 0..10_000 {
        let mut next = Vec::new();
        for (to_us, segment) in waiting.drain(..) {
            count += 1;
            let (here, there) = if to_us { (&mut ours, &theirs) } else { (&mut theirs, &ours) };
            let answers = here.receive(segment);
            let answers = answers.into_iter().map(|answer| turn(answer, there, 0x4000_0000));
            next.extend(answers.map(|answer| (!to_us, answer)));
        }
        ours.ms(1);
        theirs.ms(1);
        waiting = next;
    }
    assert!(count <= 40, "{count} segments in ten seconds");
}
