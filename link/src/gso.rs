//! Segmentation and checksums in software, for devices that do neither.
//!
//! Behind the last outlet a super-segment is cut into the frames that the wire carries, as a NIC
//! would: payload by reference, headers copied and put right. Linux documents the same rules in
//! `Documentation/networking/segmentation-offloads.rst`.
//!
//! Left out: IPv6 extension headers and fragments, which no super-segment of ours has.

use core::net::IpAddr;

use layer::boundary::protocol;
use layer::checksum::{self, pseudo_header};
use layer::{ChecksumState, PacketBuf, Segmentation};

use crate::headers::{self, Headers};
use crate::link::HEADER;

const TCP_FIN: u8 = 0x01;
const TCP_PSH: u8 = 0x08;
const TCP_CWR: u8 = 0x80;

/// The packet is not what its metadata says, and was not cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncuttable;

/// Appends to `frames` what a wire carries of `frame` (an Ethernet frame): itself, or the pieces
/// of a super-segment; no checksum left partial.
///
/// # Errors
///
/// The metadata contradicts the frame; nothing was appended.
pub fn to_wire(mut frame: PacketBuf, frames: &mut Vec<PacketBuf>) -> Result<(), Uncuttable> {
    if frame.offload().segmentation.is_some() {
        return cut(&mut frame, frames);
    }
    if !checksum::complete(&mut frame) {
        return Err(Uncuttable);
    }
    frames.push(frame);
    Ok(())
}

/// Cuts a super-segment at its segment size and appends the pieces to `pieces`, payload shared.
/// The frame itself stays as it is.
///
/// # Errors
///
/// Not a super-segment, or not what its metadata says; nothing was appended.
pub fn cut(frame: &mut PacketBuf, pieces: &mut Vec<PacketBuf>) -> Result<(), Uncuttable> {
    let Segmentation { kind: _, size, ecn } = frame.offload().segmentation.ok_or(Uncuttable)?;
    // Headers normally are in the head already; at most this copies them there.
    let _ = frame.pull(headers::LARGEST.min(frame.len()));
    let headers = Headers::parse(frame.head()).ok_or(Uncuttable)?;
    let (size, payload) = (usize::from(size), frame.len() - headers.len);
    if size == 0 {
        return Err(Uncuttable);
    }
    let count = payload.div_ceil(size).max(1);
    for index in 0..count {
        let offset = index * size;
        let len = size.min(payload - offset);
        let mut piece = frame.share(headers.len + offset, len);
        let front = piece.prepend(headers.len);
        front.copy_from_slice(&frame.head()[..headers.len]);
        let place = Place { index, offset, first: index == 0, last: index + 1 == count };
        let transport_len = headers.len - headers.transport + len;
        fix_network(front, &headers, place, transport_len);
        fix_transport(front, &headers, place, transport_len, ecn);
        finish_checksum(&mut piece, &headers, transport_len, frame.offload().checksum);
        pieces.push(piece);
    }
    Ok(())
}

/// Which piece of the whole.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    offset: usize,
    first: bool,
    last: bool,
}

/// Length, and for IPv4 a fresh identification and header checksum.
fn fix_network(front: &mut [u8], headers: &Headers, place: Place, transport_len: usize) {
    let ip = &mut front[HEADER..headers.transport];
    match headers.source {
        IpAddr::V4(_) => {
            let total = ip.len() + transport_len;
            amend(ip, 2, low_u16(total));
            // RFC 6864 4.3: datagrams that may be fragmented need distinct identifications.
            let id = u16::from_be_bytes([ip[4], ip[5]]).wrapping_add(low_u16(place.index));
            amend(ip, 4, id);
        }
        IpAddr::V6(_) => put_u16(ip, 4, low_u16(transport_len)),
    }
}

/// TCP: sequence number and flags. UDP: length.
fn fix_transport(front: &mut [u8], headers: &Headers, place: Place, len: usize, ecn: bool) {
    let transport = &mut front[headers.transport..];
    if headers.protocol == protocol::UDP {
        return put_u16(transport, 4, low_u16(len));
    }
    let seq = [transport[4], transport[5], transport[6], transport[7]];
    let offset = u32::try_from(place.offset).unwrap_or(u32::MAX);
    let seq = u32::from_be_bytes(seq).wrapping_add(offset);
    transport[4..8].copy_from_slice(&seq.to_be_bytes());
    if !place.last {
        transport[13] &= !(TCP_FIN | TCP_PSH);
    }
    // RFC 3168 6.1.2: CWR is set on the first new data packet only.
    if ecn && !place.first {
        transport[13] &= !TCP_CWR;
    }
}

/// The checksum over the piece, whatever the state of the whole's was.
fn finish_checksum(piece: &mut PacketBuf, headers: &Headers, len: usize, whole: ChecksumState) {
    let at = headers.transport + headers.checksum_field();
    let field = &mut piece.head_mut()[at..at + 2];
    let v4 = matches!(headers.source, IpAddr::V4(_));
    if headers.protocol == protocol::UDP
        && v4
        && whole == ChecksumState::Complete
        && *field == [0, 0]
    {
        // RFC 768: no checksum was wanted.
        return;
    }
    let sum = pseudo_header(headers.source, headers.destination, headers.protocol, len);
    field.copy_from_slice(&sum.value().to_be_bytes());
    let (start, field) = (low_u16(headers.transport), low_u16(headers.checksum_field()));
    piece.offload_mut().checksum = ChecksumState::Partial { start, field };
    let done = checksum::complete(piece);
    debug_assert!(done, "the headers are in the head");
}

/// Changes a word of an IPv4 header and its checksum with it (RFC 1624 3).
fn amend(ip: &mut [u8], at: usize, value: u16) {
    let old = u16::from_be_bytes([ip[at], ip[at + 1]]);
    let checksum = u16::from_be_bytes([ip[10], ip[11]]);
    put_u16(ip, at, value);
    put_u16(ip, 10, checksum::adjust(checksum, old, value));
}

fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Lengths here are bounded by the packet; the low half is what the header holds.
fn low_u16(value: usize) -> u16 {
    (value & 0xffff) as u16
}

#[cfg(test)]
mod tests;
