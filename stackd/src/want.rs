//! A flag for want of room: how a stage that found a lane full learns that it no longer is.
//!
//! The producer raises the flag and looks once more; the consumer makes room and looks at the
//! flag. With a full fence between the two steps on both sides, one of them sees the other, so no
//! producer waits for room that is there. `tests/loom_want.rs` checks it.

use super::sync::{AtomicBool, Ordering, fence};

/// "I found no room": raised by a producer, taken down by the consumer.
#[derive(Debug)]
pub struct Want(AtomicBool);

impl Default for Want {
    fn default() -> Self {
        Self(AtomicBool::new(false))
    }
}

impl Want {
    /// Producer: there was no room. Look once more after this.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Consumer: there is room now. True if the producer must be told.
    pub fn answer(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::AcqRel)
    }
}
