//! Packets that wait: bounded, in order, and where something must go, the oldest goes.
//!
//! One queue for all keys. Waiting is rare and short, so finding a key's packets by looking through
//! a few hundred is cheaper than keeping a queue a key; and "the oldest of all" is simply in front.
//! Home of RFC 1122 2.3.2.2.

use std::collections::VecDeque;

use crate::config::Limits;

/// Items that wait for keys: neighbours not resolved yet, or addresses of ours not ready yet.
#[derive(Debug)]
pub(crate) struct HoldQueue<K, T> {
    queue: VecDeque<Held<K, T>>,
    bytes: usize,
    per_key: usize,
    max_items: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Held<K, T> {
    key: K,
    bytes: usize,
    item: T,
}

impl<K: Copy + Eq, T> HoldQueue<K, T> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            per_key: limits.held_per_neighbour,
            max_items: limits.held_packets,
            max_bytes: limits.held_bytes,
        }
    }

    /// Lets `item`, which keeps `bytes` alive, wait for `key`. What has to go for it is given to
    /// `gone`: the oldest of the same key where that one is full, else the oldest of all.
    // RFC 1122 2.3.2.2: save at least one packet, and the latest, of each set to one destination.
    pub(crate) fn push(&mut self, key: K, bytes: usize, item: T, mut gone: impl FnMut(T)) {
        if self.queue.iter().filter(|held| held.key == key).count() >= self.per_key {
            let oldest = self.queue.iter().position(|held| held.key == key);
            if let Some(held) = oldest.and_then(|at| self.queue.remove(at)) {
                self.bytes -= held.bytes;
                gone(held.item);
            }
        }
        self.bytes += bytes;
        self.queue.push_back(Held { key, bytes, item });
        while self.queue.len() > self.max_items || self.bytes > self.max_bytes {
            let Some(held) = self.queue.pop_front() else { return };
            self.bytes -= held.bytes;
            gone(held.item);
        }
    }

    /// Takes all that waits for `key`, oldest first.
    pub(crate) fn release(&mut self, key: K) -> Vec<T> {
        let mut released = Vec::new();
        // One full turn: what stays comes out in front and goes back behind, in the same order.
        for _ in 0..self.queue.len() {
            let Some(held) = self.queue.pop_front() else { break };
            if held.key == key {
                self.bytes -= held.bytes;
                released.push(held.item);
            } else {
                self.queue.push_back(held);
            }
        }
        released
    }

    /// Something waits for `key`.
    pub(crate) fn waits(&self, key: K) -> bool {
        self.queue.iter().any(|held| held.key == key)
    }

    /// Items that wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes they keep alive.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
