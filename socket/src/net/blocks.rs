//! Memory for what programs write, used again and again: fresh pages cost a fault each, and an
//! allocator gives large blocks back to the system as fast as they are freed.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

/// Sizes of blocks, bytes, and how many of each are kept: about a send buffer's worth and what is
/// on its way to the device.
const SIZES: [(usize, usize); 2] = [(BLOCK, 12), (64 * 1024, 48)];

/// The largest single write, bytes.
pub(super) const BLOCK: usize = 256 * 1024;

/// Blocks looked at for a write: one connection that is not acknowledged must not keep all others
/// from theirs.
const PROBES: usize = 3;

/// Blocks that were handed out, of each size, oldest first. The oldest is the first to be free
/// again.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    used: [Mutex<VecDeque<BytesMut>>; SIZES.len()],
}

impl Blocks {
    /// A copy of the front of `data`, as much as fits a block, in one that nobody refers to any
    /// more if there is one. What would leave half of the smallest block unused is copied into
    /// memory of its own: it must not pin a whole block.
    pub(super) fn copy(&self, data: &[u8]) -> Bytes {
        let mut classes = SIZES.iter().zip(&self.used);
        let Some((&(size, most), used)) = classes.find(|((size, _), _)| data.len() >= size / 2)
        else {
            return Bytes::copy_from_slice(data);
        };
        let data = &data[..data.len().min(size)];
        let mut block = take(used, size);
        block.extend_from_slice(data);
        let copy = block.split().freeze();
        let mut used = used.lock();
        if used.len() < most {
            used.push_back(block);
        }
        copy
    }
}

fn take(used: &Mutex<VecDeque<BytesMut>>, size: usize) -> BytesMut {
    let mut used = used.lock();
    for _ in 0..PROBES.min(used.len()) {
        let Some(mut oldest) = used.pop_front() else { break };
        if oldest.try_reclaim(size) {
            return oldest;
        }
        used.push_back(oldest);
    }
    BytesMut::with_capacity(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_when_nobody_refers_to_it() {
        let blocks = Blocks::default();
        let first = blocks.copy(&[1; 200_000]);
        let place = first.as_ptr();
        let second = blocks.copy(&[2; 200_000]);
        assert_ne!(second.as_ptr(), place, "the first is still in use");
        assert!(first.iter().all(|&byte| byte == 1));
        drop(first);
        assert_eq!(blocks.copy(&[3; 200_000]).as_ptr(), place);
    }

    #[test]
    fn one_that_is_held_for_long_keeps_none_from_theirs() {
        let blocks = Blocks::default();
        let held = blocks.copy(&[1; BLOCK]);
        let place = blocks.copy(&[2; BLOCK]).as_ptr();
        for _ in 0..5 {
            assert_eq!(blocks.copy(&[3; BLOCK]).as_ptr(), place);
        }
        assert!(held.iter().all(|&byte| byte == 1));
    }

    #[test]
    fn a_short_write_pins_no_block() {
        let blocks = Blocks::default();
        drop(blocks.copy(&[1; 20_000]));
        assert!(blocks.used.iter().all(|used| used.lock().is_empty()));
    }

    #[test]
    fn the_pool_is_bounded_and_long_data_is_cut() {
        let blocks = Blocks::default();
        let held: Vec<Bytes> = (0..100).map(|_| blocks.copy(&vec![7; BLOCK + 1])).collect();
        assert!(held.iter().all(|copy| copy.len() == BLOCK));
        assert_eq!(blocks.used[0].lock().len(), SIZES[0].1);
    }

    #[test]
    fn middling_writes_have_blocks_of_their_size() {
        let blocks = Blocks::default();
        let place = blocks.copy(&[1; 60_000]).as_ptr();
        assert_eq!(blocks.copy(&[2; 100_000]).len(), 64 * 1024);
        assert_eq!(blocks.copy(&[2; 64 * 1024]).as_ptr(), place);
        assert!(blocks.used[0].lock().is_empty());
    }
}
