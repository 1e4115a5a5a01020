//! What no peer, router or program should be able to do: silence a connection for good, make the
//! layer turn for ever.

mod common;

use common::{A, ACCEPTED, Bench, SA, SOCKET, pattern};
use layer::boundary::{IpErrorKind, TcpCommand, TcpOptions};
use layer::{Duration, Layer};

const MSS: usize = 1460;

/// A "fragmentation needed" that waits for proof explains a timeout only of a segment that was too
/// big. Here a small one is lost: it is sent again like any other.
// test: RFC 6298 5.1
// test: RFC 5927 7.2
#[test]
fn a_message_about_size_does_not_explain_the_loss_of_a_small_segment() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    bench.write(ACCEPTED, pattern(MSS));
    bench.ack(1461);
    assert_eq!(bench.write(ACCEPTED, pattern(100)).len(), 1);
    bench.icmp(IpErrorKind::FragmentationNeeded { mtu: 576 }, bench.iss.plus(1461));
    let again = loop {
        bench.now = bench.now.max(bench.tcp.poll_at().expect("a timer runs"));
        bench.poll();
        let out: Vec<_> = bench.driver.down.drain().collect();
        if let Some(layer::boundary::IpOut::Datagram(send)) = out.into_iter().next_back() {
            break send;
        }
    };
    assert_eq!(again.packet.len(), 20 + 100);
}

/// The window closes and opens again while F-RTO waits for the answer to new data: nothing is to
/// be sent just then, but what is out is still timed.
// test: RFC 6298 5.1
#[test]
fn a_window_that_closes_while_frto_asks_stops_no_timer() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    let iw = bench.write(ACCEPTED, pattern(12 * MSS));
    assert_eq!(iw.iter().map(|segment| segment.payload.len()).sum::<usize>(), 10 * MSS);
    assert_eq!(bench.next_sent().seq, bench.iss.plus(1), "the timeout");
    let new = bench.ack(1461);
    assert_eq!(new[0].seq, bench.iss.plus(1 + 10 * 1460), "new data asks");
    let mut closed = bench.segment(A, bench.seq, bench.iss.plus(1461), b"");
    closed.window = 0;
    bench.receive(closed);
    bench.ack(1461);
    assert_eq!(bench.next_sent().seq, bench.iss.plus(1461));
}

/// Times of zero are a program's mistake; the layer does not turn for ever over them.
#[test]
fn keep_alive_without_a_pause_does_not_spin() {
    let mut bench = Bench::new();
    let (keepalive_idle, keepalive_interval) = (Duration::ZERO, Duration::ZERO);
    bench.accept_with(TcpOptions {
        keepalive: true,
        keepalive_idle,
        keepalive_interval,
        ..TcpOptions::default()
    });
    bench.write(ACCEPTED, pattern(100));
    bench.ms(100);
}

/// A closed window opens when the program enlarges its buffer, not at the peer's next probe.
// test: RFC 9293 MUST-39
#[test]
fn a_larger_receive_buffer_opens_the_window() {
    let mut bench = Bench::new();
    let small = TcpOptions { receive_buffer: Some(2000), ..TcpOptions::default() };
    bench.accept_with(small.clone());
    bench.text(&pattern(2000), 1);
    bench.ms(500);
    bench.sent();
    let options = Box::new(TcpOptions { receive_buffer: Some(20_000), ..small });
    bench.command(TcpCommand::Configure { socket: ACCEPTED, options });
    assert_eq!(bench.sent_one().window, 18_000);
}

/// SO_RCVBUF set in the middle of a handshake: the scale that the SYN named stays in force, or the
/// peer would take each window for 256 times what it is. So does the 64 KiB that it offered.
// RFC 7323 2.3, both sides keep the scale that their SYN named.
#[test]
fn the_window_scale_is_the_one_that_the_syn_named() {
    let small = || Box::new(TcpOptions { receive_buffer: Some(4000), ..TcpOptions::default() });
    let mut bench = Bench::new();
    let syn = bench.connect(TcpOptions::default());
    let scale = syn.options.window_scale.expect("it is offered");
    bench.command(TcpCommand::Configure { socket: SOCKET, options: small() });
    let mut syn_ack = bench.segment(SA, common::IRS, bench.iss.plus(1), b"");
    syn_ack.options.window_scale = Some(0);
    let ack = bench.receive(syn_ack).remove(0);
    assert!(u32::from(ack.window) << scale <= 65_535, "active: {}", ack.window);

    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options.window_scale = Some(0);
    let syn_ack = bench.receive(syn).remove(0);
    bench.iss = syn_ack.seq;
    let scale = syn_ack.options.window_scale.expect("it is offered");
    bench.command(TcpCommand::Configure { socket: SOCKET, options: small() });
    bench.ack(1);
    let ack = bench.text(b"text", 1).remove(0);
    assert!(u32::from(ack.window) << scale <= 65_535, "passive: {}", ack.window);
}
