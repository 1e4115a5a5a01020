//! The memory behind a packet: headers in place, text by reference; used again by its thread.

use core::cell::RefCell;

use arrayvec::ArrayVec;
use bytes::Bytes;

use super::{HEADROOM, SLICES};
use crate::offload::Offload;

/// Bytes of a head that needs no memory of its own: headers, or a packet without much text.
const ROOM: usize = HEADROOM + 160;

/// Packets' memory that a thread keeps for its next packets.
const SPARES: usize = 256;

thread_local! {
    #[expect(clippy::vec_box, reason = "a packet takes the box as it is")]
    static SPARE: RefCell<Vec<Box<Inner>>> = const { RefCell::new(Vec::new()) };
}

/// What a packet's pointer points to.
pub(super) struct Inner {
    pub(super) head: Head,
    /// The packet's first byte, as an index into the head's storage.
    pub(super) start: usize,
    /// One past the head's last byte.
    pub(super) end: usize,
    /// The lowest `start` so far: `retreat` goes back to here, not into unwritten headroom.
    pub(super) origin: usize,
    pub(super) body: ArrayVec<Bytes, SLICES>,
    pub(super) body_len: usize,
    /// Size of the block behind a shared head, bytes; 0 if nobody said.
    pub(super) block: usize,
    pub(super) offload: Offload,
    /// See [`super::PacketBuf::serial`].
    pub(super) serial: u32,
    /// Where a small head stands.
    pub(super) room: [u8; ROOM],
}

pub(super) enum Head {
    /// In `room`: headers can be written.
    Small,
    /// Ours alone: headers can be written.
    Owned(Vec<u8>),
    /// A slice of a block that others may refer to; copied before anything is written.
    Shared(Bytes),
}

impl Inner {
    /// The storage that the head is a part of.
    fn storage(&self) -> &[u8] {
        match &self.head {
            Head::Small => &self.room,
            Head::Owned(bytes) => bytes,
            Head::Shared(bytes) => bytes,
        }
    }

    /// The same, if it is ours.
    pub(super) fn storage_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.head {
            Head::Small => Some(&mut self.room),
            Head::Owned(bytes) => Some(bytes),
            Head::Shared(_) => None,
        }
    }

    pub(super) fn head(&self) -> &[u8] {
        self.storage().get(self.start..self.end).unwrap_or_default()
    }

    /// Empty, with [`HEADROOM`] in `room`.
    fn reset(&mut self) {
        self.head = Head::Small;
        (self.start, self.end, self.origin) = (HEADROOM, HEADROOM, HEADROOM);
        self.body.clear();
        (self.body_len, self.block) = (0, 0);
        (self.offload, self.serial) = (Offload::default(), 0);
    }

    /// Copies the head into storage of ours with `headroom` before it and `extra` behind it.
    pub(super) fn rebuild_head(&mut self, headroom: usize, extra: usize) {
        let len = self.head().len();
        let (part, room) = (self.start..self.end, headroom..headroom + len);
        let in_room = headroom + len + extra <= ROOM;
        match core::mem::replace(&mut self.head, Head::Small) {
            Head::Owned(bytes) if in_room => self.room[room].copy_from_slice(&bytes[part]),
            Head::Shared(bytes) if in_room => self.room[room].copy_from_slice(&bytes[part]),
            head => {
                let mut storage = Vec::with_capacity(headroom + len + extra);
                storage.resize(headroom, 0);
                storage.extend_from_slice(match &head {
                    Head::Small => &self.room[part],
                    Head::Owned(bytes) => &bytes[part],
                    Head::Shared(bytes) => &bytes[part],
                });
                self.head = Head::Owned(storage);
            }
        }
        (self.start, self.end, self.origin) = (headroom, headroom + len, headroom);
        self.block = 0;
    }

    pub(super) fn make_owned(&mut self, extra: usize) {
        if let Head::Shared(_) = self.head {
            self.rebuild_head(HEADROOM, extra);
        }
    }

    /// Appends to a head of ours.
    pub(super) fn extend_head(&mut self, part: &[u8]) {
        let end = self.end + part.len();
        if let Head::Small = self.head
            && end > ROOM
        {
            self.rebuild_head(self.start, part.len());
        }
        match &mut self.head {
            Head::Small => self.room[self.end..end].copy_from_slice(part),
            Head::Owned(bytes) => {
                bytes.truncate(self.end);
                bytes.extend_from_slice(part);
            }
            Head::Shared(_) => return,
        }
        self.end += part.len();
    }
}

/// Empty, in memory that an earlier packet left or in new one.
pub(super) fn take() -> Box<Inner> {
    let spare = SPARE.try_with(|spare| spare.try_borrow_mut().ok().and_then(|mut s| s.pop()));
    spare.ok().flatten().unwrap_or_else(|| {
        Box::new(Inner {
            head: Head::Small,
            start: HEADROOM,
            end: HEADROOM,
            origin: HEADROOM,
            body: ArrayVec::new(),
            body_len: 0,
            block: 0,
            offload: Offload::default(),
            serial: 0,
            room: [0; ROOM],
        })
    })
}

/// Keeps what a packet leaves for the thread's next one.
pub(super) fn keep(mut inner: Box<Inner>) {
    inner.reset();
    // A thread that ends has no use for it.
    let _ = SPARE.try_with(|spare| {
        if let Ok(mut spare) = spare.try_borrow_mut()
            && spare.len() < SPARES
        {
            spare.push(inner);
        }
    });
}
