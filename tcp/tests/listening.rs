//! Listeners under pressure: backlog and accept queue (RFC 9293 3.10.7.2), SYN cookies (RFC 4987),
//! sharing of a port.

mod common;

use common::*;
use layer::boundary::{
    BoundAddress, IpErrorKind, SocketId, TcpCommand, TcpEvent, TcpOptions, TcpState,
};
use layer::{Accounted, Duration, Layer, Reason};
use tcp::{Config, Options, Segment, Seq, SynCookies, Timestamps};

/// `Bench::listen` asks for 8, and as on Linux one more is allowed.
const BACKLOG: u16 = 9;

fn config(syn_cookies: SynCookies) -> Config {
    Config { syn_cookies, ..Config::new([7; 16]) }
}

fn listening(syn_cookies: SynCookies) -> Bench {
    let mut bench = Bench::with(config(syn_cookies));
    bench.listen(TcpOptions::default());
    bench
}

fn from(port: u16, mut segment: Segment) -> Segment {
    segment.source.set_port(port);
    segment
}

fn syn(bench: &Bench, port: u16) -> Segment {
    from(port, bench.syn())
}

/// The ACK that ends the handshake of this SYN-ACK, with `text`.
fn last_ack(bench: &Bench, syn_ack: &Segment, text: &[u8]) -> Segment {
    let mut ack = bench.segment(A, IRS.plus(1), syn_ack.seq.plus(1), text);
    ack.source = syn_ack.destination;
    ack.options.timestamps =
        syn_ack.options.timestamps.map(|ours| Timestamps { value: 6, echo: ours.value });
    ack
}

/// Opens a connection from `port` as far as it goes.
fn handshake(bench: &mut Bench, port: u16) -> Vec<Segment> {
    let syn_ack = bench.receive(syn(bench, port)).remove(0);
    bench.receive(last_ack(bench, &syn_ack, b""))
}

/// Half-open connections that fill the backlog.
fn fill(bench: &mut Bench) {
    for port in 1..=BACKLOG {
        assert_eq!(bench.receive(syn(bench, port)).len(), 1);
    }
}

fn states(bench: &Bench, state: TcpState) -> usize {
    bench.tcp.connections().iter().filter(|c| c.state == state).count()
}

fn incoming(bench: &mut Bench) -> Vec<u16> {
    let events = bench.events().into_iter();
    events
        .filter_map(|event| match event {
            TcpEvent::Incoming { remote, .. } => Some(remote.port()),
            _ => None,
        })
        .collect()
}

#[test]
fn the_backlog_is_a_limit_and_comes_back() {
    let mut bench = listening(SynCookies::Off);
    fill(&mut bench);
    assert_eq!(bench.receive(syn(&bench, 10)), []);
    assert_eq!(bench.drops(Reason::TcpBacklogFull), 1);
    let stats = *bench.tcp.stats();
    assert_eq!((stats.req_q_full_drop, stats.listen_drops, stats.listen_overflows), (1, 1, 0));
    let reset = from(1, bench.segment(R, IRS.plus(1), Seq(0), b""));
    bench.receive(reset);
    assert_eq!(bench.receive(syn(&bench, 10)).len(), 1);
    // And by time: five resends, and 32 s after the last.
    bench.advance(Duration::from_secs(63));
    assert_eq!((states(&bench, TcpState::SynReceived), bench.sent().len()), (0, 9 * 5));
    fill(&mut bench);
}

#[test]
fn all_listeners_together_have_a_limit_too() {
    let mut bench = Bench::with(Config { max_half_open: 3, ..config(SynCookies::Off) });
    bench.listen(TcpOptions::default());
    let answers: usize = (1..=9).map(|port| bench.receive(syn(&bench, port)).len()).sum();
    assert_eq!((answers, bench.drops(Reason::TcpBacklogFull)), (3, 6));
}

