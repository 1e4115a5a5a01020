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

/// The checksum of a header of ten words, the sixth of which is the checksum itself, left out.
fn header_checksum(words: &[u16; 10]) -> u16 {
    let mut sum = Sum::new();
    words.iter().for_each(|word| sum.add_u16(*word));
    sum.checksum()
}

// test: RFC 1624 3
#[test]
fn a_checksum_updated_in_place_is_the_one_computed_anew() {
    // Every value that a word can be changed to, in headers that begin as IPv4 headers do.
    let headers: [[u16; 10]; 3] = [
        [0x4500, 0x05dc, 0x1234, 0x4000, 0x4006, 0, 0x0a09, 0x0002, 0x0a09, 0x0001],
        [0x4500, 0xffff, 0xffff, 0xffff, 0xffff, 0, 0xffff, 0xffff, 0xffff, 0xffff],
        [0x4500, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    for header in headers {
        let before = header_checksum(&header);
        for new in 0..=u16::MAX {
            let mut changed = header;
            changed[1] = new;
            assert_eq!(adjust(before, header[1], new), header_checksum(&changed), "{new:#06x}");
        }
    }
    // RFC 1624 4's own example: 0xdd2f, a word goes from 0x5555 to 0x3285, and the sum to zero.
    assert_eq!(adjust(0xdd2f, 0x5555, 0x3285), 0x0000);
}
