//! Plays a script on a host.

mod answering;
mod calls;

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};
use std::net::Shutdown;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ipnet::IpNet;
use layer::boundary::{Frame, SocketId, TcpOptions, protocol};
use layer::{Duration, Instant, InterfaceId, PacketBuf};
use link::gso;
use socket::{Errno, Host, HostConfig, InterfaceConfig, Kind};

use self::answering::Answering;
use super::options::TcpOption;
use super::segment::{Field, SYN, SegmentText};
use super::{Action, Call, Line, Script, ScriptError, Settings, When};
use crate::frame::{self, Address, TcpHeader};
use crate::pattern::Pattern;

const PEER: Address = Address::numbered(1);
const OURS: Address = Address::numbered(2);
/// Somebody on the way between them.
const ROUTER: Address = Address::numbered(3);
/// The peer's initial sequence number: all numbers wrap in the first ten bytes.
const PEER_ISS: u32 = u32::MAX - 9;
/// The peer's port until the script says another, and the host's.
const PEER_PORT: u16 = 4000;
const OUR_PORT: u16 = 80;
/// When a script begins, if it does not say: address conflict detection is over by then.
const START: Instant = Instant::from_secs(1000);
/// How long `*` waits for a segment.
const PATIENCE: Duration = Duration::from_secs(1000);
/// What the host writes, and what it reads.
const WRITTEN: Pattern = Pattern(1);
const READ: Pattern = Pattern(2);

/// A connection as the peer sees it.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// The host's port.
    port: u16,
    /// The host's initial sequence number, once it has sent a SYN.
    iss: Option<u32>,
    /// The host's last timestamp.
    stamp: u32,
}

/// A segment of the host.
struct Sent {
    at: Instant,
    port: u16,
    segment: SegmentText,
}

struct Player<'a> {
    settings: &'a Settings,
    host: Host,
    /// When the script begins.
    start: Instant,
    now: Instant,
    /// The time of the last line.
    line_at: Instant,
    /// By the peer's port.
    flows: BTreeMap<u16, Flow>,
    flow: u16,
    listener: Option<SocketId>,
    socket: Option<SocketId>,
    written: u64,
    read: u64,
    sent: VecDeque<Sent>,
    trace: Vec<String>,
    /// The host has sent what no strict receiver takes.
    fault: Option<String>,
    /// The peer that acknowledges by itself.
    answering: Answering,
}

pub(super) fn play(script: &Script) -> Result<Vec<String>, ScriptError> {
    let start = script.settings.iss.map_or(START, |iss| start_for(script, iss));
    let mut player = Player::new(&script.settings, start);
    let mut all = script.lines.iter();
    let failed = all.find_map(|line| player.line(line).err().map(|what| (line, what)));
    let last = script.lines.last().map_or(0, |line| line.number);
    let (number, text, what) = match (failed, player.unexpected()) {
        (Some((line, what)), _) => (line.number, line.text.clone(), what),
        (None, Some(what)) => (last + 1, "(end of the script)".to_owned(), what),
        (None, None) => return Ok(player.trace),
    };
    let name = script.name.clone();
    Err(ScriptError { name, line: number, text, what, trace: player.trace })
}

/// When the script has to begin for the host's first SYN to have the number `iss`: its numbers
/// follow a clock of 4 µs (RFC 9293 3.4.1), and a first run tells where that stands.
fn start_for(script: &Script, iss: u32) -> Instant {
    let mut player = Player::new(&script.settings, START);
    let first = script.lines.iter().find_map(|line| {
        let _ = player.line(line);
        player.flows.get(&player.flow).and_then(|flow| flow.iss)
    });
    let ticks = first.map_or(0, |first| iss.wrapping_sub(first));
    START + Duration::from_micros(4 * u64::from(ticks))
}

impl<'a> Player<'a> {
    fn new(settings: &'a Settings, start: Instant) -> Self {
        let net = IpNet::new_assert(OURS.ip.into(), 24);
        let interface =
            InterfaceConfig { mtu: settings.mtu, ..InterfaceConfig::new(OURS.mac, vec![net]) };
        let mut config = HostConfig::new([7; 16]).interface(interface);
        // Linux's, so that scripts show its window scale of 7.
        config.tcp.receive_buffer.most = 6 << 20;
        config.tcp.syn_cookies = settings.syn_cookies;
        config.tcp.ecn = settings.ecn;
        config.tcp.congestion = settings.congestion;
        if settings.resting {
            config.tcp.idle_after = Duration::ZERO;
        }
        if let Some(bytes) = settings.memory {
            config.tcp.memory = tcp::MemoryLimits::of(bytes);
        }
        let mut player = Self {
            settings,
            host: Host::new(&config),
            now: start - Duration::from_secs(100),
            line_at: start,
            start,
            flows: BTreeMap::from([(PEER_PORT, Flow { port: OUR_PORT, ..Flow::default() })]),
            flow: PEER_PORT,
            listener: None,
            socket: None,
            written: 0,
            read: 0,
            sent: VecDeque::new(),
            trace: Vec::new(),
            fault: None,
            answering: Answering::default(),
        };
        // The host announces its address, and learns the peer's by its question.
        player.host.poll(player.now);
        player.receive(&PEER.arp_request(OURS.ip));
        player.advance(start);
        player
    }

