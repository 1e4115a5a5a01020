//! Many timers, one question: when is the next one due?
//!
//! A timer is an `Option<Instant>` owned by the thing it belongs to; this heap is only a hint. The
//! owner remembers the earliest hint it gave and gives a new one only when its deadline moved to
//! before that; when a hint pops, the owner looks at its own timers, which are the truth. So
//! setting, moving and clearing a timer cost nothing but a store in the owner, and a retransmission
//! timer that each acknowledgement pushes back touches the heap once per timeout, not per segment.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Instant;

/// Hints about when owners want to be looked at. `K` names an owner.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord> Default for Deadlines<K> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new() }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// Asks to look at `key` no later than `at`, unless `hinted` (the owner's memory of its
    /// earliest outstanding hint) already does.
    pub fn hint(&mut self, at: Option<Instant>, key: K, hinted: &mut Option<Instant>) {
        let Some(at) = at else { return };
        if hinted.is_none_or(|earlier| at < earlier) {
            *hinted = Some(at);
            self.heap.push(Reverse((at, key)));
        }
    }

    /// The earliest hint.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes an owner whose hint is due, with the hint's time. The owner may have been looked at
    /// since, or be gone: a hint that is not the owner's remembered one is stale and means nothing.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        if self.next()? > now {
            return None;
        }
        let popped = self.heap.pop().map(|Reverse(entry)| entry);
        // What a rush took is given back when it is over.
        if self.heap.capacity() > 1024 && self.heap.len() < self.heap.capacity() / 8 {
            self.heap.shrink_to(self.heap.len() * 2);
        }
        popped
    }

    /// Forgets the hints that `is_current` denies once they outnumber the `owners`: an owner whose
    /// near deadlines come and go before a far one leaves a stale hint for each. Costs a constant
    /// for each hint given.
    pub fn prune(&mut self, owners: usize, mut is_current: impl FnMut(Instant, K) -> bool) {
        if self.heap.len() > owners.saturating_mul(2).saturating_add(64) {
            self.heap.retain(|Reverse((at, key))| is_current(*at, *key));
            self.heap.shrink_to(owners);
        }
    }

    /// Outstanding hints, stale ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// No hint is outstanding.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
