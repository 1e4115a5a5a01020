//! What lies between the ends: packets in the order they were sent, until an action says what
//! becomes of each.

use core::fmt;
use core::net::SocketAddr;
use std::collections::VecDeque;

use layer::boundary::{Cast, Datagram, Send, protocol};
use layer::checksum::pseudo_header;
use layer::{ChecksumState, InterfaceId, PacketBuf};

use crate::promises::View;

/// Where both sides listen.
pub(super) const PORT: u16 = 80;
/// Packets on a wire; the oldest gives way.
const MOST: usize = 256;
/// Packets remembered, to come again much later.
const REMEMBERED: usize = 32;

/// A segment on its way, as bytes from the TCP header on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) bytes: Vec<u8>,
    /// A bit was flipped: nobody may take it.
    pub(super) broken: bool,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Wire {
    packets: VecDeque<Packet>,
    past: VecDeque<Packet>,
}

impl Wire {
    pub(super) fn put(&mut self, packet: Packet) {
        if self.packets.len() == MOST {
            self.packets.pop_front();
        }
        self.packets.push_back(packet);
    }

    /// Takes one off, about the one of this index.
    pub(super) fn take(&mut self, index: usize) -> Option<Packet> {
        let packet = self.packets.remove(index % self.packets.len().max(1))?;
        if self.past.len() == REMEMBERED {
            self.past.pop_front();
        }
        self.past.push_back(packet.clone());
        Some(packet)
    }

    pub(super) fn double(&mut self, index: usize) {
        let copy = self.packets.get(index % self.packets.len().max(1)).cloned();
        copy.into_iter().for_each(|copy| self.put(copy));
    }

    pub(super) fn corrupt(&mut self, index: usize, bit: usize) {
        let at = index % self.packets.len().max(1);
        let Some(packet) = self.packets.get_mut(at).filter(|packet| !packet.broken) else { return };
        let bit = bit % (packet.bytes.len() * 8);
        packet.bytes[bit / 8] ^= 1 << (bit % 8);
        packet.broken = true;
    }

    /// One that was taken off before.
    pub(super) fn replay(&mut self, index: usize) -> Option<Packet> {
        self.past.get(index % self.past.len().max(1)).cloned()
    }
}

impl Packet {
    /// With its checksum made right.
    pub(super) fn sealed(source: SocketAddr, destination: SocketAddr, mut bytes: Vec<u8>) -> Self {
        bytes[16..18].fill(0);
        let mut sum = pseudo_header(source.ip(), destination.ip(), protocol::TCP, bytes.len());
        sum.add(&bytes);
        bytes[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
        Self { source, destination, bytes, broken: false }
    }

    /// As IP hands it up.
    pub(super) fn datagram(&self, mtu: u32) -> Datagram {
        Datagram {
            interface: InterfaceId(0),
            source: self.source.ip(),
            destination: self.destination.ip(),
            cast: Cast::Unicast,
            protocol: protocol::TCP,
            ttl: 64,
            tos: 0,
            mtu,
            header_len: 0,
            packet: PacketBuf::copy_from(&self.bytes),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, broken, .. } = self;
        write!(f, "{}->{}", source.port(), destination.port())?;
        f.write_str(if *broken { " broken" } else { "" })?;
        match View::read(&self.bytes) {
            Ok(view) => write!(f, " {view}"),
            Err(what) => write!(f, " {what}"),
        }
    }
}

/// Cuts what a stack sends as a device would; each piece gets its own checksum.
///
/// # Errors
///
/// What no device could cut, and what IP would refuse.
pub(super) fn cut(send: &Send, mtu: u32) -> Result<Vec<Packet>, String> {
    let bytes = send.packet.to_vec();
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let source = send.source.ok_or("no source address")?;
    let (source, destination) =
        (SocketAddr::new(source, word(0)), SocketAddr::new(send.destination, word(2)));
    if send.packet.offload().checksum != (ChecksumState::Partial { start: 0, field: 16 }) {
        return Err("the checksum is left to nobody".to_owned());
    }
    let header = usize::from(bytes[12] >> 4) * 4;
    let text = bytes.get(header..).ok_or("a header longer than the segment")?;
    let size = send.packet.offload().segmentation.map_or(usize::MAX, |cut| cut.size.into());
    let largest = text.len().min(size) + header + 20;
    if largest > mtu as usize {
        return Err(format!("a packet of {largest} bytes exceeds the interface's {mtu}"));
    }
    if text.len() <= size {
        return Ok(vec![Packet::sealed(source, destination, bytes)]);
    }
    let count = text.len().div_ceil(size.max(1));
    let seq = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let piece = |(number, text): (usize, &[u8])| {
        let mut piece = bytes[..header].to_vec();
        let at = seq.wrapping_add((number * size) as u32);
        piece[4..8].copy_from_slice(&at.to_be_bytes());
        if number + 1 < count {
            // FIN and PSH are of the last.
            piece[13] &= !0x09;
        }
        piece.extend(text);
        Packet::sealed(source, destination, piece)
    };
    Ok(text.chunks(size.max(1)).enumerate().map(piece).collect())
}
