//! [`Impaired`]: any layer, with faults at its lower boundary, in both directions.
//!
//! ```text
//!             the layer itself
//!        ^ receive        | out.down
//!     [rising]         [sinking]      lose, double, hold back
//!        ^                v
//!             the neighbour below
//! ```
//!
//! Middleware of the same shape as what it wraps: `Impaired<Ip>` puts faults between ARP and IP,
//! `Impaired<Tcp>` between IP and TCP. What is promised not to be lost (events and commands between
//! transports and hub) has no such wrapper: only the lower boundary is touched.
//!
//! What is lost here counts as consumed in the ledger, as no layer dropped it; [`Impaired::stats`]
//! tells how many. Left out: corruption, which needs bytes; [`crate::wire::Wire`] does it.

use std::collections::BTreeMap;

use layer::time::earliest;
use layer::{Accounted, Counted, Duration, Instant, Layer, Out, Outlet, Outs};

use crate::rng::{Chance, Rng};

/// What happens to items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// It never arrives.
    pub loss: Chance,
    /// It arrives twice.
    pub duplicate: Chance,
    /// Every item is held back this long.
    pub delay: Duration,
    /// Held back by up to `late` more, so that others overtake it.
    pub reorder: Chance,
    /// See `reorder`.
    pub late: Duration,
}

/// What has happened, both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImpairedStats {
    /// Items lost.
    pub lost: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Items that could be overtaken.
    pub late: u64,
}

/// `L` with a faulty neighbour below.
#[derive(Debug)]
pub struct Impaired<L: Layer> {
    inner: L,
    faults: Faults,
    rng: Rng,
    stats: ImpairedStats,
    rising: Held<L::FromBelow>,
    sinking: Held<L::ToBelow>,
    /// What the layer puts out before anything happens to it.
    down: Outlet<L::ToBelow>,
}

/// Items held back, by release and order.
#[derive(Debug)]
struct Held<T> {
    items: BTreeMap<(Instant, u64), T>,
    number: u64,
}

impl<T> Held<T> {
    fn new() -> Self {
        Self { items: BTreeMap::new(), number: 0 }
    }

    fn hold(&mut self, until: Instant, item: T) {
        self.number += 1;
        self.items.insert((until, self.number), item);
    }

    fn release(&mut self, now: Instant) -> Option<T> {
        let first = self.items.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    fn next_at(&self) -> Option<Instant> {
        self.items.keys().next().map(|&(at, _)| at)
    }
}

impl<L> Impaired<L>
where
    L: Layer,
    L::FromBelow: Clone,
    L::ToBelow: Clone,
{
    /// Puts `faults` below `inner`.
    pub fn new(inner: L, faults: Faults, seed: u64) -> Self {
        Self {
            inner,
            faults,
            rng: Rng::derive(seed, "impaired", 0),
            stats: ImpairedStats::default(),
            rising: Held::new(),
            sinking: Held::new(),
            down: Outlet::with_capacity(0),
        }
    }

    /// The layer itself.
    pub fn inner(&self) -> &L {
        &self.inner
    }

    /// The layer itself, for control.
    pub fn inner_mut(&mut self) -> &mut L {
        &mut self.inner
    }

    /// What happens from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// What has happened.
    pub fn stats(&self) -> ImpairedStats {
        self.stats
    }

    /// Calls the layer and holds back what it sends.
    fn with(
        &mut self,
        now: Instant,
        out: &mut Out<'_, Self>,
        call: impl FnOnce(&mut L, &mut Out<'_, L>),
    ) {
        // Held items do not count: they are on their way, and a network has room of its own.
        self.down.set_capacity(out.down.room());
        let mut inner = Outs { up: out.up, down: &mut self.down, ledger: out.ledger };
        call(&mut self.inner, &mut inner);
        while let Some(item) = self.down.pop() {
            let Self { faults, rng, stats, sinking, .. } = self;
            impair(now, item, faults, rng, stats, sinking, out);
        }
        while let Some(item) = self.sinking.release(now) {
            out.down.push(item);
        }
    }
}

fn impair<T: Clone, Up, Down>(
    now: Instant,
    item: T,
    faults: &Faults,
    rng: &mut Rng,
    stats: &mut ImpairedStats,
    held: &mut Held<T>,
    out: &mut Outs<'_, Up, Down>,
) {
    if rng.happens(faults.loss) {
        stats.lost += 1;
        return out.consume(item);
    }
    let copy = rng.happens(faults.duplicate).then(|| item.clone());
    stats.duplicated += u64::from(copy.is_some());
    for item in core::iter::once(item).chain(copy) {
        let mut until = now + faults.delay;
        if rng.happens(faults.reorder) {
            stats.late += 1;
            let most = u64::try_from(faults.late.as_nanos()).unwrap_or(u64::MAX);
            until += Duration::from_nanos(rng.below(most));
        }
        held.hold(until, item);
    }
}

impl<L> Layer for Impaired<L>
where
    L: Layer,
    L::FromBelow: Clone,
    L::ToBelow: Clone,
{
    type FromBelow = L::FromBelow;
    type ToAbove = L::ToAbove;
    type FromAbove = L::FromAbove;
    type ToBelow = L::ToBelow;

    fn receive(&mut self, now: Instant, item: Self::FromBelow, out: &mut Out<'_, Self>) {
        let Self { faults, rng, stats, rising, .. } = self;
        impair(now, item, faults, rng, stats, rising, out);
        while let Some(item) = self.rising.release(now) {
            self.with(now, out, |inner, out| inner.receive(now, item, out));
        }
    }

    fn send(&mut self, now: Instant, item: Self::FromAbove, out: &mut Out<'_, Self>) {
        self.with(now, out, |inner, out| inner.send(now, item, out));
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        while let Some(item) = self.rising.release(now) {
            self.with(now, out, |inner, out| inner.receive(now, item, out));
        }
        self.with(now, out, |inner, out| inner.poll(now, out));
    }

    fn poll_at(&self) -> Option<Instant> {
        let held = earliest(self.rising.next_at(), self.sinking.next_at());
        earliest(held, self.inner.poll_at())
    }
}

impl<L: Layer + Accounted> Accounted for Impaired<L> {
    fn held_items(&self) -> usize {
        self.inner.held_items() + self.rising.items.len() + self.sinking.items.len()
    }

    fn held_bytes(&self) -> usize {
        self.inner.held_bytes()
    }
}

impl<L: Layer + Counted> Counted for Impaired<L> {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.inner.counters(each);
    }
}

#[cfg(test)]
mod tests;
