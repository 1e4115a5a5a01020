//! Hostile frames for a whole host: random ones, valid ones and mutated ones, which also address
//! live connections, while programs use the sockets and time jumps.
//!
//! What is checked besides that nothing panics: memory stays within what the limits allow; every
//! frame that the host sends is one that a strict receiver takes; the host comes to rest after each
//! step; and when the storm is over and the programs have closed their sockets, everything is
//! given back and the host still answers a ping.

mod mutate;
mod owner;
mod storm;

use ipnet::IpNet;
use layer::boundary::{Frame, protocol};
use layer::{Duration, Instant, InterfaceId, PacketBuf, Reason};
use link::gso;
use socket::{Host, HostConfig, InterfaceConfig};

use crate::frame::{self, Address};
use crate::rng::Rng;
use owner::Owner;
use storm::Storm;

/// The host under fire.
const HOST: Address = Address::numbered(2);
/// Who asks at the end whether it is still there.
const WITNESS: Address = Address::numbered(9);

/// Most connections, and their buffers each way, bytes: small, so that the limits are met.
const CONNECTIONS: usize = 48;
const HALF_OPEN: usize = 16;
const BUFFER: u32 = 32 * 1024;
/// Early pieces of a connection.
const PIECES: usize = 64;
/// Bookkeeping of a packet kept, bytes: more than any kind of it has.
const OVERHEAD: usize = 1024;

/// What a storm did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Frames thrown at the host.
    pub frames: u64,
    /// Frames it sent, as a wire carries them.
    pub sent: u64,
    /// Connections that programs got to accept or saw complete.
    pub connections: u64,
    /// Bytes and datagrams that programs read.
    pub read: u64,
    /// Most bytes it ever held.
    pub most_held: usize,
    /// Why it dropped what it dropped.
    pub drops: Vec<(Reason, u64)>,
}

/// One storm: a host, its programs, and a seed.
pub struct Fuzz {
    seed: u64,
    host: Host,
    now: Instant,
    rng: Rng,
    storm: Storm,
    owner: Owner,
    report: Report,
    /// The last answer to the witness.
    witnessed: bool,
}

impl Fuzz {
    /// A host with small limits.
    pub fn new(seed: u64) -> Self {
        let net = IpNet::new_assert(HOST.ip.into(), 24);
        let mut key = [0; 16];
        Rng::derive(seed, "key", 0).fill(&mut key);
        let mut config = HostConfig::new(key).interface(InterfaceConfig::new(HOST.mac, vec![net]));
        config.tcp.max_connections = CONNECTIONS;
        config.tcp.max_half_open = HALF_OPEN;
        config.tcp.receive_buffer = tcp::BufferSizes::fixed(BUFFER);
        config.tcp.send_buffer = tcp::BufferSizes::fixed(BUFFER);
        config.tcp.max_pieces = PIECES;
        config.udp.receive_buffer = BUFFER;
        config.ip.reassembly_bytes = 256 * 1024;
        config.arp.neighbours = 64;
        config.arp.held_bytes = 64 * 1024;
        let report =
            Report { frames: 0, sent: 0, connections: 0, read: 0, most_held: 0, drops: Vec::new() };
        Self {
            seed,
            host: Host::new(&config),
            now: Instant::from_secs(1000),
            rng: Rng::derive(seed, "fuzz", 0),
            storm: Storm::new(seed),
            owner: Owner::new(seed),
            report,
            witnessed: false,
        }
    }

    /// What the limits of [`Fuzz::new`] add up to, bytes.
    fn limit() -> usize {
        let each = 2 * BUFFER as usize + PIECES * (OVERHEAD + 1500) + OVERHEAD;
        let udp = Owner::MOST * (BUFFER as usize + 64 * OVERHEAD);
        let (reassembly, held) = (256 * 1024, 64 * 1024);
        let queued = 1024 * OVERHEAD + (1 << 20);
        CONNECTIONS * each + udp + reassembly + held + queued
    }

    /// Throws `frames` frames; then calms down and looks whether the host is still itself.
    ///
    /// # Errors
    ///
    /// A check failed; the text says which, and names the seed.
    pub fn run(mut self, frames: u64) -> Result<Report, String> {
        // Who claims our address while it is being probed had it before, and keeps it (RFC 5227):
        // the storm begins when it is ours.
        let outcome = self
            .advance(self.now + Duration::from_secs(60))
            .and_then(|()| self.rage(frames))
            .and_then(|()| self.calm());
        outcome.map_err(|what| {
            let (seed, thrown, now) = (self.seed, self.report.frames, self.now);
            format!("seed {seed}, after {thrown} frames, at {now}: {what}")
        })?;
        self.report.drops = self.host.ledger().nonzero().collect();
        (self.report.connections, self.report.read) = self.owner.achieved();
        Ok(self.report)
    }

    fn rage(&mut self, frames: u64) -> Result<(), String> {
        for number in 0..frames {
            let packet = self.storm.frame();
            self.host.receive(self.now, Frame { interface: InterfaceId(0), packet });
            self.report.frames += 1;
            // Frames come in batches.
            if self.rng.index(3) > 0 {
                continue;
            }
            if self.rng.index(4) == 0 {
                self.owner.act(self.now, &mut self.host);
            }
            self.settle()?;
            self.pass_time()?;
            if number % 64 == 0 {
                self.weigh()?;
            }
        }
        self.settle()
    }

