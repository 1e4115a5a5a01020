//! Frames over socket pairs: the same reads and writes as on a TAP, with the other end in hand.

use super::*;
use crate::tap;
use crate::tests::{Super, judge};
use layer::Offload;
use proptest::prelude::*;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::os::fd::AsRawFd;

const PLAIN: Offloads = Offloads { header: false, tcp: false, udp: false };
const FULL: Offloads = Offloads { header: true, tcp: true, udp: true };

fn sockets(kind: SocketType) -> (OwnedFd, OwnedFd) {
    let (a, b) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    for fd in [&a, &b] {
        rustix::net::sockopt::set_socket_send_buffer_size_force(fd, 4 << 20)
            .or_else(|_| rustix::net::sockopt::set_socket_send_buffer_size(fd, 4 << 20))
            .unwrap();
    }
    (a, b)
}

fn port(fd: OwnedFd, offloads: Offloads) -> (FdReceiver, FdTransmitter) {
    let kind = Kind::Socket { ends: true };
    Port { fd, name: "test".to_owned(), kind, offloads }.split(1500).unwrap()
}

/// A device, and a plain device on the other end that shows the bytes as they are.
fn device(offloads: Offloads) -> ((FdReceiver, FdTransmitter), (FdReceiver, FdTransmitter)) {
    let (a, b) = sockets(SocketType::SEQPACKET);
    let (mut receiver, transmitter) = port(b, PLAIN);
    receiver.pool = Pool::new(BLOCK);
    (port(a, offloads), (receiver, transmitter))
}

fn sent(offloads: Offloads, frame: PacketBuf) -> (TransmitReport, Vec<Vec<u8>>) {
    let ((_, mut transmitter), (mut receiver, _)) = device(offloads);
    let report = transmitter.transmit(&mut vec![frame]).unwrap();
    let mut batch = Vec::new();
    receiver.receive(&mut batch, 1000).unwrap();
    (report, batch.iter().map(PacketBuf::to_vec).collect())
}

fn received(offloads: Offloads, bytes: &[&[u8]]) -> (FdReceiver, Vec<PacketBuf>) {
    let ((mut receiver, _), (_, mut transmitter)) = device(offloads);
    let mut frames = bytes.iter().map(|bytes| PacketBuf::copy_from(bytes)).collect();
    transmitter.transmit(&mut frames).unwrap();
    let mut batch = Vec::new();
    receiver.receive(&mut batch, 1000).unwrap();
    (receiver, batch)
}

#[test]
fn small_frames_do_not_hold_their_block() {
    let (receiver, batch) = received(PLAIN, &[&[1; 60], &[2; COPIED], &[3; COPIED + 1]]);
    assert_eq!(batch.len(), 3);
    // The third is a slice of the block: it keeps all of it alive, and says so.
    assert!(batch[1].held_bytes() < COPIED + 1200);
    assert!(batch[2].held_bytes() >= BLOCK);
    drop(receiver);
    let (mut receiver, batch) = received(PLAIN, &[&[1; 60][..]; 100]);
    let block = receiver.pool.block();
    // Nobody but the pool refers to the block, with a hundred frames out.
    assert!(block.try_reclaim(BLOCK));
    assert_eq!(batch.len(), 100);
}

#[test]
fn a_device_without_offload_is_given_what_a_wire_carries() {
    let (report, frames) = sent(PLAIN, Super::tcp_v4(1460, &[1; 4000]).frame(1000));
    assert_eq!(report, TransmitReport { sent: 3, dropped: 0 });
    assert_eq!(frames.len(), 3);
    frames.iter().for_each(|frame| judge(frame).unwrap());

    let mut whole = Super::tcp_v4(1460, &[1; 1000]).frame(1000);
    whole.offload_mut().segmentation = None;
    let (_, frames) = sent(PLAIN, whole);
    judge(&frames[0]).unwrap();
}

#[test]
fn a_device_with_offload_is_given_the_metadata() {
    for len in [4000, 5000, 60_000] {
        let frame = Super::tcp_v4(1460, &vec![1; len]).frame(9000);
        let (report, frames) = sent(FULL, frame.clone());
        assert_eq!(report, TransmitReport { sent: 1, dropped: 0 });
        let expected = [&vnet::encode(&frame)[..], &frame.to_vec()].concat();
        assert!(frames[0] == expected, "{len} bytes");
    }
}

