//! What a connection tells of itself: TCP_INFO in Linux's units, what limits it and for how long,
//! and the counters of `nstat`. Expected values are counted by hand.

mod common;

use common::*;
use layer::Duration;
use layer::boundary::{
    CaState, ConnectionInfo, Limiting, TcpCommand, TcpEvent, TcpInfo, TcpOptions,
};
use tcp::{Config, Tcp, Timestamps};

const MSS: u32 = 1460;

fn info(bench: &Bench) -> ConnectionInfo {
    bench.tcp.connections().remove(0)
}

fn counter(tcp: &Tcp, name: &str) -> u64 {
    let mut found = None;
    tcp.stats().each(&mut |each, value| {
        if each == name {
            found = Some(value);
        }
    });
    found.unwrap_or_else(|| panic!("{name} is not counted"))
}

/// Acknowledges everything before our byte `ours` and offers `window`.
fn ack_window(bench: &mut Bench, ours: u32, window: u16) -> usize {
    let mut ack = bench.segment(A, bench.seq, bench.iss.plus(ours), b"");
    ack.window = window;
    bench.receive(ack).iter().map(|segment| segment.payload.len()).sum()
}

#[test]
fn the_time_is_charged_to_what_held_the_sender() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    assert_eq!(info(&bench).limiting, Limiting::Application);
    bench.ms(10);
    bench.write(ACCEPTED, pattern(40_000));
    assert_eq!(info(&bench).limiting, Limiting::CongestionWindow, "ten segments are out");
    bench.ms(50);
    assert_eq!(ack_window(&mut bench, 14_601, 0), 0);
    assert_eq!(info(&bench).limiting, Limiting::ReceiveWindow);
    bench.ms(30);
    assert_eq!(ack_window(&mut bench, 14_601, 64_000), 25_400, "the rest fits the grown window");
    assert_eq!(info(&bench).limiting, Limiting::Application, "all is sent");
    bench.ms(5);
    ack_window(&mut bench, 40_001, 64_000);
    bench.ms(1000);
    let info = info(&bench);
    assert_eq!(info.limited.application, Duration::from_millis(10 + 5 + 1000));
    assert_eq!(info.limited.congestion_window, Duration::from_millis(50));
    assert_eq!(info.limited.receive_window, Duration::from_millis(30));
    assert_eq!(info.limited.recovery, Duration::ZERO);
    assert_eq!(info.tcp.busy_time, 85_000, "with something in the send buffer, us");
    assert_eq!(info.tcp.rwnd_limited, 30_000);
    assert_eq!(info.tcp.sndbuf_limited, 0);
}

#[test]
fn a_full_send_buffer_that_is_all_out_limits_by_itself() {
    let mut bench = Bench::new();
    let nodelay = true;
    bench.accept_with(TcpOptions { nodelay, send_buffer: Some(8000), ..TcpOptions::default() });
    bench.write(ACCEPTED, pattern(8000));
    bench.ms(20);
    assert_eq!(info(&bench).limiting, Limiting::SendBuffer);
    ack_window(&mut bench, 8001, 64_000);
    assert_eq!(info(&bench).limiting, Limiting::Application);
    assert_eq!(info(&bench).limited.send_buffer, Duration::from_millis(20));
    assert_eq!(info(&bench).tcp.sndbuf_limited, 20_000);
}

#[test]
fn nagle_is_the_application_s_wish() {
    let mut bench = Bench::new();
    bench.accept();
    bench.write(ACCEPTED, b"first".to_vec());
    bench.write(ACCEPTED, b"second".to_vec());
    let info = info(&bench);
    assert_eq!((info.limiting, info.tcp.notsent_bytes), (Limiting::Application, 6));
}

#[test]
fn a_timeout_is_recovery_until_all_that_was_out_is_acknowledged() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    bench.write(ACCEPTED, pattern(3 * MSS as usize));
    // The first RTO after a handshake in no time is the floor.
    bench.ms(200);
    let now = info(&bench);
    assert_eq!(now.limiting, Limiting::Recovery);
    assert_eq!(now.tcp.ca_state, CaState::Loss);
    assert_eq!((now.tcp.retransmits, now.tcp.backoff, now.tcp.total_rto), (1, 1, 1));
    assert_eq!((now.tcp.total_rto_recoveries, now.tcp.total_retrans), (1, 1));
    assert_eq!((now.tcp.lost, now.tcp.retrans, now.tcp.unacked), (2, 1, 3));
    assert_eq!(now.tcp.rto, 400_000);
    bench.ms(400);
    assert_eq!((info(&bench).tcp.total_rto, info(&bench).tcp.total_rto_recoveries), (2, 1));
    bench.ms(7);
    bench.ack(3 * MSS + 1);
    let now = info(&bench);
    assert_eq!(now.tcp.ca_state, CaState::Open);
    assert_eq!(now.limited.recovery, Duration::from_millis(407));
    assert_eq!((now.tcp.retransmits, now.tcp.lost, now.tcp.retrans), (0, 0, 0));
    assert_eq!(now.tcp.bytes_retrans, 2 * u64::from(MSS));
    assert_eq!(counter(&bench.tcp, "TcpExtTCPSlowStartRetrans"), 2);
}

