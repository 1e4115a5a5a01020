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
    let plan = Plan::of(frame)?;
    for place in plan.places() {
        let mut piece = frame.share(plan.headers.len + place.offset, place.len);
        let front = piece.prepend(plan.headers.len);
        front.copy_from_slice(&frame.head()[..plan.headers.len]);
        plan.fix(front, place);
        plan.finish_checksum(&mut piece, place);
        pieces.push(piece);
    }
    Ok(())
}

/// As [`cut`], for who only writes the pieces: each is put together in `scratch`, behind `prefix`,
/// and given to `write`, until that fails.
///
/// # Errors
///
/// As [`cut`]; nothing was written.
pub(crate) fn write_pieces<E>(
    frame: &mut PacketBuf,
    prefix: &[u8],
    scratch: &mut Vec<u8>,
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Result<(), E>, Uncuttable> {
    let plan = Plan::of(frame)?;
    let mut skip = plan.headers.len;
    let mut chunks = frame.chunks();
    let mut chunk: &[u8] = &[];
    for place in plan.places() {
        scratch.clear();
        scratch.extend_from_slice(prefix);
        scratch.extend_from_slice(&frame.head()[..plan.headers.len]);
        let mut missing = place.len;
        while missing > 0 {
            if chunk.is_empty() {
                let Some(next) = chunks.next() else { break };
                chunk = next.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(next.len());
                continue;
            }
            let (part, rest) = chunk.split_at(missing.min(chunk.len()));
            scratch.extend_from_slice(part);
            (chunk, missing) = (rest, missing - part.len());
        }
        let piece = &mut scratch[prefix.len()..];
        plan.fix(piece, place);
        plan.sum_up(piece, place);
        if let Err(error) = write(scratch) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// How a super-segment is cut.
struct Plan {
    headers: Headers,
    /// Payload of a piece, bytes; the last one may have less.
    size: usize,
    /// Payload of the whole, bytes.
    payload: usize,
    ecn: bool,
    /// The whole's.
    checksum: ChecksumState,
}

impl Plan {
    fn of(frame: &mut PacketBuf) -> Result<Self, Uncuttable> {
        let Segmentation { kind: _, size, ecn } = frame.offload().segmentation.ok_or(Uncuttable)?;
        // Headers normally are in the head already; at most this copies them there.
        let _ = frame.pull(headers::LARGEST.min(frame.len()));
        let headers = Headers::parse(frame.head()).ok_or(Uncuttable)?;
        let (size, payload) = (usize::from(size), frame.len() - headers.len);
        if size == 0 {
            return Err(Uncuttable);
        }
        Ok(Self { headers, size, payload, ecn, checksum: frame.offload().checksum })
    }

    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let (size, payload) = (self.size, self.payload);
        let count = payload.div_ceil(size).max(1);
        (0..count).map(move |index| {
            let offset = index * size;
            let len = size.min(payload - offset);
            Place { index, offset, len, first: index == 0, last: index + 1 == count }
        })
    }

    /// Puts the headers of a piece right that were copied from the whole.
    fn fix(&self, front: &mut [u8], place: Place) {
        let transport_len = self.transport_len(place);
        fix_network(front, &self.headers, place, transport_len);
        fix_transport(front, &self.headers, place, transport_len, self.ecn);
    }

    fn transport_len(&self, place: Place) -> usize {
        self.headers.len - self.headers.transport + place.len
    }

    /// Where the checksum is in the frame.
    fn checksum_at(&self) -> usize {
        self.headers.transport + self.headers.checksum_field()
    }

    /// RFC 768: no checksum was wanted.
    fn unwanted(&self, field: &[u8]) -> bool {
        self.headers.protocol == protocol::UDP
            && matches!(self.headers.source, IpAddr::V4(_))
            && self.checksum == ChecksumState::Complete
            && field == [0, 0]
    }

    fn pseudo_header(&self, place: Place) -> checksum::Sum {
        let Headers { source, destination, protocol, .. } = self.headers;
        pseudo_header(source, destination, protocol, self.transport_len(place))
    }

    /// The checksum over the piece, whatever the state of the whole's was.
    fn finish_checksum(&self, piece: &mut PacketBuf, place: Place) {
        let at = self.checksum_at();
        let field = &mut piece.head_mut()[at..at + 2];
        if self.unwanted(field) {
            return;
        }
        field.copy_from_slice(&self.pseudo_header(place).value().to_be_bytes());
        let field = low_u16(self.headers.checksum_field());
        let start = low_u16(self.headers.transport);
        piece.offload_mut().checksum = ChecksumState::Partial { start, field };
        let done = checksum::complete(piece);
        debug_assert!(done, "the headers are in the head");
    }

    /// The same over a piece that is in one place.
    fn sum_up(&self, piece: &mut [u8], place: Place) {
        let at = self.checksum_at();
        if self.unwanted(&piece[at..at + 2]) {
            return;
        }
        put_u16(piece, at, 0);
        let mut sum = self.pseudo_header(place);
        sum.add(&piece[self.headers.transport..]);
        // RFC 768: a checksum of zero is sent as all ones.
        put_u16(
            piece,
            at,
            match sum.checksum() {
                0 => 0xffff,
                other => other,
            },
        );
    }
}

/// Which piece of the whole.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    offset: usize,
    /// Payload, bytes.
    len: usize,
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
