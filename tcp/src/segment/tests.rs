//! Segments: written and read back, over both families, and whatever the bytes.

use super::*;
use core::net::IpAddr;
use layer::InterfaceId;
use layer::boundary::Cast;
use proptest::prelude::*;

fn datagram(packet: PacketBuf, source: IpAddr, destination: IpAddr) -> Datagram {
    Datagram {
        interface: InterfaceId(0),
        source,
        destination,
        cast: Cast::Unicast,
        protocol: protocol::TCP,
        ttl: 64,
        tos: 0,
        mtu: 1500,
        header_len: 0,
        packet,
    }
}

/// RFC 1071 by the book, over the pseudo-header of RFC 9293 3.1 and the bytes.
fn naive(source: IpAddr, destination: IpAddr, bytes: &[u8]) -> u16 {
    let mut all = Vec::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(v4) => all.extend(v4.octets()),
            IpAddr::V6(v6) => all.extend(v6.octets()),
        }
    }
    all.extend([0, protocol::TCP]);
    all.extend(u32::try_from(bytes.len()).expect("short").to_be_bytes());
    all.extend(bytes);
    let mut sum = 0_u64;
    for pair in all.chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}

fn complete(packet: &mut PacketBuf, source: IpAddr, destination: IpAddr) {
    let sum = checksum::pseudo_header(source, destination, protocol::TCP, packet.len()).value();
    packet.head_mut()[16..18].copy_from_slice(&sum.to_be_bytes());
    assert!(checksum::complete(packet));
}

proptest! {
    // test: RFC 9293 MUST-2
    #[test]
    fn written_read_back_and_summed_right(
        v6 in any::<bool>(),
        (flags, window, urgent) in (any::<u8>(), any::<u16>(), any::<u16>()),
        (seq, ack) in (any::<u32>(), any::<u32>()),
        mss in proptest::option::of(any::<u16>()),
        window_scale in proptest::option::of(0_u8..15),
        text in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let (a, b) = if v6 {
            (IpAddr::from([1, 0, 0, 0, 0, 0, 0, 1]), IpAddr::from([2, 0, 0, 0, 0, 0, 0, 2]))
        } else {
            (IpAddr::from([10, 9, 0, 1]), IpAddr::from([10, 9, 0, 2]))
        };
        let segment = Segment {
            source: SocketAddr::new(a, 1),
            destination: SocketAddr::new(b, 65_535),
            seq: Seq(seq),
            ack: Seq(ack),
            flags: Flags(flags),
            ecn: 0,
            window,
            urgent,
            options: Options { mss, window_scale, ..Options::default() },
            payload: PacketBuf::copy_from(&text),
        };
        let mut packet = segment.clone().write();
        complete(&mut packet, a, b);
        prop_assert_eq!(naive(a, b, &packet.to_vec()), 0xffff);
        prop_assert_eq!(Segment::read(datagram(packet, a, b)), Ok(segment));
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let (a, b) = (IpAddr::from([10, 9, 0, 1]), IpAddr::from([10, 9, 0, 2]));
        let mut packet = PacketBuf::copy_from(&bytes);
        packet.offload_mut().checksum = ChecksumState::Verified;
        match Segment::read(datagram(packet, a, b)) {
            Ok(segment) => prop_assert!(segment.payload.len() + HEADER <= bytes.len()),
            Err(reason) => prop_assert_eq!(reason, Reason::TcpTruncated),
        }
    }
}

// test: RFC 9293 MUST-5
#[test]
fn options_are_read_on_any_segment() {
    let (a, b) = (IpAddr::from([10, 9, 0, 1]), IpAddr::from([10, 9, 0, 2]));
    for flags in [Flags::SYN, Flags::ACK, Flags::FIN, Flags::RST] {
        let mut segment =
            Segment::bare(SocketAddr::new(a, 1), SocketAddr::new(b, 2), flags, Seq(0));
        segment.options.window_scale = Some(3);
        let mut packet = segment.write();
        complete(&mut packet, a, b);
        let read = Segment::read(datagram(packet, a, b)).expect("it is right");
        assert_eq!(read.options.window_scale, Some(3));
    }
}

#[test]
fn the_length_counts_syn_and_fin() {
    let end = SocketAddr::from(([10, 9, 0, 1], 1));
    let mut segment = Segment::bare(end, end, Flags::SYN.with(Flags::FIN), Seq(0));
    segment.payload = PacketBuf::copy_from(b"abc");
    assert_eq!(segment.len(), 5);
    assert!(Segment::bare(end, end, Flags::ACK, Seq(0)).is_empty());
}
