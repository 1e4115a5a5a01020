//! [`Wire`]: one direction of a cable, with everything that can go wrong on one.
//!
//! ```text
//!   put(frame) -> cut into what a wire carries -> queue -> rate -> loss, burst loss -> corruption
//!              -> duplication -> delay (+ late) -> take(now)
//! ```
//!
//! Super-segments are cut and checksums completed before anything is impaired, so that a loss costs
//! one segment and not 64 KiB. Everything that happens to a frame is counted, and the counts add
//! up: see [`WireStats::in_flight_by_counts`].

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use layer::boundary::ethertype;
use layer::{Duration, Instant, PacketBuf};
use link::gso;

use crate::rng::{Chance, Rng};

/// Bytes of an Ethernet header: what lies behind it may be corrupted.
const ETHERNET: usize = 14;

/// What a wire does to frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireConfig {
    /// From the last bit put on it to the last bit taken off: half the round trip.
    pub delay: Duration,
    /// Bits per second; `None` takes no time.
    pub rate_bps: Option<u64>,
    /// What may wait for its turn at that rate; beyond it the tail is dropped.
    pub queue: Queue,
    /// Each frame on its own.
    pub loss: Chance,
    /// Frames in a row.
    pub burst: Option<Burst>,
    /// A second copy right behind.
    pub duplicate: Chance,
    /// Late by up to `delay`, half a round trip: later ones overtake it.
    pub reorder: Chance,
    /// One bit flipped behind the Ethernet header; never in ARP, which has no checksum.
    pub corrupt: Chance,
}

/// A wire that carried nothing for so long is good again: bursts are bursts of traffic that
/// overfill a queue, or a moment of noise.
pub const QUIET: Duration = Duration::from_millis(1);

/// How much waits for a busy wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// So many frames.
    Packets(usize),
    /// So many bytes.
    Bytes(usize),
}

/// Gilbert's model of burst loss: a good state that loses nothing by itself and a bad one. A bad
/// time does not outlast [`QUIET`] without frames, or it would wait for the resends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// From good to bad, per frame.
    pub begin: Chance,
    /// From bad to good, per frame.
    pub end: Chance,
    /// Loss while bad.
    pub loss: Chance,
}

impl Default for WireConfig {
    /// A perfect wire: no delay, no limit, no fault.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            rate_bps: None,
            // As a TAP's.
            queue: Queue::Packets(1000),
            loss: Chance::NEVER,
            burst: None,
            duplicate: Chance::NEVER,
            reorder: Chance::NEVER,
            corrupt: Chance::NEVER,
        }
    }
}

impl WireConfig {
    /// A wire that only takes its time.
    pub fn delayed(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }
}

/// What has happened to frames so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireStats {
    /// Frames put on the wire, as it carries them: pieces of super-segments.
    pub put: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Taken off at the other end.
    pub delivered: u64,
    /// Lost one by one.
    pub lost: u64,
    /// Lost in bursts.
    pub burst_lost: u64,
    /// Dropped at the tail of the queue.
    pub queue_full: u64,
    /// Delivered late, so that others could overtake.
    pub late: u64,
    /// Delivered with a flipped bit.
    pub corrupted: u64,
    /// Never on the wire: offload metadata that contradicts the frame, a fault of the sender.
    pub uncuttable: u64,
    /// Bytes delivered.
    pub bytes: u64,
}

