//! What is out: byte ranges with the time they were last sent, and what is known of them
//! (RFC 6675 2, RFC 8985 5.2).
//!
//! ```text
//!   SND.UNA                                              SND.NXT
//!      |  range  | range, sacked |  range, lost |  range   |
//! ```
//!
//! A range is what left in one call, up to a super-segment of 64 KiB, and is cut only where the
//! peer's blocks or a resend cut it: never one object per segment. Their number is bounded; beyond
//! it, ranges grow instead of being cut, which errs towards sending less.

use std::collections::VecDeque;

use layer::{Duration, Instant};

use crate::pack::packed;
use crate::seq::Seq;

/// Ranges kept, at most: bounds the work of one acknowledgement whatever the peer sends.
const MOST: usize = 1024;

/// One range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First number.
    pub start: Seq,
    /// One past the last.
    pub end: Seq,
    /// When it last left.
    pub sent_at: Instant,
    /// It left more than once.
    pub resent: bool,
    /// The peer has reported it (RFC 2018).
    pub sacked: bool,
    /// Taken for lost, and not sent since.
    pub lost: bool,
}

impl Range {
    fn len(&self) -> u32 {
        self.end.since(self.start)
    }

    /// RFC 8985 6.2 step 2: "sent after", with numbers deciding among equals.
    pub fn sent_after(&self, at: Instant, end: Seq) -> bool {
        self.sent_at > at || (self.sent_at == at && self.end.after(end))
    }
}

/// What an acknowledgement newly says was delivered, by number or by block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered {
    /// Bytes of sequence space.
    pub bytes: u32,
    /// The range that left last of those delivered.
    pub latest: Option<Range>,
    /// Shortest round trip of those that left only once; none by number if what was acknowledged
    /// with them had been resent (Karn): they may have waited for the resend.
    pub rtt: Option<Duration>,
    /// A range that was resent was among them.
    pub resent: bool,
    /// A range that was never resent came below one that had been delivered: reordering.
    pub reordered: bool,
    /// The lowest end of a range that was never resent (for RFC 5682).
    pub original: Option<Seq>,
}

impl Delivered {
    fn take(&mut self, range: &Range, now: Instant, highest: Seq) {
        self.bytes = self.bytes.saturating_add(range.len());
        self.resent |= range.resent;
        self.reordered |= !range.resent && range.end.before(highest);
        if self.latest.is_none_or(|latest| range.sent_after(latest.sent_at, latest.end)) {
            self.latest = Some(*range);
        }
        if !range.resent {
            self.original = Some(self.original.map_or(range.end, |known| known.min(range.end)));
            let rtt = now.since(range.sent_at);
            self.rtt = Some(self.rtt.map_or(rtt, |known| known.min(rtt)));
        }
    }
}

/// All ranges between SND.UNA and SND.NXT, in order, without gaps.
#[derive(Debug, Default)]
pub struct Scoreboard {
    ranges: VecDeque<Range>,
    sacked: u32,
    lost: u32,
    total: u32,
    /// One past the highest number ever delivered (RACK.fack).
    highest: Option<Seq>,
}

packed!(Scoreboard { highest } default { ranges, sacked, lost, total });

impl Scoreboard {
    /// New text from `start` to before `end` leaves.
    pub fn sent(&mut self, start: Seq, end: Seq, now: Instant) {
        self.total = self.total.saturating_add(end.since(start));
        let full = self.ranges.len() >= MOST;
        if full && let Some(last) = self.ranges.back_mut() {
            // What is known of the last one is forgotten for the bound's sake: it counts as out.
            self.sacked -= if last.sacked { last.len() } else { 0 };
            self.lost -= if last.lost { last.len() } else { 0 };
            (last.sacked, last.lost) = (false, false);
        }
        if let Some(last) = self.ranges.back_mut().filter(|last| !last.sacked && !last.lost)
            && (full || (!last.resent && last.sent_at == now))
        {
            (last.end, last.sent_at) = (end, now);
            return;
        }
        let range = Range { start, end, sent_at: now, resent: false, sacked: false, lost: false };
        self.ranges.push_back(range);
    }

    /// What lies between `start` and before `end` leaves again.
    pub fn resent(&mut self, start: Seq, end: Seq, now: Instant) {
        let (from, to) = (self.cut_at(start), self.cut_at(end));
        for range in self.ranges.range_mut(from..to) {
            if range.lost && !range.sacked {
                self.lost -= range.len();
            }
            (range.sent_at, range.resent, range.lost) = (now, true, false);
        }
    }

    /// Everything before `una` is acknowledged.
    pub fn acknowledged(&mut self, una: Seq, now: Instant, delivered: &mut Delivered) {
        let highest = self.highest.unwrap_or(una);
        let mut ambiguous = false;
        while let Some(&first) = self.ranges.front() {
            if !first.start.before(una) {
                break;
            }
            let gone = Range { end: first.end.min(una), ..first };
            self.forget(&gone);
            ambiguous |= gone.resent;
            if !gone.sacked {
                delivered.take(&gone, now, highest);
            }
            if first.end.after(una) {
                if let Some(first) = self.ranges.front_mut() {
                    first.start = una;
                }
                break;
            }
            self.ranges.pop_front();
        }
        self.highest = Some(highest.max(una));
        if ambiguous {
            // RFC 6298 3: no sample, also where the resend had been reported before (Linux's
            // FLAG_RETRANS_DATA_ACKED).
            delivered.rtt = None;
        }
    }

