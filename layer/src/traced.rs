//! [`Traced`]: any layer, with everything that crosses its boundaries shown to an observer.

use core::fmt::Debug;

use crate::{Accounted, Counted, Instant, Layer, Out};

/// A crossing of a layer's boundary, or a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// In from below.
    Receive,
    /// In from above.
    Send,
    /// The clock.
    Poll,
    /// Out to above.
    Up,
    /// Out to below.
    Down,
}

/// `L`, observed: `observe(now, crossing, item)` for every item in and out, in order.
#[derive(Debug)]
pub struct Traced<L, F> {
    inner: L,
    observe: F,
}

impl<L, F> Traced<L, F>
where
    L: Layer,
    L::FromBelow: Debug,
    L::ToAbove: Debug,
    L::FromAbove: Debug,
    L::ToBelow: Debug,
    F: FnMut(Instant, Crossing, &dyn Debug),
{
    /// Observes `inner`.
    pub fn new(inner: L, observe: F) -> Self {
        Self { inner, observe }
    }

    /// The layer itself.
    pub fn inner(&self) -> &L {
        &self.inner
    }

    /// The layer itself, for control.
    pub fn inner_mut(&mut self) -> &mut L {
        &mut self.inner
    }

    fn watch(
        &mut self,
        now: Instant,
        out: &mut Out<'_, L>,
        call: impl FnOnce(&mut L, &mut Out<'_, L>),
    ) {
        let (up, down) = (out.up.len(), out.down.len());
        call(&mut self.inner, out);
        for item in out.up.iter().skip(up) {
            (self.observe)(now, Crossing::Up, item);
        }
        for item in out.down.iter().skip(down) {
            (self.observe)(now, Crossing::Down, item);
        }
    }
}

impl<L, F> Layer for Traced<L, F>
where
    L: Layer,
    L::FromBelow: Debug,
    L::ToAbove: Debug,
    L::FromAbove: Debug,
    L::ToBelow: Debug,
    F: FnMut(Instant, Crossing, &dyn Debug),
{
    type FromBelow = L::FromBelow;
    type ToAbove = L::ToAbove;
    type FromAbove = L::FromAbove;
    type ToBelow = L::ToBelow;

    fn receive(&mut self, now: Instant, item: Self::FromBelow, out: &mut Out<'_, Self>) {
        (self.observe)(now, Crossing::Receive, &item);
        self.watch(now, out, |inner, out| inner.receive(now, item, out));
    }

    fn send(&mut self, now: Instant, item: Self::FromAbove, out: &mut Out<'_, Self>) {
        (self.observe)(now, Crossing::Send, &item);
        self.watch(now, out, |inner, out| inner.send(now, item, out));
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        (self.observe)(now, Crossing::Poll, &());
        self.watch(now, out, |inner, out| inner.poll(now, out));
    }

    fn poll_at(&self) -> Option<Instant> {
        self.inner.poll_at()
    }
}

impl<L: Accounted, F> Accounted for Traced<L, F> {
    fn held_items(&self) -> usize {
        self.inner.held_items()
    }

    fn held_bytes(&self) -> usize {
        self.inner.held_bytes()
    }
}

impl<L: Counted, F> Counted for Traced<L, F> {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.inner.counters(each);
    }
}