    /// Lets some time pass: mostly none, sometimes to the next deadline, rarely a minute.
    fn pass_time(&mut self) -> Result<(), String> {
        let span = match self.rng.index(1000) {
            0..500 => Duration::ZERO,
            500..900 => Duration::from_micros(self.rng.below(1000)),
            900..990 => Duration::from_millis(self.rng.below(300)),
            990..999 => Duration::from_millis(self.rng.below(5000)),
            _ => Duration::from_secs(self.rng.below(130)),
        };
        self.advance(self.now + span)
    }

    /// Time passes, and the host is polled at each deadline on the way.
    fn advance(&mut self, to: Instant) -> Result<(), String> {
        while let Some(at) = self.host.poll_at()
            && at <= to
        {
            self.now = self.now.max(at);
            self.settle()?;
        }
        self.now = self.now.max(to);
        self.settle()
    }

    /// Polls until the host is at rest, and looks at what it sends.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..1000 {
            self.host.poll(self.now);
            let mut sent = false;
            while let Some(frame) = self.host.transmit() {
                sent = true;
                self.inspect(frame)?;
            }
            if !sent && self.host.poll_at().is_none_or(|at| at > self.now) {
                return Ok(());
            }
        }
        Err(format!("does not come to rest: poll_at {:?}", self.host.poll_at()))
    }

    fn inspect(&mut self, frame: Frame) -> Result<(), String> {
        let mut pieces = Vec::new();
        let shown = format!("{:?}", frame.packet);
        gso::to_wire(frame.packet, &mut pieces)
            .map_err(|_| format!("sent a frame that contradicts its metadata: {shown}"))?;
        for piece in pieces {
            let bytes = piece.to_vec();
            let strict = strictly(&bytes);
            strict.map_err(|what| format!("sent a bad frame: {what}: {bytes:02x?}"))?;
            self.report.sent += 1;
            self.witnessed |= bytes[..6] == WITNESS.mac.0
                && bytes.get(23) == Some(&protocol::ICMP)
                && bytes.get(34) == Some(&0);
            self.storm.heard(bytes);
        }
        Ok(())
    }

    fn weigh(&mut self) -> Result<(), String> {
        let (items, bytes) = self.host.held();
        self.report.most_held = self.report.most_held.max(bytes);
        let (connections, limit) = (self.host.connections().len(), Self::limit());
        if bytes > limit || connections > CONNECTIONS + HALF_OPEN {
            return Err(format!(
                "holds {bytes} bytes in {items} items and {connections} connections; the limits \
                 allow {limit} bytes and {CONNECTIONS} connections, {HALF_OPEN} half open"
            ));
        }
        Ok(())
    }

    /// The programs end; all that was taken is given back; the host still answers.
    fn calm(&mut self) -> Result<(), String> {
        self.owner.end(self.now, &mut self.host);
        // The longest that a dead peer can hold a connection: all back-offs, then TIME-WAIT.
        self.advance(self.now + Duration::from_secs(3600))?;
        let (items, bytes) = self.host.held();
        let connections = self.host.connections();
        if items > 0 || !connections.is_empty() {
            let left = connections.first();
            return Err(format!("an hour later it holds {items} items, {bytes} bytes, {left:?}"));
        }
        let echo = frame::icmp_echo(8, 1, 1, b"still there?");
        let asked = [WITNESS.arp_request(HOST.ip), WITNESS.packet(&HOST, protocol::ICMP, 1, &echo)];
        for bytes in asked {
            let packet = PacketBuf::copy_from(&bytes);
            self.host.receive(self.now, Frame { interface: InterfaceId(0), packet });
            self.settle()?;
        }
        if self.witnessed { Ok(()) } else { Err("does not answer a ping any more".to_owned()) }
    }
}

/// Reads a frame as the strictest receiver would: lengths, checksums, options.
fn strictly(bytes: &[u8]) -> Result<(), String> {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    let sliced = SlicedPacket::from_ethernet(bytes).map_err(|error| error.to_string())?;
    let Some(NetSlice::Ipv4(ip)) = &sliced.net else { return Ok(()) };
    let header = ip.header();
    if header.to_header().calc_header_checksum() != header.header_checksum() {
        return Err("IP checksum".to_owned());
    }
    let (from, to) = (header.source(), header.destination());
    match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            // Zero has two spellings in ones' complement, and a receiver takes either.
            let sum = tcp.calc_checksum_ipv4(from, to).map_err(|error| error.to_string())?;
            if sum != tcp.checksum() && !(sum == 0 && tcp.checksum() == 0xffff) {
                return Err("TCP checksum".to_owned());
            }
            if tcp.options_iterator().any(|option| option.is_err()) {
                return Err("TCP options".to_owned());
            }
        }
        Some(TransportSlice::Udp(udp)) if !ip.is_payload_fragmented() => {
            let sum = udp.to_header().calc_checksum_ipv4(&header.to_header(), udp.payload());
            if sum != Ok(udp.checksum()) {
                return Err("UDP checksum".to_owned());
            }
        }
        // ICMP was read; what else there is has no checksum of its own to check here.
        Some(_) | None => {}
    }
    Ok(())
}
