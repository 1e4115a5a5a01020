//! Floods: spoofed SYNs, guessed cookies, handshakes that nobody accepts, blind resets, and text
//! with a hole behind every byte (RFC 4987, RFC 5961). A server, an honest client 10 ms away whose
//! connection must not notice anything, and somebody who sends what he likes.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};

use layer::boundary::{ConnectionInfo, SocketId, TcpState, protocol};
use layer::{Counted, Duration, Instant, PacketBuf};
use sim::Rng;
use sim::frame::{self, TcpHeader};
use socket::{Errno, HostConfig, InterfaceConfig, IpHost, Kind};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const PORT: u16 = 80;
const BACKLOG: u32 = 128;
const WAY: Duration = Duration::from_millis(10);
const TICK: Duration = Duration::from_millis(1);

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

struct Net {
    server: IpHost,
    client: IpHost,
    listener: SocketId,
    now: Instant,
    /// Under way: when it arrives, whether at the server, what.
    wire: VecDeque<(Instant, bool, PacketBuf)>,
    /// What the server sent to nobody honest in this tick.
    strays: Vec<PacketBuf>,
    /// The connection that was there before, client's and server's end; bytes sent and received.
    old: Option<(SocketId, SocketId)>,
    sent: u64,
    received: u64,
    most_held: usize,
}

fn host(ip: Ipv4Addr, change: impl FnOnce(&mut HostConfig)) -> IpHost {
    let net = format!("{ip}/8").parse().unwrap();
    let mut config = HostConfig::new([ip.octets()[3]; 16]);
    config = config.interface(InterfaceConfig::ip(1500, vec![net]));
    change(&mut config);
    IpHost::ip(&config)
}

impl Net {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut HostConfig)) -> Self {
        let now = Instant::from_secs(1000);
        let (mut server, client) = (host(SERVER, change), host(CLIENT, |_| {}));
        let listener = server.listen(now, (SERVER, PORT).into(), BACKLOG).unwrap();
        let mut net = Self {
            server,
            client,
            listener,
            now,
            wire: VecDeque::new(),
            strays: Vec::new(),
            old: None,
            sent: 0,
            received: 0,
            most_held: 0,
        };
        net.old = Some(net.open(|_| Vec::new()).1);
        net
    }

    /// One millisecond: what arrives, what the attacker sends, what the old connection does.
    fn tick(&mut self, attack: Vec<Vec<u8>>) {
        self.now += TICK;
        let now = self.now;
        while self.wire.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, to_server, packet)) = self.wire.pop_front() else { break };
            let to = if to_server { &mut self.server } else { &mut self.client };
            to.receive_packet(now, packet);
        }
        self.strays.clear();
        for (n, packet) in attack.iter().enumerate() {
            self.server.receive_packet(now, PacketBuf::copy_from(packet));
            if n % 64 == 63 {
                self.carry();
            }
        }
        self.carry();
        self.talk();
    }

    fn carry(&mut self) {
        let now = self.now;
        self.server.poll(now);
        self.client.poll(now);
        for packet in self.server.packets(now) {
            if packet.to_vec()[16..20] == CLIENT.octets() {
                self.wire.push_back((now + WAY, false, packet));
            } else {
                self.strays.push(packet);
            }
        }
        for packet in self.client.packets(now) {
            self.wire.push_back((now + WAY, true, packet));
        }
        self.most_held = self.most_held.max(self.server.held().1);
    }

    /// The old connection moves 1000 bytes every 10 ms.
    fn talk(&mut self) {
        let Some((ours, theirs)) = self.old else { return };
        if self.now.as_millis().is_multiple_of(10) {
            self.sent += self.client.send(self.now, ours, &[7; 1000]).unwrap() as u64;
        }
        let mut buffer = [0; 4000];
        match self.server.recv(self.now, theirs, &mut buffer) {
            Ok(got) => self.received += got as u64,
            Err(errno) => assert_eq!(errno, Errno::AGAIN, "the old connection"),
        }
    }

    /// An honest client connects while the attack goes on: how long that took, and both ends.
    fn open(
        &mut self,
        mut attack: impl FnMut(&mut Self) -> Vec<Vec<u8>>,
    ) -> (Duration, (SocketId, SocketId)) {
        let begun = self.now;
        let ours = self.client.socket(Kind::Tcp).unwrap();
        let calling = self.client.connect_socket(begun, ours, (SERVER, PORT).into());
        assert_eq!(calling, Err(Errno::INPROGRESS));
        let mut local = None;
        loop {
            let packets = attack(self);
            self.tick(packets);
            local = local.or_else(|| self.info(true, ours).map(|info| info.local));
            if let Ok(accepted) = self.server.accept(self.now, self.listener) {
                if Some(accepted.remote) == local {
                    return (self.now.since(begun), (ours, accepted.socket));
                }
                self.server.close(self.now, accepted.socket).unwrap();
            }
            assert!(self.now.since(begun) < Duration::from_secs(100), "no connection");
        }
    }

    fn info(&self, client: bool, socket: SocketId) -> Option<ConnectionInfo> {
        let host = if client { &self.client } else { &self.server };
        host.connections().into_iter().find(|info| info.socket == socket)
    }

    fn counter(&self, wanted: &str) -> u64 {
        let mut got = 0;
        self.server.counters(&mut |name, value| {
            if name == wanted {
                got = value;
            }
        });
        got
    }

    fn states(&self, state: TcpState) -> usize {
        self.server.connections().iter().filter(|info| info.state == state).count()
    }

    /// The old connection has moved everything, and nothing twice.
    fn old_is_well(&mut self) {
        for _ in 0..100 {
            self.tick(Vec::new());
        }
        // Nagle and delayed acknowledgements hold some of it back.
        assert!(
            self.received + 10_000 > self.sent && self.sent > 10_000,
            "{} of {}",
            self.received,
            self.sent
        );
        let info = self.info(true, self.old.unwrap().0).unwrap();
        assert_eq!((info.state, info.retransmits), (TcpState::Established, 0));
    }
}

