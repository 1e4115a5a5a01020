//! The memory of all connections together, and what gives way when it runs short (Linux's
//! `tcp_mem`).
//!
//! Charged is what is held, not what is used of it: a received payload by the block that it keeps
//! alive, whether it is early, on its way to the hub, or with the hub until the application takes
//! it; what is to be sent by the blocks it stands in. An idle connection holds none of this.
//!
//! ```text
//!   0 ........ low ........ pressure ........ high
//!                              |                |
//!                              |                +- 2. a connection that needs more drops what
//!                              |                      came early (RFC 2018 8 allows it),
//!                              |                   3. then has its queue copied together,
//!                              |                   4. then closes its window, and the segment is
//!                              |                      dropped;
//!                              |                   5. no connection more comes in or is opened,
//!                              |                   6. and those that nobody owns any more are
//!                              |                      aborted.
//!                              +- 1. buffers stop growing and windows stay small, until `low`
//! ```
//!
//! Nothing that was acknowledged is ever given up, and no connection that somebody owns is aborted:
//! each may always hold `BufferSizes::least` of what it receives, whatever it has to send, and one
//! segment in any case, so each goes on, one small step after another.

use std::collections::VecDeque;

use crate::config::BufferSizes;
use crate::pack::packed;
use crate::table::Key;

/// Bytes that all connections together may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Below this, pressure is over.
    pub low: u64,
    /// Above this, nothing grows.
    pub pressure: u64,
    /// Above this, things are given up.
    pub high: u64,
}

impl MemoryLimits {
    /// A budget, divided as Linux divides its own.
    pub const fn of(bytes: u64) -> Self {
        Self { low: bytes / 2, pressure: bytes / 3 * 2, high: bytes }
    }
}

/// What one connection may do in its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes it may come to hold beyond what it holds.
    pub more: u32,
    /// Nothing grows.
    pub squeezed: bool,
    /// Nothing is left.
    pub exhausted: bool,
}

packed!(Allowance { more, squeezed, exhausted });

impl Default for Allowance {
    fn default() -> Self {
        Self { more: u32::MAX, squeezed: false, exhausted: false }
    }
}

/// What is held, and who waits for some of it to come free.
#[derive(Debug)]
pub struct Memory {
    limits: MemoryLimits,
    held: u64,
    squeezed: bool,
    /// How often pressure began.
    pressures: u64,
    /// Connections that closed their windows, longest ago first.
    starved: VecDeque<Key>,
}

impl Memory {
    /// Nothing is held.
    pub fn new(limits: MemoryLimits) -> Self {
        Self { limits, held: 0, squeezed: false, pressures: 0, starved: VecDeque::new() }
    }

    /// Bytes held by all connections.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// How often pressure began.
    pub fn pressures(&self) -> u64 {
        self.pressures
    }

    /// No connection more.
    pub fn is_exhausted(&self) -> bool {
        self.held >= self.limits.high
    }

    /// A connection that held `before` bytes holds `now`.
    pub fn charge(&mut self, before: u32, now: u32) {
        self.held = (self.held + u64::from(now)).saturating_sub(u64::from(before));
        if !self.squeezed && self.held > self.limits.pressure {
            self.squeezed = true;
            self.pressures += 1;
        } else if self.squeezed && self.held < self.limits.low {
            self.squeezed = false;
        }
    }

    /// What a connection that holds `received` bytes for its application may do. What it has to
    /// send does not count, as with Linux's `tcp_rmem`: two ends that have filled all memory with
    /// what they send would each wait for ever for the other to take some.
    pub fn allowance(&self, received: u32, sizes: BufferSizes) -> Allowance {
        let left = self.limits.high.saturating_sub(self.held);
        let least = sizes.least.saturating_sub(received);
        Allowance {
            more: u32::try_from(left).unwrap_or(u32::MAX).max(least),
            squeezed: self.squeezed,
            exhausted: self.held > self.limits.high,
        }
    }

    /// A connection closed its window for want of memory. The caller names it once.
    pub fn starve(&mut self, key: Key) {
        self.starved.push_back(key);
    }

    /// Some of those that wait may look again.
    pub fn has_relief(&self) -> bool {
        !self.squeezed && !self.starved.is_empty()
    }

    /// Who has waited longest, when there is something to be had.
    pub fn relieved(&mut self) -> Option<Key> {
        if self.squeezed { None } else { self.starved.pop_front() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: BufferSizes = BufferSizes { least: 10, initial: 100, most: 1000 };

    #[test]
    fn pressure_begins_above_its_limit_and_ends_below_low() {
        let mut memory = Memory::new(MemoryLimits::of(300));
        memory.charge(0, 200);
        assert_eq!(memory.allowance(200, SIZES), Allowance { more: 100, ..Allowance::default() });
        memory.charge(0, 1);
        assert!(memory.allowance(0, SIZES).squeezed);
        memory.charge(201, 150);
        assert!(memory.allowance(0, SIZES).squeezed, "until half is free");
        memory.charge(150, 149);
        assert!(!memory.allowance(0, SIZES).squeezed);
        assert_eq!((memory.held(), memory.pressures()), (149, 1));
    }

    #[test]
    fn each_connection_may_hold_the_least() {
        let mut memory = Memory::new(MemoryLimits::of(300));
        memory.charge(0, 300);
        assert!(memory.is_exhausted() && !memory.allowance(0, SIZES).exhausted);
        assert_eq!(memory.allowance(300, SIZES).more, 0);
        assert_eq!(memory.allowance(4, SIZES).more, 6);
        memory.charge(0, 1);
        assert!(memory.allowance(0, SIZES).exhausted);
    }

    #[test]
    fn those_that_wait_are_relieved_in_turn_when_pressure_is_over() {
        let mut memory = Memory::new(MemoryLimits::of(300));
        memory.charge(0, 300);
        let mut keys = slotmap::SlotMap::<Key, ()>::with_key();
        let (first, second) = (keys.insert(()), keys.insert(()));
        memory.starve(first);
        memory.starve(second);
        assert_eq!((memory.has_relief(), memory.relieved()), (false, None));
        memory.charge(300, 100);
        assert!(memory.has_relief());
        assert_eq!((memory.relieved(), memory.relieved()), (Some(first), Some(second)));
        assert!(!memory.has_relief());
    }
}
