//! Copies of frames as they cross a device, for the feed's subscribers; and numbers for those that
//! come in, so that what a layer says of one can be told of the frame.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use layer::{InterfaceId, PacketBuf};
use link::capture::Direction;
use link::{Device, DeviceError, Receiver, TransmitReport, Transmitter};

use super::{Feed, Interest, Seen, SeenFrame};
use crate::clock::Clock;

/// The same devices, with the feed's tap on each.
pub(crate) fn tap_all(devices: Vec<Device>, feed: &Arc<Feed>) -> Vec<Device> {
    let ids = (0..).map(InterfaceId);
    ids.zip(devices).map(|(interface, device)| tap(device, interface, feed)).collect()
}

fn tap(device: Device, interface: InterfaceId, feed: &Arc<Feed>) -> Device {
    let Device { receiver, transmitter, name, mac, mtu, offload, created } = device;
    let receiver = Box::new(Tap { half: receiver, interface, feed: Arc::clone(feed) });
    let transmitter = Box::new(Tap { half: transmitter, interface, feed: Arc::clone(feed) });
    Device { receiver, transmitter, name, mac, mtu, offload, created }
}

/// One half of a device.
struct Tap<H> {
    half: H,
    interface: InterfaceId,
    feed: Arc<Feed>,
}

impl Receiver for Tap<Box<dyn Receiver>> {
    fn receive(&mut self, batch: &mut Vec<PacketBuf>, max: usize) -> Result<usize, DeviceError> {
        let before = batch.len();
        let result = self.half.receive(batch, max);
        if self.feed.frames.load(Ordering::Relaxed) > 0 {
            let new = batch.get_mut(before..).unwrap_or_default();
            self.feed.number(new);
            self.feed.show(self.interface, Direction::In, new);
        }
        result
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.half.as_fd()
    }

    fn bad_offloads(&self) -> u64 {
        self.half.bad_offloads()
    }
}

impl Transmitter for Tap<Box<dyn Transmitter>> {
    fn transmit(&mut self, frames: &mut Vec<PacketBuf>) -> Result<TransmitReport, DeviceError> {
        if self.feed.frames.load(Ordering::Relaxed) > 0 {
            self.feed.show(self.interface, Direction::Out, frames);
        }
        self.half.transmit(frames)
    }
}

impl Feed {
    /// Numbers frames, leaving out 0.
    fn number(&self, packets: &mut [PacketBuf]) {
        for packet in packets {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            packet.set_serial(serial.max(1));
        }
    }

    fn show(&self, interface: InterfaceId, direction: Direction, packets: &[PacketBuf]) {
        let unix_ns = Clock::unix_ns();
        for subscriber in self.subscribers.read().iter() {
            let Interest::Frames(filter) = &subscriber.interest else { continue };
            for packet in packets.iter().filter(|packet| filter.takes(packet)) {
                let packet = copy(packet);
                let frame = SeenFrame { unix_ns, interface, direction, packet };
                subscriber.offer(Seen::Frame(Box::new(frame)));
            }
        }
    }
}

/// A copy of its own: a slow subscriber must not keep the blocks that devices read into.
fn copy(packet: &PacketBuf) -> PacketBuf {
    let mut copy = PacketBuf::copy_from(&packet.to_vec());
    *copy.offload_mut() = packet.offload();
    copy.set_serial(packet.serial());
    copy
}