/// A packet that nobody's stack has made.
fn forged(from: SocketAddr, flags: u8, seq: u32, ack: u32, text: &[u8]) -> Vec<u8> {
    let SocketAddr::V4(from) = from else { unreachable!("the world is IPv4") };
    let mut header = TcpHeader {
        source: from.port(),
        destination: PORT,
        seq,
        ack,
        flags,
        window: 64_000,
        ..TcpHeader::default()
    };
    if flags & SYN != 0 {
        header.options = vec![2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    }
    let segment = frame::tcp(*from.ip(), SERVER, &header, text);
    frame::ipv4(*from.ip(), SERVER, protocol::TCP, 0, &segment)
}

/// Somebody in 10.1.0.0/16 or beyond.
fn stranger(rng: &mut Rng) -> SocketAddr {
    let [a, b, c, d] = (rng.draw() as u32).to_be_bytes();
    (Ipv4Addr::new(10, 1 + a % 200, b, c), u16::from_be_bytes([d, c]) | 1).into()
}

fn syns(rng: &mut Rng, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| forged(stranger(rng), SYN, rng.draw() as u32, 0, b"")).collect()
}

/// What a segment of the server says: to whom, its flags, its numbers.
fn read(packet: &PacketBuf) -> (SocketAddr, u8, u32, u32) {
    let bytes = packet.to_vec();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let port = u16::from_be_bytes([bytes[22], bytes[23]]);
    let to = Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[16..20]).unwrap());
    ((to, port).into(), bytes[33], number(24), number(28))
}