    fn line(&mut self, line: &Line) -> Result<(), String> {
        let due = match line.when {
            When::At(since) => Some(self.start + since),
            When::After(since) => Some(self.line_at + since),
            When::Whenever => None,
        };
        if due.is_some_and(|due| due < self.line_at) {
            return Err("a time before that of the line before".to_owned());
        }
        if let Action::Expect(expected) = &line.action {
            return self.expect(expected, due);
        }
        self.advance(due.unwrap_or(self.now));
        if let Some(what) = self.unexpected() {
            return Err(what);
        }
        self.line_at = self.now;
        match &line.action {
            Action::Inject(segment) => self.inject(segment),
            Action::TooBig { seq, mtu, length } => self.complain(*seq, *mtu, *length),
            Action::Call(call) => {
                self.note(&line.text[line.text.find(' ').unwrap_or(0)..]);
                self.call(call)?;
            }
            Action::Expect(_) => {}
        }
        self.collect();
        Ok(())
    }

    /// The next segment must be this one, and come when it is due.
    fn expect(&mut self, expected: &SegmentText, due: Option<Instant>) -> Result<(), String> {
        let tolerance = self.settings.tolerance;
        let latest = due.map_or(self.now + PATIENCE, |due| due + tolerance);
        while self.sent.is_empty() {
            match self.host.poll_at() {
                Some(at) if at <= latest => self.advance(at.max(self.now)),
                Some(_) | None => break,
            }
        }
        if let Some(fault) = self.fault.clone() {
            return Err(fault);
        }
        let Some(Sent { at, port, segment }) = self.sent.pop_front() else {
            self.advance(latest);
            return Err(format!("nothing was sent\n  expected: > {expected}"));
        };
        let wrong = match (expected.differs(&segment), due) {
            _ if port != self.flow => Some(format!("it is for port {port}, not {}", self.flow)),
            (Some(what), _) => Some(format!("the {what} differs")),
            (None, Some(due)) if at.since(due) > tolerance || due.since(at) > tolerance => {
                let (late, due) = (at.since(self.start), due.since(self.start));
                Some(format!("it came at {:.6}, not {:.6}", late.as_secs_f64(), due.as_secs_f64()))
            }
            (None, _) => None,
        };
        self.line_at = due.unwrap_or(at);
        match wrong {
            None => Ok(()),
            Some(what) => Err(format!("{what}\n  expected: > {expected}\n  got:      > {segment}")),
        }
    }

    /// What was sent though no line asks for it.
    fn unexpected(&self) -> Option<String> {
        if self.fault.is_some() {
            return self.fault.clone();
        }
        let sent = self.sent.front()?;
        Some(format!("sent, but not expected here\n  got:      > {}", sent.segment))
    }

    /// Lets time pass, and the host do what is due on the way.
    fn advance(&mut self, to: Instant) {
        while let Some(at) = self.host.poll_at()
            && at <= to
        {
            let stuck = at <= self.now;
            self.now = self.now.max(at);
            self.host.poll(self.now);
            self.collect();
            if stuck && self.host.poll_at().is_some_and(|at| at <= self.now) {
                break;
            }
        }
        self.now = self.now.max(to);
        self.collect();
    }

    /// Takes what the host has sent; answers its ARP requests.
    fn collect(&mut self) {
        self.host.poll(self.now);
        let mut pieces = Vec::new();
        while let Some(frame) = self.host.transmit() {
            if gso::to_wire(frame.packet, &mut pieces).is_err() {
                self.fault = Some("a frame contradicts its offload metadata".to_owned());
            }
            for piece in pieces.drain(..) {
                self.take(&piece);
            }
            self.host.poll(self.now);
        }
    }

    fn take(&mut self, piece: &PacketBuf) {
        if let Some(reply) = PEER.arp_reply(piece) {
            return self.receive(&reply);
        }
        if frame::arp_message(piece).is_some() {
            return;
        }
        match self.parse(&piece.to_vec()) {
            Ok(sent) => {
                self.note(&format!("> {}", sent.segment));
                self.sent.push_back(sent);
            }
            Err(what) => self.fault = Some(format!("a bad frame was sent: {what}")),
        }
    }