/// RFC 9293 3.10.7.2 does not know accept queues; this is Linux with tcp_abort_on_overflow 0.
#[test]
fn a_full_accept_queue_ignores_the_last_ack_and_then_takes_it() {
    let mut bench = listening(SynCookies::WhenFull);
    let late = bench.receive(syn(&bench, 100)).remove(0);
    for port in 1..=BACKLOG {
        assert_eq!(handshake(&mut bench, port), []);
    }
    assert_eq!(incoming(&mut bench).len(), 9);
    let last = last_ack(&bench, &late, b"hello");
    assert_eq!(bench.receive(last.clone()), [], "no reset: the peer may try again");
    assert_eq!(states(&bench, TcpState::SynReceived), 1);
    assert_eq!(bench.receive(syn(&bench, 101)), [], "no new ones either");
    let stats = *bench.tcp.stats();
    assert_eq!((stats.listen_overflows, stats.listen_drops), (2, 2));
    // The SYN-ACK comes again, and one place has become free.
    bench.command(TcpCommand::Accepted { listener: SOCKET });
    bench.ms(1000);
    assert_eq!(bench.sent_one().flags, SA);
    bench.receive(last);
    assert_eq!(states(&bench, TcpState::Established), 10);
    assert!(bench.events().iter().any(|event| matches!(event,
        TcpEvent::Data { chunk, .. } if &chunk[..] == b"hello")));
}

/// Options of the listener at the time of the last ACK are what the connection starts with.
#[test]
fn a_half_open_connection_holds_little() {
    let mut bench = Bench::with(Config { max_half_open: 4096, ..config(SynCookies::Off) });
    bench.listen(TcpOptions::default());
    let backlog = TcpCommand::Listen { socket: SOCKET, backlog: 4095, options: Box::default() };
    bench.command(backlog);
    let before = bench.tcp.held_bytes();
    for port in 1..=4000 {
        bench.receive(syn(&bench, port));
    }
    let each = (bench.tcp.held_bytes() - before) / 4000;
    println!("{each} bytes a half-open connection");
    assert_eq!(states(&bench, TcpState::SynReceived), 4000);
    assert!(each < 256, "{each} bytes each");
}

#[test]
fn a_listener_that_closes_takes_its_half_open_connections_with_it() {
    let mut bench = listening(SynCookies::WhenFull);
    let syn_ack = bench.receive(syn(&bench, 1)).remove(0);
    bench.command(TcpCommand::Close { socket: SOCKET });
    let answer = bench.receive(last_ack(&bench, &syn_ack, b"x"));
    assert_eq!((answer[0].flags, answer[0].seq), (R, syn_ack.seq.plus(1)));
    assert_eq!((states(&bench, TcpState::SynReceived), bench.events()), (0, vec![]));
    // Without a segment the timer finds out.
    let mut bench = listening(SynCookies::WhenFull);
    bench.receive(syn(&bench, 1));
    bench.command(TcpCommand::Close { socket: SOCKET });
    bench.ms(1000);
    assert_eq!((bench.sent(), states(&bench, TcpState::SynReceived)), (vec![], 0));
    assert_eq!(bench.tcp.poll_at(), None);
}

// test: RFC 9293 MUST-54
#[test]
fn a_hard_error_about_our_syn_ack_ends_a_half_open_connection() {
    let mut bench = listening(SynCookies::WhenFull);
    bench.iss = bench.receive(bench.syn()).remove(0).seq;
    bench.icmp(IpErrorKind::PortUnreachable, bench.iss.plus(1));
    bench.icmp(IpErrorKind::HostUnreachable, bench.iss);
    assert_eq!(bench.state(), "SYN-RECEIVED");
    bench.icmp(IpErrorKind::PortUnreachable, bench.iss);
    assert_eq!((bench.state(), bench.events()), ("CLOSED", vec![]));
}

