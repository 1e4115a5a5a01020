//! [`PacketBuf`]: one packet on its way through the layers, without copying its payload.
//!
//! ```text
//!        headroom          head (contiguous)          body (refcounted slices, nobody copied)
//!   |<------------->|<---------------------->|   |<-------->|  |<------------------>|
//!   | room for      | headers, and whatever  |   | Bytes    |  | Bytes              |
//!   | lower headers | payload came with them |   |          |  |                    |
//!   +---------------+------------------------+   +----------+  +--------------------+
//!                   ^ start: moved by `prepend`, `advance`, `retreat`
//! ```
//!
//! Sending, a transport starts with an empty head, appends slices of its send buffer as body, and
//! every layer below prepends its header. Receiving, a device makes one head out of the block it
//! read into (by reference), and every layer advances over its header. Headers always live in the
//! head. What left the front by `advance` is still there for `retreat`, until something is
//! prepended: that is how an ICMP error quotes the IP header of a datagram a transport refused.

use core::fmt;

use arrayvec::ArrayVec;
use bytes::{Bytes, BytesMut};

use crate::offload::Offload;

/// Bytes left free before a new head: virtio-net 12, Ethernet 14, IPv4 60, TCP 60, rounded up.
pub const HEADROOM: usize = 160;

/// Body slices a packet can carry; appending more copies them together.
pub const SLICES: usize = 8;

/// One packet: head, body, offload metadata. Moves as one pointer.
#[derive(Clone)]
pub struct PacketBuf {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    head: Head,
    /// The packet's first byte, as an index into the head's storage.
    start: usize,
    /// One past the head's last byte.
    end: usize,
    /// The lowest `start` so far: `retreat` goes back to here, not into unwritten headroom.
    origin: usize,
    body: ArrayVec<Bytes, SLICES>,
    body_len: usize,
    /// Size of the block behind a shared head, bytes; 0 if nobody said.
    block: usize,
    offload: Offload,
}

#[derive(Clone)]
enum Head {
    /// Ours alone: headers can be written.
    Owned(Vec<u8>),
    /// A slice of a block that others may refer to; copied before anything is written.
    Shared(Bytes),
}

impl Head {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Default for PacketBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl PacketBuf {
    /// An empty packet with [`HEADROOM`] before it: what a sender starts from.
    pub fn new() -> Self {
        Self::build(Head::Owned(vec![0; HEADROOM]), HEADROOM)
    }

    /// A packet that refers to received bytes without copying them.
    pub fn from_shared(bytes: Bytes) -> Self {
        Self::build(Head::Shared(bytes), 0)
    }

    /// As [`PacketBuf::from_shared`], where the bytes keep a whole block of `block` bytes alive.
    pub fn from_block(bytes: Bytes, block: usize) -> Self {
        let mut packet = Self::from_shared(bytes);
        packet.inner.block = block;
        packet
    }

    /// Memory that a piece of the packet, as [`PacketBuf::into_chunks`] gives it, may keep alive
    /// besides itself: the block behind it, bytes; 0 if that is not known or not more than the
    /// packet.
    pub fn pinned(&self) -> usize {
        self.inner.block
    }

    /// A packet that owns a copy of `bytes`, with [`HEADROOM`] before it.
    pub fn copy_from(bytes: &[u8]) -> Self {
        let mut storage = Vec::with_capacity(HEADROOM + bytes.len());
        storage.resize(HEADROOM, 0);
        storage.extend_from_slice(bytes);
        Self::build(Head::Owned(storage), HEADROOM)
    }

    fn build(head: Head, start: usize) -> Self {
        let end = head.bytes().len();
        Self {
            inner: Box::new(Inner {
                head,
                start,
                end,
                origin: start,
                body: ArrayVec::new(),
                body_len: 0,
                block: 0,
                offload: Offload::default(),
            }),
        }
    }

