//! Writing to a device: a stage without a layer, run by whoever delivers frames to it.
//!
//! The state word sees to it that frames leave in order and that the lowest stage's lock is not
//! held during system calls. A device never blocks: what it refuses is lost and counted.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use layer::boundary::{BATCH, Frame};
use layer::{Instant, Ledger, PacketBuf, Reason};
use link::{DeviceError, TransmitReport, Transmitter};
use parking_lot::Mutex;

use crate::alarm::Alarm;
use crate::lane::{Lane, Ring};
use crate::stage::Turn;

/// What was lost at a device, and whether it works.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Drops by reason.
    pub ledger: Ledger,
    /// Frames written; a super-segment cut in software counts by its pieces.
    pub sent: u64,
    /// Frames read.
    pub received: u64,
    /// Set down by its administrator, as far as is known.
    pub is_down: bool,
}

/// The writing half of a device. See the module's head.
pub struct Writer {
    /// What the device is called.
    device: String,
    lane: Arc<Lane<Frame>>,
    half: Mutex<Half>,
    books: Arc<Mutex<Books>>,
    alarm: Alarm,
}

struct Half {
    transmitter: Box<dyn Transmitter>,
    batch: VecDeque<Frame>,
    frames: Vec<PacketBuf>,
}

impl Writer {
    /// Takes frames from `lane`. `alarm` wakes the thread that carries on when a deliverer is
    /// tired: the device's reader.
    pub fn new(
        device: String,
        transmitter: Box<dyn Transmitter>,
        lane: Arc<Lane<Frame>>,
        books: Arc<Mutex<Books>>,
        alarm: Alarm,
    ) -> Self {
        alarm.set(None);
        let (batch, frames) = (VecDeque::new(), Vec::with_capacity(BATCH));
        Self { device, lane, half: Mutex::new(Half { transmitter, batch, frames }), books, alarm }
    }

    fn note(&self, result: Result<TransmitReport, DeviceError>, left: usize) {
        let mut books = self.books.lock();
        match result {
            Ok(TransmitReport { sent, dropped }) => {
                books.sent += sent as u64;
                books.ledger.add_drops(Reason::LinkDeviceFull, dropped as u64);
                if books.is_down {
                    books.is_down = false;
                    tracing::info!("{} is up again", self.device);
                }
            }
            Err(error) => {
                books.ledger.add_drops(Reason::LinkDeviceDown, left as u64);
                if !books.is_down {
                    books.is_down = true;
                    tracing::warn!("{error}; frames to it are dropped");
                }
            }
        }
    }
}

impl Turn for Writer {
    fn name(&self) -> &'static str {
        "writer"
    }

    fn turn(&self, _: Instant) -> bool {
        let mut half = self.half.lock();
        let Half { transmitter, batch, frames } = &mut *half;
        if !self.lane.take(batch) {
            return false;
        }
        frames.extend(batch.drain(..).map(|frame| frame.packet));
        let result = transmitter.transmit(frames);
        // What could not be written: the network may lose it, and later frames may do better.
        let left = frames.drain(..).count();
        drop(half);
        self.note(result, left);
        self.lane.relieve(None);
        self.lane.is_ready()
    }

    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn bind(&self, runner: Weak<dyn Ring>) {
        self.lane.bind_consumer(runner);
    }
}
