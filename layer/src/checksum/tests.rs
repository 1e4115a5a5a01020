//! RFC 1071's own example, a naive model, and completion of partial checksums.

use super::*;
use proptest::prelude::*;

fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let word = [pair[0], *pair.get(1).unwrap_or(&0)];
        sum += u32::from(u16::from_be_bytes(word));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("a value")
}

#[test]
fn rfc_1071_section_3_example() {
    let mut sum = Sum::new();
    sum.add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    assert_eq!(sum.value(), 0xddf2);
    assert_eq!(sum.checksum(), 0x220d);
}

#[test]
fn completed_packet_verifies_and_zero_becomes_ones() {
    let (a, b) = ("10.9.0.1".parse().expect("a value"), "10.9.0.2".parse().expect("a value"));
    for payload in [&b""[..], b"x", b"odd", b"even"] {
        let mut packet = PacketBuf::new();
        packet.append(Bytes::copy_from_slice(payload));
        packet.prepend(8);
        let pseudo = pseudo_header(a, b, 17, packet.len()).value();
        packet.head_mut()[6..8].copy_from_slice(&pseudo.to_be_bytes());
        packet.offload_mut().checksum = ChecksumState::Partial { start: 0, field: 6 };
        packet.prepend(20);
        assert!(complete(&mut packet));
        packet.advance(20);
        assert_eq!(packet.offload().checksum, ChecksumState::Complete);
        assert!(verify(&packet, a, b, 17));
        packet.head_mut()[0] ^= 1;
        assert!(!verify(&packet, a, b, 17));
    }
}

#[test]
fn too_short_for_its_metadata() {
    let mut packet = PacketBuf::copy_from(&[0; 10]);
    packet.offload_mut().checksum = ChecksumState::Partial { start: 8, field: 6 };
    assert!(!complete(&mut packet));
}

proptest! {
    // test: RFC 1071 1
    #[test]
    fn any_cutting_gives_the_naive_sum(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(0_usize..400, 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
        cuts.sort_unstable();
        let (mut sum, mut from) = (Sum::new(), 0);
        for cut in cuts.into_iter().chain([bytes.len()]) {
            sum.add(&bytes[from..cut]);
            from = cut;
        }
        prop_assert_eq!(sum.value(), naive(&bytes));
    }
}

use bytes::Bytes;
