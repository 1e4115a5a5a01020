//! Order, bounds, readiness and the end of a cable.

use super::*;
use crate::tests::{Super, judge};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn frames(range: core::ops::Range<u8>) -> Vec<PacketBuf> {
    range.map(|n| PacketBuf::copy_from(&[n; 20])).collect()
}

fn readable(device: &Device) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(device.receiver.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

fn report(sent: usize, dropped: usize) -> TransmitReport {
    TransmitReport { sent, dropped }
}

#[test]
fn in_order_and_bounded() {
    let options = Options { frames: 3, ..Options::default() };
    let (mut a, mut b) = pair(options).unwrap();
    assert!(!readable(&b));
    assert_eq!(a.transmitter.transmit(&mut frames(0..2)).unwrap(), report(2, 0));
    assert_eq!(a.transmitter.transmit(&mut frames(2..5)).unwrap(), report(1, 2));
    assert!(readable(&b) && !readable(&a));

    let mut batch = Vec::new();
    assert_eq!(b.receiver.receive(&mut batch, 2).unwrap(), 2);
    assert!(readable(&b));
    assert_eq!(b.receiver.receive(&mut batch, 2).unwrap(), 1);
    assert!(!readable(&b));
    assert_eq!(b.receiver.receive(&mut batch, 2).unwrap(), 0);
    assert_eq!(batch, frames(0..3));
    assert_eq!(b.transmitter.transmit(&mut frames(0..1)).unwrap(), report(1, 0));
    assert!(readable(&a));
}

#[test]
fn super_segments_are_cut_unless_both_ends_can() {
    for (offload, crossed) in [(false, 3), (true, 1)] {
        let (mut a, mut b) = pair(Options { offload, ..Options::default() }).unwrap();
        let mut frames = vec![Super::tcp_v4(1000, &[1; 2500]).frame(2500)];
        assert_eq!(a.transmitter.transmit(&mut frames).unwrap(), report(crossed, 0));
        let mut batch = Vec::new();
        assert_eq!(b.receiver.receive(&mut batch, 64).unwrap(), crossed);
        assert_eq!(judge(&batch[0].to_vec()).is_ok(), !offload);
    }
}

#[test]
fn an_end_that_closes_is_gone_for_the_other() {
    let (mut a, b) = pair(Options::default()).unwrap();
    let Device { receiver, mut transmitter, .. } = b;
    transmitter.transmit(&mut frames(0..1)).unwrap();
    drop(transmitter);
    assert!(readable(&a));
    let mut batch = Vec::new();
    assert_eq!(a.receiver.receive(&mut batch, 64).unwrap(), 1);
    // Readable to the end, so that whoever waits finds out.
    assert!(readable(&a));
    assert!(matches!(a.receiver.receive(&mut batch, 64), Err(DeviceError::Gone { .. })));

    assert!(a.transmitter.transmit(&mut frames(0..1)).is_ok());
    drop(receiver);
    let mut kept = frames(0..2);
    assert!(matches!(a.transmitter.transmit(&mut kept), Err(DeviceError::Gone { .. })));
    assert_eq!(kept.len(), 2);
}