// test: RFC 4987 cookies
#[test]
fn a_full_backlog_answers_with_cookies_that_keep_mss_and_data() {
    for (told, kept) in [(1460, 1460), (1400, 1380), (600, 536), (100, 48), (9000, 1460)] {
        let mut bench = listening(SynCookies::WhenFull);
        fill(&mut bench);
        let mut asked = syn(&bench, 4000);
        asked.options = Options { mss: Some(told), ..Options::default() };
        asked.options.window_scale = Some(3);
        asked.options.sack_permitted = true;
        let held = bench.tcp.held_bytes();
        let syn_ack = bench.receive(asked).remove(0);
        assert_eq!(syn_ack.flags, SA);
        let nothing_more = Options { mss: Some(1460), ..Options::default() };
        assert_eq!(syn_ack.options, nothing_more, "without timestamps nothing is remembered");
        assert_eq!(bench.tcp.held_bytes(), held, "a cookie costs no memory");
        assert_eq!(states(&bench, TcpState::SynReceived), usize::from(BACKLOG));

        bench.iss = syn_ack.seq;
        let ack = last_ack(&bench, &syn_ack, b"hello");
        bench.receive(ack);
        assert_eq!(bench.data(), b"hello", "text with the last ACK is kept");
        let sent = bench.write(ACCEPTED, vec![1; 400]);
        assert!(sent.iter().all(|segment| {
            let size = segment.payload.offload().segmentation.map(|s| usize::from(s.size));
            size.unwrap_or(segment.payload.len()) <= kept
        }));
        let info = bench.tcp.connections();
        let info = info.iter().find(|c| c.state == TcpState::Established).unwrap();
        assert_eq!((info.mss, info.snd_wnd), (u32::try_from(kept).unwrap(), 64_000));
        let stats = *bench.tcp.stats();
        assert_eq!((stats.syncookies_sent, stats.syncookies_recv), (1, 1));
        assert_eq!((stats.req_q_full_do_cookies, stats.syncookies_failed), (1, 0));
        assert_eq!(stats.passive_opens, 1);
    }
}

// test: RFC 4987 cookies
#[test]
fn timestamps_bring_window_scale_and_sack_back() {
    for (scale, sack) in [(None, false), (Some(0), true), (Some(7), true), (Some(14), false)] {
        let mut bench = listening(SynCookies::Always);
        let mut asked = syn(&bench, 4000);
        asked.options = Options { mss: Some(1460), window_scale: scale, ..Options::default() };
        asked.options.sack_permitted = sack;
        asked.options.timestamps = Some(Timestamps { value: 5, echo: 0 });
        let syn_ack = bench.receive(asked).remove(0);
        assert_eq!(syn_ack.options.window_scale.is_some(), scale.is_some());
        assert_eq!(syn_ack.options.sack_permitted, sack);
        assert_eq!(syn_ack.options.timestamps.map(|ours| ours.echo), Some(5));
        assert_eq!(bench.state(), "CLOSED", "nothing is kept");
        bench.ms(70);
        bench.iss = syn_ack.seq;
        let mut ack = last_ack(&bench, &syn_ack, b"");
        ack.window = 1000;
        bench.receive(ack);
        let info = bench.tcp.connections().remove(0);
        assert_eq!(info.state, TcpState::Established);
        assert_eq!(info.snd_wnd, 1000 << scale.unwrap_or(0));
        assert_eq!(info.mss, 1448, "timestamps take 12 bytes");
        assert_eq!(info.srtt, None, "nobody knows when the SYN-ACK left");
        // A hole: reported if SACK was agreed on; the timestamp is ahead of the SYN-ACK's.
        let mut early = bench.segment(A, IRS.plus(101), bench.iss.plus(1), b"early");
        early.options.timestamps =
            syn_ack.options.timestamps.map(|ours| Timestamps { value: 7, echo: ours.value });
        let answer = bench.receive(early).remove(0);
        assert_eq!(answer.options.sack.len(), usize::from(sack));
        let later = answer.options.timestamps.unwrap().value;
        let first = syn_ack.options.timestamps.unwrap().value;
        assert!(later.wrapping_sub(first) < 70 + 128, "our clock goes on");
    }
}

