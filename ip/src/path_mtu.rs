//! What is known of path MTUs (RFC 1191): a bounded table whose entries age.
//!
//! A transport tells us after it has validated an ICMP message (RFC 5927), or after probing. Here
//! is only the memory; the plateau table and the validation are the transports'.

use std::collections::{BTreeMap, BTreeSet};

use core::net::Ipv4Addr;

use layer::{Duration, Instant};

/// An estimate below this is a mistake or an attack: RFC 791's 68 is the protocol's floor, but no
/// link in use is so small. Linux's `min_pmtu` is 552, too.
const FLOOR: u32 = 552;

/// Path MTUs by destination.
#[derive(Debug)]
pub(crate) struct PathMtus {
    known: BTreeMap<Ipv4Addr, Known>,
    /// The same entries by when they age.
    ages: BTreeSet<(Instant, Ipv4Addr)>,
    capacity: usize,
    timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    mtu: u32,
    until: Instant,
}

impl PathMtus {
    pub(crate) fn new(capacity: usize, timeout: Duration) -> Self {
        Self { known: BTreeMap::new(), ages: BTreeSet::new(), capacity, timeout }
    }

    /// The path MTU to `destination`, if it is less than the interface's.
    pub(crate) fn get(&self, destination: Ipv4Addr) -> Option<u32> {
        if self.known.is_empty() {
            return None;
        }
        self.known.get(&destination).map(|known| known.mtu)
    }

    /// Believes `mtu`.
    pub(crate) fn set(&mut self, now: Instant, destination: Ipv4Addr, mtu: u32) {
        self.forget(destination);
        if self.known.len() >= self.capacity
            && let Some((_, oldest)) = self.ages.first().copied()
        {
            self.forget(oldest);
        }
        // RFC 1191 floor: the estimate never falls below 552.
        let mtu = mtu.max(FLOOR);
        // RFC 1191 age: the path may have changed; after ten minutes it is tried again.
        let until = now + self.timeout;
        if self.capacity > 0 {
            self.known.insert(destination, Known { mtu, until });
            self.ages.insert((until, destination));
        }
    }

    fn forget(&mut self, destination: Ipv4Addr) {
        if let Some(known) = self.known.remove(&destination) {
            self.ages.remove(&(known.until, destination));
        }
    }

    /// Takes an entry whose time is over.
    pub(crate) fn pop_aged(&mut self, now: Instant) -> Option<Ipv4Addr> {
        let (until, destination) = *self.ages.first()?;
        if until > now {
            return None;
        }
        self.forget(destination);
        Some(destination)
    }

    /// When the next entry ages.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.ages.first().map(|(until, _)| *until)
    }
}