/// 100,000 spoofed SYNs in ten seconds, with cookies and without.
// test: RFC 4987 3
// test: RFC 4987 cookies
#[test]
fn spoofed_syns_leave_memory_bounded_and_honest_clients_served() {
    let mut net = Net::new();
    let mut rng = Rng::new(1);
    let before = net.server.held().1;
    for _ in 0..5000 {
        let attack = syns(&mut rng, 10);
        net.tick(attack);
    }
    assert_eq!(net.states(TcpState::SynReceived), BACKLOG as usize + 1);
    let (took, (ours, theirs)) = net.open(|_| syns(&mut rng, 10));
    println!("an honest client connected in {took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    for _ in 0..5000 {
        let attack = syns(&mut rng, 10);
        net.tick(attack);
    }
    let held = net.most_held - before;
    println!("at most {held} bytes more were held, {} cookies sent", net.counter(COOKIES));
    assert!(held < 256 * 1024, "{held} bytes");
    assert!(net.counter(COOKIES) > 95_000);
    assert_eq!(net.counter("TcpExtSyncookiesRecv"), 1);
    assert_eq!(net.counter("TcpExtListenDrops"), 0);
    // All options of the honest client came back from the cookie.
    let (client, server) = (net.info(true, ours).unwrap(), net.info(false, theirs).unwrap());
    assert_eq!(server.mss, client.mss);
    assert_eq!(server.tcp.options & 0x7, 0x7, "TCPI_OPT_TIMESTAMPS, SACK, WSCALE");
    assert_eq!(server.tcp.options, client.tcp.options);
    assert_eq!(server.tcp.snd_wscale, client.tcp.rcv_wscale);
    net.old_is_well();
    // What was half open has gone a minute later.
    for _ in 0..70_000 {
        net.tick(Vec::new());
    }
    assert_eq!(net.states(TcpState::SynReceived), 0);
}

const COOKIES: &str = "TcpExtSyncookiesSent";

/// Without cookies the flood wins the backlog, but neither memory nor what was there before.
#[test]
fn without_cookies_a_flood_takes_the_backlog_and_nothing_else() {
    let mut net = Net::with(|config| config.tcp.syn_cookies = tcp::SynCookies::Off);
    let mut rng = Rng::new(2);
    let before = net.server.held().1;
    for _ in 0..10_000 {
        let attack = syns(&mut rng, 10);
        net.tick(attack);
    }
    let held = net.most_held - before;
    println!("at most {held} bytes more were held");
    assert!(held < 256 * 1024, "{held} bytes");
    assert!(net.counter("TcpExtTCPReqQFullDrop") > 99_000);
    net.old_is_well();
}

/// A large backlog is a promise of memory: what the stack holds half open at most, measured.
#[test]
fn sixteen_thousand_half_open_connections_take_three_megabytes() {
    let mut net = Net::with(|config| config.tcp.syn_cookies = tcp::SynCookies::Off);
    for port in 81..85 {
        net.server.listen(net.now, (SERVER, port).into(), 4096).unwrap();
    }
    let mut rng = Rng::new(3);
    let before = net.server.held().1;
    for n in 0..2000_u16 {
        let mut attack = syns(&mut rng, 10);
        for packet in &mut attack {
            redirect(packet, 81 + n % 4);
        }
        net.tick(attack);
    }
    let (open, held) = (net.states(TcpState::SynReceived), net.most_held - before);
    println!("{open} half open, {held} bytes: {} each", held / open);
    assert_eq!(open, 16_000);
    assert!(held / open < 200, "{} bytes each", held / open);
    net.old_is_well();
}

/// To another port of the server: the checksum is mended by the difference.
fn redirect(packet: &mut [u8], port: u16) {
    packet[22..24].copy_from_slice(&port.to_be_bytes());
    let old = u16::from_be_bytes([packet[36], packet[37]]);
    // RFC 1624: HC' = ~(~HC + ~m + m').
    let sum = u32::from(!old) + u32::from(!PORT) + u32::from(port);
    let folded = (sum & 0xffff) + (sum >> 16);
    let sum = !((folded & 0xffff) + (folded >> 16)) as u16;
    packet[36..38].copy_from_slice(&sum.to_be_bytes());
}