#[test]
fn a_super_segment_that_the_kernel_would_not_cut_is_cut_here() {
    let mut complete = Super::tcp_v4(1000, &[1; 2000]).frame(2000);
    complete.offload_mut().checksum = ChecksumState::Complete;
    assert_eq!(sent(FULL, complete).0.sent, 2);
    let mut datagrams = Super::tcp_v4(1000, &[1; 2000]);
    datagrams.kind = SegmentationKind::Udp;
    assert_eq!(sent(Offloads { udp: false, ..FULL }, datagrams.frame(2000)).0.sent, 2);
    assert_eq!(sent(FULL, datagrams.frame(2000)).0.sent, 1);
}

#[test]
fn metadata_that_cannot_be_acted_on_costs_the_frame() {
    let mut broken = PacketBuf::copy_from(&[1; 30]);
    broken.offload_mut().checksum = ChecksumState::Partial { start: 29, field: 16 };
    assert_eq!(sent(PLAIN, broken).0, TransmitReport { sent: 0, dropped: 1 });
    let mut broken = PacketBuf::copy_from(&[1; 30]);
    broken.offload_mut().segmentation = Super::tcp_v4(9, b"").frame(1).offload().segmentation;
    assert_eq!(sent(PLAIN, broken).0, TransmitReport { sent: 0, dropped: 1 });
}

#[test]
fn super_frames_come_up_with_their_metadata() {
    let frame = Super::tcp_v4(1460, &[1; 60_000]).frame(9000);
    let bytes = [&vnet::encode(&frame)[..], &frame.to_vec()].concat();
    let (_, batch) = received(FULL, &[&bytes, &bytes]);
    assert!(batch == [frame.clone(), frame]);
}

#[test]
fn merged_datagrams_are_taken_apart() {
    let mut datagrams = Super::tcp_v4(100, &[1; 250]);
    datagrams.kind = SegmentationKind::Udp;
    let frame = datagrams.frame(250);
    let (_, batch) = received(FULL, &[&[&vnet::encode(&frame)[..], &frame.to_vec()].concat()]);
    assert_eq!(batch.len(), 3);
    batch.iter().for_each(|frame| judge(&frame.to_vec()).unwrap());
}

#[test]
fn contradictory_metadata_is_dropped_and_counted() {
    let lie = [1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 9, 9, 9];
    let truth = [[0; vnet::LEN].as_slice(), &[7; 20]].concat();
    let (receiver, batch) = received(FULL, &[&lie, &[1, 2, 3], &truth]);
    assert_eq!(receiver.bad_offloads(), 2);
    assert_eq!(batch, [PacketBuf::copy_from(&[7; 20])]);
}

#[test]
fn nothing_there_is_not_an_error_and_max_is_kept() {
    let ((mut receiver, _), (_, mut transmitter)) = device(PLAIN);
    let mut batch = Vec::new();
    assert_eq!(receiver.receive(&mut batch, 64).unwrap(), 0);
    transmitter.transmit(&mut vec![PacketBuf::copy_from(&[1; 20]); 5]).unwrap();
    assert_eq!(receiver.receive(&mut batch, 3).unwrap(), 3);
    assert_eq!(receiver.receive(&mut batch, 3).unwrap(), 2);
}

#[test]
fn a_full_device_drops_and_counts() {
    let ((_, mut transmitter), (mut receiver, _)) = device(PLAIN);
    let mut frames = vec![PacketBuf::copy_from(&[1; 1000]); 100_000];
    let report = transmitter.transmit(&mut frames).unwrap();
    assert!(frames.is_empty());
    assert!(report.dropped > 0 && report.sent > 0);
    assert_eq!(report.sent + report.dropped, 100_000);
    // What was sent is there, a burst at a time.
    let mut received = 0;
    loop {
        let n = receiver.receive(&mut Vec::new(), 100_000).unwrap();
        assert!(n * 1000 < BURST + 1000);
        received += n;
        if n == 0 {
            break;
        }
    }
    assert_eq!(received, report.sent);
}

#[test]
fn the_other_end_closed() {
    let ((mut receiver, mut transmitter), other) = device(PLAIN);
    drop(other);
    assert!(matches!(receiver.receive(&mut Vec::new(), 1), Err(DeviceError::Gone { .. })));
    let mut frames = vec![PacketBuf::copy_from(&[1; 20]); 3];
    assert!(matches!(transmitter.transmit(&mut frames), Err(DeviceError::Gone { .. })));
    assert_eq!(frames.len(), 3);
}

