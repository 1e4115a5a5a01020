//! Header bytes by hand, contradictions one by one, and hostile headers at random.

use super::*;
use crate::tests::Super;
use proptest::prelude::*;

/// A header as the kernel writes it.
fn header(flags: u8, gso: u8, hdr_len: u16, size: u16, start: u16, offset: u16) -> Vec<u8> {
    let mut bytes = vec![flags, gso];
    for field in [hdr_len, size, start, offset] {
        bytes.extend(field.to_ne_bytes());
    }
    bytes
}

fn read(header: &[u8], frame: &PacketBuf) -> Result<Offload, Contradiction> {
    decode(&[header, &frame.to_vec()].concat())
}

#[test]
fn a_tcp_super_segment_both_ways() {
    let frame = Super::tcp_v4(1460, &[1; 4000]).frame(4000);
    let bytes = header(1, 1, 54, 1460, 34, 16);
    assert_eq!(encode(&frame), bytes[..]);
    assert_eq!(read(&bytes, &frame), Ok(frame.offload()));
}

#[test]
fn checksum_states() {
    let frame = Super::tcp_v4(1460, &[1; 40]).frame(40);
    let checksum = |flags| read(&header(flags, 0, 0, 0, 34, 16), &frame).map(|o| o.checksum);
    assert_eq!(checksum(0), Ok(ChecksumState::Complete));
    assert_eq!(checksum(1), Ok(ChecksumState::Partial { start: 34, field: 16 }));
    assert_eq!(checksum(2), Ok(ChecksumState::Verified));
    // Both: the field is not filled in, whatever was verified.
    assert_eq!(checksum(3), Ok(ChecksumState::Partial { start: 34, field: 16 }));
    // Unknown flags are for others.
    assert_eq!(checksum(0xfc), Ok(ChecksumState::Complete));
}

#[test]
fn contradictions() {
    let tcp = Super::tcp_v4(100, &[1; 300]).frame(300);
    let mut udp = Super::tcp_v4(100, &[1; 300]);
    udp.kind = SegmentationKind::Udp;
    let udp = udp.frame(300);
    let mut fragment = tcp.clone();
    fragment.head_mut()[20] = 0x20;
    let table = [
        ("checksum beyond the frame", &tcp, header(1, 0, 0, 0, 34, 319)),
        ("checksum far beyond the frame", &tcp, header(1, 0, 0, 0, 0xffff, 0xffff)),
        ("checksum in the Ethernet header", &tcp, header(1, 0, 0, 0, 13, 6)),
        ("no segment size", &tcp, header(1, 1, 54, 0, 34, 16)),
        ("nobody vouches for the checksum", &tcp, header(0, 1, 54, 100, 0, 0)),
        ("checksum of something else", &tcp, header(1, 1, 54, 100, 30, 16)),
        ("checksum elsewhere in TCP", &tcp, header(1, 1, 54, 100, 34, 6)),
        ("IPv6, but it is IPv4", &tcp, header(1, 4, 54, 100, 34, 16)),
        ("UDP, but it is TCP", &tcp, header(1, 5, 54, 100, 34, 16)),
        ("TCP, but it is UDP", &udp, header(1, 1, 42, 100, 34, 6)),
        ("UDP fragmentation, withdrawn", &udp, header(1, 3, 42, 100, 34, 6)),
        ("more datagrams than can be", &udp, header(1, 5, 42, 2, 34, 6)),
        ("a fragment", &fragment, header(1, 1, 54, 100, 34, 16)),
        ("no known kind", &tcp, header(1, 7, 54, 100, 34, 16)),
        ("ECN of nothing", &tcp, header(1, 0x80, 54, 100, 34, 16)),
    ];
    for (what, frame, header) in table {
        assert_eq!(read(&header, frame), Err(Contradiction), "{what}");
    }
    // The same with nothing wrong, so that each line fails for its own reason.
    assert!(read(&header(1, 1, 54, 100, 34, 16), &tcp).is_ok());
    assert!(read(&header(1, 0x81, 54, 100, 34, 16), &tcp).is_ok());
    assert!(read(&header(2, 1, 54, 100, 0, 0), &tcp).is_ok());
    assert!(read(&header(1, 5, 42, 100, 34, 6), &udp).is_ok());
}

#[test]
fn shorter_than_a_header() {
    for len in 0..LEN {
        assert_eq!(decode(&vec![0; len]), Err(Contradiction));
    }
    assert_eq!(decode(&[0; LEN]), Ok(Offload::default()));
}

proptest! {
    #![proptest_config(laws::config(512))]

    #[test]
    fn what_is_sent_is_received(
        v6 in any::<bool>(), udp in any::<bool>(), ecn in any::<bool>(),
        size in 10_u16..1500, len in 0_usize..1200, whole in any::<bool>(),
    ) {
        let kind = match (udp, v6) {
            (true, _) => SegmentationKind::Udp,
            (false, true) => SegmentationKind::TcpV6,
            (false, false) => SegmentationKind::TcpV4,
        };
        let sent = Super { kind, v6, ecn, ..Super::tcp_v4(size, &vec![3; len]) };
        let mut frame = sent.frame(1000);
        if whole {
            frame.offload_mut().segmentation = None;
        }
        prop_assert_eq!(read(&encode(&frame), &frame), Ok(frame.offload()));
    }

    /// Whatever the header says, what is believed lies inside the frame and can be acted on.
    #[test]
    fn hostile_headers(
        bytes in proptest::collection::vec(any::<u8>(), LEN),
        gso in prop_oneof![Just(0_u8), Just(1), Just(4), Just(5), any::<u8>()],
        garbage in proptest::collection::vec(any::<u8>(), 0..80), valid in any::<bool>(),
    ) {
        let frame = if valid {
            Super::tcp_v4(100, &[1; 300]).frame(100).to_vec()
        } else {
            garbage
        };
        let mut bytes = bytes;
        bytes[1] = gso;
        if let Ok(offload) = decode(&[&bytes[..], &frame].concat()) {
            let mut packet = PacketBuf::copy_from(&frame);
            *packet.offload_mut() = offload;
            let mut frames = Vec::new();
            prop_assert!(crate::gso::to_wire(packet, &mut frames).is_ok());
        }
    }
}
