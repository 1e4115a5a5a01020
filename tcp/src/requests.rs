//! Half-open connections of listeners: SYN-RECEIVED after a passive open, in little space
//! (RFC 4987 3.4, a "SYN cache").
//!
//! A flood makes many of them, so a [`Request`] holds what the SYN said and nothing else: no
//! buffers, no options of the application, no box. For the length of one segment it becomes an
//! [`Opening`], which knows the rules of SYN-RECEIVED, and with the last ACK a connection.

use std::sync::Arc;

use core::hash::BuildHasher;
use core::mem::size_of;
use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use hashbrown::HashTable;
use layer::Instant;
use layer::boundary::{SocketId, TcpOptions, TcpState};
use slotmap::{SlotMap, new_key_type};

use crate::conn::Ends;
use crate::conn::opening::{Opening, Origin, PeerSyn};
use crate::options::{Options, Timestamps};
use crate::send::ecn::Handshake;
use crate::seq::Seq;
use crate::table::{Keyed, Tuple};

new_key_type! {
    /// Names a request; a reused slot gets a new key.
    pub struct RequestKey;
}

/// One half-open connection.
#[derive(Debug)]
pub struct Request {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    /// Who listens.
    pub listener: SocketId,
    /// Our initial number.
    pub iss: Seq,
    /// Largest IP packet on the way, bytes.
    mtu: u32,
    /// When our first SYN-ACK left.
    sent_at: Instant,
    /// When a segment that should not have come was last answered (RFC 5961 7).
    challenged: Option<Instant>,
    /// What the peer's SYN said: number, window, and its options.
    irs: Seq,
    window: u16,
    mss: Option<u16>,
    scale: Option<u8>,
    sack: bool,
    stamp: Option<u32>,
    /// The window scale that our SYN-ACK named.
    our_scale: Option<u8>,
    /// The window that it offered.
    offered: Option<u16>,
    /// What the SYNs said about ECN.
    ecn: Handshake,
    /// SYN-ACKs sent again so far.
    retries: u8,
}

impl Request {
    /// From a SYN that was just answered by `opening`.
    pub fn new(listener: SocketId, ends: &Ends, opening: &Opening, peer: PeerSyn) -> Self {
        let PeerSyn { irs, window, options } = peer;
        Self {
            local: (ends.local.ip(), ends.local.port()),
            remote: (ends.remote.ip(), ends.remote.port()),
            listener,
            iss: opening.iss,
            mtu: opening.mtu,
            sent_at: opening.sent_at.unwrap_or_default(),
            challenged: opening.challenged,
            irs,
            window,
            mss: options.mss,
            scale: options.window_scale,
            sack: options.sack_permitted,
            stamp: options.timestamps.map(|stamps| stamps.value),
            our_scale: opening.scale,
            offered: opening.offered,
            ecn: opening.ecn,
            retries: 0,
        }
    }

    /// Our end and the peer's.
    pub fn tuple(&self) -> Tuple {
        Tuple { local: SocketAddr::from(self.local), remote: SocketAddr::from(self.remote) }
    }

    /// The opening that it stands for, with the listener's options of now.
    pub fn opening(&self, options: Arc<TcpOptions>, stamp_offset: u32) -> Opening {
        let peer = PeerSyn {
            irs: self.irs,
            window: self.window,
            options: Options {
                mss: self.mss,
                window_scale: self.scale,
                sack_permitted: self.sack,
                timestamps: self.stamp.map(|value| Timestamps { value, echo: 0 }),
                ..Options::default()
            },
        };
        let mut opening = Opening::new(
            TcpState::SynReceived,
            Origin::Passive(self.listener),
            (self.iss, stamp_offset),
            Some(peer),
            self.mtu,
            options,
            self.sent_at,
        );
        (opening.retries, opening.challenged) = (u32::from(self.retries), self.challenged);
        (opening.scale, opening.offered) = (self.our_scale, self.offered);
        opening.ecn = self.ecn;
        opening
    }

