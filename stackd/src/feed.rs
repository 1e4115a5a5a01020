//! The live feed: what layers state and what crosses devices, for whoever subscribes.
//!
//! Most of the time nobody does, and then a batch of frames costs one load and a note costs
//! nothing, because the stages are told not to make any. Nothing here ever waits: a subscriber that
//! does not keep up loses what finds no place in its queue, and is told how much.

pub(crate) mod filter;
pub(crate) mod frames;

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crossbeam_channel::{Receiver, Sender, bounded};
use layer::{InterfaceId, Layer, Note, PacketBuf};
use link::capture::Direction;
use parking_lot::{Mutex, RwLock};

use crate::clock::Clock;
use crate::stage::{Stage, Watch};
use crate::watch::Log;
use filter::Filter;

/// Things that wait for one subscriber, at most.
const QUEUE: usize = 16_384;

/// Bytes of frames that wait for one subscriber, at most.
const BYTES: usize = 16 << 20;

/// Subscribers at once, at most.
pub(crate) const SUBSCRIBERS: usize = 16;

/// Something that was seen.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A layer stated something.
    Note { unix_ns: u64, stage: &'static str, note: Note },
    /// A frame crossed a device.
    Frame(Box<SeenFrame>),
}

/// A copy of a frame.
#[derive(Debug)]
pub(crate) struct SeenFrame {
    pub(crate) unix_ns: u64,
    pub(crate) interface: InterfaceId,
    pub(crate) direction: Direction,
    pub(crate) packet: PacketBuf,
}

/// What a subscriber wants to hear of.
#[derive(Clone, Debug)]
pub(crate) enum Interest {
    /// What layers state.
    Notes,
    /// Frames that pass the filter, and what layers state.
    Frames(Filter),
}

struct Subscriber {
    number: u64,
    interest: Interest,
    queue: Sender<Seen>,
    /// Bytes of the frames in the queue.
    bytes: AtomicUsize,
    lost: AtomicU64,
}

/// A stage whose notes can be wanted or not.
pub(crate) trait Noting: Send + Sync {
    /// Whether they are wanted now.
    fn listen(&self, on: bool);

    /// Which stage.
    fn name(&self) -> &'static str;
}

impl<L> Noting for Stage<L>
where
    L: Layer + Send,
    L::FromBelow: Send,
    L::FromAbove: Send,
    L::ToAbove: Send,
    L::ToBelow: Send,
{
    fn listen(&self, on: bool) {
        Self::listen(self, on);
    }

    fn name(&self) -> &'static str {
        crate::stage::Turn::name(self)
    }
}

/// Who listens to what. See the module's head.
#[derive(Default)]
pub(crate) struct Feed {
    subscribers: RwLock<Vec<Arc<Subscriber>>>,
    /// How many of them want frames.
    frames: AtomicUsize,
    /// Frames numbered so far.
    serial: AtomicU32,
    numbers: AtomicU64,
    /// They know this feed, and must not be kept by it.
    stages: Mutex<Vec<Weak<dyn Noting>>>,
}

impl Feed {
    /// Without subscribers.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes in a stage, whose notes come here.
    pub(crate) fn add(&self, stage: &Arc<dyn Noting>) {
        stage.listen(logged(stage.name()));
        self.stages.lock().push(Arc::downgrade(stage));
    }

    /// From now on, until it is dropped. `None` if there are too many already.
    pub(crate) fn subscribe(self: &Arc<Self>, interest: Interest) -> Option<Subscription> {
        let (queue, waiting) = bounded(QUEUE);
        let wants_frames = matches!(interest, Interest::Frames(_));
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (bytes, lost) = (AtomicUsize::new(0), AtomicU64::new(0));
        let subscriber = Arc::new(Subscriber { number, interest, queue, bytes, lost });
        let mut subscribers = self.subscribers.write();
        if subscribers.len() >= SUBSCRIBERS {
            return None;
        }
        subscribers.push(Arc::clone(&subscriber));
        drop(subscribers);
        if wants_frames {
            self.frames.fetch_add(1, Ordering::Relaxed);
        }
        self.switch();
        Some(Subscription { feed: Arc::clone(self), subscriber, waiting, told: 0 })
    }

    fn leave(&self, subscriber: &Subscriber) {
        self.subscribers.write().retain(|other| other.number != subscriber.number);
        if matches!(subscriber.interest, Interest::Frames(_)) {
            self.frames.fetch_sub(1, Ordering::Relaxed);
        }
        self.switch();
    }

    /// Has the stages make notes if somebody wants them.
    fn switch(&self) {
        let stages = self.stages.lock();
        // Looked at under the lock: the last one to come or go decides.
        let wanted = !self.subscribers.read().is_empty();
        for stage in stages.iter().filter_map(Weak::upgrade) {
            stage.listen(wanted || logged(stage.name()));
        }
    }
}

/// Address conflicts must be heard of; the rest is only of interest to who looks closely.
fn logged(stage: &str) -> bool {
    stage.contains("arp") || tracing::enabled!(tracing::Level::DEBUG)
}

impl Watch for Feed {
    fn note(&self, stage: &'static str, note: &Note) {
        Log.note(stage, note);
        let subscribers = self.subscribers.read();
        if subscribers.is_empty() {
            return;
        }
        let unix_ns = Clock::unix_ns();
        for subscriber in subscribers.iter() {
            subscriber.offer(Seen::Note { unix_ns, stage, note: note.clone() });
        }
    }
}

impl Subscriber {
    fn offer(&self, seen: Seen) {
        let bytes = seen.bytes();
        if self.bytes.load(Ordering::Relaxed) + bytes > BYTES {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.queue.try_send(seen).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Seen {
    fn bytes(&self) -> usize {
        match self {
            Self::Note { .. } => 0,
            Self::Frame(frame) => frame.packet.len(),
        }
    }
}

/// A place in the feed; dropped, it is given back.
pub(crate) struct Subscription {
    feed: Arc<Feed>,
    subscriber: Arc<Subscriber>,
    waiting: Receiver<Seen>,
    /// Losses that were told.
    told: u64,
}

impl Subscription {
    /// The next thing, if one comes in time.
    pub(crate) fn next(&self, patience: layer::Duration) -> Option<Seen> {
        let seen = self.waiting.recv_timeout(patience).ok()?;
        self.subscriber.bytes.fetch_sub(seen.bytes(), Ordering::Relaxed);
        Some(seen)
    }

    /// Things that found no place since the last call.
    pub(crate) fn lost(&mut self) -> u64 {
        let lost = self.subscriber.lost.load(Ordering::Relaxed);
        lost - core::mem::replace(&mut self.told, lost)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.leave(&self.subscriber);
    }
}

#[cfg(test)]
mod tests;