#[test]
fn segments_bytes_and_times_are_those_of_linux() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.options.mss = Some(1012);
    syn.options.window_scale = Some(3);
    syn.options.sack_permitted = true;
    syn.options.timestamps = Some(Timestamps { value: 1, echo: 0 });
    let answer = bench.receive(syn).remove(0);
    bench.iss = answer.seq;
    let echo = answer.options.timestamps.map_or(0, |stamps| stamps.value);
    let stamped = |bench: &Bench, ours: u32, text: &[u8]| {
        let mut segment = bench.segment(PA, bench.seq, bench.iss.plus(ours), text);
        segment.window = 8000;
        segment.options.timestamps = Some(Timestamps { value: 2, echo });
        segment
    };
    bench.ms(40);
    bench.receive(stamped(&bench, 1, b""));
    bench.events();
    let sent = bench.write(ACCEPTED, pattern(2500));
    assert_eq!(sent.iter().map(|s| s.payload.len()).sum::<usize>(), 2000, "Nagle keeps a tail");
    bench.ms(60);
    bench.receive(stamped(&bench, 2001, &[7; 300]));
    bench.seq = bench.seq.plus(300);
    // Beyond a hole of 100.
    let mut early = stamped(&bench, 2001, &[8; 50]);
    early.seq = early.seq.plus(100);
    bench.receive(early);
    bench.ms(25);
    let tcp = info(&bench).tcp;
    assert_eq!(tcp.state, 1, "TCP_ESTABLISHED");
    assert_eq!(tcp.options, TcpInfo::TIMESTAMPS | TcpInfo::SACK | TcpInfo::WSCALE);
    assert_eq!((tcp.snd_wscale, tcp.rcv_wscale), (3, 8), "ours says 16 MiB");
    assert_eq!((tcp.snd_mss, tcp.advmss, tcp.pmtu), (1000, 1448, 1500));
    assert_eq!(tcp.rcv_mss, 300);
    assert_eq!((tcp.bytes_sent, tcp.bytes_acked, tcp.bytes_received), (2500, 2000, 300));
    assert_eq!((tcp.data_segs_out, tcp.data_segs_in, tcp.rcv_ooopack), (3, 2, 1));
    // ACK of the handshake, text, early text.
    assert_eq!(tcp.segs_in, 3);
    // SYN-ACK, two full segments, the tail, the acknowledgement of what came early.
    assert_eq!(tcp.segs_out, 5);
    assert_eq!((tcp.unacked, tcp.notsent_bytes, tcp.delivered), (1, 0, 2));
    assert_eq!((tcp.last_data_sent, tcp.last_data_recv, tcp.last_ack_recv), (25, 25, 25));
    // RFC 6298: 40 ms, then 60 ms: SRTT 42.5 ms, RTTVAR (3 * 20 + 20) / 4 = 20 ms.
    assert_eq!((tcp.rtt, tcp.rttvar, tcp.min_rtt), (42_500, 20_000, 60_000));
    assert_eq!(tcp.rto, 242_500, "the floor is on the variation");
    assert_eq!(tcp.delivery_rate, 33_333, "2000 bytes in 60 ms");
    assert_eq!(tcp.snd_wnd, 64_000);
    assert_eq!((tcp.snd_ssthresh, tcp.reordering), (TcpInfo::NO_SSTHRESH, 3));
    assert_eq!(tcp.pacing_rate, u64::MAX, "no pace");
    for (name, value) in [
        ("TcpExtTCPOrigDataSent", 3),
        ("TcpExtTCPDelivered", 2),
        ("TcpExtTCPPureAcks", 1),
        ("TcpExtTCPOFOQueue", 1),
        ("TcpInSegs", 4),
        ("TcpOutSegs", 5),
    ] {
        assert_eq!(counter(&bench.tcp, name), value, "{name}");
    }
}

#[test]
fn a_listener_tells_how_many_wait_and_may_wait() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    // One that is half open does not wait to be accepted yet.
    bench.iss = bench.receive(bench.syn())[0].seq;
    bench.command(TcpCommand::Query { socket: SOCKET });
    let events = bench.events();
    assert!(matches!(&events[..], [TcpEvent::Info { info, .. }] if info.tcp.unacked == 0));
    bench.ack(1);
    bench.events();
    bench.command(TcpCommand::Query { socket: SOCKET });
    let events = bench.events();
    let [TcpEvent::Info { info, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((info.tcp.state, info.tcp.unacked, info.tcp.sacked), (10, 1, 8));
}

#[test]
fn the_least_round_trip_is_forgotten_after_five_minutes() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    let mut sent = 1;
    let mut exchange = |bench: &mut Bench, rtt_ms: u64| {
        bench.write(ACCEPTED, pattern(100));
        bench.ms(rtt_ms);
        sent += 100;
        bench.ack(sent);
        info(bench).tcp.min_rtt
    };
    assert_eq!(exchange(&mut bench, 20), 20_000);
    assert_eq!(exchange(&mut bench, 50), 20_000);
    bench.ms(299_000);
    assert_eq!(exchange(&mut bench, 50), 20_000);
    bench.ms(2_000);
    assert_eq!(exchange(&mut bench, 50), 50_000);
}

#[test]
fn the_rates_and_limits_of_the_timeout_are_counters_as_on_linux() {
    let bench = Bench::with(Config::new([7; 16]));
    let mut found = Vec::new();
    layer::Counted::counters(&bench.tcp, &mut |name, value| found.push((name, value)));
    for expected in [("TcpRtoAlgorithm", 4), ("TcpRtoMin", 200), ("TcpRtoMax", 120_000)] {
        assert!(found.contains(&expected), "{expected:?}");
    }
}
