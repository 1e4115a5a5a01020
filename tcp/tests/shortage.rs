//! What gives way when memory runs short, in its order (see `tcp/src/memory.rs`), one connection at
//! a time. The budget is 30,000 bytes: pressure above 20,000, over below 15,000.

mod common;

use common::{A, ACCEPTED, Bench, SOCKET};
use layer::boundary::{SocketError, TcpCommand, TcpEvent, TcpOptions};
use tcp::{Config, Flags, MemoryLimits};

fn bench() -> Bench {
    Bench::with(Config { memory: MemoryLimits::of(30_000), ..Config::new([7; 16]) })
}

fn fill(bench: &mut Bench, segments: usize) {
    for _ in 0..segments {
        bench.text(&[1; 1400], 1);
    }
    bench.sent();
}

#[test]
fn under_pressure_no_window_is_taken_back_and_after_it_the_window_opens() {
    let mut bench = bench();
    bench.accept();
    // 14 segments are charged 21,392 bytes: what was offered stays offered.
    fill(&mut bench, 13);
    let before = bench.text(&[1; 1400], 1).remove(0);
    assert_eq!(bench.tcp.stats().memory_pressures, 1);
    assert!(before.window > 40_000);
    // All is read: nothing would stand in the way of 64 KiB, and pressure is over.
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 14 * 1400 });
    assert_eq!(bench.tcp.memory_held(), 0, "an idle connection's buffers hold nothing");
    assert!(bench.sent_one().window > 65_000);
}

/// RFC 2018 8: what was reported by SACK may be dropped again; the peer keeps it until it is
/// acknowledged.
// test: RFC 2018 8
#[test]
fn early_data_gives_way_before_anything_in_order() {
    let mut bench = bench();
    bench.accept();
    fill(&mut bench, 8);
    for n in 5..=12 {
        let early = bench.segment(A, bench.seq.plus(n * 1400), bench.iss.plus(1), &[2; 1400]);
        bench.receive(early);
    }
    let held = bench.tcp.memory_held();
    assert!(held > 25_000, "{held}");
    // The hole is filled by several segments; each is taken.
    for _ in 0..4 {
        bench.receive(bench.segment(A, bench.seq, bench.iss.plus(1), &[1; 1400]));
        bench.seq = bench.seq.plus(1400);
    }
    let stats = bench.tcp.stats();
    assert!(stats.prune_called > 0 && stats.ofo_pruned > 0, "{stats:?}");
    assert_eq!(stats.rcvq_drop, 0);
    assert!(bench.data().len() >= 12 * 1400);
}

#[test]
fn without_memory_the_window_closes_and_opens_again_and_nothing_acknowledged_is_lost() {
    let mut bench = bench();
    bench.accept();
    fill(&mut bench, 19);
    let refused = bench.receive(bench.segment(A, bench.seq, bench.iss.plus(1), &[1; 1400]));
    assert_eq!((refused[0].window, refused[0].ack), (0, bench.seq));
    assert_eq!((bench.tcp.stats().rcvq_drop, bench.tcp.stats().rcv_pruned), (1, 1));
    assert_eq!(bench.data(), vec![1; 19 * 1400]);
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 19 * 1400 });
    assert!(bench.sent_one().window > 65_000);
    bench.text(&[1; 1400], 1);
    bench.ms(50);
    assert_eq!(bench.sent_one().ack, bench.seq, "taken, and acknowledged by timer");
}

#[test]
fn without_memory_no_connection_more_is_opened() {
    let mut bench = bench();
    bench.accept();
    bench.write(ACCEPTED, vec![3; 31_000]);
    assert!(bench.tcp.memory_held() >= 30_000);
    let options = Box::new(TcpOptions::default());
    let socket = layer::boundary::SocketId(77);
    bench.events();
    bench.command(TcpCommand::Connect { socket, remote: common::remote(), options });
    bench.poll();
    let refused = bench.events().into_iter().any(|event| {
        matches!(event, TcpEvent::Closed { reason, .. }
            if reason == layer::boundary::CloseReason::Failed(SocketError::NoBuffers))
    });
    assert!(refused, "ENOBUFS");
}

#[test]
fn beyond_the_limit_a_connection_that_nobody_owns_is_aborted_and_an_owned_one_is_not() {
    let mut bench = bench();
    bench.accept();
    bench.write(ACCEPTED, vec![3; 31_000]);
    bench.ms(5000);
    assert_eq!(bench.tcp.stats().abort_on_memory, 0, "its application has it");
    bench.sent();
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.ms(5000);
    let sent = bench.sent();
    assert!(sent.last().is_some_and(|segment| segment.flags.has(Flags::RST)), "{sent:?}");
    assert_eq!(bench.tcp.stats().abort_on_memory, 1);
    assert_eq!((bench.tcp.memory_held(), bench.tcp.connection_count()), (0, 0));
    bench.command(TcpCommand::Close { socket: SOCKET });
}

/// What waits to be sent has taken all memory, at the peer's end perhaps, too: somebody has to take
/// the first step.
#[test]
fn without_memory_a_connection_still_receives_its_least() {
    let mut bench = bench();
    bench.accept();
    bench.write(ACCEPTED, vec![3; 31_000]);
    bench.ms(1000);
    bench.sent();
    assert!(bench.tcp.memory_held() >= 30_000);
    bench.text(&[1; 1400], 1);
    assert_eq!((bench.data().len(), bench.tcp.stats().rcvq_drop), (1400, 0));
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 1400 });
    // Of more than the least it takes the least: 4096 bytes, 128 of them for keeping it.
    bench.text(&[2; 5000], 1);
    assert_eq!((bench.data().len(), bench.tcp.stats().rcvq_drop), (3968, 0));
}

/// RFC 7323 2.4: the peer has filled what it was offered before it heard of the closed window, and
/// numbers its acknowledgements from behind that.
// test: RFC 7323 2.4
#[test]
fn who_filled_a_window_that_was_taken_back_is_heard() {
    let mut bench = bench();
    bench.accept();
    bench.write(ACCEPTED, vec![3; 10]);
    fill(&mut bench, 19);
    let refused = bench.receive(bench.segment(A, bench.seq, bench.iss.plus(1), &[1; 1400]));
    assert_eq!(refused.last().map(|segment| segment.window), Some(0));
    let behind = bench.segment(A, bench.seq.plus(1400), bench.iss.plus(11), &[]);
    let answers = bench.receive(behind);
    assert!(answers.is_empty(), "{} answers", answers.len());
    bench.ms(10_000);
    assert!(bench.sent().is_empty(), "all was acknowledged");
    // So does text that comes too late, of which nothing is taken.
    bench.write(ACCEPTED, vec![4; 5]);
    bench.sent();
    let late = bench.segment(A, bench.seq.plus(1400), bench.iss.plus(16), &[1; 1400]);
    let answers = bench.receive(late);
    assert_eq!(answers.last().map(|answer| (answer.ack, answer.window)), Some((bench.seq, 0)));
    bench.ms(10_000);
    assert!(bench.sent().is_empty(), "all was acknowledged");
}
