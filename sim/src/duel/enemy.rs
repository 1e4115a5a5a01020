//! Who is neither end: forged segments and ICMP errors, built around what the victim expects.
//!
//! Against two stacks only what must do no harm (RFC 5961, RFC 5927): resets that are not exact,
//! SYNs, acknowledgements of what was never sent, old segments, other connections, errors. Against
//! one stack anything, as its peer; only its text is always the one stream of its port.

use core::net::SocketAddr;

use layer::boundary::{IpError, IpErrorKind, protocol};
use layer::{Instant, InterfaceId, PacketBuf};

use super::actions::Setting;
use super::address;
use super::end::{End, stream};
use super::wire::{PORT, Packet};
use crate::frame::{TcpHeader, tcp_segment};
use crate::promises::{Standing, Tuple};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
const URG: u8 = 32;

/// Control bits worth trying; plain ones come most often.
const FLAGS: [u8; 16] = [
    ACK,
    ACK,
    ACK,
    ACK | PSH,
    ACK | PSH,
    ACK | FIN,
    ACK | FIN,
    ACK | SYN,
    SYN,
    RST,
    RST | ACK,
    ACK | URG,
    0,
    FIN,
    SYN | FIN,
    0xff,
];

/// Distances from the number that is due, most of all none.
const STEPS: [u32; 16] = [
    0,
    0,
    0,
    0,
    0,
    1,
    1_u32.wrapping_neg(),
    100,
    536,
    1448,
    4000,
    16_000,
    1000_u32.wrapping_neg(),
    65_535,
    1 << 31,
    20_000_u32.wrapping_neg(),
];

const LENGTHS: [usize; 8] = [0, 0, 1, 10, 100, 536, 1000, 1448];
const WINDOWS: [u16; 8] = [65_535, 0, 1, 100, 536, 1448, 5000, 30_000];

/// Options of a forged SYN.
const SYN_OPTIONS: [&[u8]; 8] = [
    &[2, 4, 5, 180, 4, 2],
    &[],
    &[2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0],
    &[2, 4, 0, 1],
    &[2, 4, 2, 24, 3, 3, 14],
    &[3, 3, 255, 4, 2],
    &[8, 10, 0, 0, 0, 1, 0, 0, 0, 0],
    &[2, 4, 5, 180, 254, 4, 1, 2, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9],
];

const ERRORS: [IpErrorKind; 4] = [
    IpErrorKind::PortUnreachable,
    IpErrorKind::ProtocolUnreachable,
    IpErrorKind::HostUnreachable,
    IpErrorKind::TtlExceeded,
];

/// The enemy.
#[derive(Debug)]
pub(super) struct Enemy {
    /// Where its own numbers begin: near the wrap, so that they cross it.
    irs: u32,
}

impl Enemy {
    pub(super) fn new(setting: &Setting) -> Self {
        Self { irs: 1000_u32.wrapping_neg().wrapping_add(u32::from(setting.seed) * 8) }
    }

    /// Does something to an end.
    pub(super) fn strike(&self, now: Instant, [a, b, c]: [u8; 3], assault: bool, end: &mut End) {
        if a % 8 == 7 {
            return Self::complain(now, b, c, end);
        }
        let packet = if !assault {
            Self::harmless(a % 8, b, c, end)
        } else if a % 8 == 6 {
            Some(self.syn(b, c, end.address()))
        } else {
            self.anything(now, a, b, c, end)
        };
        if let Some(packet) = packet {
            end.receive(now, &packet);
        }
    }

    fn syn(&self, b: u8, c: u8, to: SocketAddr) -> Packet {
        let from = SocketAddr::new(address(1).ip(), 4000 + u16::from(b % 4));
        let header = TcpHeader {
            seq: self.irs.wrapping_add(u32::from(b / 64) << 20),
            flags: SYN,
            window: WINDOWS[usize::from(c / 8 % 8)],
            options: SYN_OPTIONS[usize::from(c % 8)].to_vec(),
            ..TcpHeader::default()
        };
        forge((to, from), header, &[])
    }

