//! A bench for one [`Tcp`]: segments in and out, commands and events, a clock that the test moves.
//! What the layer puts out passes through the same checks as on a wire: checksum completed by an
//! independent hand, header read by a strict parser.
#![expect(dead_code, reason = "each test file uses its part of the bench")]

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use layer::boundary::{
    BoundAddress, Cast, Datagram, IpError, IpErrorKind, IpIn, IpOut, Path, Route, Send, SocketId,
    TcpCommand, TcpEvent, TcpOptions, protocol,
};
use layer::outlet::Driver;
use layer::{ChecksumState, Duration, Instant, InterfaceId, Layer, PacketBuf, Reason, checksum};
use tcp::{Config, Flags, Options, Segment, Seq, Tcp};

pub const S: Flags = Flags::SYN;
pub const A: Flags = Flags::ACK;
pub const SA: Flags = Flags(0x12);
pub const FA: Flags = Flags(0x11);
pub const PA: Flags = Flags(0x18);
pub const R: Flags = Flags::RST;
pub const RA: Flags = Flags(0x14);

/// The peer's initial number in all tests: just before the wrap, so that every test crosses it.
pub const IRS: Seq = Seq(u32::MAX - 1);

/// The first socket that the hub opens, and the first that tcp accepts.
pub const SOCKET: SocketId = SocketId(1);
pub const ACCEPTED: SocketId = SocketId::ACCEPTED;

pub fn local() -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 2], 80))
}

pub fn remote() -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 1], 4000))
}

