//! What the received bytes of one connection hold of all memory, and how that is made less.

use bytes::Bytes;
use layer::PacketBuf;

use crate::recv::{CHUNK, Receiver};

/// Memory of one connection that is not worth copying for while there is enough: what a reader that
/// keeps up leaves waiting for a moment.
const FEW: u32 = 1 << 20;

/// Copies a packet out of a block that is more than twice its size.
pub fn trim(bytes: PacketBuf) -> PacketBuf {
    if bytes.pinned() > 2 * bytes.len() {
        let mut copy = PacketBuf::from_shared(Bytes::from(bytes.to_vec()));
        *copy.offload_mut() = bytes.offload();
        return copy;
    }
    bytes
}

impl Receiver {
    /// A chunk was queued that keeps `memory` bytes alive.
    pub(super) fn hold(&mut self, memory: usize) {
        let memory = u32::try_from(memory).unwrap_or(u32::MAX);
        self.handed = self.handed.saturating_add(memory).saturating_add(CHUNK);
    }

    /// The application has taken `bytes`, and with them their share of what is held.
    pub fn consumed(&mut self, bytes: u32) {
        let charged = u64::from(self.window.charged());
        let left = charged.saturating_sub(u64::from(bytes));
        let handed = u64::from(self.handed) * left / charged.max(1);
        self.handed = u32::try_from(handed).unwrap_or(u32::MAX);
        self.window.consumed(bytes);
    }

    /// Memory held for received bytes, early, ready or with the hub.
    pub fn memory(&self) -> usize {
        self.early.held_bytes().saturating_add(self.handed as usize)
    }

    /// Copying the queue together would free a good part of what it holds.
    pub fn collapsible(&self) -> bool {
        let tight = self.window.charged();
        self.handed > tight.saturating_add(tight / 4).saturating_add(2 * CHUNK)
    }

    /// It holds more than twice the whole buffer, and more than a few blocks.
    pub fn overweight(&self) -> bool {
        self.handed > self.window.capacity().saturating_mul(2).max(FEW) && self.collapsible()
    }

    /// Has the queue copied together; returns how much that frees, bytes.
    pub fn collapse(&mut self) -> u32 {
        self.collapse_due = true;
        let tight = self.window.charged().saturating_add(CHUNK);
        let before = core::mem::replace(&mut self.handed, tight);
        before.saturating_sub(tight)
    }

    /// The hub is to be told to do it, when it has all that is ready.
    pub fn take_collapse(&mut self) -> bool {
        core::mem::take(&mut self.collapse_due)
    }

    /// Drops early data until `goal` bytes are free, the last first; returns how many are.
    pub fn prune(&mut self, goal: u32) -> u32 {
        u32::try_from(self.early.prune(goal as usize)).unwrap_or(u32::MAX)
    }
}