    /// Bytes in the packet, head and body.
    pub fn len(&self) -> usize {
        self.head().len() + self.inner.body_len
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The contiguous front of the packet: headers are parsed here.
    pub fn head(&self) -> &[u8] {
        self.inner.head.bytes().get(self.inner.start..self.inner.end).unwrap_or_default()
    }

    /// The first `n` bytes, if the head has that many.
    pub fn header(&self, n: usize) -> Option<&[u8]> {
        self.head().get(..n)
    }

    /// Makes the first `n` bytes contiguous, copying from the body if it must.
    /// False if the packet is shorter than `n`.
    #[must_use]
    pub fn pull(&mut self, n: usize) -> bool {
        if self.head().len() >= n {
            return true;
        }
        if self.len() < n {
            return false;
        }
        self.make_owned(n - self.head().len());
        while self.head().len() < n {
            let missing = n - self.head().len();
            let Some(first) = self.inner.body.first_mut() else { return false };
            let part = first.split_to(missing.min(first.len()));
            if first.is_empty() {
                self.inner.body.remove(0);
            }
            self.inner.body_len -= part.len();
            self.extend_head(&part);
        }
        true
    }

    /// Removes up to `n` bytes in front, normally a header that has been read.
    pub fn advance(&mut self, n: usize) {
        let from_head = n.min(self.head().len());
        self.inner.start += from_head;
        let mut rest = (n - from_head).min(self.inner.body_len);
        self.inner.offload.advanced(from_head + rest);
        self.inner.body_len -= rest;
        while rest > 0 {
            let Some(first) = self.inner.body.first_mut() else { return };
            let part = rest.min(first.len());
            bytes::Buf::advance(first, part);
            rest -= part;
            if first.is_empty() {
                self.inner.body.remove(0);
            }
        }
    }

    /// Takes back `n` bytes that `advance` removed from the head. False if there are not so many.
    #[must_use]
    pub fn retreat(&mut self, n: usize) -> bool {
        match self.inner.start.checked_sub(n) {
            Some(start) if start >= self.inner.origin => {
                self.inner.start = start;
                self.inner.offload.prepended(n);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Cuts the packet to its first `n` bytes: padding goes here.
    pub fn truncate(&mut self, n: usize) {
        if n >= self.len() {
            return;
        }
        let head = self.head().len();
        if n <= head {
            self.inner.end = self.inner.start + n;
            self.inner.body.clear();
            self.inner.body_len = 0;
            return;
        }
        let mut excess = self.len() - n;
        self.inner.body_len -= excess;
        while let Some(last) = self.inner.body.last_mut() {
            if last.len() > excess {
                last.truncate(last.len() - excess);
                return;
            }
            excess -= last.len();
            self.inner.body.pop();
            if excess == 0 {
                return;
            }
        }
    }

    /// Grows the packet by `n` zeroed bytes in front and returns them: a header goes here.
    pub fn prepend(&mut self, n: usize) -> &mut [u8] {
        let owned_with_room = matches!(self.inner.head, Head::Owned(_)) && self.inner.start >= n;
        if !owned_with_room {
            self.reserve_front(n);
        }
        self.inner.start -= n;
        self.inner.origin = self.inner.origin.min(self.inner.start);
        self.inner.offload.prepended(n);
        let (start, end) = (self.inner.start, self.inner.start + n);
        match &mut self.inner.head {
            Head::Owned(bytes) => {
                let header = &mut bytes[start..end];
                header.fill(0);
                header
            }
            Head::Shared(_) => unreachable!("reserve_front made the head ours"),
        }
    }

    /// The head, writable; a shared head is copied first.
    pub fn head_mut(&mut self) -> &mut [u8] {
        self.make_owned(0);
        let (start, end) = (self.inner.start, self.inner.end);
        match &mut self.inner.head {
            Head::Owned(bytes) => &mut bytes[start..end],
            Head::Shared(_) => unreachable!("make_owned made the head ours"),
        }
    }

    /// Appends payload without copying it. With [`SLICES`] slices in place the last two are copied
    /// together, so any number may be appended.
    pub fn append(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.inner.body_len += bytes.len();
        match self.inner.body.try_push(bytes) {
            Ok(()) => {}
            Err(full) => {
                let bytes = full.element();
                let Some(last) = self.inner.body.last_mut() else { return };
                let mut joined = BytesMut::with_capacity(last.len() + bytes.len());
                joined.extend_from_slice(last);
                joined.extend_from_slice(&bytes);
                *last = joined.freeze();
            }
        }
    }

    /// The bytes of the packet, piece by piece, none of them empty.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> + Clone {
        core::iter::once(self.head())
            .chain(self.inner.body.iter().map(AsRef::as_ref))
            .filter(|chunk| !chunk.is_empty())
    }

    /// The packet as refcounted pieces: how payload is handed to an application without a copy.
    pub fn into_chunks(self) -> impl Iterator<Item = Bytes> {
        let Inner { head, start, end, body, .. } = *self.inner;
        let head = match head {
            Head::Owned(bytes) => {
                if start < end {
                    Bytes::from(bytes).slice(start..end)
                } else {
                    Bytes::new()
                }
            }
            Head::Shared(bytes) => bytes.slice(start..end),
        };
        core::iter::once(head).chain(body).filter(|chunk| !chunk.is_empty())
    }

    /// A new packet that shares `len` bytes of this one from `offset` on, as body slices.
    ///
    /// Cutting a super-segment and fragmenting use this: bytes of an owned head are copied, all
    /// else is by reference. What lies beyond the end is left out. Offload metadata is not taken.
    #[must_use]
    pub fn share(&self, offset: usize, len: usize) -> Self {
        let mut part = Self::new();
        part.inner.block = self.inner.block;
        let (mut skip, mut left) = (offset, len);
        let head = self.head();
        if skip < head.len() {
            let take = left.min(head.len() - skip);
            let from = self.inner.start + skip;
            match &self.inner.head {
                Head::Owned(_) => part.append(Bytes::copy_from_slice(&head[skip..skip + take])),
                Head::Shared(bytes) => part.append(bytes.slice(from..from + take)),
            }
            left -= take;
        }
        skip = skip.saturating_sub(head.len());
        for slice in &self.inner.body {
            if left == 0 {
                break;
            }
            if skip >= slice.len() {
                skip -= slice.len();
                continue;
            }
            let take = left.min(slice.len() - skip);
            part.append(slice.slice(skip..skip + take));
            left -= take;
            skip = 0;
        }
        part
    }

    /// Copies the packet's first bytes into `target`; returns how many.
    pub fn copy_to(&self, target: &mut [u8]) -> usize {
        let mut done = 0;
        for chunk in self.chunks() {
            let Some(free) = target.get_mut(done..) else { break };
            let n = chunk.len().min(free.len());
            free[..n].copy_from_slice(&chunk[..n]);
            done += n;
        }
        done
    }

    /// The whole packet in one piece, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        for chunk in self.chunks() {
            bytes.extend_from_slice(chunk);
        }
        bytes
    }

    /// Offload metadata.
    pub fn offload(&self) -> Offload {
        self.inner.offload
    }

    /// Offload metadata, to be set.
    pub fn offload_mut(&mut self) -> &mut Offload {
        &mut self.inner.offload
    }

    /// Memory the packet keeps alive as far as it can know, in bytes: its storage and bookkeeping.
    /// A shared head counts the block behind it where that is known.
    pub fn held_bytes(&self) -> usize {
        let storage = match &self.inner.head {
            Head::Owned(bytes) => bytes.capacity(),
            Head::Shared(bytes) => bytes.len().max(self.inner.block),
        };
        core::mem::size_of::<Inner>() + storage + self.inner.body_len
    }

    /// Copies a shared head to one of ours with [`HEADROOM`], leaving room for `extra` at its end.
    fn make_owned(&mut self, extra: usize) {
        if let Head::Shared(_) = self.inner.head {
            self.rebuild_head(HEADROOM, extra);
        }
    }

    fn reserve_front(&mut self, n: usize) {
        self.rebuild_head(n + HEADROOM, 0);
    }

    fn rebuild_head(&mut self, headroom: usize, extra: usize) {
        let mut storage = Vec::with_capacity(headroom + self.head().len() + extra);
        storage.resize(headroom, 0);
        storage.extend_from_slice(self.head());
        self.inner.end = storage.len();
        self.inner.start = headroom;
        self.inner.origin = headroom;
        self.inner.head = Head::Owned(storage);
        self.inner.block = 0;
    }

    fn extend_head(&mut self, part: &[u8]) {
        let end = self.inner.end;
        if let Head::Owned(bytes) = &mut self.inner.head {
            bytes.truncate(end);
            bytes.extend_from_slice(part);
            self.inner.end = bytes.len();
        }
    }
}

impl fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketBuf({} bytes: ", self.len())?;
        for byte in self.chunks().flatten().take(64) {
            write!(f, "{byte:02x}")?;
        }
        if self.len() > 64 {
            f.write_str("..")?;
        }
        f.write_str(")")
    }
}

/// Equal bytes and equal offload metadata, however they are stored.
impl PartialEq for PacketBuf {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.offload() == other.offload()
            && self.chunks().flatten().eq(other.chunks().flatten())
    }
}

impl Eq for PacketBuf {}

#[cfg(test)]
mod tests;
