//! How long silence is borne (RFC 9293 3.8.3, 3.8.4, RFC 5482), and what the layers below and the
//! application hear of it meanwhile.

mod common;

use common::{A, ACCEPTED, Bench, PA, R, RA, SOCKET, pattern};
use layer::boundary::{
    CloseReason, IpErrorKind, IpOut, Reachability, SocketError, TcpCommand, TcpEvent, TcpOptions,
};
use layer::{Duration, Layer};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn closed(socket: layer::boundary::SocketId, error: SocketError) -> TcpEvent {
    TcpEvent::Closed { socket, reason: CloseReason::Failed(error) }
}

fn timed_out(socket: layer::boundary::SocketId) -> TcpEvent {
    closed(socket, SocketError::TimedOut)
}

/// The word on the way that rides on each segment sent since the last look.
fn hints(bench: &mut Bench) -> Vec<Reachability> {
    let sent: Vec<IpOut> = bench.driver.down.drain().collect();
    sent.into_iter()
        .map(|item| match item {
            IpOut::Datagram(send) => send.reachability,
            other => panic!("not a segment: {other:?}"),
        })
        .collect()
}

/// Polls at each deadline until the hub hears something.
fn until_told(bench: &mut Bench) -> Vec<TcpEvent> {
    loop {
        bench.now = bench.now.max(bench.tcp.poll_at().expect("something is due"));
        bench.poll();
        let events = bench.events();
        if !events.is_empty() {
            return events;
        }
    }
}

/// RTO 200 ms, doubled up to 120 s: resends after 0.2, 0.6, 1.4, .. 102.2, 204.6 s, then every
/// 120 s. The 15th leaves at 804.6 s; the timer after it ends the connection at 924.6 s.
// test: RFC 9293 MUST-20
// test: RFC 9293 SHLD-11
// test: RFC 9293 MUST-47
#[test]
fn an_absent_peer_is_given_up_after_r2() {
    let mut bench = Bench::new();
    bench.accept();
    bench.write(ACCEPTED, pattern(500));
    let start = bench.now;
    until_told(&mut bench);
    let end = until_told(&mut bench);
    assert_eq!(end, [timed_out(ACCEPTED)]);
    assert_eq!(bench.now.since(start).as_millis(), 924_600);
    assert_eq!(bench.tcp.stats().abort_on_timeout, 1);
    assert_eq!(bench.state(), "CLOSED");
    assert_eq!(bench.sent().len(), 15);
    bench.advance(seconds(1000));
    assert_eq!(bench.sent(), [], "no more packets, no reset either");
}

// test: RFC 9293 SHLD-9
// test: RFC 9293 SHLD-10
#[test]
fn from_r1_on_the_way_is_doubted_and_the_application_told() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::Send { socket: ACCEPTED, data: pattern(500).into() });
    assert_eq!(hints(&mut bench), [Reachability::Confirmed]);
    bench.ms(1399);
    assert_eq!(hints(&mut bench), [Reachability::Unknown; 2]);
    assert_eq!(bench.events(), []);
    // The third resend.
    bench.ms(1);
    assert_eq!(hints(&mut bench), [Reachability::Doubted]);
    let error = SocketError::TimedOut;
    assert_eq!(bench.events(), [TcpEvent::SoftError { socket: ACCEPTED, error }]);
    bench.ms(1600);
    assert_eq!(hints(&mut bench), [Reachability::Doubted]);
    // Answered: all is well.
    bench.ack(501);
    bench.command(TcpCommand::Send { socket: ACCEPTED, data: pattern(500).into() });
    assert_eq!(hints(&mut bench), [Reachability::Confirmed]);
    assert_eq!(bench.state(), "ESTABLISHED");
}

// test: RFC 9293 MUST-22
#[test]
fn a_syn_that_nobody_answers_doubts_the_way_too() {
    let mut bench = Bench::new();
    bench.connect(TcpOptions::default());
    bench.ms(7000);
    let (unknown, doubted) = (Reachability::Unknown, Reachability::Doubted);
    assert_eq!(hints(&mut bench), [unknown, unknown, doubted]);
}

