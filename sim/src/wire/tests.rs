//! Each fault alone, counted, and the books that must balance.

use layer::{ChecksumState, Segmentation, SegmentationKind};

use super::*;

fn wire(config: WireConfig) -> Wire {
    Wire::new(config, Rng::new(1))
}

/// A frame of 100 bytes with a running number in its last two bytes.
fn frame(kind: u16, number: u16) -> PacketBuf {
    let mut bytes = vec![0xaa; 100];
    bytes[12..14].copy_from_slice(&kind.to_be_bytes());
    bytes[98..].copy_from_slice(&number.to_be_bytes());
    PacketBuf::copy_from(&bytes)
}

/// Puts 10,000 IP frames on the wire, 1 us apart, and takes all off again.
fn carry(config: WireConfig) -> (Vec<PacketBuf>, WireStats) {
    let mut wire = wire(config);
    for number in 0..10_000 {
        wire.put(Instant::from_micros(number.into()), frame(ethertype::IPV4, number), |_| ());
        assert_eq!(wire.in_flight() as u64, wire.stats().in_flight_by_counts());
    }
    let taken = core::iter::from_fn(|| wire.take(Instant::MAX)).collect();
    assert_eq!((wire.in_flight(), wire.stats().in_flight_by_counts()), (0, 0));
    (taken, wire.stats())
}

fn numbers(frames: &[PacketBuf]) -> Vec<u16> {
    frames.iter().map(|f| u16::from_be_bytes([f.head()[98], f.head()[99]])).collect()
}

#[test]
fn a_perfect_wire_delivers_everything_in_order() {
    let (frames, stats) = carry(WireConfig::default());
    assert_eq!(numbers(&frames), (0..10_000).collect::<Vec<_>>());
    assert_eq!((stats.put, stats.delivered, stats.bytes), (10_000, 10_000, 1_000_000));
}

#[test]
fn delay_is_to_the_nanosecond() {
    let mut wire = wire(WireConfig::delayed(Duration::from_millis(20)));
    wire.put(Instant::from_millis(5), frame(ethertype::IPV4, 1), |_| ());
    assert_eq!(wire.next_at(), Some(Instant::from_millis(25)));
    assert!(wire.take(Instant::from_nanos(24_999_999)).is_none());
    assert!(wire.take(Instant::from_millis(25)).is_some());
}

#[test]
fn the_rate_spaces_frames_and_the_queue_drops_at_its_tail() {
    // 100 bytes at 8 Mbit/s take 100 us.
    for queue in [Queue::Packets(3), Queue::Bytes(300)] {
        let config = WireConfig { rate_bps: Some(8_000_000), queue, ..WireConfig::default() };
        let mut wire = wire(config);
        for number in 0..5 {
            wire.put(Instant::ZERO, frame(ethertype::IPV4, number), |_| ());
        }
        assert_eq!(wire.stats().queue_full, 2);
        for micros in [100, 200, 300] {
            assert_eq!(wire.next_at(), Some(Instant::from_micros(micros)));
            assert!(wire.take(Instant::from_micros(micros)).is_some());
        }
        // The wire is free again, and starts at once.
        wire.put(Instant::from_micros(500), frame(ethertype::IPV4, 6), |_| ());
        assert_eq!(wire.next_at(), Some(Instant::from_micros(600)));
    }
}

#[test]
fn each_fault_happens_as_often_as_was_asked() {
    let percent = Chance::percent(2);
    let faulty = WireConfig {
        delay: Duration::from_millis(1),
        loss: percent,
        duplicate: percent,
        reorder: percent,
        corrupt: percent,
        ..WireConfig::default()
    };
    let (frames, stats) = carry(faulty);
    for count in [stats.lost, stats.duplicated, stats.late, stats.corrupted] {
        assert!((150..250).contains(&count), "{stats:?}");
    }
    assert!(!numbers(&frames).is_sorted(), "late ones were overtaken");
}

#[test]
fn bursts_lose_frames_in_a_row() {
    let burst = Burst { begin: Chance::percent(1), end: Chance::percent(20), loss: Chance::ALWAYS };
    let (frames, stats) = carry(WireConfig { burst: Some(burst), ..WireConfig::default() });
    let arrived = numbers(&frames);
    let gaps = arrived.windows(2).filter(|pair| pair[1] > pair[0] + 1).count() as u64;
    // 1/(1 + 20) of the time bad, 5 frames at a time.
    assert!((300..700).contains(&stats.burst_lost), "{stats:?}");
    assert!(stats.burst_lost > 3 * gaps, "{gaps} gaps of {} frames", stats.burst_lost);
}

#[test]
fn corruption_flips_one_bit_behind_the_ethernet_header_and_spares_arp() {
    let always = WireConfig { corrupt: Chance::ALWAYS, ..WireConfig::default() };
    let mut wire = wire(always);
    for number in 0..2000 {
        let kind = if number % 2 == 0 { ethertype::IPV4 } else { ethertype::ARP };
        let sent = frame(kind, number);
        wire.put(Instant::ZERO, sent.clone(), |_| ());
        let got = wire.take(Instant::ZERO).unwrap();
        assert_eq!(got.head()[..14], sent.head()[..14]);
        let flipped: u32 =
            got.head().iter().zip(sent.head()).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(flipped, u32::from(kind == ethertype::IPV4));
    }
    assert_eq!(wire.stats().corrupted, 1000);
}

#[test]
fn super_segments_are_cut_before_anything_happens_to_them() {
    let mut bytes = vec![0; 14 + 20 + 20];
    bytes[12..14].copy_from_slice(&ethertype::IPV4.to_be_bytes());
    bytes[14] = 0x45;
    bytes[14 + 9] = 6;
    bytes[14 + 20 + 12] = 5 << 4;
    bytes.extend([7; 2500]);
    let total = (bytes.len() - 14) as u16;
    bytes[16..18].copy_from_slice(&total.to_be_bytes());
    let mut packet = PacketBuf::copy_from(&bytes);
    packet.offload_mut().checksum = ChecksumState::Partial { start: 34, field: 16 };
    packet.offload_mut().segmentation =
        Some(Segmentation { kind: SegmentationKind::TcpV4, size: 1000, ecn: false });
    let mut wire = wire(WireConfig::default());
    let mut seen = Vec::new();
    wire.put(Instant::ZERO, packet, |piece| seen.push(piece.len()));
    assert_eq!(seen, [54 + 1000, 54 + 1000, 54 + 500]);
    let taken: Vec<PacketBuf> = core::iter::from_fn(|| wire.take(Instant::ZERO)).collect();
    assert_eq!(taken.iter().map(PacketBuf::len).collect::<Vec<_>>(), seen);
    assert!(taken.iter().all(|piece| piece.offload().checksum == ChecksumState::Complete));
    // Metadata that lies is the sender's fault, and counted as such.
    let mut liar = frame(ethertype::IPV4, 1);
    liar.offload_mut().checksum = ChecksumState::Partial { start: 90, field: 16 };
    wire.put(Instant::ZERO, liar, |_| ());
    assert_eq!(wire.stats().uncuttable, 1);
}
