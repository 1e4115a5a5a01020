//! The send buffer: what the application gave, from SND.UNA on, by reference.
//!
//! ```text
//!      start                                                  end
//!        |  Bytes   |  Bytes                 | Bytes |  tail   |
//!        +----------+------------------------+-------+---------+
//!        ^ acknowledged up to here                    ^ small writes gather here, and are
//!                                                       frozen when a segment needs them
//! ```
//!
//! A segment takes slices of these blocks, and so does its resend: the bytes are copied once, by
//! whoever copied them from the application. Positions are counted in bytes since the connection's
//! first, in 64 bits, so that they never wrap.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use layer::PacketBuf;

use crate::pack::packed;

/// Chunks below this are copied into the tail: a reference would cost more than the copy.
/// Eight of them make a super-segment, which is what a packet carries without copying.
const SMALL: usize = 8 * 1024;

/// Size of a tail block: one allocation for at least that many bytes of small writes.
const BLOCK: usize = 64 * 1024;

/// What a chunk costs besides its bytes.
const CHUNK: usize = 64;

/// Bytes to be sent and bytes sent but not acknowledged.
#[derive(Debug, Default)]
pub struct SendBuffer {
    chunks: VecDeque<Chunk>,
    tail: BytesMut,
    /// Position of the first byte.
    start: u64,
    /// Position after the last byte, tail included.
    end: u64,
}

packed!(SendBuffer { start, end } default { chunks, tail });

#[derive(Debug)]
struct Chunk {
    /// Position of its first byte.
    at: u64,
    bytes: Bytes,
}

impl SendBuffer {
    /// Appends what the application sends.
    pub fn push(&mut self, bytes: Bytes) {
        let len = bytes.len();
        if len >= SMALL {
            self.freeze_tail();
            self.chunks.push_back(Chunk { at: self.end, bytes });
        } else {
            if self.tail.capacity() - self.tail.len() < len {
                self.freeze_tail();
                // A lone small write gets what it needs; a stream of them gets blocks.
                self.tail.reserve(if self.is_empty() { len } else { BLOCK });
            }
            self.tail.extend_from_slice(&bytes);
        }
        self.end += len as u64;
    }

    /// Position of the first byte that is not acknowledged.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Position after the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }

    /// Memory held, bytes: what is in it, and the rest of the block that small writes gather in.
    pub fn held_bytes(&self) -> usize {
        self.len() + self.tail.capacity() - self.tail.len() + self.chunks.len() * CHUNK
    }

    /// Bytes before `position` are acknowledged and let go; returns how many.
    pub fn acknowledge(&mut self, position: u64) -> u64 {
        let position = position.min(self.end);
        let freed = position.saturating_sub(self.start);
        if freed == 0 {
            return 0;
        }
        if position > self.tail_start() {
            self.freeze_tail();
        }
        self.start = position;
        while let Some(first) = self.chunks.front_mut() {
            let end = first.at + first.bytes.len() as u64;
            if end > position {
                let gone = usize::try_from(position.saturating_sub(first.at)).unwrap_or(0);
                first.bytes.advance(gone);
                first.at += gone as u64;
                break;
            }
            self.chunks.pop_front();
        }
        if self.is_empty() {
            // An idle connection holds no block.
            self.tail = BytesMut::new();
        }
        freed
    }

    /// Appends to `packet` slices of up to `len` bytes from `position` on.
    pub fn slice(&mut self, position: u64, len: usize, packet: &mut PacketBuf) {
        let wanted_end = position.saturating_add(len as u64).min(self.end);
        if wanted_end > self.tail_start() {
            self.freeze_tail();
        }
        let first = self.chunks.partition_point(|c| c.at + c.bytes.len() as u64 <= position);
        for chunk in self.chunks.iter().skip(first) {
            if chunk.at >= wanted_end {
                break;
            }
            let from = usize::try_from(position.saturating_sub(chunk.at)).unwrap_or(usize::MAX);
            let to = usize::try_from(wanted_end - chunk.at).unwrap_or(usize::MAX);
            packet
                .append(chunk.bytes.slice(from.min(chunk.bytes.len())..to.min(chunk.bytes.len())));
        }
    }

    /// Nothing waits and nothing is out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives back what an empty buffer does not need.
    pub fn release(&mut self) {
        if self.is_empty() {
            (self.chunks, self.tail) = (VecDeque::new(), BytesMut::new());
        }
    }

    fn tail_start(&self) -> u64 {
        self.end - self.tail.len() as u64
    }

    fn freeze_tail(&mut self) {
        if !self.tail.is_empty() {
            let at = self.tail_start();
            self.chunks.push_back(Chunk { at, bytes: self.tail.split().freeze() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_like_a_vec(
            ops in proptest::collection::vec((0_u8..3, 0_usize..5000, 0_usize..5000), 1..60),
        ) {
            let (mut buffer, mut model, mut start) = (SendBuffer::default(), Vec::new(), 0_usize);
            for (op, a, b) in ops {
                match op {
                    0 => {
                        let bytes: Vec<u8> = (0..a).map(|n| (n * 7 + model.len()) as u8).collect();
                        model.extend_from_slice(&bytes);
                        buffer.push(Bytes::from(bytes));
                    }
                    1 => {
                        let to = (start + a).min(model.len());
                        prop_assert_eq!(buffer.acknowledge(to as u64), (to - start) as u64);
                        start = to;
                    }
                    _ => {
                        let from = (start + a).min(model.len());
                        let to = (from + b).min(model.len());
                        let mut packet = PacketBuf::new();
                        buffer.slice(from as u64, b, &mut packet);
                        prop_assert_eq!(packet.to_vec(), model[from..to].to_vec());
                    }
                }
                prop_assert_eq!(buffer.len(), model.len() - start);
            }
        }
    }
}