// test: RFC 9293 MUST-23
#[test]
fn a_syn_is_resent_for_more_than_three_minutes() {
    let mut bench = Bench::new();
    bench.connect(TcpOptions::default());
    let start = bench.now;
    assert_eq!(until_told(&mut bench), [timed_out(SOCKET)]);
    // 1 + 2 + .. + 128 s.
    assert_eq!(bench.now.since(start), seconds(255));
}

// test: RFC 9293 MUST-21
// test: RFC 5482 3
#[test]
fn the_applications_timeout_replaces_r2_also_by_never() {
    let with = |limit| TcpOptions { user_timeout: Some(limit), ..TcpOptions::default() };
    let mut bench = Bench::new();
    bench.accept_with(with(seconds(10)));
    bench.write(ACCEPTED, pattern(500));
    bench.ms(9999);
    assert_eq!(bench.state(), "ESTABLISHED");
    bench.ms(1);
    assert!(bench.events().contains(&timed_out(ACCEPTED)));
    bench.sent();
    bench.advance(seconds(1000));
    assert_eq!(bench.sent(), []);

    let mut bench = Bench::new();
    bench.accept_with(with(Duration::MAX));
    bench.write(ACCEPTED, pattern(500));
    for _ in 0..100 {
        bench.advance(seconds(1200));
        bench.sent();
    }
    assert_eq!(bench.state(), "ESTABLISHED");
    bench.advance(seconds(120));
    assert_eq!(bench.sent().len(), 1, "it goes on asking");
}

// test: RFC 9293 MUST-21
#[test]
fn the_applications_timeout_counts_from_the_last_progress() {
    let mut bench = Bench::new();
    let user_timeout = Some(seconds(10));
    bench.accept_with(TcpOptions { user_timeout, ..TcpOptions::default() });
    bench.write(ACCEPTED, pattern(1000));
    bench.ms(8000);
    bench.ack(501);
    bench.ms(9999);
    assert_eq!(bench.state(), "ESTABLISHED");
    bench.ms(1);
    assert_eq!(bench.state(), "CLOSED");
}

// Data that a closed window holds up waits too, though the peer answers (tcp(7)).
// test: RFC 9293 MUST-21
#[test]
fn the_applications_timeout_also_ends_a_closed_window() {
    let mut bench = Bench::new();
    let user_timeout = Some(seconds(10));
    bench.accept_with(TcpOptions { user_timeout, ..TcpOptions::default() });
    let shut = |bench: &Bench| {
        let mut segment = bench.segment(A, bench.seq, bench.iss.plus(1), b"");
        segment.window = 0;
        segment
    };
    bench.receive(shut(&bench));
    bench.write(ACCEPTED, pattern(100));
    for _ in 0..19 {
        bench.ms(500);
        bench.receive(shut(&bench));
    }
    assert_eq!(bench.state(), "ESTABLISHED");
    bench.ms(500);
    assert_eq!(bench.state(), "CLOSED");
    assert!(bench.events().contains(&timed_out(ACCEPTED)));
}

// test: RFC 9293 MUST-21
#[test]
fn the_applications_timeout_ends_an_active_open() {
    let mut bench = Bench::new();
    let user_timeout = Some(seconds(5));
    bench.connect(TcpOptions { user_timeout, ..TcpOptions::default() });
    bench.ms(4999);
    assert_eq!(bench.sent().len(), 2, "after 1 s and after 3 s");
    assert_eq!(bench.events(), []);
    bench.ms(1);
    assert_eq!(bench.events(), [timed_out(SOCKET)]);
}

/// A user timeout option (kind 28) of one second is neither obeyed nor answered.
// test: RFC 5482 3
#[test]
fn the_peers_user_timeout_option_changes_nothing() {
    use tcp::Segment;
    let mut bench = Bench::new();
    bench.accept();
    let segment: Segment = bench.segment(PA, bench.seq, bench.iss.plus(1), b"x");
    let mut packet = segment.write();
    let (source, to) = (common::remote().ip(), common::local().ip());
    // The header again, with four bytes more: kind 28, length 4, granularity s, 1.
    let mut bytes = packet.to_vec();
    bytes[12] = 6 << 4;
    bytes.splice(20..20, [28, 4, 0, 1]);
    let offload = packet.offload().checksum;
    packet = layer::PacketBuf::copy_from(&bytes);
    packet.offload_mut().checksum = offload;
    common::complete(&mut packet, source, to);
    bench.datagram(packet, source, to, layer::boundary::Cast::Unicast);
    bench.poll();
    assert_eq!(bench.data(), b"x");
    bench.seq = bench.seq.plus(1);
    let sent = bench.write(ACCEPTED, pattern(500));
    assert!(sent.iter().all(|segment| segment.options.is_empty()));
    bench.advance(seconds(60));
    assert_eq!(bench.state(), "ESTABLISHED");
}

