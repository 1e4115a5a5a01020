//! The Internet checksum (RFC 1071), chained over slices of any length.
//!
//! It lives here and not in `link`, because IP, ICMP, TCP and UDP each need it and no protocol
//! crate depends on another.

use core::net::IpAddr;

use crate::PacketBuf;
use crate::offload::ChecksumState;

/// A running ones' complement sum. Slices may be added one after another; a slice of odd length
/// shifts the next one by a byte, as if all were one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Native-endian 16-bit words summed without folding (RFC 1071 2(B): byte order does not
    /// matter to the sum, only to its place in memory).
    total: u64,
    /// An odd number of bytes has been added so far.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    pub const fn new() -> Self {
        Self { total: 0, odd: false }
    }

    /// Adds a slice.
    pub fn add(&mut self, bytes: &[u8]) {
        let part = fold(sum_words(bytes));
        // At an odd place every word is swapped; RFC 1071 2(B).
        let part = if self.odd { part.swap_bytes() } else { part };
        self.total += u64::from(part);
        self.odd ^= bytes.len() % 2 == 1;
    }

    /// Adds one number as two bytes in network order.
    pub fn add_u16(&mut self, value: u16) {
        self.add(&value.to_be_bytes());
    }

    /// The folded sum in host order, not complemented.
    pub fn value(self) -> u16 {
        u16::from_be(fold(self.total))
    }

    /// The checksum to store in a header, in host order: the complement of the sum.
    pub fn checksum(self) -> u16 {
        !self.value()
    }

    /// Over data that includes its checksum: it is right.
    pub fn is_valid(self) -> bool {
        self.value() == 0xffff
    }
}

/// Sums native-endian 16-bit words, the last odd byte padded with zero.
fn sum_words(bytes: &[u8]) -> u64 {
    // 32-bit words into 64-bit lanes: no carry to handle below 16 GiB, and the loop vectorises.
    let mut lanes = [0_u64; 8];
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    let mut total: u64 = lanes.iter().sum();
    let mut words = blocks.remainder().chunks_exact(2);
    for word in &mut words {
        total += u64::from(u16::from_ne_bytes([word[0], word[1]]));
    }
    if let [last] = words.remainder() {
        total += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    total
}

/// Folds carries until 16 bits remain.
fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).unwrap_or(u16::MAX)
}

/// The checksum of data in which one aligned 16-bit word, `old`, has become `new`; all in host
/// order. RFC 1624 3: HC' = ~(~HC + ~m + m').
#[must_use]
pub fn adjust(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = u64::from(!checksum) + u64::from(!old) + u64::from(new);
    // Folding cannot give zero: what is folded is not, or HC was all ones and both words zero.
    !fold(sum)
}

/// The sum of the pseudo-header (RFC 9293 3.1, RFC 768, RFC 8200 8.1) for `len` bytes of transport
/// header and payload. Mixed families sum to what neither end would accept.
pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> Sum {
    let mut sum = Sum::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(v4) => sum.add(&v4.octets()),
            IpAddr::V6(v6) => sum.add(&v6.octets()),
        }
    }
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    sum.add(&len.to_be_bytes());
    sum.add_u16(u16::from(protocol));
    sum
}

/// Adds all chunks of a packet from `offset` on.
pub fn add_packet(sum: &mut Sum, packet: &PacketBuf, offset: usize) {
    let mut skip = offset;
    for chunk in packet.chunks() {
        match chunk.get(skip..) {
            Some(rest) => {
                sum.add(rest);
                skip = 0;
            }
            None => skip -= chunk.len(),
        }
    }
}

/// The transport checksum of a received packet is right, or somebody trustworthy vouches for it.
pub fn verify(packet: &PacketBuf, source: IpAddr, destination: IpAddr, protocol: u8) -> bool {
    if packet.offload().vouched() {
        return true;
    }
    let mut sum = pseudo_header(source, destination, protocol, packet.len());
    add_packet(&mut sum, packet, 0);
    sum.is_valid()
}

/// Completes a [`ChecksumState::Partial`] checksum in software: sums, stores, marks it complete.
/// A packet too short for its metadata is left alone and answered with false.
#[must_use]
pub fn complete(packet: &mut PacketBuf) -> bool {
    let ChecksumState::Partial { start, field } = packet.offload().checksum else { return true };
    let (start, at) = (usize::from(start), usize::from(start) + usize::from(field));
    if !packet.pull(at + 2) {
        return false;
    }
    let mut sum = Sum::new();
    add_packet(&mut sum, packet, start);
    // RFC 768: a UDP checksum of zero is sent as all ones; for TCP the two are the same number.
    let checksum = match sum.checksum() {
        0 => 0xffff,
        other => other,
    };
    packet.head_mut()[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    packet.offload_mut().checksum = ChecksumState::Complete;
    true
}

#[cfg(test)]
mod tests;
