//! The receiving half of a connection: RCV.NXT, the window, what is early, what is ready.

pub mod ack;
pub mod reassembly;
pub mod window;

use std::collections::VecDeque;

use bytes::Bytes;
use layer::PacketBuf;

use crate::seq::Seq;
use ack::AckPolicy;
use reassembly::{Kept, Reassembly};
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
    /// Position of the peer's FIN, once seen.
    pub fin: Option<Seq>,
    /// Bytes taken in order since the start.
    pub bytes_received: u64,
    /// Beyond a hole.
    early: Reassembly,
    /// In order, on the way to the hub.
    ready: VecDeque<Bytes>,
}

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
    pub fn new(irs: Seq, capacity: u32, offered: u32, scale: u8) -> Self {
        let nxt = irs.plus(1);
        Self {
            nxt,
            window: ReceiveWindow::new(capacity, nxt, offered, scale),
            ack: AckPolicy::default(),
            fin: None,
            bytes_received: 0,
            early: Reassembly::default(),
            ready: VecDeque::new(),
        }
    }

    /// Takes in text at `seq` that has been trimmed to the window.
    pub fn text(&mut self, seq: Seq, bytes: PacketBuf, max_pieces: usize) -> Text {
        if seq.after(self.nxt) {
            // RFC 9293 3.10.7.4 SHLD-31: early segments are kept.
            return match self.early.insert(seq, bytes, max_pieces) {
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
        self.ready.extend(bytes.into_chunks());
    }

    /// The next chunk for the hub.
    pub fn take_ready(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// Something waits for the hub.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// All that waits for the hub, for a connection that ends.
    pub fn into_ready(self) -> VecDeque<Bytes> {
        self.ready
    }

    /// Pieces held: early and ready.
    pub fn held(&self) -> usize {
        self.early.len() + self.ready.len()
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        self.early.held_bytes() + self.ready.iter().map(Bytes::len).sum::<usize>()
    }

    /// Everything before the peer's FIN has come.
    pub fn fin_reached(&self) -> bool {
        self.fin == Some(self.nxt)
    }
}
