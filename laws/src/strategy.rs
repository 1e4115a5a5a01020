//! Packets to try on a layer: arbitrary ones, and valid ones with something spoilt.
//!
//! Arbitrary bytes die at the first check; a valid packet with one bit turned gets as far as the
//! check that should see it. A good subject mixes valid, spoilt and arbitrary.

use bytes::Bytes;
use layer::{ChecksumState, Offload, PacketBuf, Segmentation, SegmentationKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Up to `max_len` arbitrary bytes.
pub fn bytes(max_len: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), 0..=max_len).boxed()
}

/// A packet of up to `max_len` arbitrary bytes, stored in any of the ways a packet can be.
pub fn packet(max_len: usize) -> BoxedStrategy<PacketBuf> {
    stored(bytes(max_len))
}

/// Packets of these bytes, stored in any of the ways a packet can be: owned head, shared head, or
/// a head and body slices cut at arbitrary places.
pub fn stored(bytes: BoxedStrategy<Vec<u8>>) -> BoxedStrategy<PacketBuf> {
    (bytes, 0_u8..4, vec(any::<Index>(), 2))
        .prop_map(|(bytes, how, cuts)| store(&bytes, how, &cuts))
        .boxed()
}

fn store(bytes: &[u8], how: u8, cuts: &[Index]) -> PacketBuf {
    if how < 2 {
        return PacketBuf::copy_from(bytes);
    }
    if how == 2 {
        return PacketBuf::from_shared(Bytes::copy_from_slice(bytes));
    }
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for cut in cuts {
        let done = bytes.len() - rest.len();
        let (piece, tail) = rest.split_at(cut - done);
        pieces.push(piece);
        rest = tail;
    }
    let mut packet = PacketBuf::copy_from(pieces.first().copied().unwrap_or_default());
    for piece in pieces.iter().skip(1).chain([&rest]) {
        packet.append(Bytes::copy_from_slice(piece));
    }
    packet
}

/// Valid packets with one to four faults each: a bit turned, a byte or a 16-bit word set, the end
/// cut off, bytes added, or the front of one packet spliced to the end of another.
pub fn mutated(valid: BoxedStrategy<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let faults = vec(fault(), 1..=4);
    (valid.clone(), valid, faults)
        .prop_map(|(mut bytes, other, faults)| {
            for fault in faults {
                fault.spoil(&mut bytes, &other);
            }
            bytes
        })
        .boxed()
}

/// Of every six packets: three valid, two mutated, one arbitrary; stored in any way.
pub fn hostile(valid: BoxedStrategy<Vec<u8>>) -> BoxedStrategy<PacketBuf> {
    let mixed = prop_oneof![3 => valid.clone(), 2 => mutated(valid), 1 => bytes(128)];
    stored(mixed.boxed())
}

/// Offload metadata, mostly contradicting the packet it is put on.
pub fn offload() -> BoxedStrategy<Offload> {
    let checksum = prop_oneof![
        Just(ChecksumState::Complete),
        Just(ChecksumState::Verified),
        (any::<u16>(), any::<u16>())
            .prop_map(|(start, field)| ChecksumState::Partial { start, field }),
        (0_u16..64, 0_u16..32).prop_map(|(start, field)| ChecksumState::Partial { start, field }),
    ];
    let kind = prop_oneof![
        Just(SegmentationKind::TcpV4),
        Just(SegmentationKind::TcpV6),
        Just(SegmentationKind::Udp),
    ];
    let segmentation = (kind, 1_u16.., any::<bool>()).prop_map(|(kind, size, ecn)| Segmentation {
        kind,
        size,
        ecn,
    });
    (checksum, proptest::option::of(segmentation))
        .prop_map(|(checksum, segmentation)| Offload { checksum, segmentation })
        .boxed()
}

/// One thing that is wrong with a packet.
#[derive(Clone, Debug)]
enum Fault {
    Bit(Index, u8),
    Byte(Index, u8),
    Word(Index, u16),
    Truncate(Index),
    Extend(Vec<u8>),
    Splice(Index),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Fault::Bit(at, bit)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Fault::Byte(at, byte)),
        1 => (any::<Index>(), edge_words()).prop_map(|(at, word)| Fault::Word(at, word)),
        2 => any::<Index>().prop_map(Fault::Truncate),
        1 => vec(any::<u8>(), 1..=32).prop_map(Fault::Extend),
        1 => any::<Index>().prop_map(Fault::Splice),
    ]
}

/// Lengths and offsets break at their ends.
fn edge_words() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), Just(1), Just(0x7fff), Just(0x8000), Just(u16::MAX), any::<u16>()]
}

impl Fault {
    fn spoil(&self, bytes: &mut Vec<u8>, other: &[u8]) {
        match self {
            Self::Extend(more) => bytes.extend_from_slice(more),
            Self::Bit(..)
            | Self::Byte(..)
            | Self::Word(..)
            | Self::Truncate(_)
            | Self::Splice(_)
                if bytes.is_empty() => {}
            Self::Bit(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
            Self::Byte(at, byte) => *at.get_mut(bytes) = *byte,
            Self::Word(at, word) => {
                let at = at.index(bytes.len()) & !1;
                for (target, byte) in bytes[at..].iter_mut().zip(word.to_be_bytes()) {
                    *target = byte;
                }
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Splice(at) => {
                let at = at.index(bytes.len());
                bytes.truncate(at);
                bytes.extend_from_slice(other.get(at..).unwrap_or_default());
            }
        }
    }
}