pub struct Bench {
    pub tcp: Tcp,
    pub driver: Driver<TcpEvent, IpOut>,
    pub now: Instant,
    pub mtu: u32,
    /// What the routes answer.
    pub route: Result<Cast, IpErrorKind>,
    /// Our end, where tests build segments to it.
    pub local: SocketAddr,
    /// Our ISS, learnt from the first SYN.
    pub iss: Seq,
    /// Payload bytes the peer has sent.
    pub seq: Seq,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Config::new([7; 16]))
    }

    pub fn with(config: Config) -> Self {
        Self {
            tcp: Tcp::new(config),
            driver: Driver::new(64),
            now: Instant::from_secs(1000),
            mtu: 1500,
            route: Ok(Cast::Unicast),
            local: local(),
            iss: Seq(0),
            seq: IRS.plus(1),
        }
    }

    pub fn command(&mut self, command: TcpCommand) {
        self.tcp.send(self.now, command, &mut self.driver.out());
        self.poll();
    }

    pub fn poll(&mut self) {
        self.tcp.poll(self.now, &mut self.driver.out());
        let lookups: Vec<(u64, IpAddr)> = self
            .driver
            .down
            .iter()
            .filter_map(|item| match item {
                IpOut::Lookup { token, destination, .. } => Some((*token, *destination)),
                IpOut::Datagram(_) | IpOut::Reject { .. } | IpOut::PathMtu { .. } => None,
            })
            .collect();
        if lookups.is_empty() {
            return;
        }
        let kept: Vec<IpOut> =
            self.driver.down.drain().filter(|item| !matches!(item, IpOut::Lookup { .. })).collect();
        kept.into_iter().for_each(|item| self.driver.down.push(item));
        for (token, destination) in lookups {
            let route = self.route.map(|cast| Route {
                interface: InterfaceId(0),
                source: IpAddr::from([10, 9, 0, 2]),
                mtu: self.mtu,
                link_mtu: self.mtu,
                cast,
            });
            let path = IpIn::Path(Path { token, protocol: protocol::TCP, destination, route });
            self.tcp.receive(self.now, path, &mut self.driver.out());
        }
        self.tcp.poll(self.now, &mut self.driver.out());
    }

    /// Moves the clock and polls at each deadline on the way, as a driver would.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..100_000 {
            match self.tcp.poll_at() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.poll();
                }
                _ => {
                    self.now = end;
                    self.poll();
                    return;
                }
            }
        }
        panic!("the layer asks to be polled for ever");
    }

    pub fn ms(&mut self, millis: u64) {
        self.advance(Duration::from_millis(millis));
    }

    /// A segment from the peer, without a poll after it.
    pub fn inject(&mut self, segment: Segment) {
        let (source, destination) = (segment.source.ip(), segment.destination.ip());
        let mut packet = segment.write();
        complete(&mut packet, source, destination);
        self.datagram(packet, source, destination, Cast::Unicast);
    }

    pub fn datagram(&mut self, packet: PacketBuf, source: IpAddr, to: IpAddr, cast: Cast) {
        let datagram = Datagram {
            interface: InterfaceId(0),
            source,
            destination: to,
            cast,
            protocol: protocol::TCP,
            ttl: 64,
            tos: 0,
            mtu: self.mtu,
            header_len: 0,
            packet,
        };
        self.tcp.receive(self.now, IpIn::Datagram(datagram), &mut self.driver.out());
    }

    /// A segment from the peer, then a poll: what leaves in answer.
    pub fn receive(&mut self, segment: Segment) -> Vec<Segment> {
        self.inject(segment);
        self.poll();
        self.sent()
    }

    /// What has left since the last look.
    pub fn sent(&mut self) -> Vec<Segment> {
        let items: Vec<IpOut> = self.driver.down.drain().collect();
        items
            .into_iter()
            .map(|item| match item {
                IpOut::Datagram(send) => parse(send),
                other => panic!("not a segment: {other:?}"),
            })
            .collect()
    }

    /// The one segment that has left since the last look.
    pub fn sent_one(&mut self) -> Segment {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "one segment expected: {sent:?}");
        sent.remove(0)
    }

    /// Lets time pass until something leaves: the one segment.
    pub fn next_sent(&mut self) -> Segment {
        for _ in 0..100 {
            self.now = self.now.max(self.tcp.poll_at().expect("something is pending"));
            self.poll();
            if !self.driver.down.is_empty() {
                return self.sent_one();
            }
        }
        panic!("nothing leaves");
    }

    /// What the hub was told since the last look.
    pub fn events(&mut self) -> Vec<TcpEvent> {
        self.driver.up.drain().collect()
    }

    /// Bytes handed up since the last look; other events are thrown away.
    pub fn data(&mut self) -> Vec<u8> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                TcpEvent::Data { chunk, .. } => Some(chunk),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// A segment from the peer with its usual window of 64,000 bytes.
    pub fn segment(&self, flags: Flags, seq: Seq, ack: Seq, text: &[u8]) -> Segment {
        let mut segment = Segment::bare(remote(), self.local, flags, seq);
        segment.ack = ack;
        segment.window = 64_000;
        segment.payload = PacketBuf::copy_from(text);
        segment
    }

    /// An ACK from the peer for everything before our byte `ours` (1 is the first).
    pub fn ack(&mut self, ours: u32) -> Vec<Segment> {
        let segment = self.segment(A, self.seq, self.iss.plus(ours), b"");
        self.receive(segment)
    }

    /// In-order text from the peer, acknowledging our byte `ours`.
    pub fn text(&mut self, text: &[u8], ours: u32) -> Vec<Segment> {
        let segment = self.segment(PA, self.seq, self.iss.plus(ours), text);
        self.seq = self.seq.plus(u32::try_from(text.len()).expect("a value"));
        self.receive(segment)
    }

    pub fn listen(&mut self, options: TcpOptions) {
        let local = BoundAddress {
            address: SocketAddr::from(([0, 0, 0, 0], self.local.port())),
            interface: None,
        };
        self.command(TcpCommand::Bind {
            socket: SOCKET,
            local,
            reuse_address: true,
            reuse_port: false,
        });
        assert!(matches!(self.events()[..], [TcpEvent::Bound { result: Ok(_), .. }]));
        let options = Box::new(options);
        self.command(TcpCommand::Listen { socket: SOCKET, backlog: 8, options });
        assert_eq!(self.events(), []);
    }

    pub fn syn(&self) -> Segment {
        let mut syn = self.segment(S, IRS, Seq(0), b"");
        syn.options = Options { mss: Some(1460), window_scale: None, ..Options::default() };
        syn
    }

    /// A passive open up to ESTABLISHED; the socket is [`ACCEPTED`].
    pub fn accept_with(&mut self, options: TcpOptions) {
        self.listen(options);
        let syn_ack = self.receive(self.syn()).remove(0);
        assert_eq!((syn_ack.flags, syn_ack.ack), (SA, IRS.plus(1)));
        self.iss = syn_ack.seq;
        assert_eq!(self.ack(1), []);
        assert!(matches!(
            self.events()[..],
            [TcpEvent::Incoming { socket: ACCEPTED, .. }, TcpEvent::Room { .. }]
        ));
        self.command(TcpCommand::Accepted { listener: SOCKET });
    }

    pub fn accept(&mut self) {
        self.accept_with(TcpOptions::default());
    }

    /// An accepted connection without Nagle, for tests that watch each write.
    pub fn accept_nodelay(&mut self) {
        self.accept_with(TcpOptions { nodelay: true, ..TcpOptions::default() });
    }

    pub fn connect(&mut self, options: TcpOptions) -> Segment {
        let options = Box::new(options);
        self.command(TcpCommand::Connect { socket: SOCKET, remote: remote(), options });
        let syn = self.sent_one();
        assert_eq!(syn.flags, S);
        self.iss = syn.seq;
        self.local = syn.source;
        syn
    }

    pub fn write(&mut self, socket: SocketId, bytes: impl Into<Bytes>) -> Vec<Segment> {
        self.command(TcpCommand::Send { socket, data: bytes.into() });
        self.sent()
    }

    pub fn state(&self) -> &'static str {
        match &self.tcp.connections()[..] {
            [] => "CLOSED",
            [only] => only.state.name(),
            many => panic!("{} connections", many.len()),
        }
    }

    pub fn drops(&self, reason: Reason) -> u64 {
        self.driver.ledger.drops(reason)
    }

    /// An ICMP error about our segment at `seq`.
    pub fn icmp(&mut self, kind: IpErrorKind, seq: Seq) {
        let mut quote = Vec::new();
        quote.extend_from_slice(&self.local.port().to_be_bytes());
        quote.extend_from_slice(&remote().port().to_be_bytes());
        quote.extend_from_slice(&seq.0.to_be_bytes());
        let error = IpError {
            interface: InterfaceId(0),
            kind,
            reporter: Some(IpAddr::from([10, 9, 0, 9])),
            source: self.local.ip(),
            destination: remote().ip(),
            protocol: protocol::TCP,
            length: 1500,
            quote: PacketBuf::copy_from(&quote),
        };
        self.tcp.receive(self.now, IpIn::Error(error), &mut self.driver.out());
        self.poll();
    }
}