impl WireStats {
    /// Frames that must be on the wire if none is unaccounted for.
    pub fn in_flight_by_counts(&self) -> u64 {
        let Self { put, duplicated, delivered, lost, burst_lost, queue_full, .. } = *self;
        (put + duplicated).wrapping_sub(delivered + lost + burst_lost + queue_full)
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            put: self.put + other.put,
            duplicated: self.duplicated + other.duplicated,
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            burst_lost: self.burst_lost + other.burst_lost,
            queue_full: self.queue_full + other.queue_full,
            late: self.late + other.late,
            corrupted: self.corrupted + other.corrupted,
            uncuttable: self.uncuttable + other.uncuttable,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// One direction of a cable.
#[derive(Debug)]
pub struct Wire {
    config: WireConfig,
    rng: Rng,
    stats: WireStats,
    /// By arrival, then by order of departure.
    in_flight: BTreeMap<(Instant, u64), PacketBuf>,
    number: u64,
    /// Frames being sent or waiting: when the last bit leaves, and their bytes.
    queue: VecDeque<(Instant, usize)>,
    queued_bytes: usize,
    /// In a burst of loss, as of the last frame put.
    bad: bool,
    last_put: Instant,
    pieces: Vec<PacketBuf>,
}

impl Wire {
    /// A wire with this chance.
    pub fn new(config: WireConfig, rng: Rng) -> Self {
        Self {
            config,
            rng,
            stats: WireStats::default(),
            in_flight: BTreeMap::new(),
            number: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            bad: false,
            last_put: Instant::ZERO,
            pieces: Vec::new(),
        }
    }

    /// What it does now.
    pub fn config(&self) -> &WireConfig {
        &self.config
    }

    /// Changes what it does to frames from now on.
    pub fn set_config(&mut self, config: WireConfig) {
        self.config = config;
    }

    /// What it has done.
    pub fn stats(&self) -> WireStats {
        self.stats
    }

    /// Frames on it.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// When the next frame arrives.
    pub fn next_at(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|&(at, _)| at)
    }

    /// Puts a frame on the wire, cut into what a wire carries; `seen` is shown each piece.
    pub fn put(&mut self, now: Instant, frame: PacketBuf, mut seen: impl FnMut(&[u8])) {
        let mut pieces = core::mem::take(&mut self.pieces);
        if gso::to_wire(frame, &mut pieces).is_err() {
            self.stats.uncuttable += 1;
        }
        for piece in pieces.drain(..) {
            let bytes = piece.to_vec();
            seen(&bytes);
            self.stats.put += 1;
            self.carry(now, bytes);
        }
        self.pieces = pieces;
    }

    /// The next frame that has arrived by `now`, as a device would hand it up: one block.
    pub fn take(&mut self, now: Instant) -> Option<PacketBuf> {
        let first = self.in_flight.first_entry().filter(|entry| entry.key().0 <= now)?;
        let frame = first.remove();
        self.stats.delivered += 1;
        self.stats.bytes += frame.len() as u64;
        Some(frame)
    }

    fn carry(&mut self, now: Instant, mut bytes: Vec<u8>) {
        let Some(left) = self.transmit(now, bytes.len()) else {
            self.stats.queue_full += 1;
            return;
        };
        if self.in_burst(now) {
            self.stats.burst_lost += 1;
            return;
        }
        if self.rng.happens(self.config.loss) {
            self.stats.lost += 1;
            return;
        }
        if self.rng.happens(self.config.corrupt) {
            self.stats.corrupted += u64::from(flip_a_bit(&mut bytes, &mut self.rng));
        }
        let frame = Bytes::from(bytes);
        let copies = 1 + usize::from(self.rng.happens(self.config.duplicate));
        self.stats.duplicated += copies as u64 - 1;
        for _ in 0..copies {
            let mut arrives = left + self.config.delay;
            if self.rng.happens(self.config.reorder) {
                self.stats.late += 1;
                let most = u64::try_from(self.config.delay.as_nanos()).unwrap_or(u64::MAX);
                arrives += Duration::from_nanos(1 + self.rng.below(most));
            }
            self.number += 1;
            let key = (arrives, self.number);
            self.in_flight.insert(key, PacketBuf::from_shared(frame.clone()));
        }
    }

    /// When the last bit of a frame of `len` bytes leaves; `None` if the queue is full.
    fn transmit(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let Some(rate) = self.config.rate_bps else { return Some(now) };
        while let Some(&(at, bytes)) = self.queue.front()
            && at <= now
        {
            self.queue.pop_front();
            self.queued_bytes -= bytes;
        }
        let fits = match self.config.queue {
            Queue::Packets(most) => self.queue.len() < most,
            Queue::Bytes(most) => self.queued_bytes + len <= most,
        };
        if !fits {
            return None;
        }
        let free = self.queue.back().map_or(now, |&(at, _)| at);
        let nanos = (len as u64 * 8).saturating_mul(1_000_000_000) / rate.max(1);
        let left = free + Duration::from_nanos(nanos);
        self.queue.push_back((left, len));
        self.queued_bytes += len;
        Some(left)
    }

    fn in_burst(&mut self, now: Instant) -> bool {
        let silence = now.since(self.last_put);
        self.last_put = now;
        let Some(Burst { begin, end, loss }) = self.config.burst else { return false };
        self.bad &= silence < QUIET;
        let turn = if self.bad { end } else { begin };
        self.bad ^= self.rng.happens(turn);
        self.bad && self.rng.happens(loss)
    }
}

/// Flips one bit behind the Ethernet header. False for ARP and for frames that end there.
fn flip_a_bit(frame: &mut [u8], rng: &mut Rng) -> bool {
    let arp = frame.get(12..14) == Some(&ethertype::ARP.to_be_bytes());
    let Some(rest) = frame.get_mut(ETHERNET..).filter(|rest| !rest.is_empty() && !arp) else {
        return false;
    };
    let bit = rng.index(rest.len() * 8);
    rest[bit / 8] ^= 1 << (bit % 8);
    true
}

#[cfg(test)]
mod tests;
