//! Where hostile frames come from: valid ones of every protocol, into open and closed ports and
//! live connections; then [`mutate`](super::mutate) has its way with some.

use std::collections::BTreeMap;

use core::net::Ipv4Addr;
use layer::boundary::{ethertype, protocol};
use layer::{ChecksumState, MacAddr, PacketBuf, Segmentation, SegmentationKind};

use super::{HOST, mutate};
use crate::frame::{self, Address, TcpHeader, ethernet};
use crate::rng::Rng;

/// Ports that programs use, and some that nobody does.
const PORTS: [u16; 5] = [7, 80, 9, 4000, 0];
/// Flows remembered.
const FLOWS: usize = 64;
/// Frames of the host remembered, to be quoted and thrown back.
const HEARD: usize = 32;

/// A live connection as the peer should see it.
#[derive(Clone, Copy, Debug)]
struct Flow {
    peer: Address,
    peer_port: u16,
    port: u16,
    /// The next byte the host waits for, and the next it will send.
    seq: u32,
    ack: u32,
    /// The host has sent a SYN and knows nothing of us.
    opening: bool,
}

/// How hostile the storm is for a while. Hostility alone would never let a connection live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Peers that know TCP, and mostly stick to it: buffers fill and much is in flight.
    Gentle,
    /// Everything, as said above.
    Hostile,
    /// Strangers by the hundred: tables fill.
    Crowded,
}