    /// A segment of the peer, right or wrong.
    fn anything(&self, now: Instant, a: u8, b: u8, c: u8, end: &End) -> Option<Packet> {
        let (tuple, standing) = end.promises().latest()?;
        let Standing { iss, next, irs, arrived, stamps, .. } = standing;
        let opening = irs.is_none();
        let irs = irs.unwrap_or(self.irs);
        // Before there is a connection, its answer to the SYN comes most often.
        let flags = if opening && a < 96 { SYN | ACK } else { FLAGS[usize::from(a / 8 % 16)] };
        let due = irs.wrapping_add(if opening { 0 } else { arrived });
        let seq = due.wrapping_add(STEPS[usize::from(b % 16)]);
        let ack = iss.wrapping_add(next).wrapping_sub(STEPS[usize::from(b / 16)]);
        let len = if flags & SYN == 0 { LENGTHS[usize::from(c % 8)] } else { 0 };
        let at = seq.wrapping_sub(irs).wrapping_sub(1);
        // What lies before the stream has no text of its own.
        let len = if at > 1 << 30 { 0 } else { len };
        let text = stream(tuple.1).bytes(u64::from(at), len);
        let mut options = if flags & SYN != 0 {
            SYN_OPTIONS[usize::from(c / 8 % 8)].to_vec()
        } else {
            Vec::new()
        };
        if let (Some((value, _)), 0) = (stamps, flags & SYN) {
            options.extend([1, 1, 8, 10]);
            options.extend((now.since(Instant::ZERO).as_millis() as u32).to_be_bytes());
            options.extend(value.to_be_bytes());
        }
        if c >= 192 && flags & SYN == 0 {
            let left = ack.wrapping_add(STEPS[usize::from(b % 16)]);
            options.extend([1, 1, 5, 10]);
            options.extend(left.to_be_bytes());
            options.extend(left.wrapping_add(536).to_be_bytes());
        }
        let window = WINDOWS[usize::from(c / 8 % 8)];
        let urgent = u16::from(c);
        let header = TcpHeader { seq, ack, flags, window, urgent, options, ..TcpHeader::default() };
        Some(forge(tuple, header, &text))
    }

    /// What a connection has to survive.
    fn harmless(kind: u8, b: u8, c: u8, end: &End) -> Option<Packet> {
        let (tuple, standing) = end.promises().latest()?;
        let Standing { iss, next, irs, arrived, acked, .. } = standing;
        let irs = irs?;
        let (beyond, due) = (irs.wrapping_add(arrived), irs.wrapping_add(acked));
        let far = u32::from(b) * 64 + u32::from(c);
        let ours = iss.wrapping_add(next);
        let (seq, ack, flags) = match kind {
            // RFC 5961, section 3.2: in the window, but not exactly what is due.
            0 => (beyond.wrapping_add(1 + far), ours, RST),
            1 => (due.wrapping_sub(1 + far), ours, RST | ACK),
            // RFC 5961, section 4.2: whatever its number.
            2 => (beyond.wrapping_add(far), 0, SYN),
            // RFC 5961, section 5.2: not sent yet, or long since.
            3 => (due, ours.wrapping_add(1 + far), ACK),
            // A little before what is due is where a peer stands that probes, and is heard.
            4 => (due.wrapping_sub(200_000 + far), ours.wrapping_sub(far), ACK),
            // RFC 9293 3.10.7.4: a segment without ACK is dropped.
            _no_ack => (beyond, 0, PSH),
        };
        let header = TcpHeader { seq, ack, flags, window: u16::from(b), ..TcpHeader::default() };
        let tuple = if b == 255 { (tuple.0, SocketAddr::new(tuple.1.ip(), 9)) } else { tuple };
        Some(forge(tuple, header, if flags == PSH { b"forged" } else { b"" }))
    }

    /// An ICMP error about a segment of the end.
    fn complain(now: Instant, b: u8, c: u8, end: &mut End) {
        let Some((tuple, standing)) = end.promises().latest() else { return };
        let Standing { iss, next, .. } = standing;
        let kind = match b % 8 {
            0..4 => ERRORS[usize::from(b % 4)],
            _ => IpErrorKind::FragmentationNeeded { mtu: u32::from(c) * 8 },
        };
        let seq = iss.wrapping_add(next).wrapping_sub(1 + u32::from(b / 8) * 200);
        let mut quote = Vec::new();
        quote.extend(tuple.0.port().to_be_bytes());
        quote.extend(tuple.1.port().to_be_bytes());
        quote.extend(seq.to_be_bytes());
        let error = IpError {
            interface: InterfaceId(0),
            kind,
            reporter: Some(address(7).ip()),
            source: tuple.0.ip(),
            destination: tuple.1.ip(),
            protocol: protocol::TCP,
            length: 1500,
            quote: PacketBuf::copy_from(&quote),
        };
        end.error(now, error);
    }
}

/// A segment to the first of the two, as if from the second.
fn forge(tuple: Tuple, header: TcpHeader, text: &[u8]) -> Packet {
    let (to, from) = tuple;
    let header = TcpHeader { source: from.port(), destination: to.port(), ..header };
    let to = if to.port() == 0 { SocketAddr::new(to.ip(), PORT) } else { to };
    Packet::sealed(from, to, tcp_segment(&header, text))
}
