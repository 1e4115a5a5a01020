//! Tests of what the ceiling writes: known sums, and that it reads what it wrote.

use std::net::Ipv4Addr;

use super::wire::{ACK, SYN, Segment, Wire, fold, sum};

const US: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

fn segment(flags: u8, payload: &[u8]) -> Segment<'_> {
    Segment {
        address: US.octets(),
        from: 7,
        to: 40_000,
        sequence: 0xffff_fff0,
        acknowledgment: 5,
        flags,
        window: 0xffff,
        shift: 0,
        payload,
    }
}

fn frame(wire: &Wire, segment: &Segment<'_>) -> Vec<u8> {
    let mut frame = wire.header(segment).bytes().to_vec();
    frame.extend(segment.payload);
    frame
}

#[test]
fn the_sum_is_that_of_rfc_1071() {
    // RFC 1071, section 3: these bytes give ddf2 in network order.
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(fold(sum(&bytes)).to_ne_bytes(), [0xdd, 0xf2]);
    // An odd byte counts as if a zero followed.
    assert_eq!(fold(sum(&[0x12, 0x34, 0x56])).to_ne_bytes(), [0x68, 0x34]);
    assert_eq!(fold(0x1_ffff), 1);
}

#[test]
fn a_plain_frame_reads_as_it_was_written() {
    // To itself, so that one object writes and reads.
    let wire = Wire::new(US, 1500, false);
    let sent = segment(ACK, b"abc");
    let mut frame = frame(&wire, &sent);
    assert_eq!(frame.len(), 14 + 20 + 20 + 3);
    assert_eq!(wire.parse(&frame), Some(sent));
    // A flipped bit shows in the checksum.
    frame[56] ^= 1;
    assert_eq!(wire.parse(&frame), None);
    assert_eq!(wire.parse(&frame[..40]), None);
}

#[test]
fn a_syn_tells_segment_size_and_window_scale() {
    let wire = Wire::new(US, 9000, true);
    let frame = frame(&wire, &segment(SYN, &[]));
    assert_eq!(wire.mss(), 8960);
    assert_eq!(&frame[12 + 14 + 40..], [2, 4, 0x23, 0x00, 3, 3, 7, 1]);
    assert_eq!(wire.parse(&frame).map(|segment| segment.shift), Some(7));
}

#[test]
fn a_super_frame_says_how_it_is_to_be_cut() {
    let wire = Wire::new(US, 1500, true);
    let payload = vec![0; 3000];
    let frame = frame(&wire, &segment(ACK, &payload));
    let two = |at: usize| u16::from_ne_bytes([frame[at], frame[at + 1]]);
    // Needs a checksum; TCP over IPv4; header length, size, where the checksum begins and stands.
    assert_eq!((frame[0], frame[1]), (1, 1));
    assert_eq!((two(2), two(4), two(6), two(8)), (54, 1460, 34, 16));
    // One that fits is not to be cut.
    let small = super::tests::frame(&wire, &segment(ACK, b"x"));
    assert_eq!((small[0], small[1]), (1, 0));
}