    /// Keeps what a segment or the timer changed.
    pub fn keep(&mut self, opening: &Opening) {
        self.retries = u8::try_from(opening.retries).unwrap_or(u8::MAX);
        (self.challenged, self.ecn) = (opening.challenged, opening.ecn);
    }
}

/// All half-open connections of all listeners.
///
/// Each round of resends has the same wait for everybody, so a queue a round is a list in the
/// order of time. An entry whose request is gone means nothing.
#[derive(Debug)]
pub struct Requests {
    slots: SlotMap<RequestKey, Request>,
    /// By a keyed hash of the tuple.
    index: HashTable<RequestKey>,
    keyed: Keyed,
    rounds: Vec<VecDeque<(Instant, RequestKey)>>,
}

impl Requests {
    /// None yet; `key` keys their hashes.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            slots: SlotMap::with_key(),
            index: HashTable::new(),
            keyed: Keyed::new(key),
            rounds: Vec::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// A keyed hash of a tuple, which also spreads flows over listeners that share a port.
    pub fn flow(&self, tuple: &Tuple) -> u64 {
        self.keyed.hash_one(tuple)
    }

    /// The request of a segment.
    pub fn find(&self, tuple: &Tuple) -> Option<RequestKey> {
        let same = |key: &RequestKey| self.slots.get(*key).is_some_and(|r| r.tuple() == *tuple);
        self.index.find(self.flow(tuple), same).copied()
    }

    /// A request.
    pub fn get_mut(&mut self, key: RequestKey) -> Option<&mut Request> {
        self.slots.get_mut(key)
    }

    /// Puts one in whose tuple is not there.
    pub fn insert(&mut self, request: Request) -> RequestKey {
        let hash = self.flow(&request.tuple());
        let key = self.slots.insert(request);
        let Self { slots, index, keyed, .. } = self;
        let of = |key: &RequestKey| slots.get(*key).map_or(0, |r| keyed.hash_one(r.tuple()));
        index.insert_unique(hash, key, of);
        key
    }

    /// Takes one out.
    pub fn remove(&mut self, key: RequestKey) -> Option<Request> {
        let request = self.slots.remove(key)?;
        if let Ok(entry) = self.index.find_entry(self.flow(&request.tuple()), |k| *k == key) {
            entry.remove();
        }
        Some(request)
    }

    /// Its SYN-ACK is to be sent again at `at`.
    pub fn wait(&mut self, key: RequestKey, at: Instant) {
        let Some(request) = self.slots.get(key) else { return };
        let round = usize::from(request.retries);
        if self.rounds.len() <= round {
            self.rounds.resize_with(round + 1, VecDeque::new);
        }
        // Entries of those that are gone must not pile up.
        let entries: usize = self.rounds.iter().map(VecDeque::len).sum();
        if entries > 2 * self.slots.len() + 64 {
            let slots = &self.slots;
            self.rounds.iter_mut().for_each(|r| r.retain(|(_, key)| slots.contains_key(*key)));
        }
        if let Some(round) = self.rounds.get_mut(round) {
            round.push_back((at, key));
        }
    }

    /// When the next one is due, or was.
    pub fn next(&self) -> Option<Instant> {
        self.rounds.iter().filter_map(|round| round.front()).map(|(at, _)| *at).min()
    }

    /// Takes one that is due; it may be gone.
    pub fn pop_due(&mut self, now: Instant) -> Option<RequestKey> {
        let due = |round: &&mut VecDeque<_>| {
            round.front().is_some_and(|(at, _): &(Instant, RequestKey)| *at <= now)
        };
        self.rounds.iter_mut().find(due)?.pop_front().map(|(_, key)| key)
    }

    /// All of them, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.slots.values()
    }

    /// Memory they hold, bytes: what is reserved, used or not. A slot has a version besides.
    pub fn held_bytes(&self) -> usize {
        let slots = self.slots.capacity() * (size_of::<Request>() + size_of::<u32>());
        let entry = size_of::<(Instant, RequestKey)>();
        let queues: usize = self.rounds.iter().map(|round| round.capacity() * entry).sum();
        slots + self.index.allocation_size() + queues
    }
}

#[cfg(test)]
mod tests;
