//! A bound on how many connections are served at once.

use std::sync::Arc;

use layer::Duration;
use parking_lot::{Condvar, Mutex};

/// Counts what is in use; clones count together.
#[derive(Clone)]
pub(super) struct Limit {
    inner: Arc<Inner>,
}

struct Inner {
    most: usize,
    used: Mutex<usize>,
    changed: Condvar,
}

/// One in use, until dropped.
pub(super) struct Permit(Arc<Inner>);

impl Limit {
    /// At most `most` at once.
    pub(super) fn new(most: usize) -> Self {
        let inner = Inner { most, used: Mutex::new(0), changed: Condvar::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Takes a free place, if there is one.
    pub(super) fn try_enter(&self) -> Option<Permit> {
        let mut used = self.inner.used.lock();
        if *used >= self.inner.most {
            return None;
        }
        *used += 1;
        Some(Permit(Arc::clone(&self.inner)))
    }

    /// Waits until all places are free, at most so long. How many are not?
    pub(super) fn drain(&self, patience: Duration) -> usize {
        let mut used = self.inner.used.lock();
        while *used > 0 {
            if self.inner.changed.wait_for(&mut used, patience).timed_out() {
                break;
            }
        }
        *used
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.used.lock() -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let limit = Limit::new(2);
        let (first, _second) = (limit.try_enter(), limit.try_enter());
        assert!(limit.try_enter().is_none());
        assert_eq!(limit.drain(Duration::ZERO), 2);
        drop(first);
        assert!(limit.try_enter().is_some(), "free again");
        assert_eq!(limit.drain(Duration::ZERO), 1);
    }
}
