//! Two TCPs on a wire that delays, loses, doubles and reorders, in virtual time and by seed: every
//! byte arrives once, in order, and both sides end. Whole hosts on such wires are tested in `sim`.

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use common::complete;
use layer::boundary::{
    BoundAddress, Cast, CloseReason, Datagram, IpIn, IpOut, Path, Route, SocketId, TcpCommand,
    TcpEvent, TcpOptions, protocol,
};
use layer::outlet::Driver;
use layer::{Duration, Instant, InterfaceId, Layer, PacketBuf};
use proptest::prelude::*;
use tcp::{BufferSizes, Config, Tcp};

/// What the wire does to packets, in per mille.
#[derive(Clone, Copy, Debug)]
struct Faults {
    loss: u64,
    duplicate: u64,
    reorder: u64,
    delay_ms: u64,
}

struct Host {
    tcp: Tcp,
    driver: Driver<TcpEvent, IpOut>,
    address: IpAddr,
    /// The connection, once there is one.
    socket: Option<SocketId>,
    /// Not sent yet, and how much may be.
    outgoing: Bytes,
    room: u32,
    received: Vec<u8>,
    finished: bool,
    shut: bool,
    closed: Option<CloseReason>,
}

struct World {
    hosts: [Host; 2],
    now: Instant,
    seed: u64,
    faults: Faults,
    /// On the way: by arrival and a running number, to which host.
    wire: BTreeMap<(Instant, u64), (usize, Datagram)>,
    number: u64,
    /// Reads of the slow reader: bytes per time.
    chunk_limit: usize,
}

impl World {
    fn new(seed: u64, faults: Faults, sizes: [usize; 2]) -> Self {
        Self::with(Config::new([0; 16]), seed, faults, sizes)
    }

    fn with(config: Config, seed: u64, faults: Faults, sizes: [usize; 2]) -> Self {
        let host = |n: u8| Host {
            tcp: Tcp::new(Config { key: [n; 16], ..config.clone() }),
            driver: Driver::new(64),
            address: IpAddr::from([10, 0, 0, n]),
            socket: None,
            outgoing: Bytes::from(stream(n, sizes[usize::from(n) - 1])),
            room: 0,
            received: Vec::new(),
            finished: false,
            shut: false,
            closed: None,
        };
        Self {
            hosts: [host(1), host(2)],
            now: Instant::from_secs(1),
            seed,
            faults,
            wire: BTreeMap::new(),
            number: 0,
            chunk_limit: usize::MAX,
        }
    }

    /// xorshift64*: the test's only chance.
    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        (self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }

    fn open(&mut self) {
        let listener = SocketId(0);
        let local = BoundAddress { address: SocketAddr::from(([0, 0, 0, 0], 7)), interface: None };
        let bind =
            TcpCommand::Bind { socket: listener, local, reuse_address: false, reuse_port: false };
        let options = || Box::new(TcpOptions::default());
        self.command(1, bind);
        self.command(1, TcpCommand::Listen { socket: listener, backlog: 1, options: options() });
        let remote = SocketAddr::new(self.hosts[1].address, 7);
        let socket = SocketId(0);
        self.command(0, TcpCommand::Connect { socket, remote, options: options() });
    }

    fn command(&mut self, host: usize, command: TcpCommand) {
        let Host { tcp, driver, .. } = &mut self.hosts[host];
        tcp.send(self.now, command, &mut driver.out());
    }

    /// Polls a host, moves what it put out, lets its application act; until it is quiet.
    fn settle(&mut self, host: usize) {
        for _ in 0..1000 {
            let Host { tcp, driver, .. } = &mut self.hosts[host];
            tcp.poll(self.now, &mut driver.out());
            let down: Vec<IpOut> = driver.down.drain().collect();
            let up: Vec<TcpEvent> = driver.up.drain().collect();
            if down.is_empty() && up.is_empty() {
                return;
            }
            down.into_iter().for_each(|item| self.transmit(host, item));
            up.into_iter().for_each(|event| self.event(host, event));
            self.application(host);
        }
        panic!("host {host} does not come to rest");
    }

