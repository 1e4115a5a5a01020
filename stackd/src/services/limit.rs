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

    /// Waits for a free place and takes it.
    pub(super) fn enter(&self) -> Permit {
        let mut used = self.inner.used.lock();
        while *used >= self.inner.most {
            self.inner.changed.wait(&mut used);
        }
        *used += 1;
        Permit(Arc::clone(&self.inner))
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
    fn the_last_place_is_waited_for() {
        let limit = Limit::new(2);
        let (first, _second) = (limit.enter(), limit.enter());
        let waiting = limit.clone();
        let third = std::thread::spawn(move || drop(waiting.enter()));
        assert_eq!(limit.drain(Duration::ZERO), 2);
        drop(first);
        third.join().unwrap();
        assert_eq!(limit.drain(Duration::ZERO), 1);
    }
}
