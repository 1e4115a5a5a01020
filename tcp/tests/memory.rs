//! Thousands of slow readers, and a budget that does not hold what their windows promised.
//!
//! One layer under test, with nothing else in the process that holds memory: the peers are a few
//! numbers each that make up their text as they send it (go back to the first byte that is not
//! acknowledged), the readers are the hub's part of it. Each segment comes in a block of 68 KiB, as
//! from a device.

mod common;
#[path = "memory/sys.rs"]
mod sys;

use core::net::SocketAddr;
use std::collections::{HashMap, VecDeque};

use bytes::{Buf, Bytes, BytesMut};
use common::{A, Bench, PA, complete, local};
use layer::boundary::{Cast, Datagram, IpIn, SocketId, TcpCommand, TcpEvent, TcpOptions, protocol};
use layer::{ChecksumState, Duration, Instant, InterfaceId, Layer, PacketBuf};
use tcp::{Config, Flags, MemoryLimits, Segment, Seq};

#[global_allocator]
static ALLOCATOR: sys::Counting = sys::Counting;

const READERS: u16 = 2500;
const BUDGET: u64 = 64 << 20;
const BLOCK: usize = 68 * 1024;
/// Payload of a segment: it keeps a block of eight times its size alive.
const SEGMENT: u32 = 8192;
const TOTAL: u32 = 100_000;
/// What a reader reads at a time.
const READ: usize = 4096;

/// Text by position, different on each connection.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new() -> Self {
        Self((0..TOTAL + 251).map(|n| (n % 251) as u8).collect())
    }

    fn at(&self, port: u16, from: u32, len: u32) -> &[u8] {
        let start = (u32::from(port) % 251 + from) as usize;
        &self.0[start..start + len as usize]
    }
}

/// A sender without buffers.
struct Peer {
    port: u16,
    iss: Seq,
    /// Acknowledged, sent, and the right edge, as bytes of the stream.
    una: u32,
    nxt: u32,
    edge: u32,
    resend_at: Instant,
    wait: Duration,
    /// Its first flight has been disturbed.
    faulty: bool,
}

/// The hub's side of one connection.
#[derive(Default)]
struct Reader {
    inbox: VecDeque<Bytes>,
    read: u32,
}

struct World {
    bench: Bench,
    pattern: Pattern,
    peers: Vec<Peer>,
    readers: HashMap<SocketId, (u16, Reader)>,
    collapses: u64,
}

const IRS: Seq = Seq(5000);

impl World {
    fn new() -> Self {
        let mut config = Config::new([3; 16]);
        config.memory = MemoryLimits::of(BUDGET);
        let mut bench = Bench::with(config);
        bench.driver = layer::outlet::Driver::new(1 << 14);
        bench.listen(TcpOptions::default());
        let mut world = Self {
            bench,
            pattern: Pattern::new(),
            peers: Vec::new(),
            readers: HashMap::new(),
            collapses: 0,
        };
        (0..READERS).for_each(|n| world.connect(10_000 + n));
        world
    }

    fn connect(&mut self, port: u16) {
        let mut syn = Segment::bare(remote(port), local(), Flags::SYN, IRS);
        syn.window = 65_535;
        syn.options.mss = Some(1460);
        syn.options.window_scale = Some(7);
        let answer = self.bench.receive(syn).remove(0);
        let mut ack = Segment::bare(remote(port), local(), A, IRS.plus(1));
        (ack.ack, ack.window) = (answer.seq.plus(1), 512);
        self.bench.receive(ack);
        self.peers.push(Peer {
            port,
            iss: answer.seq.plus(1),
            una: 0,
            nxt: 0,
            edge: u32::from(answer.window),
            resend_at: self.bench.now,
            wait: RTO,
            faulty: false,
        });
        self.events();
    }

    /// One peer's turn: what its window allows, and after a while without progress all of it
    /// again, or a byte into a closed window.
    fn peer(&mut self, n: usize) {
        let now = self.bench.now;
        let peer = &mut self.peers[n];
        if peer.una == TOTAL {
            return;
        }
        let mut probe = 0;
        if peer.resend_at <= now {
            peer.nxt = peer.una;
            peer.resend_at = now + peer.wait;
            peer.wait = (peer.wait * 2).min(Duration::from_secs(10));
            probe = u32::from(peer.edge <= peer.una);
        }
        let mut out = Vec::new();
        let edge = (peer.edge.max(peer.una) + probe).min(TOTAL);
        while peer.nxt < edge {
            let len = (edge - peer.nxt).min(SEGMENT);
            out.push((peer.nxt, len));
            peer.nxt += len;
        }
        // Every fourth peer's first segment is lost, and the others come in the wrong order.
        if peer.port.is_multiple_of(4) && !peer.faulty {
            peer.faulty = true;
            out.reverse();
            out.pop();
        }
        let (port, iss) = (peer.port, peer.iss);
        for (from, len) in out {
            self.segment(port, iss, from, len);
        }
        self.bench.poll();
        self.acknowledgements();
        self.events();
    }

    fn segment(&mut self, port: u16, ack: Seq, from: u32, len: u32) {
        let mut segment = Segment::bare(remote(port), local(), PA, IRS.plus(1 + from));
        (segment.ack, segment.window) = (ack, 512);
        segment.payload = PacketBuf::copy_from(self.pattern.at(port, from, len));
        let (source, destination) = (remote(port).ip(), local().ip());
        let mut packet = segment.write();
        complete(&mut packet, source, destination);
        let mut block = BytesMut::with_capacity(BLOCK);
        packet.chunks().for_each(|chunk| block.extend_from_slice(chunk));
        let mut packet = PacketBuf::from_block(block.freeze(), BLOCK);
        packet.offload_mut().checksum = ChecksumState::Verified;
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
        let (now, out) = (self.bench.now, &mut self.bench.driver.out());
        self.bench.tcp.receive(now, IpIn::Datagram(datagram), out);
    }