    fn transmit(&mut self, host: usize, item: IpOut) {
        let other = 1 - host;
        match item {
            IpOut::Lookup { token, destination, .. } => {
                let source = self.hosts[host].address;
                let interface = InterfaceId(0);
                let (mtu, link_mtu, cast) = (1500, 1500, Cast::Unicast);
                let route = Ok(Route { interface, source, mtu, link_mtu, cast });
                let path = Path { token, protocol: protocol::TCP, destination, route };
                let Host { tcp, driver, .. } = &mut self.hosts[host];
                tcp.receive(self.now, IpIn::Path(path), &mut driver.out());
            }
            IpOut::Datagram(send) => {
                let source = send.source.expect("named");
                for mut packet in cut(send.packet) {
                    complete(&mut packet, source, send.destination);
                    let datagram = Datagram {
                        interface: InterfaceId(0),
                        source,
                        destination: send.destination,
                        cast: Cast::Unicast,
                        protocol: protocol::TCP,
                        ttl: 64,
                        tos: 0,
                        mtu: 1500,
                        header_len: 0,
                        packet,
                    };
                    self.put_on_wire(other, datagram);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn put_on_wire(&mut self, to: usize, datagram: Datagram) {
        let Faults { loss, duplicate, reorder, delay_ms } = self.faults;
        if self.random(1000) < loss {
            return;
        }
        let copies = 1 + usize::from(self.random(1000) < duplicate);
        for _ in 0..copies {
            // Late by up to half a round trip.
            let late =
                if self.random(1000) < reorder { self.random(delay_ms * 1000 + 1) } else { 0 };
            let at = self.now + Duration::from_micros(delay_ms * 1000 + late);
            self.number += 1;
            self.wire.insert((at, self.number), (to, datagram.clone()));
        }
    }

    fn event(&mut self, host: usize, event: TcpEvent) {
        let chunk_limit = self.chunk_limit;
        let it = &mut self.hosts[host];
        match event {
            TcpEvent::Bound { result, .. } => assert!(result.is_ok()),
            TcpEvent::Incoming { socket, listener, .. } => {
                it.socket = Some(socket);
                self.command(host, TcpCommand::Accepted { listener });
            }
            TcpEvent::Established { socket, .. } => it.socket = Some(socket),
            TcpEvent::Data { socket, chunk } => {
                it.received.extend_from_slice(&chunk);
                for part in chunk.chunks(chunk_limit) {
                    let bytes = u32::try_from(part.len()).expect("a value");
                    self.command(host, TcpCommand::Consumed { socket, bytes });
                }
            }
            TcpEvent::Finished { .. } => it.finished = true,
            TcpEvent::Room { bytes, .. } => it.room += bytes,
            TcpEvent::Closed { reason, .. } => it.closed = Some(reason),
            TcpEvent::Urgent { .. }
            | TcpEvent::Collapse { .. }
            | TcpEvent::SoftError { .. }
            | TcpEvent::Info { .. } => {}
        }
    }

    /// Sends what it may, then shuts down.
    fn application(&mut self, host: usize) {
        let it = &mut self.hosts[host];
        let Some(socket) = it.socket.filter(|_| it.closed.is_none()) else { return };
        while it.room > 0 && !it.outgoing.is_empty() {
            let n = it.outgoing.len().min(it.room as usize).min(16_000);
            it.room -= u32::try_from(n).expect("a value");
            let data = it.outgoing.split_to(n);
            let command = TcpCommand::Send { socket, data };
            it.tcp.send(self.now, command, &mut it.driver.out());
        }
        if it.outgoing.is_empty() && !it.shut {
            it.shut = true;
            self.command(host, TcpCommand::Shutdown { socket });
        }
    }

    fn done(&self) -> bool {
        self.hosts.iter().all(|host| host.closed.is_some())
    }

    /// Runs until both sides have ended; returns how long it took.
    fn run(&mut self, limit: Duration) -> Duration {
        let start = self.now;
        self.open();
        self.settle(1);
        self.settle(0);
        while !self.done() {
            let arrival = self.wire.keys().next().map(|&(at, _)| at);
            let timers = self.hosts.iter().filter_map(|host| host.tcp.poll_at());
            let next = timers.chain(arrival).min().expect("something is pending");
            self.now = self.now.max(next);
            assert!(self.now.since(start) < limit, "not done in {limit:?}: {:?}", self.progress());
            while let Some(entry) = self.wire.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (to, datagram) = entry.remove();
                let Host { tcp, driver, .. } = &mut self.hosts[to];
                tcp.receive(self.now, IpIn::Datagram(datagram), &mut driver.out());
            }
            self.settle(0);
            self.settle(1);
        }
        self.now.since(start)
    }

    fn progress(&self) -> Vec<String> {
        let line = |h: &Host| format!("{} received, {:?}", h.received.len(), h.tcp.connections());
        self.hosts.iter().map(line).collect()
    }

    fn check(&self, sizes: [usize; 2]) {
        assert!(self.hosts[1].received == stream(1, sizes[0]), "0 to 1: {:?}", self.progress());
        assert!(self.hosts[0].received == stream(2, sizes[1]), "1 to 0: {:?}", self.progress());
        assert!(self.hosts.iter().all(|h| h.finished && h.closed == Some(CloseReason::Finished)));
    }
}

/// What host `n` sends.
fn stream(n: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i + i / 251 + usize::from(n)) % 251).expect("a value")).collect()
}

