//! An idle connection is kept in another form, and nobody can tell: whatever happens to a
//! connection, it answers the same whether it takes its small form after every step or never.

mod common;

use common::*;
use layer::boundary::{IpErrorKind, IpOut, SocketId, TcpCommand, TcpEvent, TcpOptions};
use layer::{Accounted, Duration, Instant, Layer};
use proptest::prelude::*;
use tcp::{Config, Options, Segment, Timestamps};

/// Something that happens to a connection.
#[derive(Clone, Debug)]
enum Step {
    /// Text from the peer, so far beyond (or before) what is due, with this timestamp's age.
    Text { ahead: i8, len: u16, mark: u8 },
    /// An acknowledgement of this part (in eighths) of what is out, with a block beyond it.
    Ack { eighths: u8, block: bool },
    /// The application writes.
    Write(u16),
    /// The application takes this part (in eighths) of what it was handed.
    Read(u8),
    /// Time passes, ms.
    Wait(u32),
    /// New options.
    Configure { keepalive: bool, user_timeout: bool, receive_buffer: Option<u32> },
    /// ICMP about the first unacknowledged octet.
    Icmp(bool),
    /// A reset from inside the window but not at its edge, which is challenged.
    Blind,
    /// Half a close.
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (prop_oneof![4 => Just(0_i8), 1 => -3..6_i8], 1..3000_u16, 0..8_u8)
            .prop_map(|(ahead, len, mark)| Step::Text { ahead, len, mark }),
        50 => (prop_oneof![3 => Just(8_u8), 1 => 0..9_u8], prop::bool::weighted(0.2))
            .prop_map(|(eighths, block)| Step::Ack { eighths, block }),
        40 => (1..9000_u16).prop_map(Step::Write),
        40 => prop_oneof![3 => Just(8_u8), 1 => 0..9_u8].prop_map(Step::Read),
        50 => prop_oneof![0..300_u32, 0..20_000_u32, 0..9_000_000_u32].prop_map(Step::Wait),
        10 => (any::<bool>(), any::<bool>(), proptest::option::of(5000..100_000_u32)).prop_map(
            |(keepalive, user_timeout, receive_buffer)| {
                Step::Configure { keepalive, user_timeout, receive_buffer }
            }
        ),
        10 => any::<bool>().prop_map(Step::Icmp),
        10 => Just(Step::Blind),
        1 => Just(Step::Shutdown),
    ]
}

/// A connection and what its peer knows of it.
struct Subject {
    bench: Bench,
    /// Octets that the application wrote, and that the peer acknowledged; 1 is the first.
    written: u32,
    acknowledged: u32,
    /// Octets that the hub has and did not take.
    unread: u32,
    stamps: bool,
}

impl Subject {
    fn new(idle_after: Duration, congestion: &'static str, stamps: bool) -> Self {
        let config = Config { idle_after, congestion, ..Config::new([7; 16]) };
        let mut bench = Bench::with(config);
        bench.listen(TcpOptions::default());
        let mut syn = bench.syn();
        let timestamps = stamps.then_some(Timestamps { value: 1000, echo: 0 });
        let (mss, window_scale) = (Some(1460), Some(7));
        syn.options =
            Options { mss, window_scale, timestamps, sack_permitted: true, ..Options::default() };
        bench.iss = bench.receive(syn).remove(0).seq;
        let mut subject = Self { bench, written: 1, acknowledged: 1, unread: 0, stamps };
        subject.ack(1, false);
        subject
    }

    fn stamped(&self, mut segment: Segment, age: u32) -> Segment {
        let clock = 1000 + u32::try_from(self.bench.now.as_millis() - 1_000_000).expect("short");
        let value = clock - age.min(clock);
        segment.options.timestamps = self.stamps.then_some(Timestamps { value, echo: value });
        segment.window = 500;
        segment
    }

    fn ack(&mut self, to: u32, block: bool) {
        let mut segment = self.bench.segment(A, self.bench.seq, self.bench.iss.plus(to), b"");
        if block {
            let from = self.bench.iss.plus(to + 1460);
            segment.options.sack.push((from, from.plus(1460)));
        }
        self.bench.inject(self.stamped(segment, 0));
        self.bench.poll();
    }

