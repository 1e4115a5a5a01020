//! What arrived early: pieces beyond a hole, kept until it is filled (RFC 9293 SHLD-31).
//!
//! ```text
//!   RCV.NXT        piece          piece      right edge
//!      |  hole  |=========|  hole |====|         |
//! ```
//!
//! Pieces lie within the window, in order, and never overlap: what is there already wins, so a byte
//! that was acknowledged by position can not change later. Their number is bounded and their places
//! are found by binary search, which bounds the work of a segment; the window bounds their bytes.

use std::collections::VecDeque;

use layer::PacketBuf;

use crate::recv::islands::Islands;
use crate::seq::Seq;

/// Early pieces of one connection.
#[derive(Debug, Default)]
pub struct Reassembly {
    pieces: VecDeque<Piece>,
    /// Memory they keep alive, bytes.
    held: usize,
    islands: Islands,
    /// Pieces looked at so far: what a peer can make us work.
    #[cfg(test)]
    looked: core::cell::Cell<usize>,
}

#[derive(Debug)]
struct Piece {
    seq: Seq,
    bytes: PacketBuf,
}

impl Piece {
    fn end(&self) -> Seq {
        self.seq.plus(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX))
    }
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// At least some of it was new.
    New,
    /// All of it was there already.
    Duplicate,
    /// There are too many pieces.
    Full,
}

impl Reassembly {
    /// Keeps what of `bytes` (at `seq`, all of it beyond RCV.NXT) is new; `limit` pieces at most.
    pub fn insert(&mut self, mut seq: Seq, mut bytes: PacketBuf, limit: usize) -> Kept {
        let mut at = self.place_of(seq);
        if let Some(before) = at.checked_sub(1).and_then(|i| self.pieces.get(i))
            && before.end().after(seq)
        {
            let known = before.end().since(seq);
            bytes.advance(usize::try_from(known).unwrap_or(usize::MAX));
            seq = seq.plus(known);
        }
        let mut kept = Kept::Duplicate;
        // What is left may span pieces that are there: keep the parts between them.
        while !bytes.is_empty() {
            self.look();
            let next = self.pieces.get(at).map(|piece| (piece.seq, piece.end()));
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let gap = next.map_or(len, |(start, _)| start.since(seq).min(len));
            if gap > 0 {
                if self.pieces.len() >= limit {
                    return if kept == Kept::New { kept } else { Kept::Full };
                }
                let part = if gap == len { bytes.clone() } else { bytes.share(0, gap as usize) };
                self.held += part.held_bytes();
                self.islands.add(seq, seq.plus(gap));
                self.pieces.insert(at, Piece { seq, bytes: part });
                kept = Kept::New;
                at += 1;
            }
            let Some((_, end)) = next else { break };
            let skip = end.since(seq).min(len);
            bytes.advance(usize::try_from(skip).unwrap_or(usize::MAX));
            seq = seq.plus(skip);
            at += 1;
        }
        kept
    }

