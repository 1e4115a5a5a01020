//! The table of neighbours: bounded, found by keyed hash, woken by deadlines, never scanned.
//!
//! Where it is full, a few entries in a row are compared and the one used longest ago makes room:
//! not exactly the least recently used, but without a list to maintain on every packet.
//!
//! It knows no address family: `A` is an IPv4 address for ARP, and will be an IPv6 address for
//! neighbour discovery. It sends nothing itself; it says what is to be sent.

use core::fmt::Debug;
use core::hash::{BuildHasher, Hash};
use std::collections::HashMap;

use layer::boundary::Reachability;
use layer::{Deadlines, Instant, MacAddr};
use siphasher::sip::SipHasher13;

use crate::config::Limits;
use crate::neighbour::{Advice, Neighbour, Step};

/// Entries compared when one has to make room.
const CANDIDATES: usize = 32;

/// Neighbours by address.
#[derive(Debug)]
pub(crate) struct Cache<A> {
    limits: Limits,
    index: HashMap<A, usize, Keyed>,
    slots: Vec<Option<Neighbour<A>>>,
    free: Vec<usize>,
    /// Where the next search for an entry that may go begins.
    hand: usize,
    deadlines: Deadlines<usize>,
    examined: u64,
    evicted: u64,
}

/// What hearing from a neighbour changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Not in the table, and not to be taken in.
    Unknown,
    /// To be taken in, but no entry may go.
    Full,
    /// In the table.
    Known {
        /// Its address is news.
        news: bool,
    },
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due<A> {
    /// `from` asks for `target`: it by unicast, or everybody.
    Ask { target: A, from: A, mac: Option<MacAddr> },
    /// It did not answer: what waits for it comes back.
    Failed(A),
    /// It was known and has gone.
    Gone(A),
}

/// Chosen by an attacker, addresses could all fall into one bucket of an unkeyed table.
#[derive(Clone, Copy)]
struct Keyed([u8; 16]);

impl Debug for Keyed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keyed(secret)")
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

impl<A: Copy + Eq + Hash + Debug> Cache<A> {
    pub(crate) fn new(limits: Limits, key: [u8; 16]) -> Self {
        Self {
            limits,
            index: HashMap::with_hasher(Keyed(key)),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            deadlines: Deadlines::default(),
            examined: 0,
            evicted: 0,
        }
    }

    /// A packet from `from` goes to `address`: what to do? `None` if it cannot be taken in.
    pub(crate) fn consult(
        &mut self,
        now: Instant,
        address: A,
        from: A,
        hint: Reachability,
    ) -> Option<Advice> {
        let limits = self.limits;
        let (slot, advice) = match self.index.get(&address) {
            Some(&slot) => (slot, self.at(slot)?.consult(now, from, hint, &limits)),
            None => {
                let unknown = Neighbour::unknown(now, address, from, &limits);
                (self.insert(now, unknown)?, Advice::WaitAndAsk)
            }
        };
        self.rehint(slot);
        Some(advice)
    }

    /// `address` says that it is at `mac`; `take_in` it if it is not in the table?
    // RFC 826 merge: whoever is in the table is updated; only who speaks to us is taken in.
    pub(crate) fn heard(&mut self, now: Instant, address: A, mac: MacAddr, take_in: bool) -> Heard {
        let limits = self.limits;
        if let Some(&slot) = self.index.get(&address) {
            let news = self.at(slot).is_some_and(|known| known.heard(now, mac, &limits));
            return Heard::Known { news };
        }
        if !take_in {
            return Heard::Unknown;
        }
        match self.insert(now, Neighbour::known(now, address, mac, &limits)) {
            Some(_) => Heard::Known { news: true },
            None => Heard::Full,
        }
    }

    /// The next thing that is due, if any.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due<A>> {
        let limits = self.limits;
        while let Some((at, slot)) = self.deadlines.pop_due(now) {
            self.examined += 1;
            let Some(neighbour) = self.at(slot).filter(|entry| entry.hinted == Some(at)) else {
                continue;
            };
            neighbour.hinted = None;
            let (target, from) = (neighbour.address, neighbour.from);
            let step = neighbour.due(now, &limits);
            self.rehint(slot);
            match step {
                Step::Rest => {}
                Step::Ask(mac) => return Some(Due::Ask { target, from, mac }),
                Step::Failed => return Some(Due::Failed(target)),
                Step::Gone => {
                    self.remove(target);
                    return Some(Due::Gone(target));
                }
            }
        }
        None
    }

    /// When something is due.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Sets an entry that neither expires nor changes. False if no entry may go for it.
    pub(crate) fn fix(&mut self, now: Instant, address: A, mac: MacAddr) -> bool {
        self.remove(address);
        self.insert(now, Neighbour::fixed(address, mac)).is_some()
    }

    /// Forgets a neighbour; `None` if it was not known.
    pub(crate) fn remove(&mut self, address: A) -> Option<Neighbour<A>> {
        let slot = self.index.remove(&address)?;
        self.free.push(slot);
        self.slots.get_mut(slot)?.take()
    }

    /// The neighbour, if it is known.
    pub(crate) fn get(&self, address: A) -> Option<&Neighbour<A>> {
        self.slots.get(*self.index.get(&address)?)?.as_ref()
    }

    /// All of them, in no particular but always the same order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Neighbour<A>> {
        self.slots.iter().flatten()
    }

    /// Entries that `due` has looked at since construction.
    pub(crate) fn examined(&self) -> u64 {
        self.examined
    }

    /// Entries that made room for others since construction.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn at(&mut self, slot: usize) -> Option<&mut Neighbour<A>> {
        self.slots.get_mut(slot)?.as_mut()
    }

    fn rehint(&mut self, slot: usize) {
        if let Some(Some(neighbour)) = self.slots.get_mut(slot) {
            self.deadlines.hint(neighbour.deadline(), slot, &mut neighbour.hinted);
        }
    }

    fn insert(&mut self, now: Instant, neighbour: Neighbour<A>) -> Option<usize> {
        let full = self.index.len() >= self.limits.neighbours;
        if full {
            let victim = self.find_victim(now)?;
            self.remove(victim);
            self.evicted += 1;
        }
        let slot = self.free.pop().unwrap_or(self.slots.len());
        self.index.insert(neighbour.address, slot);
        match self.slots.get_mut(slot) {
            Some(free) => *free = Some(neighbour),
            None => self.slots.push(Some(neighbour)),
        }
        Some(slot)
    }

    /// Of the next few entries that may go, the one used longest ago.
    fn find_victim(&mut self, now: Instant) -> Option<A> {
        let start = self.hand;
        let count = CANDIDATES.min(self.slots.len());
        self.hand = (start + count).checked_rem(self.slots.len())?;
        let in_a_row = self.slots.iter().cycle().skip(start).take(count).flatten();
        let victim = in_a_row
            .filter(|entry| entry.may_go(now, &self.limits))
            .min_by_key(|entry| entry.used_at())?;
        Some(victim.address)
    }
}

#[cfg(test)]
mod tests;