// test: RFC 4987 cookies
#[test]
fn wrong_and_old_cookies_open_nothing() {
    let mut bench = listening(SynCookies::WhenFull);
    fill(&mut bench);
    let syn_ack = bench.receive(syn(&bench, 4000)).remove(0);
    let good = last_ack(&bench, &syn_ack, b"");
    let mut wrong = vec![good.clone(), good.clone(), good.clone(), good.clone()];
    wrong[0].ack = good.ack.plus(1 << 10);
    wrong[1].seq = good.seq.plus(1);
    wrong[2].source.set_port(4001);
    wrong[3].ack = good.ack.minus(1 << 24);
    for ack in wrong {
        let reset = bench.receive(ack.clone()).remove(0);
        assert_eq!((reset.flags, reset.seq), (R, ack.ack), "as for any stray ACK");
    }
    let stats = *bench.tcp.stats();
    assert_eq!((stats.syncookies_failed, stats.syncookies_recv), (4, 0));
    // After two minutes it is too old, though other cookies are on their way.
    bench.advance(Duration::from_secs(119));
    bench.sent();
    fill(&mut bench);
    bench.receive(syn(&bench, 4002));
    bench.advance(Duration::from_secs(2));
    bench.sent();
    assert_eq!(bench.receive(good)[0].flags, R);
    assert_eq!(bench.tcp.stats().syncookies_failed, 5);
    assert_eq!(states(&bench, TcpState::Established), 0);
}

/// Else a guesser could try for ever, also where there never was a flood.
#[test]
fn without_a_recent_overflow_no_cookie_is_accepted() {
    let mut flooded = listening(SynCookies::WhenFull);
    fill(&mut flooded);
    let syn_ack = flooded.receive(syn(&flooded, 4000)).remove(0);
    let good = last_ack(&flooded, &syn_ack, b"");
    // The same key and time: the number is right, but nobody asked for it.
    let mut calm = listening(SynCookies::WhenFull);
    assert_eq!(calm.receive(good.clone())[0].flags, R);
    assert_eq!(calm.tcp.stats().syncookies_failed, 0, "it was not even looked at");
    let mut off = listening(SynCookies::Off);
    assert_eq!(off.receive(good)[0].flags, R);
}

#[test]
fn a_cookie_respects_the_accept_queue() {
    let mut bench = listening(SynCookies::Always);
    let late = bench.receive(syn(&bench, 100)).remove(0);
    for port in 1..=BACKLOG {
        assert_eq!(handshake(&mut bench, port), []);
    }
    let last = last_ack(&bench, &late, b"");
    assert_eq!(bench.receive(last.clone()), []);
    assert_eq!(bench.tcp.stats().listen_overflows, 1);
    bench.command(TcpCommand::Accepted { listener: SOCKET });
    bench.receive(last);
    assert_eq!(incoming(&mut bench).len(), 10);
}

/// Sockets that share port 80, and where a connection from `port` ends up.
struct Group {
    bench: Bench,
    members: Vec<SocketId>,
}

impl Group {
    fn new(size: u64) -> Self {
        let mut bench = Bench::new();
        let members: Vec<SocketId> = (1..=size).map(SocketId).collect();
        for &socket in &members {
            let address = core::net::SocketAddr::from(([0, 0, 0, 0], 80));
            let local = BoundAddress { address, interface: None };
            let (reuse_address, reuse_port) = (false, true);
            bench.command(TcpCommand::Bind { socket, local, reuse_address, reuse_port });
            bench.command(TcpCommand::Listen { socket, backlog: 4000, options: Box::default() });
        }
        bench.events();
        Self { bench, members }
    }

    fn open(&mut self, port: u16) -> SocketId {
        handshake(&mut self.bench, port);
        let events = self.bench.events();
        let listener = events.into_iter().find_map(|event| match event {
            TcpEvent::Incoming { listener, .. } => Some(listener),
            _ => None,
        });
        let listener = listener.expect("it opens");
        self.bench.command(TcpCommand::Accepted { listener });
        listener
    }
}

