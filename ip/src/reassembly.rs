//! Reassembly (RFC 791 3.2, RFC 815, RFC 1122 3.3.2), under attack (RFC 1858, 3128, 5722).
//!
//! Fragments of one datagram are kept as copies, in a map by offset, until they cover it without a
//! hole. Copies, because a fragment by reference would keep a device's whole block alive. Overlaps
//! are never resolved: the datagram is poisoned, and what still comes of it is dropped until its
//! time is over. Exact repetitions, which a network may make, are ignored.
//!
//! Time starts with the first fragment and is never extended, so entries are due in the order they
//! were made: the order in which they are given up for memory, too.

use std::collections::BTreeMap;

use core::net::Ipv4Addr;

use arrayvec::ArrayVec;
use bytes::Bytes;
use layer::boundary::{Cast, protocol};
use layer::{Instant, InterfaceId, PacketBuf, Reason};

use crate::config::Limits;
use crate::header::{HEADER, Header, MAX_HEADER, MAX_PACKET, write_checksum};

/// Memory charged for an entry beside its fragments, and for a fragment beside its bytes.
const ENTRY_BYTES: usize = 256;
const PIECE_BYTES: usize = 64;

/// What makes fragments belong together (RFC 791 3.2), and the interface, lest one link's fragments
/// complete another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    identification: u16,
    interface: InterfaceId,
}

/// What became of a fragment.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It waits for the others.
    Held,
    /// It was there already.
    Duplicate,
    /// It completed its datagram.
    Whole(Whole),
    /// It alone is dropped: it is malformed, or its datagram was given up before.
    Refused { reason: Reason },
    /// Its datagram is given up: it is dropped, and with it `others` that had been held.
    GivenUp { reason: Reason, others: usize },
}

/// A datagram put together.
#[derive(Debug)]
pub(crate) struct Whole {
    /// From the IP header on; the header is the first fragment's, made that of the whole.
    pub(crate) packet: PacketBuf,
    /// How they were addressed: the same for all, as the destination is part of what joins them.
    pub(crate) cast: Cast,
    /// How many there were.
    pub(crate) fragments: usize,
}

/// A datagram given up for its time.
#[derive(Debug)]
pub(crate) struct Expired {
    pub(crate) interface: InterfaceId,
    pub(crate) cast: Cast,
    /// How many fragments go with it; 0 for one that was poisoned.
    pub(crate) fragments: usize,
    /// Fragment 0 as it came, if it did.
    pub(crate) first: Option<PacketBuf>,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    deadline: Instant,
    /// Memory charged for it.
    charged: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Gathering(Gathering),
    /// Given up; what still comes of it is dropped too.
    Poisoned(Reason),
}

#[derive(Debug)]
struct Gathering {
    /// The header of fragment 0.
    first: Option<ArrayVec<u8, MAX_HEADER>>,
    /// Payload bytes of the whole datagram, known from its last fragment.
    len: Option<usize>,
    /// Payload by offset; no two overlap.
    pieces: BTreeMap<usize, Box<[u8]>>,
    /// Payload bytes in `pieces`. As none overlap, all are there when this is `len`.
    gathered: usize,
    cast: Cast,
    congested: bool,
}

/// All datagrams in pieces.
#[derive(Debug)]
pub(crate) struct Reassembly {
    limits: Limits,
    entries: BTreeMap<Key, Entry>,
    /// The keys of `entries`, oldest first.
    order: BTreeMap<u64, Key>,
    serials: u64,
    charged: usize,
    fragments: usize,
    evicted: Evicted,
}

/// What had to go for memory since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    pub(crate) datagrams: usize,
    pub(crate) fragments: usize,
}