/// Cuts a super-segment as a device would; flags and numbers are set right by hand.
fn cut(packet: PacketBuf) -> Vec<PacketBuf> {
    let Some(segmentation) = packet.offload().segmentation else { return vec![packet] };
    let header = usize::from(packet.head()[12] >> 4) * 4;
    let size = usize::from(segmentation.size);
    let text = packet.len() - header;
    let mut pieces = Vec::new();
    for from in (0..text).step_by(size) {
        let mut piece = packet.share(header + from, size);
        let bytes = piece.prepend(header);
        bytes.copy_from_slice(packet.header(header).expect("a value"));
        let seq = u32::from_be_bytes(bytes[4..8].try_into().expect("a value"));
        let seq = seq.wrapping_add(u32::try_from(from).expect("a value"));
        bytes[4..8].copy_from_slice(&seq.to_be_bytes());
        if from + size < text {
            bytes[13] &= !0x09;
        }
        piece.offload_mut().checksum = packet.offload().checksum;
        pieces.push(piece);
    }
    pieces
}

const CLEAN: Faults = Faults { loss: 0, duplicate: 0, reorder: 0, delay_ms: 10 };

#[test]
fn both_ways_over_a_clean_wire() {
    let sizes = [3_000_000, 1_000_000];
    let mut world = World::new(1, CLEAN, sizes);
    let took = world.run(Duration::from_secs(60));
    world.check(sizes);
    assert!(took < Duration::from_secs(2), "window 1 MiB, RTT 20 ms: {took:?}");
    let retransmitted = world.hosts.iter().map(|host| host.tcp.stats().retrans_segs).sum::<u64>();
    assert_eq!(retransmitted, 0);
}

#[test]
fn nothing_to_say_is_said_too() {
    let mut world = World::new(1, CLEAN, [0, 0]);
    world.run(Duration::from_secs(10));
    world.check([0, 0]);
}

#[test]
fn a_reader_of_single_bytes() {
    let sizes = [1_500_000, 10];
    let mut world = World::new(1, CLEAN, sizes);
    world.chunk_limit = 1;
    world.run(Duration::from_secs(60));
    world.check(sizes);
}

#[test]
fn a_single_loss_costs_no_timeout() {
    // One packet in a thousand; seeds at which the middle of the stream is hit.
    let sizes = [2_000_000, 0];
    for seed in 1..6 {
        let mut world = World::new(seed, Faults { loss: 1, ..CLEAN }, sizes);
        world.run(Duration::from_secs(60));
        world.check(sizes);
    }
}

/// How long `size` bytes take over a wire with `faults`, mean of several seeds; and the timeouts.
fn mean_time(config: &Config, faults: Faults, size: usize) -> (Duration, u64) {
    let (mut total, mut timeouts) = (Duration::ZERO, 0);
    for seed in 1..9 {
        let mut world = World::with(config.clone(), seed * 7919, faults, [size, 0]);
        total += world.run(Duration::from_secs(3600));
        world.check([size, 0]);
        timeouts += world.hosts.iter().map(|host| host.tcp.stats().timeouts).sum::<u64>();
    }
    (total / 8, timeouts)
}

#[test]
fn sack_recovers_faster_than_newreno_and_without_timeouts() {
    let faults = Faults { loss: 20, ..CLEAN };
    let config = Config::new([0; 16]);
    let (with, timeouts) = mean_time(&config, faults, 1_000_000);
    let without = Config { sack: false, timestamps: false, ..config };
    let (newreno, _) = mean_time(&without, faults, 1_000_000);
    assert!(with * 10 < newreno * 9, "{with:?} with, {newreno:?} without");
    assert!(timeouts <= 8, "{timeouts} timeouts in 8 transfers at 2 % loss");
}

#[test]
fn reordering_alone_costs_a_tenth_at_most() {
    // With a window that is no limit: a full one waits for each late segment, whoever recovers.
    let buffers = BufferSizes::fixed(8 << 20);
    let config = Config { receive_buffer: buffers, send_buffer: buffers, ..Config::new([0; 16]) };
    let (clean, _) = mean_time(&config, CLEAN, 8_000_000);
    let (reordered, _) = mean_time(&config, Faults { reorder: 50, ..CLEAN }, 8_000_000);
    assert!(reordered * 9 < clean * 11, "{reordered:?} reordered, {clean:?} in order");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_arrives_whatever_the_wire_does(
        seed in 1_u64..u64::MAX,
        loss in 0_u64..100,
        duplicate in 0_u64..50,
        reorder in 0_u64..200,
        delay_ms in 1_u64..100,
        sizes in [0_usize..200_000, 0_usize..200_000],
        sack in any::<bool>(),
        timestamps in any::<bool>(),
    ) {
        let faults = Faults { loss, duplicate, reorder, delay_ms };
        let config = Config { sack, timestamps, ..Config::new([0; 16]) };
        let mut world = World::with(config, seed, faults, sizes);
        world.run(Duration::from_secs(3600));
        world.check(sizes);
    }
}