/// Resends after 0.2, 0.6, .. 51 s; the ninth timeout, at 102.2 s, ends it.
#[test]
fn a_closed_socket_is_given_up_earlier() {
    let mut bench = Bench::new();
    let user_timeout = Some(Duration::MAX);
    bench.accept_with(TcpOptions { user_timeout, ..TcpOptions::default() });
    bench.write(ACCEPTED, pattern(500));
    bench.command(TcpCommand::Close { socket: ACCEPTED });
    bench.ms(102_199);
    assert_eq!(bench.state(), "FIN-WAIT-1");
    bench.ms(1);
    assert_eq!(bench.state(), "CLOSED");
}

fn keeping_alive() -> TcpOptions {
    TcpOptions { keepalive: true, ..TcpOptions::default() }
}

// test: RFC 9293 MUST-25
#[test]
fn an_idle_connection_is_silent_by_default() {
    let mut bench = Bench::new();
    bench.accept();
    bench.advance(seconds(3 * 3600));
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.tcp.poll_at(), None);
}

// test: RFC 9293 MUST-24
// test: RFC 9293 MUST-28
// test: RFC 9293 SHLD-12
// test: RFC 9293 MAY-5
// test: RFC 9293 MAY-6
#[test]
fn an_idle_peer_is_asked_after_two_hours() {
    let mut bench = Bench::new();
    bench.accept_with(keeping_alive());
    bench.advance(seconds(7200) - Duration::from_millis(1));
    assert_eq!(bench.sent(), []);
    bench.ms(1);
    let probe = bench.sent_one();
    // SND.NXT - 1, no text: and so no octet of garbage.
    assert_eq!((probe.flags, probe.seq), (A, bench.iss));
    assert_eq!((probe.ack, probe.payload.len()), (bench.seq, 0));
    // The answer starts the two hours again.
    bench.ack(1);
    bench.advance(seconds(7199));
    assert_eq!(bench.sent(), []);
    bench.advance(seconds(1));
    assert_eq!(bench.sent_one().seq, bench.iss);
    assert_eq!(bench.tcp.stats().keep_alive, 2);
}

// test: RFC 9293 MUST-29
#[test]
fn the_answer_to_the_last_probe_counts() {
    let mut bench = Bench::new();
    bench.accept_with(keeping_alive());
    bench.advance(seconds(7200 + 8 * 75));
    assert_eq!(bench.sent().len(), 9);
    bench.advance(seconds(74));
    bench.ack(1);
    bench.advance(seconds(7199));
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.state(), "ESTABLISHED");
}

// test: RFC 9293 MUST-29
#[test]
fn nine_probes_without_an_answer_end_the_connection() {
    let mut bench = Bench::new();
    bench.accept_with(keeping_alive());
    bench.advance(seconds(7200 + 9 * 75) - Duration::from_millis(1));
    assert_eq!(bench.sent().len(), 9);
    assert_eq!(bench.state(), "ESTABLISHED");
    bench.ms(1);
    let reset = bench.sent_one();
    assert_eq!((reset.flags, reset.seq), (RA, bench.iss.plus(1)));
    assert_eq!(bench.events(), [timed_out(ACCEPTED)]);
}

// test: RFC 9293 MUST-26
#[test]
fn nothing_is_asked_while_data_is_out() {
    let mut bench = Bench::new();
    let (idle, interval) = (seconds(10), seconds(2));
    bench.accept_with(TcpOptions {
        keepalive_idle: idle,
        keepalive_interval: interval,
        ..keeping_alive()
    });
    bench.write(ACCEPTED, pattern(500));
    bench.advance(seconds(60));
    let sent = bench.sent();
    assert!(sent.iter().all(|segment| segment.payload.len() == 500), "resends, no probes");
    bench.ack(501);
    // Quiet again; the timer may have been put off by the time set, not by more.
    bench.advance(idle * 2);
    assert_eq!(bench.sent()[0].seq, bench.iss.plus(500));
}