    fn acknowledgements(&mut self) {
        for segment in self.bench.sent() {
            assert!(!segment.flags.has(Flags::RST), "nobody is aborted");
            let n = usize::from(segment.destination.port() - 10_000);
            let peer = &mut self.peers[n];
            let ack = segment.ack.since(IRS.plus(1));
            if ack > peer.una {
                (peer.una, peer.wait) = (ack, RTO);
                peer.resend_at = self.bench.now + RTO;
                peer.nxt = peer.nxt.max(ack);
            }
            let window = u32::from(segment.window) << 8;
            let opened = peer.edge <= peer.una && window > 0;
            peer.edge = ack + window;
            if opened {
                // What went into the closed window was thrown away.
                (peer.nxt, peer.wait) = (peer.una, RTO);
            }
        }
    }

    fn inbox(&mut self, socket: SocketId) -> &mut VecDeque<Bytes> {
        &mut self.readers.get_mut(&socket).expect("it came in").1.inbox
    }

    fn events(&mut self) {
        for event in self.bench.events() {
            match event {
                TcpEvent::Incoming { listener, socket, remote, .. } => {
                    self.readers.insert(socket, (remote.port(), Reader::default()));
                    self.bench.command(TcpCommand::Accepted { listener });
                }
                TcpEvent::Data { socket, chunk } => {
                    self.inbox(socket).push_back(chunk);
                }
                TcpEvent::Collapse { socket } => {
                    self.collapses += 1;
                    let inbox = self.inbox(socket);
                    let mut tight = BytesMut::with_capacity(inbox.iter().map(Bytes::len).sum());
                    inbox.drain(..).for_each(|chunk| tight.extend_from_slice(&chunk));
                    inbox.push_back(tight.freeze());
                }
                TcpEvent::Room { .. } => {}
                TcpEvent::Bound { result, .. } => assert!(result.is_ok()),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads a little of what is there, and checks it.
    fn read(&mut self, socket: SocketId) {
        let Some((port, reader)) = self.readers.get_mut(&socket) else { return };
        let mut done = 0;
        while done < READ
            && let Some(chunk) = reader.inbox.front_mut()
        {
            let n = chunk.len().min(READ - done);
            let expected = self.pattern.at(*port, reader.read, n as u32);
            assert_eq!(&chunk[..n], expected, "port {port} at {}", reader.read);
            chunk.advance(n);
            if chunk.is_empty() {
                reader.inbox.pop_front();
            }
            (done, reader.read) = (done + n, reader.read + n as u32);
        }
        if done > 0 {
            self.bench.command(TcpCommand::Consumed { socket, bytes: done as u32 });
        }
    }

    /// Where those that are not done stand, a few of them.
    fn state(&self) -> String {
        let mut text = format!("{} held", self.bench.tcp.memory_held());
        let open = self.peers.iter().filter(|peer| peer.una < TOTAL);
        for Peer { port, una, nxt, edge, .. } in open.take(5) {
            text += &format!("; {port}: una {una} nxt {nxt} edge {edge}");
        }
        let waiting = self.readers.values().filter(|(_, reader)| reader.read < TOTAL).count();
        text + &format!("; {waiting} readers wait; {:#?}", self.bench.tcp.stats())
    }

    fn finished(&self) -> bool {
        self.readers.values().all(|(_, reader)| reader.read == TOTAL)
    }
}

const RTO: Duration = Duration::from_millis(300);

fn remote(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 1], port))
}

/// 2500 windows of 64 KiB promise 160 MB, and what is sent into them comes in blocks of 8 times its
/// size: 1.3 GB if all were kept as it comes. All of it arrives, in 64 MiB.
// test: RFC 2018 8
#[test]
fn thousands_of_slow_readers_in_a_small_budget_lose_nothing() {
    let mut world = World::new();
    let idle = sys::held();
    sys::most();
    let mut sockets: Vec<SocketId> = world.readers.keys().copied().collect();
    sockets.sort_unstable();
    let start = world.bench.now;
    // Half a minute in which nobody reads, then each reads a little, ten times a second.
    let mut most_charged = 0;
    while !world.finished() {
        assert!(
            world.bench.now.since(start) < Duration::from_secs(1200),
            "it goes on too long: {}",
            world.state()
        );
        for n in 0..world.peers.len() {
            world.peer(n);
            most_charged = most_charged.max(world.bench.tcp.memory_held());
        }
        if world.bench.now.since(start) > Duration::from_secs(30) {
            for socket in &sockets {
                world.read(*socket);
                world.acknowledgements();
                world.events();
            }
        }
        world.bench.ms(100);
        world.acknowledgements();
        world.events();
    }
    let held = sys::most() - idle;
    let stats = *world.bench.tcp.stats();
    println!(
        "{READERS} readers of {TOTAL} bytes in {:?}: {held} bytes held at most, {most_charged} \
         charged; {} collapses, {stats:#?}",
        world.bench.now.since(start),
        world.collapses,
    );
    assert!(stats.memory_pressures > 0 && stats.rcv_pruned > 0 && stats.ofo_pruned > 0);
    assert!(world.collapses > 0);
    assert_eq!((stats.abort_on_memory, stats.estab_resets), (0, 0));
    // The budget, what each may hold beyond it, and its bookkeeping.
    let overhead = usize::from(READERS) * (4096 + 1024);
    assert!(held < BUDGET as usize + overhead, "{held} bytes");
    assert!(most_charged <= BUDGET + u64::from(READERS) * 4096, "{most_charged} charged");
}