/// The generator.
pub(super) struct Storm {
    rng: Rng,
    mood: Mood,
    flows: BTreeMap<(Ipv4Addr, u16, u16), Flow>,
    heard: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Storm {
    pub(super) fn new(seed: u64) -> Self {
        let rng = Rng::derive(seed, "storm", 0);
        let mood = Mood::Hostile;
        Self { rng, mood, flows: BTreeMap::new(), heard: Vec::new(), last: Vec::new() }
    }

    /// The host sent this: its connections are targets now.
    pub(super) fn heard(&mut self, bytes: Vec<u8>) {
        self.learn(&bytes);
        if self.heard.len() < HEARD {
            self.heard.push(bytes);
        } else {
            let at = self.rng.index(HEARD);
            self.heard[at] = bytes;
        }
    }

    fn learn(&mut self, bytes: &[u8]) -> Option<()> {
        let ip = bytes.get(14..34).filter(|ip| ip[0] == 0x45 && ip[9] == protocol::TCP)?;
        let tcp = bytes.get(34..54)?;
        let word = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        let long = |at: usize| u32::from(word(at)) << 16 | u32::from(word(at + 2));
        let flags = tcp[13];
        let peer_ip = Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]);
        let mac = MacAddr(core::array::from_fn(|i| bytes[i]));
        let key = (peer_ip, word(2), word(0));
        // RST ends it; everything else tells where it stands.
        if flags & 0x04 != 0 {
            self.flows.remove(&key);
            return Some(());
        }
        if self.flows.len() >= FLOWS && !self.flows.contains_key(&key) {
            self.flows.pop_first();
        }
        let text = bytes.len() - 34 - usize::from(tcp[12] >> 4) * 4;
        let control = u32::from(flags & 1) + u32::from(flags >> 1 & 1);
        let seq = if flags & 0x10 != 0 { long(8) } else { self.rng.draw() as u32 };
        let ack = long(4).wrapping_add(text as u32 + control);
        let peer = Address { mac, ip: peer_ip };
        let opening = flags & 0x12 == 0x02;
        let flow = Flow { peer, peer_port: key.1, port: key.2, seq, ack, opening };
        self.flows.insert(key, flow);
        Some(())
    }

    /// The next frame.
    pub(super) fn frame(&mut self) -> PacketBuf {
        if self.rng.index(400) == 0 {
            self.mood = *self.rng.pick(&[Mood::Gentle, Mood::Gentle, Mood::Hostile, Mood::Crowded]);
        }
        let mut bytes = match (self.rng.index(100), self.mood) {
            (0..20, Mood::Gentle) => self.syn(),
            (20..95, Mood::Gentle) => self.honest_segment(),
            (0..40, Mood::Crowded) => self.arp(),
            (40..90, Mood::Crowded) => self.syn(),
            (0..12, _) => self.arp(),
            (12..22, _) => self.icmp(),
            (22..34, _) => self.udp(),
            (34..42, _) => self.syn(),
            (42..86, _) => self.segment(),
            (86..92, _) => self.junk(),
            (92..96, _) => self.last.clone(),
            (_, _) => self.thrown_back(),
        };
        self.last.clone_from(&bytes);
        let harm =
            if self.mood == Mood::Hostile { self.rng.index(10) } else { self.rng.index(200) };
        match harm {
            5..8 => {
                mutate::mutate(&mut self.rng, &mut bytes);
                mutate::fix_checksums(&mut bytes);
            }
            8..10 => mutate::mutate(&mut self.rng, &mut bytes),
            _ => {}
        }
        let mut packet = PacketBuf::copy_from(&bytes);
        if self.mood == Mood::Hostile && self.rng.index(100) == 0 {
            self.lie(&mut packet);
        }
        packet
    }

    fn neighbour(&mut self) -> Address {
        let number = match self.mood {
            Mood::Gentle | Mood::Hostile => *self.rng.pick(&[1, 3, 4, 5]),
            Mood::Crowded => self.rng.index(256) as u8,
        };
        Address::numbered(number)
    }

    fn arp(&mut self) -> Vec<u8> {
        let from = self.neighbour();
        let target = *self.rng.pick(&[HOST.ip, from.ip, Ipv4Addr::new(10, 0, 0, 77)]);
        let sender = *self.rng.pick(&[from.ip, from.ip, from.ip, Ipv4Addr::UNSPECIFIED, HOST.ip]);
        let mut message = arp::Message::request(from.mac, sender, target);
        if self.rng.index(3) == 0 {
            message.operation = arp::Operation::Reply;
            message.target_mac = HOST.mac;
        }
        let to = *self.rng.pick(&[HOST.mac, MacAddr::BROADCAST]);
        ethernet(to, from.mac, ethertype::ARP, &message.to_packet().to_vec())
    }

    fn icmp(&mut self) -> Vec<u8> {
        let from = self.neighbour();
        let size = self.size();
        let message = if self.rng.index(2) == 0 || self.heard.is_empty() {
            frame::icmp_echo(8 * (self.rng.index(2) as u8), 1, 1, &vec![0x61; size])
        } else {
            let quoted = self.rng.pick(&self.heard).get(14..).unwrap_or_default().to_vec();
            let kind = *self.rng.pick(&[3, 3, 3, 4, 5, 11, 12]);
            let (code, rest) = (self.rng.index(16) as u8, self.rng.below(2000) as u32);
            frame::icmp_error(kind, code, rest, &quoted)
        };
        self.packet(from, protocol::ICMP, &message)
    }

    fn udp(&mut self) -> Vec<u8> {
        let from = self.neighbour();
        let (port, own, size) = (*self.rng.pick(&PORTS), *self.rng.pick(&PORTS), self.size());
        let datagram = frame::udp((from.ip, own), (HOST.ip, port), &vec![0x75; size]);
        self.packet(from, protocol::UDP, &datagram)
    }

    fn syn(&mut self) -> Vec<u8> {
        let from = self.neighbour();
        let header = TcpHeader {
            source: 1024 + self.rng.below(64) as u16,
            destination: *self.rng.pick(&PORTS),
            seq: self.rng.draw() as u32,
            flags: *self.rng.pick(&[0x02, 0x02, 0x02, 0x12, 0x03, 0x06, 0xc2]),
            window: self.rng.draw() as u16,
            options: self.options(),
            ..TcpHeader::default()
        };
        self.tcp(from, &header, 0)
    }

    /// A segment for a live connection, or nearly.
    fn segment(&mut self) -> Vec<u8> {
        let at = self.rng.index(self.flows.len());
        let Some(&flow) = self.flows.values().nth(at) else { return self.syn() };
        let flags =
            [0x10, 0x10, 0x10, 0x18, 0x18, 0x18, 0x11, 0x12, 0x02, 0x04, 0x14, 0x38, 0, 0xff];
        let near = [0, 0, 0, 0, 1, 100, 1460, 30_000, 70_000, u32::MAX, u32::MAX - 1000, 1 << 31];
        let header = TcpHeader {
            source: flow.peer_port,
            destination: flow.port,
            seq: flow.seq.wrapping_add(*self.rng.pick(&near)),
            ack: flow.ack.wrapping_add(*self.rng.pick(&near)),
            flags: *self.rng.pick(&flags),
            window: *self.rng.pick(&[0, 1, 100, 1460, 8192, 65_535, 65_535, 65_535]),
            urgent: *self.rng.pick(&[0, 0, 0, 0, 0, 0, 1, 65_535]),
            options: if self.rng.index(4) == 0 { self.options() } else { Vec::new() },
        };
        let size = if self.rng.index(3) == 0 { 0 } else { self.size() };
        self.tcp(flow.peer, &header, size)
    }

    /// What a peer might send that keeps to the rules, though not to the order of things: text at
    /// RCV.NXT or early, an ACK of all or of nothing new, windows that open and close.
    fn honest_segment(&mut self) -> Vec<u8> {
        let at = self.rng.index(self.flows.len());
        let Some(&flow) = self.flows.values().nth(at) else { return self.syn() };
        let early = *self.rng.pick(&[0, 0, 0, 0, 500, 1000, 2000, 5000]);
        let flags = if flow.opening { 0x12 } else { 0x10 };
        let fin = u8::from(!flow.opening && self.rng.index(100) == 0);
        let header = TcpHeader {
            source: flow.peer_port,
            destination: flow.port,
            seq: flow.seq.wrapping_add(if flow.opening { 0 } else { early }),
            ack: flow.ack.wrapping_sub(*self.rng.pick(&[0, 0, 0, 1000])),
            flags: flags | fin,
            window: *self.rng.pick(&[0, 500, 8192, 65_535, 65_535, 65_535]),
            urgent: 0,
            options: if flow.opening { self.options() } else { Vec::new() },
        };
        let bound = *self.rng.pick(&[1, 2, 600, 1401]);
        let size = if flow.opening { 0 } else { self.rng.index(bound) };
        self.tcp(flow.peer, &header, size)
    }

    fn tcp(&mut self, from: Address, header: &TcpHeader, size: usize) -> Vec<u8> {
        let segment = frame::tcp(from.ip, HOST.ip, header, &vec![0x74; size]);
        self.packet(from, protocol::TCP, &segment)
    }

    fn options(&mut self) -> Vec<u8> {
        let known: [&[u8]; 9] = [
            &[2, 4, 5, 180],
            &[2, 4, 0, 1],
            &[3, 3, 7],
            &[3, 3, 255],
            &[4, 2],
            &[8, 10, 0, 0, 0, 1, 0, 0, 0, 0],
            &[5, 10, 0, 0, 0, 1, 0, 0, 1, 0],
            &[1],
            &[254, 0],
        ];
        let mut options = Vec::new();
        for _ in 0..self.rng.index(6) {
            options.extend(*self.rng.pick(&known));
        }
        options
    }

    /// An IPv4 packet to the host, sometimes as a fragment, to a group, or with options.
    fn packet(&mut self, from: Address, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let id = self.rng.below(8) as u16;
        let mut frame = from.packet(&HOST, protocol, id, payload);
        match self.rng.index(40) {
            0..4 => {
                // Small offsets and few identifications, so that fragments meet.
                let more = (self.rng.index(2) as u16) << 13;
                let field = more | self.rng.below(64) as u16;
                frame[20..22].copy_from_slice(&field.to_be_bytes());
            }
            4 => {
                let special = [[255; 4], [10, 0, 0, 255], [224, 0, 0, 1], [127, 0, 0, 1], [0; 4]];
                let group: [u8; 4] = *self.rng.pick(&special);
                frame[30..34].copy_from_slice(&group);
                frame[..6].copy_from_slice(&MacAddr::BROADCAST.0);
            }
            5 => frame[22] = self.rng.index(3) as u8,
            _ => return frame,
        }
        mutate::fix_checksums(&mut frame);
        frame
    }

    fn junk(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.rng.index(200)];
        self.rng.fill(&mut bytes);
        if self.rng.index(2) == 0 && bytes.len() >= 14 {
            bytes[..6].copy_from_slice(&HOST.mac.0);
            let kind = *self.rng.pick(&[ethertype::ARP, ethertype::IPV4, ethertype::IPV6]);
            bytes[12..14].copy_from_slice(&kind.to_be_bytes());
        }
        bytes
    }

    /// What the host sent, with its addresses exchanged.
    fn thrown_back(&mut self) -> Vec<u8> {
        if self.heard.is_empty() {
            return self.junk();
        }
        let mut frame = self.rng.pick(&self.heard).clone();
        let (to, from) = frame.split_at_mut(6);
        to.swap_with_slice(&mut from[..6]);
        if let Some(addresses) = frame.get_mut(26..34) {
            let (source, destination) = addresses.split_at_mut(4);
            source.swap_with_slice(destination);
        }
        frame
    }

    fn size(&mut self) -> usize {
        let bound = *self.rng.pick(&[2, 64, 600, 1473]);
        self.rng.index(bound)
    }

    /// Offload metadata as no honest device would write it.
    fn lie(&mut self, packet: &mut PacketBuf) {
        let (start, field) = (self.rng.below(2000) as u16, self.rng.below(40) as u16);
        let states = [
            ChecksumState::Verified,
            ChecksumState::Partial { start, field },
            ChecksumState::Complete,
        ];
        packet.offload_mut().checksum = *self.rng.pick(&states);
        let kinds = [SegmentationKind::TcpV4, SegmentationKind::Udp, SegmentationKind::TcpV6];
        let (kind, size) = (*self.rng.pick(&kinds), self.rng.below(3000) as u16);
        let cut = Segmentation { kind, size, ecn: self.rng.index(2) == 0 };
        packet.offload_mut().segmentation = (self.rng.index(2) == 0).then_some(cut);
    }
}