/// Does IP's and the device's part: pseudo-header, then the sum.
pub fn complete(packet: &mut PacketBuf, source: IpAddr, destination: IpAddr) {
    assert_eq!(packet.offload().checksum, ChecksumState::Partial { start: 0, field: 16 });
    let pseudo = checksum::pseudo_header(source, destination, protocol::TCP, packet.len()).value();
    packet.head_mut()[16..18].copy_from_slice(&pseudo.to_be_bytes());
    assert!(checksum::complete(packet));
}

/// Reads what was sent, after checking it as a strict receiver would.
fn parse(send: Send) -> Segment {
    let Send { source, destination, mut packet, dont_fragment, .. } = send;
    let source = source.expect("tcp names its source");
    assert!(dont_fragment);
    complete(&mut packet, source, destination);
    let strict = etherparse::TcpSlice::from_slice(packet.head()).expect("a strict parser reads it");
    assert!(strict.options_iterator().all(|option| option.is_ok()), "strict options");
    let datagram = Datagram {
        interface: InterfaceId(0),
        source,
        destination,
        cast: Cast::Unicast,
        protocol: protocol::TCP,
        ttl: 64,
        tos: 0,
        mtu: 1500,
        header_len: 0,
        packet,
    };
    Segment::read(datagram).expect("what we send we can read")
}

/// `n` bytes that tell their position.
pub fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| u8::try_from(i * 31 % 251).expect("a value")).collect()
}