/// 100,000 guesses at cookies while the listener expects some.
#[test]
fn guessed_cookies_open_nothing() {
    let mut net = Net::new();
    let mut rng = Rng::new(4);
    for _ in 0..100 {
        let attack = syns(&mut rng, 10);
        net.tick(attack);
    }
    let guesses = |rng: &mut Rng| -> Vec<Vec<u8>> {
        let ack = |rng: &mut Rng| (rng.draw() as u32, rng.draw() as u32);
        let guess = |(seq, acked): (u32, u32), from| forged(from, ACK | PSH, seq, acked, b"hello");
        (0..100).map(|_| guess(ack(rng), stranger(rng))).collect()
    };
    for _ in 0..1000 {
        let attack = guesses(&mut rng);
        net.tick(attack);
    }
    assert_eq!(net.counter("TcpExtSyncookiesFailed"), 100_000);
    assert_eq!((net.counter("TcpExtSyncookiesRecv"), net.states(TcpState::Established)), (0, 1));
    let (took, _) = net.open(|_| guesses(&mut rng));
    assert!(took < Duration::from_secs(3), "{took:?}");
    net.old_is_well();
}

/// Whole handshakes from real addresses, and an application that does not accept: the accept queue
/// is the limit; when the application wakes up, honest clients get in again.
#[test]
fn handshakes_that_nobody_accepts_fill_the_accept_queue_and_no_more() {
    let mut net = Net::new();
    let mut rng = Rng::new(5);
    let before = net.server.held().1;
    for _ in 0..5000 {
        let mut attack: Vec<Vec<u8>> = net
            .strays
            .iter()
            .map(read)
            .filter(|(_, flags, ..)| *flags == SYN | ACK)
            .map(|(from, _, seq, ack)| forged(from, ACK | PSH, ack, seq.wrapping_add(1), &[1; 500]))
            .collect();
        attack.extend(syns(&mut rng, 10));
        net.tick(attack);
    }
    let held = net.most_held - before;
    let open = net.states(TcpState::Established);
    println!("{open} connections, {held} bytes");
    assert_eq!(open, 1 + BACKLOG as usize + 1);
    assert!(held < 2 << 20, "{held} bytes");
    assert!(net.counter("TcpExtListenOverflows") > 40_000);
    net.old_is_well();
    // The application wakes up and closes what is not its client's.
    let (took, _) = net.open(|_| Vec::new());
    println!("an honest client connected {took:?} after the application woke up");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

/// 100,000 resets and SYNs in the old connection's window, all but at the right number.
// test: RFC 5961 3
// test: RFC 5961 7
#[test]
fn blind_resets_and_syns_cost_two_challenges_a_second() {
    let mut net = Net::new();
    let mut rng = Rng::new(6);
    let from = net.info(false, net.old.unwrap().1).unwrap().remote;
    let mut injected = 0_u64;
    while injected < 100_000 {
        // Where the receiver's next number is, the forger cannot know; here he misses by at least
        // what can come in a tick.
        let next = next_number(&net);
        let attack: Vec<Vec<u8>> = (0..20)
            .map(|n| {
                let seq = next.wrapping_add(5_000 + rng.below(50_000) as u32);
                forged(from, if n % 2 == 0 { RST } else { SYN }, seq, 0, b"")
            })
            .collect();
        injected += attack.len() as u64;
        net.tick(attack);
    }
    let challenges = net.counter("TcpExtTCPChallengeACK");
    println!("{challenges} challenges in 5 s");
    assert!((8..=11).contains(&challenges), "{challenges}");
    net.old_is_well();
}

/// RCV.NXT of the server's end of the old connection, from what the client sends next.
fn next_number(net: &Net) -> u32 {
    // The wire knows: the last text under way.
    let last = net.wire.iter().rev().find(|(_, to_server, _)| *to_server);
    last.map_or(0, |(_, _, packet)| {
        let bytes = packet.to_vec();
        u32::from_be_bytes(bytes[24..28].try_into().unwrap())
    })
}
