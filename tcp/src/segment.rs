//! One TCP segment: from a datagram, and into one (RFC 9293 3.1).

use core::fmt;
use core::net::SocketAddr;

use etherparse::TcpHeaderSlice;
use layer::boundary::{Datagram, protocol};
use layer::{ChecksumState, PacketBuf, Reason, checksum};

use crate::options::Options;
use crate::send::ecn::codepoint;
use crate::seq::Seq;

/// Bytes of a header without options.
pub const HEADER: usize = 20;

/// Where the checksum field is, bytes from the header's start.
const CHECKSUM_FIELD: u16 = 16;

/// The control bits (RFC 9293 3.1).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// All of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As tcpdump writes them.
        for (bit, letter) in "FSRP.UEW".chars().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// A segment whose header made sense, or one to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// SEG.SEQ.
    pub seq: Seq,
    /// SEG.ACK; meaningful with [`Flags::ACK`].
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// The ECN field of its IP header (RFC 3168 5).
    pub ecn: u8,
    /// SEG.WND as on the wire, unscaled.
    pub window: u16,
    /// SEG.UP.
    pub urgent: u16,
    /// Options.
    pub options: Options,
    /// The text.
    pub payload: PacketBuf,
}

/// Why a datagram is no segment.
pub type SegmentError = Reason;

impl Segment {
    /// A segment without text.
    pub fn bare(source: SocketAddr, destination: SocketAddr, flags: Flags, seq: Seq) -> Self {
        Self {
            source,
            destination,
            seq,
            ack: Seq(0),
            flags,
            ecn: 0,
            window: 0,
            urgent: 0,
            options: Options::default(),
            payload: PacketBuf::new(),
        }
    }

    /// Reads and checks a datagram.
    ///
    /// # Errors
    ///
    /// The reason for which it is to be dropped: truncated, or the checksum is wrong.
    pub fn read(datagram: Datagram) -> Result<Self, SegmentError> {
        let Datagram { source, destination, tos, mut packet, .. } = datagram;
        // RFC 9293 3.1 MUST-3: every segment received is checked.
        if !checksum::verify(&packet, source, destination, protocol::TCP) {
            return Err(Reason::TcpBadChecksum);
        }
        if !packet.pull(HEADER) {
            return Err(Reason::TcpTruncated);
        }
        let length = usize::from(packet.head()[12] >> 4) * 4;
        if length < HEADER || !packet.pull(length) {
            return Err(Reason::TcpTruncated);
        }
        let Ok(header) = TcpHeaderSlice::from_slice(packet.head()) else {
            return Err(Reason::TcpTruncated);
        };
        // Copied, so that the packet itself can become the text: an empty one to be replaced later
        // would cost every segment two allocations.
        let (flags, header) = (Flags(header.slice()[13]), header.to_header());
        packet.advance(length);
        Ok(Self {
            source: SocketAddr::new(source, header.source_port),
            destination: SocketAddr::new(destination, header.destination_port),
            seq: Seq(header.sequence_number),
            ack: Seq(header.acknowledgment_number),
            flags,
            ecn: tos & codepoint::MASK,
            // RFC 9293 3.1 MUST-1: unsigned; REC-1: kept in 32 bits wherever it is scaled.
            window: header.window_size,
            urgent: header.urgent_pointer,
            options: Options::read(header.options.as_slice()),
            payload: packet,
        })
    }

    /// SEG.LEN: bytes of sequence space, SYN and FIN included.
    pub fn len(&self) -> u32 {
        self.text_len()
            + u32::from(self.flags.has(Flags::SYN))
            + u32::from(self.flags.has(Flags::FIN))
    }

    /// Bytes of text.
    pub fn text_len(&self) -> u32 {
        u32::try_from(self.payload.len()).unwrap_or(u32::MAX)
    }

    /// It takes no sequence space.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the header before the text. The checksum is left to IP and below (RFC 9293 3.1
    /// MUST-2): the field is 0 and the metadata says `Partial`.
    pub fn write(self) -> PacketBuf {
        let mut packet = self.payload;
        let length = HEADER + self.options.len();
        let header = packet.prepend(length);
        header[0..2].copy_from_slice(&self.source.port().to_be_bytes());
        header[2..4].copy_from_slice(&self.destination.port().to_be_bytes());
        header[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        header[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        header[12] = u8::try_from(length / 4).unwrap_or(15) << 4;
        header[13] = self.flags.0;
        header[14..16].copy_from_slice(&self.window.to_be_bytes());
        header[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        self.options.write(&mut header[HEADER..]);
        packet.offload_mut().checksum = ChecksumState::Partial { start: 0, field: CHECKSUM_FIELD };
        packet
    }
}

#[cfg(test)]
mod tests;
