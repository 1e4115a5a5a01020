//! TIME-WAIT (RFC 9293 3.6.1, 3.10.7.4; RFC 6191, RFC 1337): connections that only wait out old
//! duplicates, in a table of their own, because there may be tens of thousands of them.
//!
//! ```text
//!   index: hash of (local, remote) -> place        5 bytes each
//!   places: | wait | wait | free | wait | ...      88 bytes each, reused
//!             ^older  newer^                       a list by expiry: all wait equally long
//! ```
//!
//! No heap of deadlines: a restart moves its connection to the new end of the list, so the old end
//! is always the next to expire.
//!
//! Left out: shortening TIME-WAIT for connections that we open ourselves (Linux's `tcp_tw_reuse`).

use core::hash::{BuildHasher, Hash};
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use hashbrown::HashTable;
use layer::boundary::{ConnectionInfo, Reachability, SocketId, TcpState, TimerInfo, TimerKind};
use layer::{Instant, Reason};

use crate::conn::guard::{limit, may_echo};
use crate::conn::output::emit;
use crate::conn::{Ends, Io};
use crate::options::Timestamps;
use crate::recv::paws::Stamps;
use crate::segment::{Flags, Segment};
use crate::seq::Seq;
use crate::table::{Keyed, Tuple};

/// What is kept of a connection: just enough to answer old segments and to recognise new ones.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Our next number.
    pub snd_nxt: Seq,
    /// The peer's next number.
    pub rcv_nxt: Seq,
    /// [`Stamps::kept`], if the connection used timestamps.
    pub stamps: Option<(u32, u32)>,
    /// IP_TTL.
    pub ttl: Option<u8>,
    /// IP_TOS.
    pub tos: u8,
}

/// What a segment does to a connection in TIME-WAIT.
#[derive(Debug)]
pub enum Reopened {
    /// It is answered or dropped.
    No,
    /// RFC 9293 3.6.1 MAY-2: a new SYN opens a new connection, which must begin beyond our old
    /// numbers.
    Yes(Segment, Seq),
}

/// No place: the end of a list.
const NONE: u32 = u32::MAX;

/// Both ends, IPv4 addresses as mapped ones: 36 bytes where a [`Tuple`] takes 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Packed {
    addresses: [[u8; 16]; 2],
    ports: [u16; 2],
}

impl Packed {
    fn of(tuple: &Tuple) -> Self {
        let octets = |address: SocketAddr| match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let Tuple { local, remote } = *tuple;
        Self { addresses: [octets(local), octets(remote)], ports: [local.port(), remote.port()] }
    }

    fn tuple(&self) -> Tuple {
        let [local, remote] = self.addresses.map(|a| Ipv6Addr::from(a).to_canonical());
        let [ours, theirs] = self.ports;
        Tuple { local: SocketAddr::new(local, ours), remote: SocketAddr::new(remote, theirs) }
    }
}

/// One place of the table: taken, or on the list of free ones.
#[derive(Debug)]
struct Place {
    until: Instant,
    /// When a bare segment was last answered (RFC 5961 7).
    challenged: Instant,
    wait: Wait,
    packed: Packed,
    older: u32,
    newer: u32,
}

/// All connections in TIME-WAIT.
#[derive(Debug)]
pub struct TimeWaits {
    hasher: Keyed,
    index: HashTable<u32>,
    places: Vec<Place>,
    /// First of the free places, linked by `newer`.
    free: u32,
    oldest: u32,
    newest: u32,
}

