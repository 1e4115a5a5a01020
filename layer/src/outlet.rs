//! The ways out of a layer, with the back-pressure between layers.
//!
//! Nothing ever blocks on an outlet. Who must not lose an item asks [`Outlet::room`] first and
//! keeps what does not fit; who may lose it (ARP, ICMP, RST) just pushes. Past the hard limit an
//! item is dropped and counted, so a careless layer costs a packet and never memory.

use std::collections::VecDeque;

use crate::ledger::{Ledger, Note, Reason};
use crate::{Layer, boundary};

/// A bounded queue of items on their way to a neighbour.
///
/// ```text
///   0 ........ capacity ........ hard limit
///   |  room()  |   push only    |  dropped and counted
/// ```
#[derive(Debug)]
pub struct Outlet<T> {
    queue: VecDeque<T>,
    capacity: usize,
    overflowed: u64,
}

impl<T> Outlet<T> {
    /// Items beyond the capacity that a `push` without asking for room may still use.
    const SLACK: usize = 256;

    /// An outlet with room for `capacity` items.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { queue: VecDeque::new(), capacity, overflowed: 0 }
    }

    /// How many items may be pushed without loss.
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.queue.len())
    }

    /// Hands an item over; past the hard limit it is dropped and counted in `overflowed`.
    pub fn push(&mut self, item: T) {
        if self.queue.len() < self.capacity.saturating_add(Self::SLACK) {
            self.queue.push_back(item);
        } else {
            self.overflowed += 1;
        }
    }

    /// The oldest item.
    pub fn pop(&mut self) -> Option<T> {
        self.queue.pop_front()
    }

    /// Puts an item back at the front: its receiver had no room after all.
    pub fn unpop(&mut self, item: T) {
        self.queue.push_front(item);
    }

    /// Items waiting.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The waiting items, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.queue.iter()
    }

    /// Takes all waiting items, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.queue.drain(..)
    }

    /// Exchanges the waiting items for those of `queue`, normally none: a whole batch changes hands
    /// without an item being touched.
    pub fn swap(&mut self, queue: &mut VecDeque<T>) {
        core::mem::swap(&mut self.queue, queue);
    }

    /// Sets the capacity, e.g. to the room of the outlet beyond.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Items lost because a layer pushed past the hard limit. Counts from construction.
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }
}

/// The ways out of one call: both outlets, and the ledger for what is not a packet.
#[derive(Debug)]
pub struct Outs<'a, Up, Down> {
    /// To the neighbour above.
    pub up: &'a mut Outlet<Up>,
    /// To the neighbour below.
    pub down: &'a mut Outlet<Down>,
    /// Drops by reason, and notes when somebody listens.
    pub ledger: &'a mut Ledger,
}

/// The ways out of layer `L`.
pub type Out<'a, L> = Outs<'a, <L as Layer>::ToAbove, <L as Layer>::ToBelow>;

impl<Up, Down> Outs<'_, Up, Down> {
    /// Consumes an item that goes no further, and counts it by its reason.
    pub fn drop<T>(&mut self, reason: Reason, item: T) {
        self.ledger.count_drop(reason);
        drop(item);
    }

    /// Consumes an item that has done its work here: its information was taken in.
    pub fn consume<T>(&mut self, item: T) {
        self.ledger.count_consumed();
        drop(item);
    }

    /// States a fact (a state change, a retransmission). Costs one branch when nobody listens.
    pub fn note(&mut self, fact: impl FnOnce() -> Note) {
        self.ledger.note(fact);
    }
}

/// Both outlets and a ledger in one place, for drivers and tests that run a layer alone.
///
/// ```
/// # use layer::{Layer, Instant, outlet::Driver};
/// # fn run<L: Layer>(mut layer: L, item: L::FromBelow) {
/// let mut driver = Driver::new(64);
/// layer.receive(Instant::ZERO, item, &mut driver.out());
/// layer.poll(Instant::ZERO, &mut driver.out());
/// while let Some(up) = driver.up.pop() { /* ... */ }
/// # }
/// ```
#[derive(Debug)]
pub struct Driver<Up, Down> {
    /// What the layer delivered upward.
    pub up: Outlet<Up>,
    /// What the layer handed downward.
    pub down: Outlet<Down>,
    /// What it counted and noted.
    pub ledger: Ledger,
}

impl<Up, Down> Driver<Up, Down> {
    /// Outlets with room for `capacity` items each way.
    pub fn new(capacity: usize) -> Self {
        Self {
            up: Outlet::with_capacity(capacity),
            down: Outlet::with_capacity(capacity),
            ledger: Ledger::default(),
        }
    }

    /// The ways out for the next call.
    pub fn out(&mut self) -> Outs<'_, Up, Down> {
        Outs { up: &mut self.up, down: &mut self.down, ledger: &mut self.ledger }
    }
}

/// The default room of an outlet: one full batch, see [`boundary::BATCH`].
pub const ROOM: usize = boundary::BATCH;