impl Reassembly {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            serials: 0,
            charged: 0,
            fragments: 0,
            evicted: Evicted::default(),
        }
    }

    /// Takes a fragment, from its IP header on.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        cast: Cast,
        header: &Header,
        packet: &PacketBuf,
    ) -> Taken {
        let Header { source, destination, protocol, identification, .. } = *header;
        let len = header.total_len - header.header_len;
        // RFC 791 3.2: all fragments but the last are multiples of 8 bytes, none is empty.
        if len == 0 || (header.more_fragments && !len.is_multiple_of(8)) {
            return Taken::Refused { reason: Reason::IpFragmentMalformed };
        }
        let key = Key { source, destination, protocol, identification, interface };
        let mut entry = match self.withdraw(&key) {
            Some(entry) => entry,
            None => self.fresh(now, cast),
        };
        let gathering = match &mut entry.state {
            State::Gathering(gathering) => gathering,
            &mut State::Poisoned(reason) => {
                self.restore(key, entry);
                return Taken::Refused { reason };
            }
        };
        let others = gathering.pieces.len();
        let added = match gathering.add(header, packet) {
            Ok(added) => added,
            Err(reason) => return self.poison(key, entry, reason, others),
        };
        if gathering.is_whole() {
            // Taken out and not restored: its memory is free again.
            let fragments = gathering.pieces.len();
            let cast = gathering.cast;
            return match gathering.assemble() {
                Some(packet) => Taken::Whole(Whole { packet, cast, fragments }),
                None => self.poison(key, entry, Reason::IpFragmentMalformed, others),
            };
        }
        entry.charged += added;
        if entry.charged > self.limits.reassembly_bytes_each {
            return self.poison(key, entry, Reason::IpReassemblyFull, others);
        }
        self.restore(key, entry);
        self.make_room();
        if added == 0 { Taken::Duplicate } else { Taken::Held }
    }

    /// Gives up a datagram whose time is over. Poisoned ones are forgotten here.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Expired> {
        if self.next()? > now {
            return None;
        }
        let (_, &key) = self.order.first_key_value()?;
        let entry = self.withdraw(&key)?;
        let interface = key.interface;
        Some(match entry.state {
            State::Poisoned(_) => {
                Expired { interface, cast: Cast::Unicast, fragments: 0, first: None }
            }
            State::Gathering(gathering) => Expired {
                interface,
                cast: gathering.cast,
                fragments: gathering.pieces.len(),
                first: gathering.first_as_it_came(),
            },
        })
    }

    /// When the oldest datagram's time is over.
    pub(crate) fn next(&self) -> Option<Instant> {
        let (_, key) = self.order.first_key_value()?;
        self.entries.get(key).map(|entry| entry.deadline)
    }

    /// Fragments held.
    pub(crate) fn fragments(&self) -> usize {
        self.fragments
    }

    /// Memory held, bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.charged
    }

    /// What had to go for memory since the last call.
    pub(crate) fn take_evicted(&mut self) -> Evicted {
        core::mem::take(&mut self.evicted)
    }

    fn fresh(&mut self, now: Instant, cast: Cast) -> Entry {
        self.serials += 1;
        let gathering = Gathering {
            first: None,
            len: None,
            pieces: BTreeMap::new(),
            gathered: 0,
            cast,
            congested: false,
        };
        Entry {
            serial: self.serials,
            // RFC 1122 3.3.2: the time is fixed and starts with the first fragment to arrive.
            deadline: now + self.limits.reassembly_timeout,
            charged: ENTRY_BYTES,
            state: State::Gathering(gathering),
        }
    }

    /// Takes an entry out of the tables and the accounts.
    fn withdraw(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.serial);
        self.charged -= entry.charged;
        self.fragments -= entry.fragments();
        Some(entry)
    }

    fn restore(&mut self, key: Key, entry: Entry) {
        self.charged += entry.charged;
        self.fragments += entry.fragments();
        self.order.insert(entry.serial, key);
        self.entries.insert(key, entry);
    }

    /// Gives up a datagram and remembers that, until its time is over.
    fn poison(&mut self, key: Key, mut entry: Entry, reason: Reason, others: usize) -> Taken {
        entry.state = State::Poisoned(reason);
        entry.charged = ENTRY_BYTES;
        self.restore(key, entry);
        self.make_room();
        Taken::GivenUp { reason, others }
    }

    /// RFC 1122 3.3.2 leaves the policy to us: over the limit, the oldest datagram goes first.
    fn make_room(&mut self) {
        while (self.charged > self.limits.reassembly_bytes
            || self.entries.len() > self.limits.reassembly_datagrams)
            && let Some((_, &oldest)) = self.order.first_key_value()
            && let Some(entry) = self.withdraw(&oldest)
        {
            self.evicted.datagrams += usize::from(entry.fragments() > 0);
            self.evicted.fragments += entry.fragments();
        }
    }
}

impl Entry {
    fn fragments(&self) -> usize {
        match &self.state {
            State::Gathering(gathering) => gathering.pieces.len(),
            State::Poisoned(_) => 0,
        }
    }
}