impl TimeWaits {
    /// None yet; `key` keys the hash.
    pub fn new(key: [u8; 16]) -> Self {
        let (index, places) = (HashTable::new(), Vec::new());
        Self { hasher: Keyed::new(key), index, places, free: NONE, oldest: NONE, newest: NONE }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Is this one there?
    pub fn contains(&self, tuple: &Tuple) -> bool {
        self.find(tuple).is_some()
    }

    /// When the first one ends.
    pub fn next(&self) -> Option<Instant> {
        self.at(self.oldest).map(|place| place.until)
    }

    /// Puts one in, until `until`, which is no earlier than for those that are there.
    pub fn insert(&mut self, tuple: &Tuple, wait: Wait, until: Instant) {
        self.remove(tuple);
        let packed = Packed::of(tuple);
        let (challenged, older, newer) = (Instant::ZERO, NONE, NONE);
        let place = Place { until, challenged, wait, packed, older, newer };
        let n = self.free;
        let n = match self.places.get_mut(n as usize) {
            Some(unused) => {
                self.free = unused.newer;
                *unused = place;
                n
            }
            None => {
                // By an eighth, not by doubling: the memory is what this table is about.
                if self.places.len() == self.places.capacity() {
                    self.places.reserve_exact((self.places.len() / 8).max(64));
                }
                let Ok(n) = u32::try_from(self.places.len()) else { return };
                self.places.push(place);
                n
            }
        };
        let (hasher, places) = (&self.hasher, &self.places);
        let hash_of = |n: &u32| places.get(*n as usize).map_or(0, |p| hasher.hash_one(p.packed));
        self.index.insert_unique(hasher.hash_one(packed), n, hash_of);
        self.append(n);
    }

    /// Takes one out. True if it was there.
    pub fn remove(&mut self, tuple: &Tuple) -> bool {
        let Some(n) = self.find(tuple) else { return false };
        self.release(n);
        true
    }

    /// Takes out the one that would end first.
    pub fn pop_oldest(&mut self) -> Option<Tuple> {
        let tuple = self.at(self.oldest)?.packed.tuple();
        self.release(self.oldest);
        Some(tuple)
    }

    /// Takes out one that has ended.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Tuple> {
        self.next().filter(|at| *at <= now).and_then(|_| self.pop_oldest())
    }

    /// All of them, those that end first before the others, as people are shown them.
    pub fn infos(&self, now: Instant) -> impl Iterator<Item = ConnectionInfo> {
        let follow = |place: &&Place| self.at(place.newer);
        core::iter::successors(self.at(self.oldest), follow).map(move |place| {
            let Tuple { local, remote } = place.packed.tuple();
            let (kind, left) = (TimerKind::TimeWait, place.until.since(now));
            let timer = Some(TimerInfo { kind, left, retries: 0 });
            let id = SocketId::default();
            let bare = ConnectionInfo::bare(id, local, remote, TcpState::TimeWait);
            ConnectionInfo { timer, ..bare }
        })
    }

    /// A segment for a connection that is in the table; `listening`: it could open a new one.
    pub fn arrives(
        &mut self,
        tuple: &Tuple,
        io: &mut Io<'_, '_>,
        segment: Segment,
        listening: bool,
    ) -> Option<Reopened> {
        let n = self.find(tuple)?;
        let place = self.places.get_mut(n as usize)?;
        let wait = place.wait;
        if listening && wait.opens_anew(io, &segment) {
            return Some(Reopened::Yes(segment, wait.snd_nxt));
        }
        // RFC 1337 fix F1: a reset does not end TIME-WAIT early.
        if segment.flags.has(Flags::RST) {
            io.out.drop(Reason::TcpBlindReset, segment);
            return Some(Reopened::No);
        }
        // RFC 9293 3.10.7.4, fifth: without ACK it is dropped.
        if segment.flags.0 & (Flags::ACK.0 | Flags::SYN.0) == 0 {
            io.out.drop(Reason::TcpBadFlags, segment);
            return Some(Reopened::No);
        }
        let bare = segment.is_empty();
        // RFC 5961 5: an acknowledgement of what was never sent is answered.
        let expected = bare && segment.seq == wait.rcv_nxt && !segment.ack.after(wait.snd_nxt);
        if !expected && (!may_echo(&segment) || place.may_answer(io)) {
            wait.acknowledge(tuple, io);
        }
        // RFC 9293 3.10.7.4: the peer did not get our last ACK; 2 MSL start again.
        let last = segment.seq.plus(segment.len()) == wait.rcv_nxt;
        if segment.flags.has(Flags::FIN) && last {
            place.until = io.now + io.config.time_wait;
            self.unlink(n);
            self.append(n);
        }
        io.out.consume(segment);
        Some(Reopened::No)
    }

