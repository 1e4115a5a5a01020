//! Pieces joined again are the whole, and every piece is a right frame by an independent judge.

use super::*;
use crate::tests::{Super, judge};
use layer::{Offload, SegmentationKind};
use proptest::prelude::*;

fn pieces(whole: &Super, slice: usize) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    cut(&mut whole.frame(slice), &mut pieces).unwrap();
    for piece in &pieces {
        assert_eq!(piece.offload(), Offload::default());
    }
    let pieces: Vec<Vec<u8>> = pieces.iter().map(PacketBuf::to_vec).collect();
    assert_eq!(written(&whole.frame(slice)), pieces);
    pieces
}

/// The pieces as they are put together for a device that wants two bytes in front.
fn written(frame: &PacketBuf) -> Vec<Vec<u8>> {
    let (mut scratch, mut written) = (Vec::new(), Vec::new());
    let result = write_pieces(&mut frame.clone(), &[9, 9], &mut scratch, |piece| {
        assert_eq!(piece[..2], [9, 9]);
        written.push(piece[2..].to_vec());
        Ok::<(), ()>(())
    });
    assert_eq!(result, Ok(Ok(())));
    written
}

#[test]
fn writing_ends_where_it_fails() {
    let (mut scratch, mut left) = (Vec::new(), 2);
    let mut frame = Super::tcp_v4(4, &[7; 40]).frame(3);
    let result = write_pieces(&mut frame, &[], &mut scratch, |_| {
        left -= 1;
        if left == 0 { Err("full") } else { Ok(()) }
    });
    assert_eq!(result, Ok(Err("full")));
}

#[test]
fn three_pieces_by_hand() {
    const ACK_PSH_FIN_CWR: u8 = 0x10 | 0x08 | 0x01 | 0x80;
    let mut whole = Super::tcp_v4(4, b"abcdefghij");
    (whole.flags, whole.ecn, whole.seq, whole.id) = (ACK_PSH_FIN_CWR, true, u32::MAX - 3, 0xffff);
    let pieces = pieces(&whole, 3);
    // Payload, total length, identification, sequence number (it wraps), flags.
    let expected: [(&[u8], u16, u16, u32, u8); 3] = [
        (b"abcd", 44, 0xffff, u32::MAX - 3, 0x10 | 0x80),
        (b"efgh", 44, 0x0000, 0, 0x10),
        (b"ij", 42, 0x0001, 4, 0x10 | 0x08 | 0x01),
    ];
    assert_eq!(pieces.len(), 3);
    for (piece, (payload, total, id, seq, flags)) in pieces.iter().zip(expected) {
        assert_eq!(&piece[54..], payload);
        assert_eq!(piece[16..18], total.to_be_bytes());
        assert_eq!(piece[18..20], id.to_be_bytes());
        assert_eq!(piece[38..42], seq.to_be_bytes());
        assert_eq!(piece[47], flags, "{flags:#x}");
        judge(piece).unwrap();
    }
}

#[test]
fn without_ecn_cwr_is_not_touched() {
    let mut whole = Super::tcp_v4(4, b"abcdefgh");
    whole.flags = 0x10 | 0x80;
    assert!(pieces(&whole, 8).iter().all(|piece| piece[47] == 0x10 | 0x80));
}

#[test]
fn payload_is_shared_not_copied() {
    let mut whole = Super::tcp_v4(1000, &[7; 3000]).frame(3000);
    let body = whole.chunks().nth(1).unwrap().as_ptr();
    let mut pieces = Vec::new();
    cut(&mut whole, &mut pieces).unwrap();
    let second = pieces[1].chunks().nth(1).unwrap().as_ptr();
    assert_eq!(second as usize - body as usize, 1000);
}

#[test]
fn a_udp_datagram_without_checksum_stays_so() {
    let mut whole = Super::tcp_v4(4, b"abcdefgh");
    whole.kind = SegmentationKind::Udp;
    let mut frame = whole.frame(8);
    frame.offload_mut().checksum = ChecksumState::Complete;
    frame.head_mut()[40..42].fill(0);
    let mut pieces = Vec::new();
    cut(&mut frame, &mut pieces).unwrap();
    assert!(pieces.iter().all(|piece| piece.head()[40..42] == [0, 0]));
}