#[test]
fn listeners_that_share_a_port_get_a_share_each() {
    let mut group = Group::new(4);
    let mut counts = [0_u32; 4];
    for port in 1..=400 {
        let listener = group.open(port);
        counts[group.members.iter().position(|&member| member == listener).unwrap()] += 1;
    }
    // Binomial: 100 expected, standard deviation 8.7.
    assert!(counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
}

#[test]
fn a_flow_stays_with_its_listener_and_finds_another_when_it_closes() {
    let mut group = Group::new(3);
    let asked = syn(&group.bench, 7);
    let syn_ack = group.bench.receive(asked.clone()).remove(0);
    let again = group.bench.receive(asked).remove(0);
    assert_eq!(syn_ack.seq, again.seq, "a resent SYN finds the same half-open connection");
    // Which one has it? The one whose closing makes a reset of the last ACK.
    let last = last_ack(&group.bench, &syn_ack, b"");
    let first = group.open(8);
    group.bench.command(TcpCommand::Close { socket: first });
    group.members.retain(|&member| member != first);
    for port in 9..100 {
        let listener = group.open(port);
        assert!(group.members.contains(&listener), "the others take over");
    }
    let answer = group.bench.receive(last);
    assert!(answer.is_empty() || answer[0].flags == R);
}

/// A scale that was named stays in force, also if nothing but a cookie remembers the SYN: the
/// listener's buffer may be sized between the SYN and the ACK.
// test: RFC 7323 2
#[test]
fn a_cookie_keeps_its_window_scale_whatever_becomes_of_the_buffer() {
    let sizes = [None, Some(30_000), Some(1 << 20), Some(8 << 20)];
    for (before, after) in sizes.iter().flat_map(|&a| sizes.map(|b| (a, b))) {
        let mut bench = Bench::with(config(SynCookies::Always));
        let options = |receive_buffer| TcpOptions { receive_buffer, ..TcpOptions::default() };
        bench.listen(options(before));
        let mut syn = bench.syn();
        syn.options.window_scale = Some(7);
        syn.options.timestamps = Some(Timestamps { value: 5, echo: 0 });
        let syn_ack = bench.receive(syn).remove(0);
        let options = Box::new(options(after));
        bench.command(TcpCommand::Configure { socket: SOCKET, options });
        bench.receive(last_ack(&bench, &syn_ack, b""));
        let info = bench.tcp.connections().remove(0);
        assert_eq!(info.state, TcpState::Established);
        let named = syn_ack.options.window_scale;
        assert_eq!(Some(info.tcp.rcv_wscale), named, "{before:?} then {after:?}");
    }
}

/// What a SYN-ACK offered stays offered: text that was sent into it is taken.
// test: RFC 9293 SHLD-14
#[test]
fn a_buffer_that_shrinks_during_the_handshake_takes_back_nothing() {
    let mut bench = listening(SynCookies::Off);
    let syn_ack = bench.receive(bench.syn()).remove(0);
    assert_eq!(syn_ack.window, 65_535);
    let options = TcpOptions { receive_buffer: Some(4096), ..TcpOptions::default() };
    bench.command(TcpCommand::Configure { socket: SOCKET, options: Box::new(options) });
    bench.receive(last_ack(&bench, &syn_ack, b""));
    bench.iss = syn_ack.seq;
    for _ in 0..20 {
        bench.text(&[7; 1460], 1);
    }
    assert_eq!(bench.data().len(), 20 * 1460);
}

/// `ss` shows whose they are.
#[test]
fn a_half_open_connection_is_shown_with_its_listener() {
    let mut bench = listening(SynCookies::Off);
    bench.receive(bench.syn());
    let shown = bench.tcp.connections().remove(0);
    assert_eq!((shown.state, shown.socket), (TcpState::SynReceived, SOCKET));
}
