//! [`Timed`]: a layer with its deadline at hand.
//!
//! Most calls into a stack concern few of its layers. A combinator that keeps each part's deadline
//! knows without asking which parts a poll concerns, however deep they are nested: by law L3 it
//! may leave out the others.

use crate::{Instant, Layer};

/// A layer, and what its [`Layer::poll_at`] said after the last call.
#[derive(Debug)]
pub(crate) struct Timed<L> {
    layer: L,
    at: Option<Instant>,
}

impl<L: Layer> Timed<L> {
    pub(crate) fn new(layer: L) -> Self {
        let at = layer.poll_at();
        Self { layer, at }
    }

    /// The layer, to look at.
    pub(crate) fn get(&self) -> &L {
        &self.layer
    }

    /// The layer, for control: whatever that does, the next poll finds out what is due.
    pub(crate) fn get_mut(&mut self) -> &mut L {
        self.at = Some(Instant::ZERO);
        &mut self.layer
    }

    /// Calls into the layer and takes note of its new deadline.
    #[inline]
    pub(crate) fn call<R>(&mut self, call: impl FnOnce(&mut L) -> R) -> R {
        let result = call(&mut self.layer);
        self.at = self.layer.poll_at();
        result
    }

    /// When the layer wants to be polled.
    #[inline]
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.at
    }

    /// A poll would not be in vain.
    #[inline]
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }
}