    /// The peer has what lies between `start` and before `end`.
    pub fn sacked(&mut self, start: Seq, end: Seq, now: Instant, delivered: &mut Delivered) {
        let highest = self.highest.unwrap_or(start);
        let (from, to) = (self.cut_at(start), self.cut_at(end));
        for range in self.ranges.range_mut(from..to) {
            // At the bound cuts fail: only what lies wholly inside is believed.
            let inside = !range.start.before(start) && !range.end.after(end);
            if range.sacked || !inside {
                continue;
            }
            if range.lost {
                self.lost -= range.len();
            }
            self.sacked += range.len();
            delivered.take(range, now, highest);
            (range.sacked, range.lost) = (true, false);
            self.highest = Some(self.highest.unwrap_or(range.end).max(range.end));
        }
    }

    /// Marks as lost every range that `is_lost` says is; returns how many bytes.
    pub fn mark_lost(&mut self, mut is_lost: impl FnMut(&Range) -> bool) -> u32 {
        let mut bytes = 0;
        for range in &mut self.ranges {
            if !range.sacked && !range.lost && is_lost(range) {
                range.lost = true;
                bytes += range.len();
            }
        }
        self.lost += bytes;
        bytes
    }

    /// Marks the first `bytes` as lost, as far as they are out (RFC 6582: without SACK only the
    /// first hole is known).
    pub fn mark_first_lost(&mut self, bytes: u32) {
        let Some(first) = self.ranges.front().map(|range| range.start) else { return };
        let to = self.cut_at(first.plus(bytes.min(self.total)));
        let end = self.ranges.get(to).map_or(first.plus(self.total), |range| range.start);
        self.mark_lost(|range| range.start.before(end));
    }

    /// A timeout: all that was not reported is lost. A peer may take back what it reported (RFC
    /// 2018 8): one that has done so is known by a report that begins at SND.UNA, and then none of
    /// them counts any more (RFC 6675 5.1 and its erratum 1610, as Linux).
    pub fn timeout(&mut self) {
        let reneged = self.ranges.front().is_some_and(|first| first.sacked);
        if reneged {
            self.sacked = 0;
        }
        for range in &mut self.ranges {
            range.sacked &= !reneged;
            range.lost = !range.sacked;
        }
        self.lost = self.total - self.sacked;
    }

    /// What was marked is not lost after all.
    pub fn unmark(&mut self) {
        for range in &mut self.ranges {
            range.lost = false;
        }
        self.lost = 0;
    }

    /// The first lost range.
    pub fn first_lost(&self) -> Option<Range> {
        if self.lost == 0 {
            return None;
        }
        self.ranges.iter().find(|range| range.lost).copied()
    }

    /// The last range that was not reported.
    pub fn last_open(&self) -> Option<Range> {
        self.ranges.iter().rev().find(|range| !range.sacked).copied()
    }

    /// RFC 6675 4: bytes that are in the network as far as we know.
    pub fn pipe(&self) -> u32 {
        self.total - self.sacked - self.lost
    }

    /// Bytes that the peer reported.
    pub fn sacked_bytes(&self) -> u32 {
        self.sacked
    }

    /// Bytes taken for lost and not sent again yet.
    pub fn lost_bytes(&self) -> u32 {
        self.lost
    }

    /// Bytes that left again and are neither reported nor lost since. Walks the ranges.
    pub fn resent_bytes(&self) -> u32 {
        let out = |range: &&Range| range.resent && !range.sacked && !range.lost;
        self.ranges.iter().filter(out).map(Range::len).sum()
    }

    /// All ranges, in order.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = &Range> {
        self.ranges.iter()
    }

    /// Gives back what an empty board does not need.
    pub fn release(&mut self) {
        self.ranges.shrink_to_fit();
    }

    fn forget(&mut self, range: &Range) {
        self.total -= range.len();
        if range.sacked {
            self.sacked -= range.len();
        } else if range.lost {
            self.lost -= range.len();
        }
    }

    /// Makes `at` a boundary between ranges; returns the index of the range that starts there, or
    /// of the first that starts later.
    fn cut_at(&mut self, at: Seq) -> usize {
        let index = self.ranges.partition_point(|range| range.end.at_or_before(at));
        let Some(&whole) = self.ranges.get(index) else { return index };
        if !whole.start.before(at) {
            return index;
        }
        if self.ranges.len() >= MOST {
            return index + 1;
        }
        if let Some(head) = self.ranges.get_mut(index) {
            head.end = at;
        }
        self.ranges.insert(index + 1, Range { start: at, ..whole });
        index + 1
    }
}

#[cfg(test)]
mod tests;