    fn apply(&mut self, step: &Step) {
        let socket = ACCEPTED;
        match *step {
            Step::Text { ahead, len, mark } => {
                let seq = if ahead < 0 {
                    self.bench.seq.minus(u32::from(ahead.unsigned_abs()) * 700)
                } else {
                    self.bench.seq.plus(u32::from(ahead.unsigned_abs()) * 700)
                };
                let text = vec![9; usize::from(len)];
                let ack = self.bench.iss.plus(self.acknowledged);
                let segment = self.bench.segment(PA, seq, ack, &text);
                self.bench.inject(self.stamped(segment, u32::from(mark == 7)));
                self.bench.poll();
            }
            Step::Ack { eighths, block } => {
                let out = self.written - self.acknowledged;
                self.acknowledged += out / 8 * u32::from(eighths.min(8));
                if eighths == 8 {
                    self.acknowledged = self.written;
                }
                self.ack(self.acknowledged, block);
            }
            Step::Write(n) => {
                self.written += u32::from(n);
                let data = vec![5; usize::from(n)].into();
                self.bench.command(TcpCommand::Send { socket, data });
            }
            Step::Read(eighths) => {
                let bytes = self.unread.div_ceil(8) * u32::from(eighths.min(8));
                let bytes = bytes.min(self.unread);
                self.unread -= bytes;
                self.bench.command(TcpCommand::Consumed { socket, bytes });
            }
            Step::Wait(millis) => self.bench.ms(millis.into()),
            Step::Configure { keepalive, user_timeout, receive_buffer } => {
                let user_timeout = user_timeout.then_some(Duration::from_secs(900));
                let options =
                    TcpOptions { keepalive, user_timeout, receive_buffer, ..TcpOptions::default() };
                let options = Box::new(options);
                self.bench.command(TcpCommand::Configure { socket, options });
            }
            Step::Icmp(narrow) => {
                let kind = if narrow {
                    IpErrorKind::FragmentationNeeded { mtu: 1400 }
                } else {
                    IpErrorKind::HostUnreachable
                };
                self.bench.icmp(kind, self.bench.iss.plus(self.acknowledged));
            }
            Step::Blind => {
                let reset = self.bench.segment(R, self.bench.seq.plus(5), self.bench.iss, b"");
                self.bench.inject(reset);
                self.bench.poll();
            }
            Step::Shutdown => self.bench.command(TcpCommand::Shutdown { socket }),
        }
    }

