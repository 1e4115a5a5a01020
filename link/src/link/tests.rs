//! Frame by frame: what passes, what is dropped, and by which reason.

use super::*;
use layer::outlet::Driver;
use proptest::prelude::*;

const INTERFACE: InterfaceId = InterfaceId(3);
const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xaa]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xbb]);
const GROUP: MacAddr = MacAddr([1, 0, 0x5e, 0, 0, 1]);
const MTU: u32 = 1500;

fn link() -> Link {
    Link::new(Config::new(INTERFACE, OURS, MTU))
}

fn frame(destination: MacAddr, source: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = destination.0.to_vec();
    bytes.extend(source.0);
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn receive(link: &mut Link, packet: PacketBuf) -> Result<EthIn, Reason> {
    let mut driver = Driver::new(64);
    link.receive(Instant::ZERO, Frame { interface: INTERFACE, packet }, &mut driver.out());
    match driver.up.pop() {
        Some(item) => {
            assert_eq!(driver.ledger.total_drops(), 0);
            Ok(item)
        }
        None => {
            assert_eq!(driver.ledger.total_drops(), 1);
            Err(driver.ledger.nonzero().next().unwrap().0)
        }
    }
}

fn receive_bytes(bytes: &[u8]) -> Result<EthIn, Reason> {
    receive(&mut link(), PacketBuf::copy_from(bytes))
}

fn send(link: &mut Link, packet: PacketBuf) -> Result<Frame, Reason> {
    let mut driver = Driver::new(64);
    let item =
        EthOut { interface: INTERFACE, destination: PEER, ethertype: ethertype::IPV4, packet };
    link.send(Instant::ZERO, item, &mut driver.out());
    driver.down.pop().ok_or_else(|| driver.ledger.nonzero().next().unwrap().0)
}

// test: RFC 894 frame
// test: RFC 1122 2.3.3
#[test]
fn a_frame_for_us_comes_up_without_its_header() {
    let item = receive_bytes(&frame(OURS, PEER, 0x0800, b"payload")).unwrap();
    let packet = PacketBuf::copy_from(b"payload");
    let expected = EthIn {
        interface: INTERFACE,
        source: PEER,
        cast: Cast::Unicast,
        ethertype: 0x0800,
        packet,
    };
    assert_eq!(item, expected);
}

// test: RFC 894 frame
// test: RFC 1122 2.3.3
#[test]
fn a_payload_goes_down_behind_a_header() {
    let down = send(&mut link(), PacketBuf::copy_from(b"payload")).unwrap();
    assert_eq!(down.interface, INTERFACE);
    assert_eq!(down.packet.to_vec(), frame(PEER, OURS, 0x0800, b"payload"));
}

// test: RFC 894 runt
#[test]
fn runts_are_dropped() {
    let whole = frame(OURS, PEER, 0x0800, b"");
    for len in 0..HEADER {
        assert_eq!(receive_bytes(&whole[..len]), Err(Reason::LinkRunt), "{len} bytes");
    }
    assert!(receive_bytes(&whole).is_ok());
}

// test: RFC 894 length
#[test]
fn length_frames_are_dropped() {
    for length in [0, 3, 46, 1500, 0x5ff] {
        let bytes = frame(OURS, PEER, length, b"LLC");
        assert_eq!(receive_bytes(&bytes), Err(Reason::LinkLengthFrame), "{length}");
    }
}

// test: RFC 894 type
#[test]
fn unknown_types_are_dropped() {
    for ethertype in [0x600, 0x8100, 0x86dd, 0x88cc, 0xffff] {
        let bytes = frame(OURS, PEER, ethertype, b"?");
        assert_eq!(receive_bytes(&bytes), Err(Reason::LinkUnknownType), "{ethertype:#x}");
    }
    let mut config = Config::new(INTERFACE, OURS, MTU);
    config.ethertypes.push(0x86dd);
    let bytes = PacketBuf::copy_from(&frame(OURS, PEER, 0x86dd, b"!"));
    assert_eq!(receive(&mut Link::new(config), bytes).unwrap().ethertype, 0x86dd);
}

// test: RFC 1122 2.3.1
#[test]
fn trailers_are_not_spoken() {
    for ethertype in 0x1000..=0x100f {
        let bytes = frame(OURS, PEER, ethertype, b"trailer");
        assert_eq!(receive_bytes(&bytes), Err(Reason::LinkUnknownType));
    }
}

// test: RFC 894 destination
// test: RFC 1122 2.4
#[test]
fn the_destination_decides() {
    let cast = |to| receive_bytes(&frame(to, PEER, 0x0806, b"arp")).map(|item| item.cast);
    assert_eq!(cast(OURS), Ok(Cast::Unicast));
    assert_eq!(cast(MacAddr::BROADCAST), Ok(Cast::Broadcast));
    assert_eq!(cast(GROUP), Ok(Cast::Multicast));
    assert_eq!(cast(MacAddr([2, 0, 0, 0, 0, 0xab])), Err(Reason::LinkOtherHost));
    assert_eq!(cast(MacAddr::ZERO), Err(Reason::LinkOtherHost));
}

// test: RFC 894 destination
#[test]
fn listed_groups_only() {
    let mut link = link();
    link.set_groups(Some(vec![GROUP]));
    let to = |to| PacketBuf::copy_from(&frame(to, PEER, 0x0800, b"x"));
    assert!(receive(&mut link, to(GROUP)).is_ok());
    assert!(receive(&mut link, to(MacAddr::BROADCAST)).is_ok());
    let other = MacAddr([1, 0, 0x5e, 0, 0, 2]);
    assert_eq!(receive(&mut link, to(other)), Err(Reason::LinkOtherHost));
}

#[test]
fn impossible_sources_are_dropped() {
    for source in [MacAddr::BROADCAST, GROUP, MacAddr::ZERO, OURS] {
        let bytes = frame(OURS, source, 0x0800, b"x");
        assert_eq!(receive_bytes(&bytes), Err(Reason::LinkBadSource), "{source}");
    }
}

// test: RFC 894 padding
#[test]
fn padding_is_handed_up_for_the_length_of_ip_to_decide() {
    let mut payload = vec![7; 28];
    payload.resize(46, 0);
    let item = receive_bytes(&frame(OURS, PEER, 0x0806, &payload)).unwrap();
    assert_eq!(item.packet.to_vec(), payload);
}

// test: RFC 894 mtu
#[test]
fn nothing_beyond_the_mtu_passes_either_way() {
    let at = vec![1; 1500];
    let beyond = vec![1; 1501];
    assert!(receive_bytes(&frame(OURS, PEER, 0x0800, &at)).is_ok());
    assert_eq!(receive_bytes(&frame(OURS, PEER, 0x0800, &beyond)), Err(Reason::LinkOversize));
    assert!(send(&mut link(), PacketBuf::copy_from(&at)).is_ok());
    assert_eq!(send(&mut link(), PacketBuf::copy_from(&beyond)), Err(Reason::LinkOversize));
}

// test: RFC 894 mtu
#[test]
fn super_segments_are_held_to_the_mtu_by_their_segments() {
    let table = [
        (SegmentationKind::TcpV4, 1460),
        (SegmentationKind::TcpV6, 1440),
        (SegmentationKind::Udp, 1472),
    ];
    for (kind, most) in table {
        for (size, fits) in [(1, true), (most, true), (most + 1, false)] {
            let segmentation = Some(Segmentation { kind, size, ecn: false });
            let mut packet = PacketBuf::copy_from(&[0; 30_000]);
            packet.offload_mut().segmentation = segmentation;
            assert_eq!(send(&mut link(), packet).is_ok(), fits, "{kind:?} {size}");
            let mut packet = PacketBuf::copy_from(&frame(OURS, PEER, 0x0800, &[0; 30_000]));
            packet.offload_mut().segmentation = segmentation;
            assert_eq!(receive(&mut link(), packet).is_ok(), fits, "{kind:?} {size}");
        }
    }
}

#[test]
fn metadata_outside_the_frame_is_a_lie() {
    let partial = |start, field| {
        let mut packet = PacketBuf::copy_from(&frame(OURS, PEER, 0x0800, &[0; 40]));
        packet.offload_mut().checksum = ChecksumState::Partial { start, field };
        receive(&mut link(), packet)
    };
    assert_eq!(partial(13, 16), Err(Reason::LinkBadOffload));
    assert_eq!(partial(34, 19), Err(Reason::LinkBadOffload));
    assert_eq!(partial(u16::MAX, u16::MAX), Err(Reason::LinkBadOffload));
    // What stays is relative to what is now the first byte.
    let kept = partial(34, 18).unwrap().packet.offload().checksum;
    assert_eq!(kept, ChecksumState::Partial { start: 20, field: 18 });

    let mut packet = PacketBuf::copy_from(&frame(OURS, PEER, 0x0800, &[0; 40]));
    packet.offload_mut().segmentation =
        Some(Segmentation { kind: SegmentationKind::TcpV4, size: 0, ecn: false });
    assert_eq!(receive(&mut link(), packet), Err(Reason::LinkBadOffload));
}

#[test]
fn counts_frames_and_bytes() {
    let mut link = link();
    let _ = receive(&mut link, PacketBuf::copy_from(&frame(OURS, PEER, 0x0800, &[0; 6])));
    let _ = receive(&mut link, PacketBuf::copy_from(&[0; 5]));
    let _ = send(&mut link, PacketBuf::copy_from(&[0; 10]));
    let mut counters = Vec::new();
    link.counters(&mut |name, value| counters.push((name, value)));
    let expected =
        [("LinkInFrames", 2), ("LinkInBytes", 25), ("LinkOutFrames", 1), ("LinkOutBytes", 24)];
    assert_eq!(counters, expected);
}

proptest! {
    #![proptest_config(laws::config(256))]

    #[test]
    fn what_one_link_sends_another_receives(
        payload in proptest::collection::vec(any::<u8>(), 0..200), body in 0_usize..200,
    ) {
        let body = body.min(payload.len());
        let mut packet = PacketBuf::copy_from(&payload[..body]);
        packet.append(bytes::Bytes::copy_from_slice(&payload[body..]));
        let down = send(&mut link(), packet).unwrap();
        let mut peer = Link::new(Config::new(INTERFACE, PEER, MTU));
        let item = receive(&mut peer, down.packet).unwrap();
        prop_assert_eq!(item.source, OURS);
        prop_assert_eq!(item.packet.to_vec(), payload);
    }

    // test: RFC 1122 2.5
    #[test]
    fn any_bytes_come_up_or_are_dropped_once(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        start in any::<u16>(), field in any::<u16>(), size in any::<u16>(),
    ) {
        let mut packet = PacketBuf::copy_from(&bytes);
        packet.offload_mut().checksum = ChecksumState::Partial { start, field };
        packet.offload_mut().segmentation =
            Some(Segmentation { kind: SegmentationKind::Udp, size, ecn: true });
        // `receive` asserts that exactly one of the two happened.
        let _ = receive(&mut link(), packet);
    }
}
