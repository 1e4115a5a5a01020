//! The IPv4 header (RFC 791 3.1): the bytes, and a struct that cannot be malformed.
//!
//! Reading stands on etherparse's slice type; writing is ours, because we send no options. Options
//! received are only walked, to refuse source routes and what is malformed; see [`walk_options`].

use core::net::Ipv4Addr;

use etherparse::Ipv4HeaderSlice;
use layer::{PacketBuf, Reason, checksum::Sum};

/// Bytes of a header without options: every header we send.
pub(crate) const HEADER: usize = 20;

/// Bytes of the longest header.
pub(crate) const MAX_HEADER: usize = 60;

/// The largest packet the length field can say.
pub(crate) const MAX_PACKET: usize = 65_535;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

/// What an IPv4 header says, options aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of header, options included.
    pub(crate) header_len: usize,
    /// Bytes of header and payload.
    pub(crate) total_len: usize,
    /// DSCP and ECN.
    pub(crate) tos: u8,
    pub(crate) identification: u16,
    pub(crate) dont_fragment: bool,
    pub(crate) more_fragments: bool,
    /// Where the payload belongs in the whole datagram's, bytes.
    pub(crate) offset: usize,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
}

impl Header {
    /// Reads what [`check`] has found to be a header.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let slice = Ipv4HeaderSlice::from_slice(bytes).ok()?;
        Some(Self {
            header_len: slice.slice().len(),
            total_len: usize::from(slice.total_len()),
            tos: bytes.get(1).copied().unwrap_or_default(),
            identification: slice.identification(),
            dont_fragment: slice.dont_fragment(),
            more_fragments: slice.more_fragments(),
            offset: usize::from(slice.fragments_offset().value()) * 8,
            ttl: slice.ttl(),
            protocol: slice.protocol().0,
            source: slice.source_addr(),
            destination: slice.destination_addr(),
        })
    }

    /// It is a piece of a larger datagram.
    pub(crate) fn is_fragment(&self) -> bool {
        self.more_fragments || self.offset != 0
    }

    /// Prepends this header, without options, to its payload.
    pub(crate) fn prepend_to(&self, packet: &mut PacketBuf) {
        let bytes = packet.prepend(HEADER);
        let total = u16::try_from(self.total_len).unwrap_or(u16::MAX);
        let mut flags = u16::try_from(self.offset / 8).unwrap_or_default();
        if self.dont_fragment {
            flags |= DONT_FRAGMENT;
        }
        if self.more_fragments {
            flags |= MORE_FRAGMENTS;
        }
        bytes[0] = 0x45;
        bytes[1] = self.tos;
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.identification.to_be_bytes());
        bytes[6..8].copy_from_slice(&flags.to_be_bytes());
        bytes[8] = self.ttl;
        bytes[9] = self.protocol;
        bytes[12..16].copy_from_slice(&self.source.octets());
        bytes[16..20].copy_from_slice(&self.destination.octets());
        write_checksum(bytes);
    }
}

/// Computes the header checksum over `header`, whose length is a multiple of 4 and 20 or more.
pub(crate) fn write_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let mut sum = Sum::new();
    sum.add(header);
    header[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
}

/// The checks on the header alone, in RFC 1122's order. Trims the packet to its total length and
/// makes the header contiguous.
pub(crate) fn check(packet: &mut PacketBuf) -> Result<Header, Reason> {
    if !packet.pull(HEADER) {
        return Err(Reason::IpTruncated);
    }
    let first = packet.head().first().copied().unwrap_or_default();
    // RFC 1122 3.2.1.1: a version other than 4 is dropped in silence.
    if first >> 4 != 4 {
        return Err(Reason::IpBadVersion);
    }
    // RFC 791 ihl: five words at least, and within the packet.
    let header_len = usize::from(first & 0xf) * 4;
    if header_len < HEADER {
        return Err(Reason::IpBadHeaderLength);
    }
    if !packet.pull(header_len) {
        return Err(Reason::IpTruncated);
    }
    let bytes = packet.header(header_len).unwrap_or_default();
    // RFC 1122 3.2.1.2: the checksum is verified on every datagram, whatever a device says.
    let mut sum = Sum::new();
    sum.add(bytes);
    if !sum.is_valid() {
        return Err(Reason::IpBadChecksum);
    }
    let header = Header::read(bytes).ok_or(Reason::IpBadHeaderLength)?;
    // RFC 791 length: beyond the frame or below the header is dropped; a longer frame is trimmed.
    if header.total_len < header_len || header.total_len > packet.len() {
        return Err(Reason::IpBadLength);
    }
    packet.truncate(header.total_len);
    Ok(header)
}

/// What is wrong with the options of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionFault {
    /// A source route, which we refuse.
    SourceRoute,
    /// A length that cannot be; `pointer` is the option's offset in the header.
    Malformed { pointer: u8 },
}

/// Walks the options of a header: unknown ones are skipped by their length.
pub(crate) fn walk_options(header: &[u8]) -> Result<(), OptionFault> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE_SOURCE_ROUTE: u8 = 131;
    const STRICT_SOURCE_ROUTE: u8 = 137;
    let mut at = HEADER;
    while let Some(&kind) = header.get(at) {
        match kind {
            END => return Ok(()),
            NOP => at += 1,
            // RFC 7126 4.3: loose source routes are refused.
            // RFC 7126 4.4: strict source routes are refused.
            LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => return Err(OptionFault::SourceRoute),
            _unknown => {
                // RFC 1122 3.2.1.8: options we do not know are ignored, and none makes us read on
                // past the header.
                let len = usize::from(header.get(at + 1).copied().unwrap_or_default());
                if len < 2 || at + len > header.len() {
                    let pointer = u8::try_from(at).unwrap_or_default();
                    return Err(OptionFault::Malformed { pointer });
                }
                at += len;
            }
        }
    }
    Ok(())
}
