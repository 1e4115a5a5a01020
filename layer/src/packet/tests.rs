//! `PacketBuf` against a plain `Vec<u8>` under every operation.

use super::*;
use crate::offload::ChecksumState;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Advance(usize),
    Retreat(usize),
    Truncate(usize),
    Prepend(usize),
    Append(Vec<u8>),
    Pull(usize),
    Own,
    Share(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0_usize..40).prop_map(Op::Advance),
        (0_usize..20).prop_map(Op::Retreat),
        (0_usize..200).prop_map(Op::Truncate),
        (0_usize..400).prop_map(Op::Prepend),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(Op::Append),
        (0_usize..400).prop_map(Op::Pull),
        Just(Op::Own),
        (0_usize..60, 0_usize..100).prop_map(|(a, b)| Op::Share(a, b)),
    ]
}

proptest! {
    #[test]
    fn behaves_like_a_vec(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        shared in any::<bool>(),
        ops in proptest::collection::vec(op(), 0..30),
    ) {
        let mut model = bytes.clone();
        let mut packet = if shared {
            PacketBuf::from_shared(Bytes::from(bytes))
        } else {
            PacketBuf::copy_from(&bytes)
        };
        for op in ops {
            match op {
                Op::Advance(n) => {
                    packet.advance(n);
                    model.drain(..n.min(model.len()));
                }
                Op::Retreat(n) => {
                    // What comes back is checked in its own test; here it must only add n bytes.
                    if packet.retreat(n) {
                        packet.advance(n);
                    }
                }
                Op::Truncate(n) => {
                    packet.truncate(n);
                    model.truncate(n);
                }
                Op::Prepend(n) => {
                    packet.prepend(n).fill(7);
                    model.splice(..0, vec![7; n]);
                }
                Op::Append(more) => {
                    model.extend_from_slice(&more);
                    packet.append(Bytes::from(more));
                }
                Op::Pull(n) => {
                    prop_assert_eq!(packet.pull(n), n <= model.len());
                    if n <= model.len() {
                        prop_assert_eq!(packet.header(n), Some(&model[..n]));
                    }
                }
                Op::Own => {
                    for byte in packet.head_mut() {
                        *byte ^= 0xff;
                    }
                    let n = packet.head().len();
                    for byte in &mut model[..n] {
                        *byte ^= 0xff;
                    }
                }
                Op::Share(from, len) => {
                    let from = from.min(model.len());
                    let to = (from + len).min(model.len());
                    prop_assert_eq!(packet.share(from, len).to_vec(), model[from..to].to_vec());
                }
            }
            prop_assert_eq!(packet.len(), model.len());
            prop_assert_eq!(packet.to_vec(), model.clone());
        }
        prop_assert_eq!(packet.into_chunks().flatten().collect::<Vec<_>>(), model);
    }
}

#[test]
fn retreat_brings_a_header_back() {
    let mut packet = PacketBuf::from_shared(Bytes::from_static(b"headerpayload"));
    packet.advance(6);
    assert_eq!(packet.head(), b"payload");
    assert!(packet.retreat(6));
    assert_eq!(packet.head(), b"headerpayload");
    assert!(!packet.retreat(1));
}

#[test]
fn partial_checksum_follows_the_front() {
    let mut packet = PacketBuf::copy_from(&[0; 40]);
    packet.offload_mut().checksum = ChecksumState::Partial { start: 0, field: 16 };
    packet.prepend(20);
    packet.prepend(14);
    assert_eq!(packet.offload().checksum, ChecksumState::Partial { start: 34, field: 16 });
    packet.advance(34);
    assert_eq!(packet.offload().checksum, ChecksumState::Partial { start: 0, field: 16 });
    packet.advance(1);
    assert_eq!(packet.offload().checksum, ChecksumState::Verified);
}

#[test]
fn moves_as_one_pointer() {
    assert_eq!(size_of::<PacketBuf>(), size_of::<usize>());
}

#[test]
fn an_empty_packet_takes_no_memory_and_what_is_used_again_is_empty() {
    assert_eq!(PacketBuf::new().held_bytes(), 0);
    let mut used = PacketBuf::copy_from(&[1; 300]);
    used.append(Bytes::from_static(b"body"));
    used.offload_mut().checksum = ChecksumState::Partial { start: 0, field: 16 };
    drop(used);
    let mut next = PacketBuf::new();
    assert_eq!(next.prepend(8), [0; 8]);
    assert_eq!(next, PacketBuf::copy_from(&[0; 8]));
    assert!(!next.retreat(1), "what an earlier packet left cannot be brought back");
}