// test: RFC 9293 MUST-24
// test: RFC 9293 MUST-27
#[test]
fn it_is_switched_and_timed_while_the_connection_is_open() {
    let mut bench = Bench::new();
    bench.accept();
    bench.advance(seconds(5));
    let (keepalive_idle, keepalive_interval) = (seconds(20), seconds(3));
    let on = TcpOptions { keepalive_idle, keepalive_interval, ..keeping_alive() };
    let configure = |options: &TcpOptions| TcpCommand::Configure {
        socket: ACCEPTED,
        options: Box::new(options.clone()),
    };
    bench.command(configure(&on));
    bench.advance(seconds(14));
    assert_eq!(bench.sent(), []);
    bench.advance(seconds(1));
    assert_eq!(bench.sent().len(), 1, "20 s after the peer was last heard");
    bench.advance(seconds(3));
    assert_eq!(bench.sent().len(), 1);
    bench.command(configure(&TcpOptions::default()));
    bench.advance(seconds(10_000));
    assert_eq!(bench.sent(), []);
}

// As Linux: TCP_USER_TIMEOUT replaces the number of probes.
// test: RFC 9293 MUST-21
#[test]
fn with_a_user_timeout_probes_end_at_its_time() {
    let mut bench = Bench::new();
    let (keepalive_idle, keepalive_interval) = (seconds(10), seconds(1));
    let user_timeout = Some(seconds(30));
    bench.accept_with(TcpOptions {
        keepalive_idle,
        keepalive_interval,
        user_timeout,
        ..keeping_alive()
    });
    bench.ms(29_999);
    assert_eq!(bench.sent().len(), 20);
    bench.ms(1);
    assert!(bench.sent_one().flags.has(R));
    assert_eq!(bench.events(), [timed_out(ACCEPTED)]);
}

// RFC 5461: what ICMP says in a synchronized state is only kept; it becomes the reason if the
// connection times out, unless something was acknowledged since.
// test: RFC 5461 4.1
// test: RFC 9293 MUST-47
#[test]
fn icmp_names_the_reason_of_a_timeout() {
    for (then_acknowledged, reason) in
        [(false, SocketError::HostUnreachable), (true, SocketError::TimedOut)]
    {
        let mut bench = Bench::new();
        bench.accept();
        bench.write(ACCEPTED, pattern(500));
        bench.icmp(IpErrorKind::HostUnreachable, bench.iss.plus(1));
        let error = SocketError::HostUnreachable;
        assert_eq!(bench.events(), [TcpEvent::SoftError { socket: ACCEPTED, error }]);
        if then_acknowledged {
            bench.ack(101);
        }
        bench.advance(seconds(2000));
        assert_eq!(bench.events().last(), Some(&closed(ACCEPTED, reason)));
    }
}

// Hard ones too (protocol, port): only while the connection opens do they end it.
// test: RFC 5461 4.1
// test: RFC 5927 5.2
#[test]
fn hard_errors_are_soft_once_synchronized() {
    for kind in [IpErrorKind::ProtocolUnreachable, IpErrorKind::PortUnreachable] {
        let mut bench = Bench::new();
        bench.accept();
        bench.write(ACCEPTED, pattern(500));
        bench.icmp(kind, bench.iss.plus(1));
        assert_eq!(bench.state(), "ESTABLISHED");
        bench.ack(501);

        let mut bench = Bench::new();
        bench.connect(TcpOptions::default());
        // Not for the segment that is out: nothing happens.
        bench.icmp(kind, bench.iss.plus(1));
        bench.icmp(kind, bench.iss.minus(1));
        assert_eq!(bench.state(), "SYN-SENT");
        bench.icmp(kind, bench.iss);
        assert_eq!(bench.state(), "CLOSED");
    }
}

// Each exchange of data leaves a hint for two hours later behind; they are cleared away.
#[test]
fn hints_of_a_busy_connection_do_not_pile_up() {
    let mut bench = Bench::new();
    bench.accept_with(keeping_alive());
    for n in 0..2000_u32 {
        bench.write(ACCEPTED, pattern(10));
        bench.ack(1 + (n + 1) * 10);
        bench.ms(250);
        bench.sent();
        bench.events();
    }
    assert!(bench.tcp.hints() < 100, "{} hints for one connection", bench.tcp.hints());
}