#[test]
fn a_plain_frame_is_completed() {
    let mut frame = Super::tcp_v4(0, b"plain").frame(2);
    frame.offload_mut().segmentation = None;
    let mut frames = Vec::new();
    to_wire(frame, &mut frames).unwrap();
    judge(&frames[0].to_vec()).unwrap();
    assert_eq!(frames[0].offload().checksum, ChecksumState::Complete);
}

#[test]
fn what_is_no_super_segment_is_refused() {
    let refuse = |frame: PacketBuf| {
        let mut frames = Vec::new();
        assert_eq!(to_wire(frame, &mut frames), Err(Uncuttable));
        assert!(frames.is_empty());
    };
    refuse(Super::tcp_v4(0, b"size zero").frame(9));
    let mut fragment = Super::tcp_v4(4, b"fragment").frame(8);
    fragment.head_mut()[20] = 0x20;
    refuse(fragment);
    let mut icmp = Super::tcp_v4(4, b"neither TCP nor UDP").frame(8);
    icmp.head_mut()[23] = 1;
    refuse(icmp);
    let mut truncated = Super::tcp_v4(4, b"").frame(8);
    truncated.truncate(53);
    refuse(truncated);
    let mut beyond = Super::tcp_v4(4, b"").frame(8);
    beyond.offload_mut().segmentation = None;
    beyond.offload_mut().checksum = ChecksumState::Partial { start: 52, field: 1 };
    refuse(beyond);
}

fn any_super() -> impl Strategy<Value = Super> {
    let kind = prop_oneof![
        Just((SegmentationKind::TcpV4, false)),
        Just((SegmentationKind::TcpV6, true)),
        Just((SegmentationKind::Udp, false)),
        Just((SegmentationKind::Udp, true)),
    ];
    let numbers = (any::<u8>(), any::<u16>(), any::<u32>(), 1_u16..1500, any::<bool>());
    let payload = proptest::collection::vec(any::<u8>(), 0..6000);
    (kind, 0_usize..=10, 0_usize..=10, numbers, payload).prop_map(
        |((kind, v6), ip_words, tcp_words, (flags, id, seq, size, ecn), payload)| Super {
            kind,
            v6,
            ip_options: 4 * ip_words,
            tcp_options: 4 * tcp_words,
            flags,
            id,
            seq,
            size,
            ecn,
            payload,
        },
    )
}

proptest! {
    #![proptest_config(laws::config(256))]

    #[test]
    fn joined_again_the_pieces_are_the_whole(whole in any_super(), slice in 1_usize..3000) {
        let pieces = pieces(&whole, slice);
        let mut joined = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            judge(piece).map_err(TestCaseError::fail)?;
            let payload = &piece[whole.headers_len()..];
            if index + 1 < pieces.len() {
                prop_assert_eq!(payload.len(), usize::from(whole.size));
            }
            if whole.kind != SegmentationKind::Udp {
                let at = whole.transport_at() + 4;
                let seq = whole.seq.wrapping_add(u32::try_from(joined.len()).unwrap());
                prop_assert_eq!(&piece[at..at + 4], &seq.to_be_bytes());
            }
            joined.extend_from_slice(payload);
        }
        prop_assert_eq!(pieces.len(), whole.payload.len().div_ceil(whole.size.into()).max(1));
        prop_assert_eq!(joined, whole.payload);
    }

    #[test]
    fn hostile_frames_are_cut_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        like in any_super(), at in 0_usize..80, flip in any::<u8>(), size in any::<u16>(),
    ) {
        for mut frame in [PacketBuf::copy_from(&bytes), like.frame(50)] {
            if let Some(byte) = frame.head_mut().get_mut(at) {
                *byte ^= flip;
            }
            frame.offload_mut().segmentation =
                Some(Segmentation { kind: SegmentationKind::TcpV4, size, ecn: true });
            let mut frames = Vec::new();
            let _ = to_wire(frame, &mut frames);
        }
    }
}
