//! A lane: one direction of one boundary between two stages, a bounded channel of batches.
//!
//! ```text
//!   producer's Outlet --offer--> [ batch | batch | ... ] --take--> consumer's turn
//!                     <--------- [ empty batches, recycled ] <-----
//!        Want: "I found no room"  ---->  answered by the consumer after it took a batch
//! ```
//!
//! Nothing here blocks and nothing is lost: what does not fit stays in the outlet. What is left
//! out: who runs the neighbours. A lane only rings their bells.

use std::collections::VecDeque;
use std::sync::{OnceLock, Weak};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use layer::boundary::BATCH;
use layer::{Instant, Outlet};

use crate::want::Want;

/// Somebody who can be told that there is something to do.
pub trait Ring: Send + Sync {
    /// There is something to do. May do it on the spot; never called with a lock held. `now` is
    /// the time, if the caller has looked a moment ago: a chain of stages reads the clock once.
    fn ring(&self, now: Option<Instant>);
}

/// Where to ring: filled once when the topology is wired, silent until then and after its end.
#[derive(Default)]
pub struct Bell(OnceLock<Weak<dyn Ring>>);

impl Bell {
    /// Says who is to be told.
    ///
    /// # Panics
    ///
    /// If somebody was named before: a lane has one producer and one consumer.
    pub fn hang(&self, who: Weak<dyn Ring>) {
        assert!(self.0.set(who).is_ok(), "the bell hangs already");
    }

    /// Tells them.
    pub fn ring(&self, now: Option<Instant>) {
        if let Some(who) = self.0.get().and_then(Weak::upgrade) {
            who.ring(now);
        }
    }
}

/// Where a stage's output goes.
pub trait Port<T>: Send + Sync {
    /// Takes items out of `outlet`, in order, as many as there is room for. True if any. Called
    /// under the sender's lock: never blocks and runs nobody.
    fn offer(&self, outlet: &mut Outlet<T>) -> bool;

    /// The receiver may look. Called after `offer` with no lock held; `now` as for [`Ring`].
    fn notify(&self, now: Option<Instant>);

    /// Whom to ring when there is room again.
    fn bind(&self, producer: Weak<dyn Ring>);
}

/// One direction of one boundary. See the module's head.
pub struct Lane<T> {
    full: (Sender<VecDeque<T>>, Receiver<VecDeque<T>>),
    empty: (Sender<VecDeque<T>>, Receiver<VecDeque<T>>),
    want: Want,
    producer: Bell,
    consumer: Bell,
}

impl<T> Lane<T> {
    /// A lane for `capacity` batches of at most [`BATCH`] items.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0: nothing would ever cross.
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a lane without room");
        Self {
            full: bounded(capacity),
            // One is being filled and one emptied while all others wait.
            empty: bounded(capacity + 2),
            want: Want::default(),
            producer: Bell::default(),
            consumer: Bell::default(),
        }
    }

    /// Says who takes from this lane.
    pub fn bind_consumer(&self, consumer: Weak<dyn Ring>) {
        self.consumer.hang(consumer);
    }

    /// A batch waits.
    pub fn is_ready(&self) -> bool {
        !self.full.1.is_empty()
    }

    /// Exchanges the caller's emptied batch for the oldest full one. False if there is none.
    pub fn take(&self, batch: &mut VecDeque<T>) -> bool {
        debug_assert!(batch.is_empty(), "items would be lost");
        // One of a stage's two lanes is mostly empty: looking costs less than trying.
        if self.full.1.is_empty() {
            return false;
        }
        let Ok(next) = self.full.1.try_recv() else { return false };
        let emptied = core::mem::replace(batch, next);
        if emptied.capacity() > 0 {
            // A full recycling channel cannot be; if it were, the batch is simply freed.
            let _ = self.empty.0.try_send(emptied);
        }
        true
    }

    /// After `take`, with no lock held: tells a producer that waits for room.
    pub fn relieve(&self, now: Option<Instant>) {
        if self.want.answer() {
            self.producer.ring(now);
        }
    }

    /// Moves one batch; false, with the outlet as before, if there is no room.
    fn offer_batch(&self, outlet: &mut Outlet<T>) -> bool {
        if self.full.0.is_full() {
            return false;
        }
        let fresh = || VecDeque::with_capacity(BATCH);
        let mut batch = self.empty.1.try_recv().unwrap_or_else(|_| fresh());
        if outlet.len() <= BATCH {
            outlet.swap(&mut batch);
        } else {
            batch.extend(core::iter::from_fn(|| outlet.pop()).take(BATCH));
        }
        match self.full.0.try_send(batch) {
            Ok(()) => true,
            // Somebody else offered at the same time (two devices, one stage above them).
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                for item in batch.into_iter().rev() {
                    outlet.unpop(item);
                }
                false
            }
        }
    }
}

impl<T: Send> Port<T> for Lane<T> {
    fn offer(&self, outlet: &mut Outlet<T>) -> bool {
        let before = outlet.len();
        while !outlet.is_empty() {
            if !self.offer_batch(outlet) {
                self.want.raise();
                if !self.offer_batch(outlet) {
                    break;
                }
            }
        }
        outlet.len() < before
    }

    fn notify(&self, now: Option<Instant>) {
        self.consumer.ring(now);
    }

    fn bind(&self, producer: Weak<dyn Ring>) {
        self.producer.hang(producer);
    }
}

impl<T: Send> Port<T> for std::sync::Arc<Lane<T>> {
    fn offer(&self, outlet: &mut Outlet<T>) -> bool {
        (**self).offer(outlet)
    }

    fn notify(&self, now: Option<Instant>) {
        (**self).notify(now);
    }

    fn bind(&self, producer: Weak<dyn Ring>) {
        Port::bind(&**self, producer);
    }
}