    /// Takes the first piece if the hole before it is filled: its part from `nxt` on, which may be
    /// empty if it is all old by now.
    pub fn take(&mut self, nxt: Seq) -> Option<PacketBuf> {
        if self.pieces.front()?.seq.after(nxt) {
            return None;
        }
        let Piece { seq, mut bytes } = self.pieces.pop_front()?;
        self.held = self.held.saturating_sub(bytes.held_bytes());
        self.islands.forget_before(seq.plus(u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
        bytes.advance(usize::try_from(nxt.since(seq)).unwrap_or(usize::MAX));
        Some(bytes)
    }

    /// The run of pieces without a hole that holds `seq`: its first number, and one past its last.
    pub fn island(&self, seq: Seq) -> Option<(Seq, Seq)> {
        self.islands.find(seq)
    }

    /// The index of the first piece that begins after `seq`; usually there is none.
    fn place_of(&self, seq: Seq) -> usize {
        if self.pieces.back().is_none_or(|last| last.seq.at_or_before(seq)) {
            return self.pieces.len();
        }
        self.pieces.partition_point(|piece| {
            self.look();
            piece.seq.at_or_before(seq)
        })
    }

    /// One piece is looked at.
    fn look(&self) {
        #[cfg(test)]
        self.looked.set(self.looked.get() + 1);
    }

    /// Pieces kept.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Memory they keep alive, bytes.
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// Drops pieces, the last ones first, until `goal` bytes of memory are free or nothing is
    /// left; returns how many were freed. The peer was told of them, but not that they are safe
    /// (RFC 2018 8).
    pub fn prune(&mut self, goal: usize) -> usize {
        let before = self.held;
        while before - self.held < goal
            && let Some(piece) = self.pieces.pop_back()
        {
            self.held = self.held.saturating_sub(piece.bytes.held_bytes());
            self.islands.forget_after(piece.seq);
        }
        before - self.held
    }

    /// Gives back what no piece needs.
    pub fn release(&mut self) {
        self.pieces.shrink_to_fit();
        self.islands.release();
    }

    /// Nothing is early.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn byte(at: usize) -> u8 {
        (at * 31 % 251) as u8
    }

    proptest! {
        /// Against a set of positions, near the wrap of sequence numbers.
        #[test]
        fn delivers_the_stream_whatever_the_order(
            start in prop_oneof![Just(u32::MAX - 150), any::<u32>()],
            pieces in proptest::collection::vec((1_usize..300, 1_usize..60), 1..40),
        ) {
            let base = Seq(start);
            let (mut reassembly, mut have) = (Reassembly::default(), vec![false; 400]);
            for (from, len) in pieces {
                let bytes: Vec<u8> = (from..from + len).map(byte).collect();
                let new = have[from..from + len].iter().any(|known| !known);
                have[from..from + len].fill(true);
                let kept = reassembly.insert(
                    base.plus(from as u32), PacketBuf::copy_from(&bytes), 1000);
                prop_assert_eq!(kept, if new { Kept::New } else { Kept::Duplicate });
                let mut last = base;
                for piece in &reassembly.pieces {
                    prop_assert!(!piece.bytes.is_empty() && last.at_or_before(piece.seq));
                    last = piece.end();
                }
            }
            for at in 0..400 {
                let run = |step: isize| {
                    let mut edge = at as isize;
                    while have.get(edge as usize).copied().unwrap_or(false) {
                        edge += step;
                    }
                    edge
                };
                let expected = have[at].then(|| (run(-1) + 1, run(1)));
                let expected = expected.map(|(a, b)| (base.plus(a as u32), base.plus(b as u32)));
                prop_assert_eq!(reassembly.island(base.plus(at as u32)), expected);
            }
            // The hole at 0 is filled: all that joins on comes out, right to the byte.
            let mut nxt = 1;
            prop_assert!(have[1] || reassembly.take(base.plus(1)).is_none());
            while let Some(piece) = reassembly.take(base.plus(nxt as u32)) {
                for got in piece.to_vec() {
                    prop_assert!(have[nxt]);
                    prop_assert_eq!(got, byte(nxt));
                    nxt += 1;
                }
            }
            prop_assert!(!have[nxt]);
        }
    }

    // test: RFC 2018 8
    #[test]
    fn the_last_pieces_give_way_first() {
        let mut reassembly = Reassembly::default();
        for n in 0..4 {
            reassembly.insert(Seq(n * 10), PacketBuf::copy_from(b"x"), 10);
        }
        let one = reassembly.held_bytes() / 4;
        assert_eq!(reassembly.prune(one + 1), 2 * one);
        assert_eq!(reassembly.island(Seq(10)), Some((Seq(10), Seq(11))));
        assert_eq!(reassembly.island(Seq(20)), None);
        assert_eq!(reassembly.prune(usize::MAX), 2 * one);
        assert_eq!((reassembly.held_bytes(), reassembly.len()), (0, 0));
        assert_eq!(reassembly.island(Seq(0)), None);
    }

    /// What is pruned within an island shortens it; what comes again lengthens it again.
    #[test]
    fn an_island_ends_where_its_last_piece_does() {
        let mut reassembly = Reassembly::default();
        for n in 1..4 {
            reassembly.insert(Seq(n), PacketBuf::copy_from(b"x"), 10);
        }
        assert_eq!(reassembly.island(Seq(1)), Some((Seq(1), Seq(4))));
        reassembly.prune(1);
        assert_eq!(reassembly.island(Seq(1)), Some((Seq(1), Seq(3))));
        assert_eq!(reassembly.island(Seq(3)), None);
        reassembly.insert(Seq(3), PacketBuf::copy_from(b"y"), 10);
        assert_eq!(reassembly.island(Seq(3)), Some((Seq(1), Seq(4))));
    }

    /// Text with a hole behind every byte, from the far end, from the near end, and in no order;
    /// then long segments over all of it. A segment costs a binary search and what it fills.
    #[test]
    fn holes_behind_every_byte_cost_little() {
        const LIMIT: u32 = 2048;
        let orders: [fn(u32) -> u32; 3] = [|n| n, |n| LIMIT - 1 - n, |n| n * 1021 % LIMIT];
        for order in orders {
            let mut reassembly = Reassembly::default();
            for n in 0..LIMIT {
                let seq = Seq(u32::MAX - 1000).plus(1 + 2 * order(n));
                reassembly.insert(seq, PacketBuf::copy_from(b"x"), LIMIT as usize);
                assert_eq!(reassembly.island(seq), Some((seq, seq.plus(1))));
            }
            let most = 2 + LIMIT.ilog2() as usize;
            assert!(reassembly.looked.get() <= LIMIT as usize * most);
            // Each of these finds a whole table; a full one takes nothing more.
            reassembly.looked.set(0);
            for _ in 0..100 {
                let long = PacketBuf::copy_from(&[0; 1460]);
                let kept = reassembly.insert(Seq(u32::MAX - 999), long, LIMIT as usize);
                assert_eq!(kept, Kept::Full);
            }
            assert!(reassembly.looked.get() <= 100 * (2 + most));
        }
    }

    #[test]
    fn the_number_of_pieces_is_bounded() {
        let mut reassembly = Reassembly::default();
        for n in 0..10 {
            let kept = reassembly.insert(Seq(n * 10 + 5), PacketBuf::copy_from(b"x"), 4);
            assert_eq!(kept, if n < 4 { Kept::New } else { Kept::Full });
        }
        assert_eq!(reassembly.len(), 4);
    }
}
