//! The virtio-net header before each frame (VIRTIO 1.2, 5.1.6), and the only file that knows it.
//!
//! ```text
//!    0       1          2         4          6            8             10
//!    | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset |  frame ...
//! ```
//!
//! TAP (`IFF_VNET_HDR`) and packet sockets (`PACKET_VNET_HDR`) put it there in this short form, in
//! host order. Above this file the same facts are [`Offload`]. What the kernel says is checked
//! against the frame: on a packet socket the header may describe what another machine sent.
//!
//! Left out: UDP fragmentation offload (withdrawn from Linux), tunnels, hash reports.

use layer::boundary::{ethertype, protocol};
use layer::{ChecksumState, Offload, PacketBuf, Segmentation, SegmentationKind};
use zerocopy::byteorder::native_endian::U16;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::headers::{self, Headers};
use crate::link::HEADER;

/// Bytes before each frame.
pub(crate) const LEN: usize = size_of::<Header>();

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// Most datagrams in one UDP super-segment: Linux's `UDP_MAX_SEGMENTS`.
const MOST_DATAGRAMS: usize = 128;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub(crate) struct Header {
    flags: u8,
    gso_type: u8,
    hdr_len: U16,
    gso_size: U16,
    csum_start: U16,
    csum_offset: U16,
}

/// The header contradicts the frame it stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction;

/// What the header at the front of `read` says about the frame behind it.
pub(crate) fn decode(read: &[u8]) -> Result<Offload, Contradiction> {
    let (header, frame) = Header::read_from_prefix(read).map_err(|_| Contradiction)?;
    let checksum = if header.flags & NEEDS_CSUM != 0 {
        let (start, field) = (header.csum_start.get(), header.csum_offset.get());
        let end = usize::from(start) + usize::from(field) + 2;
        if usize::from(start) < HEADER || end > frame.len() {
            return Err(Contradiction);
        }
        ChecksumState::Partial { start, field }
    } else if header.flags & DATA_VALID != 0 {
        ChecksumState::Verified
    } else {
        ChecksumState::Complete
    };
    let kind = match header.gso_type & !GSO_ECN {
        GSO_NONE if header.gso_type == GSO_NONE => {
            return Ok(Offload { checksum, segmentation: None });
        }
        GSO_TCPV4 => SegmentationKind::TcpV4,
        GSO_TCPV6 => SegmentationKind::TcpV6,
        GSO_UDP_L4 => SegmentationKind::Udp,
        _ => return Err(Contradiction),
    };
    let ecn = header.gso_type & GSO_ECN != 0;
    let segmentation = Segmentation { kind, size: header.gso_size.get(), ecn };
    if !plausible(segmentation, checksum, frame) {
        return Err(Contradiction);
    }
    Ok(Offload { checksum, segmentation: Some(segmentation) })
}

/// A super-segment is of the protocol it says, and its one checksum is accounted for.
fn plausible(segmentation: Segmentation, checksum: ChecksumState, frame: &[u8]) -> bool {
    let Some(headers) = Headers::parse(frame) else { return false };
    let family = u16::from_be_bytes([frame[12], frame[13]]);
    let payload = frame.len() - headers.len;
    let kind_fits = match segmentation.kind {
        SegmentationKind::TcpV4 => headers.protocol == protocol::TCP && family == ethertype::IPV4,
        SegmentationKind::TcpV6 => headers.protocol == protocol::TCP && family == ethertype::IPV6,
        SegmentationKind::Udp => {
            headers.protocol == protocol::UDP
                && payload <= MOST_DATAGRAMS * usize::from(segmentation.size)
        }
    };
    let checksum_fits = match checksum {
        // Nobody could ever check the checksum of a merged packet, so somebody has to vouch.
        ChecksumState::Complete => false,
        ChecksumState::Verified => true,
        ChecksumState::Partial { start, field } => {
            usize::from(start) == headers.transport
                && usize::from(field) == headers.checksum_field()
        }
    };
    segmentation.size > 0 && kind_fits && checksum_fits
}

/// The header that asks the kernel to do what the metadata of `packet` leaves to it.
pub(crate) fn encode(packet: &PacketBuf) -> [u8; LEN] {
    let Offload { checksum, segmentation } = packet.offload();
    let mut header = Header::new_zeroed();
    match checksum {
        ChecksumState::Complete => {}
        ChecksumState::Verified => header.flags = DATA_VALID,
        ChecksumState::Partial { start, field } => {
            header.flags = NEEDS_CSUM;
            header.csum_start.set(start);
            header.csum_offset.set(field);
        }
    }
    if let Some(Segmentation { kind, size, ecn }) = segmentation {
        header.gso_type = match kind {
            SegmentationKind::TcpV4 => GSO_TCPV4,
            SegmentationKind::TcpV6 => GSO_TCPV6,
            SegmentationKind::Udp => GSO_UDP_L4,
        };
        header.gso_type |= if ecn { GSO_ECN } else { 0 };
        header.gso_size.set(size);
        let front = packet.head().get(..headers::LARGEST).unwrap_or(packet.head());
        let len = Headers::parse(front).map_or(0, |headers| headers.len);
        header.hdr_len.set(u16::try_from(len).unwrap_or(0));
    }
    zerocopy::transmute!(header)
}

#[cfg(test)]
mod tests;
