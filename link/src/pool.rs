//! Blocks to read into, used again once nobody refers to what was read.
//!
//! A block is a `BytesMut`. What a read left in it goes up as a refcounted slice without a copy;
//! the next read uses the rest of the block while a whole frame still fits, then another block.
//! `BytesMut::try_reclaim` finds out whether all slices of a block have gone, so nothing has to
//! come back and no allocation is made while the application keeps up.

use bytes::BytesMut;

/// Bytes in a block: a super-frame of 64 KiB with its headers, rounded up.
pub(crate) const BLOCK: usize = 68 * 1024;

/// Blocks that are kept. More may be in use: an application that holds on to data pays for it out
/// of its receive window, not out of the pool.
const KEPT: usize = 64;

/// Blocks looked at before a new one is allocated: bounds the work of one read.
const PROBES: usize = 4;

/// Blocks in the order in which they were used first, and the one being read into.
///
/// Blocks are used in turn. Where the application keeps up, the first one is free again when a
/// batch begins, and the batch starts over with it: few blocks are used, and the processor's
/// caches keep them.
#[derive(Debug)]
pub(crate) struct Pool {
    blocks: Vec<BytesMut>,
    /// The one in use.
    at: usize,
    /// Spare capacity that a read needs: the largest frame.
    need: usize,
}

impl Pool {
    /// A pool for frames of up to `need` bytes.
    pub(crate) fn new(need: usize) -> Self {
        Self { blocks: Vec::with_capacity(KEPT), at: 0, need: need.min(BLOCK) }
    }

    /// A batch of reads begins.
    pub(crate) fn begin(&mut self) {
        if self.at > 0 && self.blocks.first_mut().is_some_and(|block| block.try_reclaim(BLOCK)) {
            self.at = 0;
        }
    }

    /// An empty block with room for the largest frame.
    pub(crate) fn block(&mut self) -> &mut BytesMut {
        let fits = |block: &BytesMut| block.capacity() - block.len() >= self.need;
        if !self.blocks.get(self.at).is_some_and(fits) && !self.reclaim() {
            let fresh = BytesMut::with_capacity(BLOCK);
            if self.blocks.len() < KEPT {
                self.at = self.blocks.len();
                self.blocks.push(fresh);
            } else {
                // The one let go is freed when the last slice of it is.
                self.at = (self.at + 1) % KEPT;
                self.blocks[self.at] = fresh;
            }
        }
        self.block_in_use()
    }

    /// The block that `block` gave last, with what was read into it.
    pub(crate) fn block_in_use(&mut self) -> &mut BytesMut {
        &mut self.blocks[self.at]
    }

    /// Goes on to a block that nobody refers to any more, if one is soon found.
    fn reclaim(&mut self) -> bool {
        for step in 0..PROBES.min(self.blocks.len()) {
            // The one in use may be free already; else the next ones are the oldest.
            let at = (self.at + step) % self.blocks.len();
            if self.blocks[at].try_reclaim(BLOCK) {
                self.at = at;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Pretends to read `n` bytes and hands them up.
    fn take(pool: &mut Pool, n: usize) -> Bytes {
        let block = pool.block();
        assert!(block.is_empty() && block.capacity() >= pool.need.min(BLOCK));
        let block = pool.block();
        block.extend_from_slice(&vec![1; n]);
        block.split().freeze()
    }

    #[test]
    fn a_block_comes_back_when_nobody_refers_to_it() {
        let mut pool = Pool::new(BLOCK);
        let places: Vec<_> = (0..10).map(|_| take(&mut pool, 60_000).as_ptr()).collect();
        assert!(places.iter().all(|place| *place == places[0]));
        assert_eq!(pool.blocks.len(), 1);
    }

    #[test]
    fn a_batch_starts_over_when_the_application_keeps_up() {
        let mut pool = Pool::new(BLOCK);
        let batch: Vec<_> = (0..9).map(|_| take(&mut pool, 60_000)).collect();
        let places: Vec<_> = batch.iter().map(|bytes| bytes.as_ptr()).collect();
        drop(batch);
        for _ in 0..3 {
            pool.begin();
            let short: Vec<_> = (0..3).map(|_| take(&mut pool, 60_000)).collect();
            assert!(short.iter().zip(&places).all(|(bytes, place)| bytes.as_ptr() == *place));
        }
        assert_eq!(pool.blocks.len(), 9);
    }

    #[test]
    fn small_frames_share_a_block() {
        let mut pool = Pool::new(9_018);
        let frames: Vec<_> = (0..7).map(|_| take(&mut pool, 9_014)).collect();
        assert_eq!(pool.blocks.len(), 1);
        let next = take(&mut pool, 9_014);
        assert_eq!(pool.blocks.len(), 2);
        drop((frames, next));
    }

    #[test]
    fn blocks_held_for_long_are_let_go() {
        let mut pool = Pool::new(BLOCK);
        let held: Vec<_> = (0..3 * KEPT).map(|_| take(&mut pool, 60_000)).collect();
        assert_eq!(pool.blocks.len(), KEPT);
        assert!(held.iter().all(|bytes| bytes.len() == 60_000));
        drop(held);
        let again = take(&mut pool, 10);
        assert_eq!(pool.blocks.len(), KEPT);
        drop(again);
    }
}
