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

mod storage;

use core::fmt;

use arrayvec::ArrayVec;
use bytes::{Bytes, BytesMut};

use crate::offload::Offload;
use storage::{Head, Inner};

/// Bytes left free before a new head: virtio-net 12, Ethernet 14, IPv4 60, TCP 60, rounded up.
pub const HEADROOM: usize = 160;

/// Body slices a packet can carry; appending more copies them together.
pub const SLICES: usize = 8;

/// One packet: head, body, offload metadata. Moves as one pointer; an empty one has no memory.
///
/// What carried a packet carries the next one that its thread makes: in steady state neither is
/// allocated.
#[derive(Default)]
pub struct PacketBuf {
    /// `None` is an empty packet.
    inner: Option<Box<Inner>>,
}

impl Drop for PacketBuf {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            storage::keep(inner);
        }
    }
}

impl Clone for PacketBuf {
    fn clone(&self) -> Self {
        let Some(inner) = &self.inner else { return Self::default() };
        let mut copy = Self::fresh();
        let to = copy.inner();
        to.head = match &inner.head {
            Head::Small => {
                to.room = inner.room;
                Head::Small
            }
            Head::Owned(bytes) => Head::Owned(bytes.clone()),
            Head::Shared(bytes) => Head::Shared(bytes.clone()),
        };
        (to.start, to.end, to.origin) = (inner.start, inner.end, inner.origin);
        to.body = inner.body.clone();
        (to.body_len, to.block, to.offload) = (inner.body_len, inner.block, inner.offload);
        to.serial = inner.serial;
        copy
    }
}

impl PacketBuf {
    /// An empty packet with [`HEADROOM`] before it: what a sender starts from.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet that refers to received bytes without copying them.
    pub fn from_shared(bytes: Bytes) -> Self {
        let mut packet = Self::fresh();
        let inner = packet.inner();
        (inner.start, inner.end, inner.origin) = (0, bytes.len(), 0);
        inner.head = Head::Shared(bytes);
        packet
    }

    /// As [`PacketBuf::from_shared`], where the bytes keep a whole block of `block` bytes alive.
    pub fn from_block(bytes: Bytes, block: usize) -> Self {
        let mut packet = Self::from_shared(bytes);
        packet.inner().block = block;
        packet
    }

