//! The receiving half of a connection: RCV.NXT, the window, what is early, what is ready.

pub mod ack;
pub mod ecn;
pub mod islands;
pub mod paws;
pub mod reassembly;
pub mod sack;
pub mod share;
pub mod tuning;
pub mod urgent;
pub mod window;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use layer::{Instant, PacketBuf};

use crate::memory::Allowance;
use crate::options::{Options, SackBlocks};
use crate::pack::packed;
use crate::seq::Seq;
use ack::AckPolicy;
use ecn::Echo;
use reassembly::{Kept, Reassembly};
use sack::SackReport;
use tuning::Tuning;
use window::ReceiveWindow;

/// RCV.* of RFC 9293 3.3.1, and the buffers behind it.
#[derive(Debug)]
pub struct Receiver {
    /// RCV.NXT.
    pub nxt: Seq,
    /// RCV.WND and its right edge.
    pub window: ReceiveWindow,
    /// What is owed to the peer.
    pub ack: AckPolicy,
    /// How large the buffer should be.
    pub tuning: Tuning,
    /// Congestion that is to be echoed.
    pub echo: Echo,
    /// Position of the peer's FIN, once seen.
    pub fin: Option<Seq>,
    /// RCV.UP, as bytes of the stream before it; 0 before there was one.
    pub urgent_end: u64,
    /// Bytes taken in order since the start.
    pub bytes_received: u64,
    /// Timestamps, if both sides agreed on them.
    pub stamps: Option<paws::Stamps>,
    /// What is reported of early data, if both sides agreed on SACK.
    pub sack: Option<SackReport>,
    /// The acknowledgement number that the peer was last sent (RFC 7323's Last.ACK.sent).
    pub last_ack_sent: Seq,
    /// Beyond a hole.
    early: Reassembly,
    /// In order, on the way to the hub.
    ready: VecDeque<Bytes>,
    /// The last small pieces of it, copied together: a reference would pin a whole frame for a
    /// few bytes, and the window counts only bytes.
    gathered: BytesMut,
    /// Memory that the charged bytes keep alive: ours, and the hub's.
    handed: u32,
    /// The share of all memory that the connection may take.
    pub allowance: Allowance,
    /// The hub is to copy together what it holds.
    pub collapse_due: bool,
}

packed!(Receiver {
    nxt, last_ack_sent, fin, window, ack, tuning, echo, urgent_end, bytes_received, stamps, sack,
    handed, allowance, collapse_due,
} default { early, ready, gathered });

/// What a chunk in a queue costs besides its bytes: its entry, its reference count, the allocator.
pub const CHUNK: u32 = 128;

/// Pieces below this are copied out of their frame.
const SMALL: usize = 1024;

/// A full-sized segment is no smaller than this, bytes: a buffer keeps as many early pieces as it
/// has room for such segments, or one hole at the front of a large window would cost what follows.
const FULL: u32 = 1024;

/// What became of a segment's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// In order; so many bytes are new, and it filled a hole or left one open.
    InOrder {
        /// New bytes, those that were early included.
        bytes: u32,
        /// Early pieces were or are there: acknowledge at once (RFC 5681 4.2).
        hole: bool,
    },
    /// Early: kept beyond a hole.
    Early,
    /// There already.
    Duplicate,
    /// No place for it.
    Refused,
}

impl Receiver {
    /// After the peer's SYN at `irs`; the SYN we sent offered `offered` bytes.
    pub fn new(irs: Seq, capacity: u32, offered: u32, scale: u8, mss: u32) -> Self {
        let nxt = irs.plus(1);
        Self {
            nxt,
            window: ReceiveWindow::new(capacity, nxt, offered, scale, mss),
            ack: AckPolicy::default(),
            echo: Echo::default(),
            tuning: Tuning::default(),
            fin: None,
            urgent_end: 0,
            bytes_received: 0,
            stamps: None,
            sack: None,
            last_ack_sent: nxt,
            early: Reassembly::default(),
            ready: VecDeque::new(),
            gathered: BytesMut::new(),
            handed: 0,
            allowance: Allowance::default(),
            collapse_due: false,
        }
    }

