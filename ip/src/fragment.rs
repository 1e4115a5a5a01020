//! Cutting a datagram that exceeds the MTU (RFC 791 3.2).

use layer::PacketBuf;

use crate::header::{HEADER, Header};

/// Payload bytes of each fragment but the last: what fits, in units of 8.
fn unit(mtu: usize) -> usize {
    (mtu.saturating_sub(HEADER) & !7).max(8)
}

/// How many fragments `cut` will make.
pub(crate) fn count(payload_len: usize, mtu: usize) -> usize {
    payload_len.div_ceil(unit(mtu))
}

/// The fragments of a datagram, in order, headers included; the payload is shared, not copied.
pub(crate) fn cut(
    header: Header,
    payload: &PacketBuf,
    mtu: usize,
) -> impl Iterator<Item = PacketBuf> {
    let (unit, whole) = (unit(mtu), payload.len());
    (0..whole).step_by(unit).map(move |offset| {
        let len = unit.min(whole - offset);
        let mut fragment = payload.share(offset, len);
        let header = Header {
            total_len: HEADER + len,
            offset,
            more_fragments: offset + len < whole,
            ..header
        };
        header.prepend_to(&mut fragment);
        fragment
    })
}
