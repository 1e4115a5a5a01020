//! Toy layers and open ends, to drive stages without a protocol.

use std::collections::VecDeque;
use std::sync::Arc;

use layer::{Duration, Instant, Layer, Out, Outlet};
use stackd::lane::{Lane, Port};

/// Passes numbers through in both directions, each held back for a while. Loses nothing: what has
/// no room is held on.
pub(crate) struct Relay {
    delay: Duration,
    rising: VecDeque<(Instant, u32)>,
    sinking: VecDeque<(Instant, u32)>,
}

impl Relay {
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, rising: VecDeque::new(), sinking: VecDeque::new() }
    }
}

fn release(held: &mut VecDeque<(Instant, u32)>, now: Instant, outlet: &mut Outlet<u32>) {
    while outlet.room() > 0 && held.front().is_some_and(|&(at, _)| at <= now) {
        if let Some((_, item)) = held.pop_front() {
            outlet.push(item);
        }
    }
}

impl Layer for Relay {
    type FromBelow = u32;
    type ToAbove = u32;
    type FromAbove = u32;
    type ToBelow = u32;

    fn receive(&mut self, now: Instant, item: u32, _: &mut Out<'_, Self>) {
        self.rising.push_back((now + self.delay, item));
    }

    fn send(&mut self, now: Instant, item: u32, _: &mut Out<'_, Self>) {
        self.sinking.push_back((now + self.delay, item));
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        release(&mut self.rising, now, out.up);
        release(&mut self.sinking, now, out.down);
    }

    fn poll_at(&self) -> Option<Instant> {
        let first = |held: &VecDeque<(Instant, u32)>| held.front().map(|&(at, _)| at);
        layer::time::earliest(first(&self.rising), first(&self.sinking))
    }
}

/// The producer's end of a lane, outside the stages: pushes numbers in order.
pub(crate) struct Source {
    outlet: Outlet<u32>,
    lane: Arc<Lane<u32>>,
    next: u32,
}

impl Source {
    pub(crate) fn new(lane: &Arc<Lane<u32>>) -> Self {
        Self { outlet: Outlet::with_capacity(64), lane: Arc::clone(lane), next: 0 }
    }

    /// Pushes up to `n` more numbers, as far as the outlet has room, and offers what is there.
    pub(crate) fn push(&mut self, n: usize) {
        for _ in 0..n.min(self.outlet.room()) {
            self.outlet.push(self.next);
            self.next += 1;
        }
        if self.lane.offer(&mut self.outlet) {
            self.lane.notify(None);
        }
    }

    /// How many numbers it has pushed so far.
    pub(crate) fn pushed(&self) -> u32 {
        self.next
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outlet.is_empty()
    }
}

/// The consumer's end of a lane, outside the stages.
pub(crate) struct Sink {
    lane: Arc<Lane<u32>>,
    batch: VecDeque<u32>,
    pub(crate) taken: Vec<u32>,
}

impl Sink {
    pub(crate) fn new(lane: &Arc<Lane<u32>>) -> Self {
        Self { lane: Arc::clone(lane), batch: VecDeque::new(), taken: Vec::new() }
    }

    /// Takes one batch. False if there was none.
    pub(crate) fn take(&mut self) -> bool {
        if !self.lane.take(&mut self.batch) {
            return false;
        }
        self.taken.extend(self.batch.drain(..));
        self.lane.relieve(None);
        true
    }
}