    /// Reads a frame as a strict receiver would.
    fn parse(&mut self, bytes: &[u8]) -> Result<Sent, String> {
        let sliced = SlicedPacket::from_ethernet(bytes).map_err(|error| error.to_string())?;
        let Some(NetSlice::Ipv4(ip)) = sliced.net else { return Err("not IPv4".to_owned()) };
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else {
            return Err(format!("IP protocol {}", ip.header().protocol().0));
        };
        let (from, to) = (ip.header().source(), ip.header().destination());
        // Zero has two spellings in ones' complement, and a receiver takes either.
        let sum = tcp.calc_checksum_ipv4(from, to).map_err(|error| error.to_string())?;
        if sum != tcp.checksum() && !(sum == 0 && tcp.checksum() == 0xffff) {
            return Err("wrong TCP checksum".to_owned());
        }
        let (flags, port) = (tcp.slice()[13], tcp.destination_port());
        let first = self.flows.values().all(|flow| flow.iss.is_none());
        let flow = self.flows.entry(port).or_default();
        flow.port = tcp.source_port();
        if flags & SYN != 0 {
            let iss = *flow.iss.get_or_insert(tcp.sequence_number());
            if first && self.settings.iss.is_some_and(|wanted| wanted != iss) {
                return Err(format!("the first SYN has the number {iss}"));
            }
        }
        let options = TcpOption::read(tcp.options(), PEER_ISS);
        let stamps = options.iter().find_map(|option| match option {
            TcpOption::Timestamps(value, _) => Some(value.number()),
            _ => None,
        });
        flow.stamp = stamps.unwrap_or(flow.stamp);
        let seq = tcp.sequence_number().wrapping_sub(flow.iss.unwrap_or(0));
        let text = tcp.payload();
        WRITTEN
            .check(u64::from(seq.wrapping_sub(1)), text)
            .map_err(|wrong| format!("text at {seq}: {wrong}"))?;
        let ack = tcp.acknowledgment_number().wrapping_sub(PEER_ISS);
        let segment = SegmentText {
            flags,
            seq: Field::Is(seq),
            length: Field::Is(text.len() as u32),
            ack: tcp.ack().then_some(Field::Is(ack)),
            window: Some(Field::Is(tcp.window_size().into())),
            urgent: tcp.urgent_pointer(),
            ecn: Some(ip.header().ecn().value()),
            options: Some(options),
        };
        Ok(Sent { at: self.now, port, segment })
    }

    fn inject(&mut self, segment: &SegmentText) {
        self.note(&format!("< {segment}"));
        let Flow { port, iss, stamp } = self.flows.get(&self.flow).copied().unwrap_or_default();
        let iss = iss.unwrap_or(0);
        let mut options = Vec::new();
        for option in segment.options.iter().flatten() {
            match option {
                TcpOption::Timestamps(value, Field::Any) => {
                    TcpOption::Timestamps(*value, Field::Is(stamp)).write(iss, &mut options);
                }
                other => other.write(iss, &mut options),
            }
        }
        let seq = segment.seq.number();
        let header = TcpHeader {
            source: self.flow,
            destination: port,
            seq: PEER_ISS.wrapping_add(seq),
            ack: segment.ack.map_or(0, |ack| iss.wrapping_add(ack.number())),
            flags: segment.flags,
            window: segment.window.map_or(u16::MAX, |window| window.number() as u16),
            urgent: segment.urgent,
            options,
        };
        let at = u64::from(seq.wrapping_sub(1));
        let text = READ.bytes(at, segment.length.number() as usize);
        let packet = frame::tcp(PEER.ip, OURS.ip, &header, &text);
        let mut frame = PEER.packet(&OURS, protocol::TCP, 0, &packet);
        frame::set_tos(&mut frame, segment.ecn.unwrap_or(0));
        self.receive(&frame);
    }

    /// A router on the way says that a packet of the host was too big for it (RFC 1191 4).
    fn complain(&mut self, seq: u32, mtu: u16, length: Option<u16>) {
        let Flow { port, iss, .. } = self.flows.get(&self.flow).copied().unwrap_or_default();
        let length = length.map_or(self.settings.mtu as usize, usize::from);
        self.note(&format!("< too_big {seq} mtu {mtu} length {length}"));
        let seq = iss.unwrap_or(0).wrapping_add(seq);
        let header =
            TcpHeader { source: port, destination: self.flow, seq, ..TcpHeader::default() };
        let text = vec![0; length.saturating_sub(frame::IPV4 + 20)];
        let segment = frame::tcp(OURS.ip, PEER.ip, &header, &text);
        let packet = frame::ipv4(OURS.ip, PEER.ip, protocol::TCP, 0, &segment);
        let message = frame::icmp_error(3, 4, mtu.into(), &packet);
        self.receive(&ROUTER.packet(&OURS, protocol::ICMP, 0, &message));
    }

    fn receive(&mut self, bytes: &[u8]) {
        let packet = PacketBuf::copy_from(bytes);
        self.host.receive(self.now, Frame { interface: InterfaceId(0), packet });
        self.host.poll(self.now);
    }

    /// Adds a line to the trace.
    fn note(&mut self, event: &str) {
        let at = self.now.since(self.start).as_secs_f64();
        self.trace.push(format!("{at:.6} {}", event.trim()));
    }
}