#[test]
fn what_errors_mean() {
    #[derive(Debug, PartialEq)]
    enum Means {
        Down,
        Gone,
        Other,
    }
    let control = sys::control_socket().unwrap();
    let lo = sys::interface_index(&control, "lo").unwrap();
    let table = [
        (Kind::Tap, Errno::IO, Means::Down),
        (Kind::Tap, Errno::BADFD, Means::Gone),
        (Kind::Tap, Errno::FAULT, Means::Other),
        (Kind::Packet { index: lo }, Errno::NETDOWN, Means::Down),
        (Kind::Packet { index: lo + 4711 }, Errno::NETDOWN, Means::Gone),
        (Kind::Packet { index: lo }, Errno::NXIO, Means::Gone),
        (Kind::Packet { index: lo }, Errno::IO, Means::Other),
        (Kind::Socket { ends: true }, Errno::PIPE, Means::Gone),
        (Kind::Socket { ends: false }, Errno::CONNREFUSED, Means::Gone),
        (Kind::Socket { ends: false }, Errno::IO, Means::Other),
    ];
    for (kind, errno, means) in table {
        let fd = sys::control_socket().unwrap();
        let port = Port { fd, name: "lo".to_owned(), kind, offloads: PLAIN };
        let found = match port.failure("read from", errno) {
            DeviceError::Down { .. } => Means::Down,
            DeviceError::Gone { .. } => Means::Gone,
            DeviceError::Io { .. } => Means::Other,
        };
        assert_eq!(found, means, "{kind:?} {errno:?}");
    }
}

#[test]
fn inherited_sockets_carry_plain_frames() {
    for kind in [SocketType::SEQPACKET, SocketType::DGRAM] {
        let (a, b) = sockets(kind);
        let options = tap::Options { offload: true, mtu: Some(9000), ..Default::default() };
        let mut left = tap::inherit(a.as_raw_fd(), &options).unwrap();
        let mut right = tap::from_fd(b, &options).unwrap();
        drop(a);
        assert_eq!((left.mtu, left.offload, left.created), (9000, false, false));
        let frame = PacketBuf::copy_from(&[7; 9014]);
        left.transmitter.transmit(&mut vec![frame.clone()]).unwrap();
        let mut batch = Vec::new();
        assert_eq!(right.receiver.receive(&mut batch, 64).unwrap(), 1);
        assert_eq!(batch, [frame]);
    }
}

#[test]
fn descriptors_that_carry_no_frames() {
    use crate::OpenError::BadDescriptor;
    let options = tap::Options::default();
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    assert!(matches!(tap::from_fd(file, &options), Err(BadDescriptor { .. })));
    let (stream, _other) = sockets(SocketType::STREAM);
    assert!(matches!(tap::from_fd(stream, &options), Err(BadDescriptor { .. })));
    for number in [-1, 1_000_000] {
        let error = tap::inherit(number, &options).unwrap_err();
        assert!(matches!(error, BadDescriptor { number: n, .. } if n == number), "{error}");
    }
}

#[test]
fn names_that_no_interface_can_have() {
    for name in ["", ".", "..", "a/b", "a:b", "tap%d", "a b", "a\tb", "a\0b", "sixteen-bytes-xx"] {
        let error = tap::open(name, &tap::Options::default()).unwrap_err();
        assert!(matches!(error, crate::OpenError::BadName { .. }), "{name:?}: {error}");
    }
    assert!(crate::device::check_name("fifteen-bytes-x").is_ok());
}

proptest! {
    #![proptest_config(laws::config(128))]

    /// Whatever way it is stored and however it is written, it arrives as it was.
    #[test]
    fn frames_of_any_length_cross(
        head in 0_usize..3000, slices in proptest::collection::vec(1_usize..9000, 0..8),
        header in any::<bool>(),
    ) {
        let mut byte = 0_u8;
        let mut fill = |len| {
            (0..len).map(|_| { byte = byte.wrapping_mul(5).wrapping_add(1); byte }).collect()
        };
        let bytes: Vec<u8> = fill(head + 1);
        let mut frame = PacketBuf::copy_from(&bytes);
        for len in slices {
            let part: Vec<u8> = fill(len);
            frame.append(part.into());
        }
        let offloads = if header { FULL } else { PLAIN };
        let (a, b) = sockets(SocketType::SEQPACKET);
        let (_, mut transmitter) = port(a, offloads);
        let (mut receiver, _) = port(b, offloads);
        receiver.pool = Pool::new(BLOCK);
        prop_assume!(frame.len() + vnet::LEN <= BLOCK);
        transmitter.transmit(&mut vec![frame.clone()]).unwrap();
        let mut batch = Vec::new();
        receiver.receive(&mut batch, 64).unwrap();
        prop_assert_eq!(batch.len(), 1);
        prop_assert_eq!(batch[0].offload(), Offload::default());
        prop_assert!(batch[0].to_vec() == frame.to_vec());
    }
}