    fn find(&self, tuple: &Tuple) -> Option<u32> {
        let packed = Packed::of(tuple);
        let same = |n: &u32| self.at(*n).is_some_and(|place| place.packed == packed);
        self.index.find(self.hasher.hash_one(packed), same).copied()
    }

    fn at(&self, n: u32) -> Option<&Place> {
        self.places.get(n as usize)
    }

    /// Puts a place at the new end of the list.
    fn append(&mut self, n: u32) {
        let newest = self.newest;
        if let Some(place) = self.places.get_mut(n as usize) {
            (place.older, place.newer) = (newest, NONE);
        }
        match self.places.get_mut(newest as usize) {
            Some(place) => place.newer = n,
            None => self.oldest = n,
        }
        self.newest = n;
    }

    fn unlink(&mut self, n: u32) {
        let Some(&Place { older, newer, .. }) = self.at(n) else { return };
        match self.places.get_mut(older as usize) {
            Some(place) => place.newer = newer,
            None => self.oldest = newer,
        }
        match self.places.get_mut(newer as usize) {
            Some(place) => place.older = older,
            None => self.newest = older,
        }
    }

    /// Makes a place free.
    fn release(&mut self, n: u32) {
        let Some(packed) = self.at(n).map(|place| place.packed) else { return };
        self.unlink(n);
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(packed), |at| *at == n) {
            entry.remove();
        }
        let free = core::mem::replace(&mut self.free, n);
        if let Some(place) = self.places.get_mut(n as usize) {
            place.newer = free;
        }
        if self.index.is_empty() {
            // What a rush took is given back when it is over.
            (self.places, self.index, self.free) = (Vec::new(), HashTable::new(), NONE);
        }
    }
}

impl Place {
    /// RFC 5961 7: bare segments could be answered by bare segments for ever.
    fn may_answer(&mut self, io: &Io<'_, '_>) -> bool {
        let mut challenged = Some(self.challenged).filter(|at| *at != Instant::ZERO);
        let allowed = limit(&mut challenged, io);
        self.challenged = challenged.unwrap_or_default();
        allowed
    }
}

impl Wait {
    /// RFC 6191 2: is this a SYN of a new connection, and not an old duplicate?
    fn opens_anew(&self, io: &Io<'_, '_>, segment: &Segment) -> bool {
        let others = Flags::ACK.0 | Flags::RST.0 | Flags::FIN.0;
        if !segment.flags.has(Flags::SYN) || segment.flags.0 & others != 0 {
            return false;
        }
        let beyond = segment.seq.after(self.rcv_nxt);
        let theirs = segment.options.timestamps.filter(|_| io.config.timestamps);
        match (self.stamps(io), theirs) {
            // RFC 9293 3.6.1 SHLD-4: a newer timestamp suffices, whatever the number.
            (Some(ours), Some(Timestamps { value, .. })) if ours.is_newer(value) => true,
            // An equal one says nothing; an older one says that the SYN is old.
            (Some(ours), Some(Timestamps { value, .. })) => !ours.is_old(value, io.now) && beyond,
            // Only the new one would use timestamps: no segment of it can be taken for an old one.
            (None, Some(_)) => true,
            (_, None) => beyond,
        }
    }

    /// TS.Recent cannot have become stale meanwhile: that takes 24 days.
    fn stamps(&self, io: &Io<'_, '_>) -> Option<Stamps> {
        self.stamps.map(|(offset, recent)| Stamps::new(offset, recent, io.now))
    }

    fn acknowledge(&self, tuple: &Tuple, io: &mut Io<'_, '_>) {
        let Self { snd_nxt, rcv_nxt, stamps: _, ttl, tos } = *self;
        let Tuple { local, remote } = *tuple;
        let mut ack = Segment::bare(local, remote, Flags::ACK, snd_nxt);
        ack.ack = rcv_nxt;
        ack.options.timestamps = self.stamps(io).map(|stamps| stamps.option(io.now));
        let ends = Ends { id: SocketId::default(), local, remote, ttl, tos };
        emit(io, &ends, ack, Reachability::Unknown);
    }
}

#[cfg(test)]
mod tests;