    /// Memory that a piece of the packet, as [`PacketBuf::into_chunks`] gives it, may keep alive
    /// besides itself: the block behind it, bytes; 0 if that is not known or not more than the
    /// packet.
    pub fn pinned(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.block)
    }

    /// A packet that owns a copy of `bytes`, with [`HEADROOM`] before it.
    pub fn copy_from(bytes: &[u8]) -> Self {
        let mut packet = Self::fresh();
        packet.inner().extend_head(bytes);
        packet
    }

    /// Empty, with memory.
    fn fresh() -> Self {
        Self { inner: Some(storage::take()) }
    }

    /// The inside, to be written.
    fn inner(&mut self) -> &mut Inner {
        if self.inner.is_none() {
            *self = Self::fresh();
        }
        match &mut self.inner {
            Some(inner) => inner,
            None => unreachable!("just made"),
        }
    }

    /// The number under which a capture knows the frame that this came in as; 0 where nobody
    /// captures. It goes up with the packet, so that what becomes of it can be told of the frame.
    pub fn serial(&self) -> u32 {
        self.inner.as_ref().map_or(0, |inner| inner.serial)
    }

    /// Gives it that number.
    pub fn set_serial(&mut self, serial: u32) {
        self.inner().serial = serial;
    }

    /// Bytes in the packet, head and body.
    pub fn len(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.end - inner.start + inner.body_len)
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The contiguous front of the packet: headers are parsed here.
    pub fn head(&self) -> &[u8] {
        self.inner.as_ref().map_or(&[], |inner| inner.head())
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
        let inner = self.inner();
        inner.make_owned(n - inner.head().len());
        while inner.head().len() < n {
            let missing = n - inner.head().len();
            let Some(first) = inner.body.first_mut() else { return false };
            let part = first.split_to(missing.min(first.len()));
            if first.is_empty() {
                inner.body.remove(0);
            }
            inner.body_len -= part.len();
            inner.extend_head(&part);
        }
        true
    }

    /// Removes up to `n` bytes in front, normally a header that has been read.
    pub fn advance(&mut self, n: usize) {
        let Some(inner) = &mut self.inner else { return };
        let from_head = n.min(inner.end - inner.start);
        inner.start += from_head;
        let mut rest = (n - from_head).min(inner.body_len);
        inner.offload.advanced(from_head + rest);
        inner.body_len -= rest;
        while rest > 0 {
            let Some(first) = inner.body.first_mut() else { return };
            let part = rest.min(first.len());
            bytes::Buf::advance(first, part);
            rest -= part;
            if first.is_empty() {
                inner.body.remove(0);
            }
        }
    }

    /// Takes back `n` bytes that `advance` removed from the head. False if there are not so many.
    #[must_use]
    pub fn retreat(&mut self, n: usize) -> bool {
        let Some(inner) = &mut self.inner else { return n == 0 };
        match inner.start.checked_sub(n) {
            Some(start) if start >= inner.origin => {
                inner.start = start;
                inner.offload.prepended(n);
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
        let mut excess = self.len() - n;
        let Some(inner) = &mut self.inner else { return };
        if n <= inner.end - inner.start {
            inner.end = inner.start + n;
            inner.body.clear();
            inner.body_len = 0;
            return;
        }
        inner.body_len -= excess;
        while let Some(last) = inner.body.last_mut() {
            if last.len() > excess {
                last.truncate(last.len() - excess);
                return;
            }
            excess -= last.len();
            inner.body.pop();
            if excess == 0 {
                return;
            }
        }
    }

    /// Grows the packet by `n` zeroed bytes in front and returns them: a header goes here.
    pub fn prepend(&mut self, n: usize) -> &mut [u8] {
        let inner = self.inner();
        if inner.start < n || matches!(inner.head, Head::Shared(_)) {
            inner.rebuild_head(n + HEADROOM, 0);
        }
        inner.start -= n;
        inner.origin = inner.origin.min(inner.start);
        inner.offload.prepended(n);
        let (start, end) = (inner.start, inner.start + n);
        match inner.storage_mut() {
            Some(storage) => {
                let header = &mut storage[start..end];
                header.fill(0);
                header
            }
            None => unreachable!("rebuild_head made the head ours"),
        }
    }

    /// The head, writable; a shared head is copied first.
    pub fn head_mut(&mut self) -> &mut [u8] {
        let inner = self.inner();
        inner.make_owned(0);
        let (start, end) = (inner.start, inner.end);
        match inner.storage_mut() {
            Some(storage) => &mut storage[start..end],
            None => unreachable!("make_owned made the head ours"),
        }
    }

    /// Appends payload without copying it. With [`SLICES`] slices in place the last two are copied
    /// together, so any number may be appended.
    pub fn append(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let inner = self.inner();
        inner.body_len += bytes.len();
        match inner.body.try_push(bytes) {
            Ok(()) => {}
            Err(full) => {
                let bytes = full.element();
                let Some(last) = inner.body.last_mut() else { return };
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
            .chain(self.body().iter().map(AsRef::as_ref))
            .filter(|chunk| !chunk.is_empty())
    }

    /// The packet as refcounted pieces: how payload is handed to an application without a copy.
    pub fn into_chunks(mut self) -> impl Iterator<Item = Bytes> {
        let (mut head, mut body) = (Bytes::new(), ArrayVec::new());
        if let Some(inner) = &mut self.inner {
            let (start, end) = (inner.start, inner.end);
            if start < end {
                head = match core::mem::replace(&mut inner.head, Head::Small) {
                    Head::Small => Bytes::copy_from_slice(&inner.room[start..end]),
                    Head::Owned(bytes) => Bytes::from(bytes).slice(start..end),
                    Head::Shared(bytes) => bytes.slice(start..end),
                };
            }
            body = core::mem::take(&mut inner.body);
        }
        core::iter::once(head).chain(body).filter(|chunk| !chunk.is_empty())
    }

    fn body(&self) -> &[Bytes] {
        self.inner.as_ref().map_or(&[], |inner| &inner.body)
    }

    /// A new packet that shares `len` bytes of this one from `offset` on, as body slices.
    ///
    /// Cutting a super-segment and fragmenting use this: bytes of an owned head are copied, all
    /// else is by reference. What lies beyond the end is left out. Offload metadata is not taken.
    #[must_use]
    pub fn share(&self, offset: usize, len: usize) -> Self {
        let Some(inner) = &self.inner else { return Self::new() };
        let mut part = Self::fresh();
        part.inner().block = inner.block;
        let (mut skip, mut left) = (offset, len);
        let head = inner.head();
        if skip < head.len() {
            let take = left.min(head.len() - skip);
            let from = inner.start + skip;
            part.append(match &inner.head {
                Head::Small | Head::Owned(_) => Bytes::copy_from_slice(&head[skip..skip + take]),
                Head::Shared(bytes) => bytes.slice(from..from + take),
            });
            left -= take;
        }
        skip = skip.saturating_sub(head.len());
        for slice in &inner.body {
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
        self.inner.as_ref().map_or_else(Offload::default, |inner| inner.offload)
    }

    /// Offload metadata, to be set.
    pub fn offload_mut(&mut self) -> &mut Offload {
        &mut self.inner().offload
    }

    /// Memory the packet keeps alive as far as it can know, in bytes: its storage and bookkeeping.
    /// A shared head counts the block behind it where that is known.
    pub fn held_bytes(&self) -> usize {
        let Some(inner) = &self.inner else { return 0 };
        let storage = match &inner.head {
            Head::Small => 0,
            Head::Owned(bytes) => bytes.capacity(),
            Head::Shared(bytes) => bytes.len().max(inner.block),
        };
        core::mem::size_of::<Inner>() + storage + inner.body_len
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