impl Gathering {
    /// Adds a fragment; returns the memory it takes, 0 for one that was there already. An error
    /// poisons the datagram.
    fn add(&mut self, header: &Header, packet: &PacketBuf) -> Result<usize, Reason> {
        let start = header.offset;
        let len = header.total_len - header.header_len;
        let end = start + len;
        if end + HEADER > MAX_PACKET {
            return Err(Reason::IpFragmentMalformed);
        }
        let payload = packet.to_vec().split_off(header.header_len);
        self.refuse_tiny(header, &payload)?;
        if self.refuse_overlap(start, end, header.more_fragments, &payload)? {
            return Ok(0);
        }
        if start == 0 {
            let bytes = packet.header(header.header_len).unwrap_or_default();
            self.first = ArrayVec::try_from(bytes).ok();
        }
        if !header.more_fragments {
            self.len = Some(end);
        }
        // RFC 3168 5.3: congestion met by one fragment is congestion met by the datagram.
        self.congested |= header.tos & 3 == 3;
        self.gathered += len;
        self.pieces.insert(start, payload.into_boxed_slice());
        Ok(len + PIECE_BYTES)
    }

    /// The TCP header must be whole in the first fragment, lest a filter sees half of it.
    fn refuse_tiny(&self, header: &Header, payload: &[u8]) -> Result<(), Reason> {
        if header.protocol != protocol::TCP {
            return Ok(());
        }
        let data_offset = payload.get(12).map_or(usize::MAX, |byte| usize::from(byte >> 4) * 4);
        // RFC 1858 3: a first fragment too short for the transport header is never delivered.
        let split = header.offset == 0 && payload.len() < data_offset.max(20);
        // RFC 3128 offset-one: no honest sender cuts TCP after 8 bytes.
        if split || header.offset == 8 { Err(Reason::IpFragmentTiny) } else { Ok(()) }
    }

    /// True for an exact repetition; an error for any other overlap.
    fn refuse_overlap(
        &self,
        start: usize,
        end: usize,
        more_fragments: bool,
        payload: &[u8],
    ) -> Result<bool, Reason> {
        // RFC 5722 overlap: the whole datagram goes, what is still to come included.
        // RFC 1858 4: so no overlap rewrites a transport header.
        let overlap = Err(Reason::IpFragmentOverlap);
        let ends_elsewhere = match self.len {
            Some(len) if more_fragments => end >= len,
            Some(len) => end != len,
            None => false,
        };
        if ends_elsewhere {
            return overlap;
        }
        if let Some((&before, piece)) = self.pieces.range(..end).next_back() {
            if before == start && **piece == *payload && (more_fragments || self.len.is_some()) {
                return Ok(true);
            }
            // The last piece that begins before our end: if it ends before our start, all do.
            if before + piece.len() > start {
                return overlap;
            }
        }
        // A last fragment with something beyond it.
        let beyond = !more_fragments && self.pieces.range(end..).next().is_some();
        if beyond { overlap } else { Ok(false) }
    }

    fn is_whole(&self) -> bool {
        self.len == Some(self.gathered)
    }

    /// The datagram in one piece; `None` if it would be longer than a datagram can be.
    fn assemble(&self) -> Option<PacketBuf> {
        let first = self.first.as_ref()?;
        let total = first.len() + self.gathered;
        let total_len = u16::try_from(total).ok()?;
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(first);
        for piece in self.pieces.values() {
            bytes.extend_from_slice(piece);
        }
        let header = bytes.get_mut(..first.len())?;
        if self.congested && header[1] & 3 != 0 {
            header[1] |= 3;
        }
        header[2..4].copy_from_slice(&total_len.to_be_bytes());
        header[6..8].fill(0);
        write_checksum(header);
        // The checksum metadata of fragments says nothing about the whole: it stays `Complete`.
        Some(PacketBuf::from_shared(Bytes::from(bytes)))
    }

    /// Fragment 0 with its own header: what an ICMP error quotes.
    fn first_as_it_came(&self) -> Option<PacketBuf> {
        let mut bytes = self.first.as_ref()?.to_vec();
        bytes.extend_from_slice(self.pieces.get(&0)?);
        Some(PacketBuf::from_shared(Bytes::from(bytes)))
    }
}

#[cfg(test)]
mod tests;
