//! A cable in memory with a device at each end, for tests and for two stacks in one program.
//!
//! Bounded like a device queue: what does not fit is dropped and counted. Each end is waited for
//! like any device, through an eventfd that is readable while frames are there.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use layer::PacketBuf;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use crate::device::{Device, DeviceError, Receiver, TransmitReport, Transmitter};
use crate::gso;

/// What the two ends of a cable are like.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Frames under way in each direction, at most.
    pub frames: usize,
    /// MTU of both ends.
    pub mtu: u32,
    /// Super-segments and partial checksums cross as they are; otherwise as on a wire.
    pub offload: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { frames: 1000, mtu: 1500, offload: false }
    }
}

/// A cable's two ends.
///
/// # Errors
///
/// No descriptors left.
pub fn pair(options: Options) -> io::Result<(Device, Device)> {
    let (right, left) = (Arc::new(Lane::new(options)?), Arc::new(Lane::new(options)?));
    let a = end(Arc::clone(&left), Arc::clone(&right), options);
    let b = end(right, left, options);
    Ok((a, b))
}

fn end(from: Arc<Lane>, to: Arc<Lane>, options: Options) -> Device {
    Device {
        receiver: Box::new(Outlet { lane: from }),
        transmitter: Box::new(Inlet { lane: to, wire: Vec::new() }),
        name: "cable".to_owned(),
        mac: None,
        mtu: options.mtu,
        offload: options.offload,
        created: false,
    }
}

/// One direction.
struct Lane {
    options: Options,
    queue: Mutex<Queue>,
    /// Nonzero while the queue has frames or its writer is gone; changed under the lock only.
    ready: OwnedFd,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<PacketBuf>,
    writer_gone: bool,
    reader_gone: bool,
}

impl Lane {
    fn new(options: Options) -> io::Result<Self> {
        let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { options, queue: Mutex::default(), ready })
    }

    fn gone() -> DeviceError {
        DeviceError::Gone { name: "cable".to_owned() }
    }

    /// Makes the reader's descriptor readable. Cannot fail: the counter is far from its limit.
    fn raise(&self) {
        let _ = rustix::io::write(&self.ready, &1_u64.to_ne_bytes());
    }

    /// Takes that back.
    fn lower(&self) {
        let _ = rustix::io::read(&self.ready, &mut [0; 8]);
    }
}

struct Outlet {
    lane: Arc<Lane>,
}

impl Receiver for Outlet {
    fn receive(&mut self, batch: &mut Vec<PacketBuf>, max: usize) -> Result<usize, DeviceError> {
        let mut queue = self.lane.queue.lock();
        let n = max.min(queue.frames.len());
        batch.extend(queue.frames.drain(..n));
        if queue.writer_gone {
            return if n > 0 || max == 0 { Ok(n) } else { Err(Lane::gone()) };
        }
        if queue.frames.is_empty() {
            self.lane.lower();
        }
        Ok(n)
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lane.ready.as_fd()
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut queue = self.lane.queue.lock();
        queue.reader_gone = true;
        queue.frames.clear();
    }
}

struct Inlet {
    lane: Arc<Lane>,
    /// The frames of one `transmit` as they cross.
    wire: Vec<PacketBuf>,
}

impl Transmitter for Inlet {
    fn transmit(&mut self, frames: &mut Vec<PacketBuf>) -> Result<TransmitReport, DeviceError> {
        let mut report = TransmitReport::default();
        let mut queue = self.lane.queue.lock();
        if queue.reader_gone {
            return Err(Lane::gone());
        }
        if self.lane.options.offload {
            self.wire.append(frames);
        } else {
            for frame in frames.drain(..) {
                report.dropped += usize::from(gso::to_wire(frame, &mut self.wire).is_err());
            }
        }
        let room = self.lane.options.frames.saturating_sub(queue.frames.len());
        report.sent = room.min(self.wire.len());
        report.dropped += self.wire.len() - report.sent;
        let was_empty = queue.frames.is_empty();
        queue.frames.extend(self.wire.drain(..).take(room));
        if was_empty && !queue.frames.is_empty() {
            self.lane.raise();
        }
        Ok(report)
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.lane.queue.lock().writer_gone = true;
        self.lane.raise();
    }
}

#[cfg(test)]
mod tests;