    /// Takes in text at `seq` that has been trimmed to the window. Of what is early, `max_pieces`
    /// are kept, and always as many full-sized segments as the buffer has room for.
    pub fn text(&mut self, seq: Seq, bytes: PacketBuf, max_pieces: usize) -> Text {
        if seq.after(self.nxt) {
            // RFC 9293 3.10.7.4 SHLD-31: early segments are kept.
            let end = seq.plus(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            let full = usize::try_from(self.window.capacity() / FULL).unwrap_or(usize::MAX);
            let kept = self.early.insert(seq, share::trim(bytes), max_pieces.max(full));
            if let Some(sack) = &mut self.sack {
                match kept {
                    Kept::New => sack.arrived(seq, &self.early),
                    Kept::Duplicate => {
                        sack.arrived(seq, &self.early);
                        sack.duplicate(seq, end);
                    }
                    Kept::Full => {}
                }
            }
            return match kept {
                Kept::New => Text::Early,
                Kept::Duplicate => Text::Duplicate,
                Kept::Full => Text::Refused,
            };
        }
        let before = self.nxt;
        let hole = !self.early.is_empty();
        self.deliver(bytes);
        while let Some(piece) = self.early.take(self.nxt) {
            self.deliver(piece);
        }
        Text::InOrder { bytes: self.nxt.since(before), hole }
    }

    fn deliver(&mut self, bytes: PacketBuf) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.nxt = self.nxt.plus(len);
        self.bytes_received += u64::from(len);
        self.window.charge(len);
        let bytes = if self.window.is_squeezed() { share::trim(bytes) } else { bytes };
        let pinned = bytes.pinned();
        for chunk in bytes.into_chunks() {
            if chunk.len() < SMALL {
                self.gathered.extend_from_slice(&chunk);
                self.hold(chunk.len());
            } else {
                self.gather();
                self.hold(chunk.len().max(pinned));
                self.ready.push_back(chunk);
            }
        }
    }

    fn gather(&mut self) {
        if !self.gathered.is_empty() {
            // The whole block goes along: what stayed of it would be held by an idle connection.
            self.ready.push_back(core::mem::take(&mut self.gathered).freeze());
        }
    }

    /// Numbers below `to`, from `from` on, came again: to be reported (RFC 2883 4).
    pub fn came_twice(&mut self, from: Seq, to: Seq) {
        if let Some(sack) = &mut self.sack {
            sack.duplicate(from, to);
        }
    }

    /// The options of a segment that acknowledges RCV.NXT now.
    pub fn options(&mut self, now: Instant) -> Options {
        self.last_ack_sent = self.nxt;
        let timestamps = self.stamps.map(|stamps| stamps.option(now));
        // RFC 2018 4: four blocks fit, three beside timestamps.
        let most = if timestamps.is_some() { SackBlocks::MOST - 1 } else { SackBlocks::MOST };
        let early = &self.early;
        let sack = self.sack.as_mut().map(|sack| sack.blocks(early, most)).unwrap_or_default();
        Options { timestamps, sack, ..Options::default() }
    }

    /// The next chunk for the hub.
    pub fn take_ready(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            self.gather();
        }
        self.ready.pop_front()
    }

    /// Something waits for the hub.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty() || !self.gathered.is_empty()
    }

    /// All that waits for the hub, for a connection that ends.
    pub fn into_ready(mut self) -> VecDeque<Bytes> {
        self.gather();
        self.ready
    }

    /// Pieces held: early and ready.
    pub fn held(&self) -> usize {
        self.early.len() + self.ready.len() + usize::from(!self.gathered.is_empty())
    }

    /// Bytes held here; what the hub holds is not among them.
    pub fn held_bytes(&self) -> usize {
        let ready = self.ready.iter().map(Bytes::len).sum::<usize>();
        self.early.held_bytes() + ready + self.gathered.len()
    }

    /// Gives back what empty collections do not need.
    pub fn release(&mut self) {
        self.early.release();
        self.ready.shrink_to_fit();
        if self.gathered.is_empty() {
            self.gathered = BytesMut::new();
        }
    }

    /// Everything before the peer's FIN has come.
    pub fn fin_reached(&self) -> bool {
        self.fin == Some(self.nxt)
    }
}

#[cfg(test)]
mod tests;