    /// All that can be seen of what a step led to, and the peer's numbers brought up to date.
    fn seen(&mut self) -> String {
        let sent: Vec<(Vec<u8>, IpOut)> = self
            .bench
            .driver
            .down
            .drain()
            .map(|item| match &item {
                IpOut::Datagram(send) => (send.packet.to_vec(), item),
                IpOut::Lookup { .. } | IpOut::Reject { .. } | IpOut::PathMtu { .. } => {
                    (Vec::new(), item)
                }
            })
            .collect();
        let events = self.bench.events();
        for event in &events {
            if let TcpEvent::Data { chunk, .. } = event {
                let n = u32::try_from(chunk.len()).expect("a chunk");
                self.bench.seq = self.bench.seq.plus(n);
                self.unread += n;
            }
        }
        let connections = self.bench.tcp.connections();
        let stats = self.bench.tcp.stats();
        let (now, next): (Instant, Option<Instant>) = (self.bench.now, self.bench.tcp.poll_at());
        format!("{now:?} {next:?} {sent:?} {events:?} {connections:?} {stats:?}")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn nobody_can_tell_which_form_a_connection_has(
        steps in proptest::collection::vec(step(), 1..60),
        reno: bool,
        stamps: bool,
    ) {
        let congestion = if reno { "reno" } else { "cubic" };
        let mut wakeful = Subject::new(Duration::MAX, congestion, stamps);
        let mut sleepy = Subject::new(Duration::ZERO, congestion, stamps);
        prop_assert_eq!(wakeful.seen(), sleepy.seen());
        for step in &steps {
            wakeful.apply(step);
            sleepy.apply(step);
            prop_assert_eq!(wakeful.seen(), sleepy.seen(), "after {:?}", step);
        }
        prop_assert_eq!(wakeful.bench.tcp.idle_connections(), 0);
    }
}

/// A connection that exchanged something and is silent then.
fn conversation(bench: &mut Bench, socket: SocketId) {
    bench.text(b"question", 1);
    bench.command(TcpCommand::Consumed { socket, bytes: 8 });
    assert_eq!(bench.write(socket, &b"answer"[..]).len(), 1);
    bench.ack(7);
}

#[test]
fn a_connection_rests_when_it_has_been_silent_and_not_before() {
    let mut bench = Bench::new();
    bench.accept();
    conversation(&mut bench, ACCEPTED);
    let awake = bench.tcp.held_bytes();
    bench.ms(999);
    assert_eq!(bench.tcp.idle_connections(), 0);
    bench.ms(1);
    assert_eq!(bench.tcp.idle_connections(), 1);
    assert!(bench.tcp.held_bytes() < awake + 300, "{} bytes", bench.tcp.held_bytes());
    assert_eq!(bench.tcp.poll_at(), None, "nothing is pending");
    // And it wakes as if nothing had been.
    bench.text(b"question", 7);
    assert_eq!(bench.tcp.idle_connections(), 0);
    assert_eq!(bench.data(), b"questionquestion");
}

/// A receiver has no timer of its own that would say when it is silent.
#[test]
fn a_connection_that_only_receives_rests_too() {
    let mut bench = Bench::new();
    bench.accept();
    bench.text(b"news", 1);
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 4 });
    bench.ms(1000);
    assert_eq!(bench.tcp.idle_connections(), 1);
}

#[test]
fn a_conversation_with_pauses_below_a_second_never_changes_its_form() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    let mut ours = 1;
    for _ in 0..20 {
        bench.text(b"question", ours);
        bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 8 });
        bench.write(ACCEPTED, &b"answer"[..]);
        ours += 6;
        bench.ack(ours);
        bench.ms(990);
        assert_eq!(bench.tcp.idle_connections(), 0);
    }
}

#[test]
fn unread_data_keeps_a_connection_awake() {
    let mut bench = Bench::new();
    bench.accept();
    bench.text(b"news", 1);
    bench.ms(10_000);
    assert_eq!(bench.tcp.idle_connections(), 0);
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 4 });
    assert_eq!(bench.tcp.idle_connections(), 1, "long silent, and now empty");
}

#[test]
fn keep_alive_wakes_a_connection_and_lets_it_rest_between_probes() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { keepalive: true, ..TcpOptions::default() });
    bench.ms(10_000);
    assert_eq!(bench.tcp.idle_connections(), 1);
    let probe = bench.next_sent();
    assert_eq!(bench.now, Instant::from_secs(1000 + 7200));
    assert_eq!(probe.seq, bench.iss, "RFC 9293 3.8.4: from SND.NXT - 1");
    assert_eq!(bench.tcp.idle_connections(), 0);
    bench.ms(1000);
    assert_eq!(bench.tcp.idle_connections(), 1);
    assert_eq!(bench.ack(1), []);
    bench.ms(1000);
    assert_eq!(bench.tcp.idle_connections(), 1);
}

/// What wakes a connection without being a sign of life does not have it change its form each time.
#[test]
fn strays_wake_a_connection_once_a_second() {
    let mut bench = Bench::new();
    bench.accept();
    bench.ms(10_000);
    assert_eq!(bench.tcp.idle_connections(), 1);
    let stray = bench.segment(R, bench.seq.minus(1 << 30), bench.iss, b"");
    for _ in 0..9 {
        bench.receive(stray.clone());
        bench.ms(100);
        assert_eq!(bench.tcp.idle_connections(), 0);
    }
    bench.ms(100);
    assert_eq!(bench.tcp.idle_connections(), 1);
}
