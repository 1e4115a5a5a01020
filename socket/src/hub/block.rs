//! [`Block`]: where small writes are copied to, once, on their way into the send buffer.

use bytes::{Bytes, BytesMut};

/// A block that is filled from the front and handed out in refcounted pieces, for all sockets: an
/// idle one holds none. When it is used up and every piece has come back (was acknowledged), it is
/// used again. TCP copies pieces below 8 KiB into buffers of its own, so that a small one that
/// stays does not hold a whole block.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The free rest of the block; its length is always 0.
    free: BytesMut,
    size: usize,
}

impl Block {
    /// The first block: a small host has little to say.
    const SMALLEST: usize = 4 * 1024;
    /// What blocks double up to.
    const LARGEST: usize = 64 * 1024;
    /// Writes of this size get memory of their own: sharing would save nothing.
    const LARGE: usize = 16 * 1024;

    /// Copies `data`.
    pub(super) fn copy(&mut self, data: &[u8]) -> Bytes {
        if data.len() >= Self::LARGE {
            return Bytes::copy_from_slice(data);
        }
        if self.free.capacity() < data.len() && !self.free.try_reclaim(data.len()) {
            self.size = (self.size * 2).clamp(Self::SMALLEST, Self::LARGEST);
            self.free = BytesMut::with_capacity(self.size.max(data.len()));
        }
        self.free.extend_from_slice(data);
        self.free.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_writes_share_a_block_and_a_returned_block_is_used_again() {
        let mut block = Block::default();
        let (one, two) = (block.copy(b"one"), block.copy(b"two"));
        assert_eq!((&one[..], &two[..]), (&b"one"[..], &b"two"[..]));
        assert_eq!(one.as_ptr().wrapping_add(3), two.as_ptr(), "side by side");
        let start = one.as_ptr();
        drop((one, two));
        let filled = block.copy(&[7; Block::SMALLEST]);
        assert_eq!(filled.as_ptr(), start, "nobody refers to it: from the front");
        let next = block.copy(&[8; 5000]);
        assert!(!filled.as_ptr_range().contains(&next.as_ptr()));
        assert_eq!(filled[..], [7; Block::SMALLEST]);
    }
}
