//! The sending half of a connection: SND.UNA, SND.NXT, SND.WND, and what waits to be sent.
//!
//! Rooms kept for later files: pacing.

pub mod buffer;
pub mod delivery;
pub mod ecn;
pub mod frto;
pub mod mtu;
pub mod persist;
pub mod prr;
pub mod rack;
pub mod recovery;
pub mod room;
pub mod rtt;
pub mod scoreboard;
pub mod undo;
pub mod urgent;
pub mod usage;
pub mod window;

use buffer::SendBuffer;
use ecn::Ecn;
use frto::Frto;
use mtu::PathMtu;
use persist::Persist;
use prr::Prr;
use rack::Rack;
use recovery::Recovery;
use rtt::RttEstimator;
use scoreboard::Scoreboard;
use undo::Undo;
use urgent::Urgent;
use usage::Usage;
use window::SendWindow;

use layer::Instant;

use crate::pack::{Pack, Packer, Unpacker, packed};
use crate::seq::Seq;

/// Where our FIN is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fin {
    /// The application may send more.
    No,
    /// It comes after what is in the buffer.
    Queued,
    /// It has this number.
    Sent(Seq),
}

impl Pack for Fin {
    fn pack(&self, to: &mut Packer) {
        let (sent, queued) = match self {
            Self::No => (None, false),
            Self::Queued => (None, true),
            Self::Sent(at) => (Some(*at), false),
        };
        (sent, queued).pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        match Pack::unpack(from) {
            (Some(at), _) => Self::Sent(at),
            (None, true) => Self::Queued,
            (None, false) => Self::No,
        }
    }
}

/// A tail loss probe that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// TLP.end_seq: SND.NXT when it left.
    pub end: Seq,
    /// TLP.is_retrans: it sent something again.
    pub resend: bool,
    /// Bytes outstanding when it left.
    pub flight: u32,
}

packed!(Probe { end, resend, flight });

/// SND.* of RFC 9293 3.3.1, and the machinery behind it.
#[derive(Debug)]
pub struct Sender {
    /// SND.UNA.
    pub una: Seq,
    /// SND.NXT: one past the highest number sent.
    pub nxt: Seq,
    /// SND.WND with SND.WL1 and SND.WL2.
    pub window: SendWindow,
    /// Payload bytes of the largest segment we send.
    pub mss: u32,
    /// How it is decided.
    pub mtu: PathMtu,
    /// What is not acknowledged, and what is not sent.
    pub buffer: SendBuffer,
    /// SND.UP.
    pub urgent: Urgent,
    /// Our FIN.
    pub fin: Fin,
    /// Round-trip time.
    pub rtt: RttEstimator,
    /// What is out, and what is known of it.
    pub board: Scoreboard,
    /// How much of the congestion window is in use.
    pub usage: Usage,
    /// Where the sender stands between losses.
    pub recovery: Recovery,
    /// Loss by time; used where both sides agreed on SACK.
    pub rack: Rack,
    /// Both sides agreed on SACK.
    pub sack: bool,
    /// The pace of the present recovery, and the window it allows (with SACK).
    pub prr: Option<(Prr, u32)>,
    /// How to take back the last reduction.
    pub undo: Option<Undo>,
    /// Explicit congestion notification.
    pub ecn: Ecn,
    /// Whether the last timeout was for nothing.
    pub frto: Frto,
    /// A tail loss probe is out (RFC 8985 7.3).
    pub probe: Option<Probe>,
    /// Window probes.
    pub persist: Persist,
    /// Timeouts since the peer last acknowledged something.
    pub retries: u32,
    /// When the last segment with text left.
    pub last_sent: Option<Instant>,
    /// Segments sent again.
    pub retransmits: u64,
    /// SND.UNA moved since the last segment left: proof that the way forward works.
    pub confirmed: bool,
}

packed!(Sender {
    una, nxt, window, mtu, board, usage, recovery, rack, mss, buffer, urgent, fin, rtt, sack, prr,
    undo, ecn, probe, persist, retries, last_sent, retransmits, confirmed,
} default { frto });

impl Sender {
    /// After our SYN at `iss` was acknowledged.
    pub fn new(iss: Seq, mtu: PathMtu, window: SendWindow, rtt: RttEstimator) -> Self {
        let una = iss.plus(1);
        let mut rack = Rack::default();
        // The first sample, of the handshake, is the smoothed one still.
        rtt.srtt().into_iter().for_each(|first| rack.measured(first));
        Self {
            una,
            nxt: una,
            window,
            mss: mtu.size(),
            mtu,
            buffer: SendBuffer::default(),
            urgent: Urgent::default(),
            fin: Fin::No,
            rtt,
            board: Scoreboard::default(),
            usage: Usage::default(),
            recovery: Recovery::new(iss),
            rack,
            sack: false,
            prr: None,
            undo: None,
            ecn: Ecn::default(),
            frto: Frto::Off,
            probe: None,
            persist: Persist::default(),
            retries: 0,
            last_sent: None,
            retransmits: 0,
            confirmed: true,
        }
    }

    /// Bytes of sequence space sent and not acknowledged.
    pub fn flight(&self) -> u32 {
        self.nxt.since(self.una)
    }

    /// Position in the send buffer of sequence number `seq`, which lies in the flight or is
    /// SND.NXT.
    pub fn position(&self, seq: Seq) -> u64 {
        self.buffer.start() + u64::from(seq.since(self.una))
    }

    /// One past the last number that text can have now.
    pub fn text_end(&self) -> Seq {
        self.una.plus(u32::try_from(self.buffer.len()).unwrap_or(u32::MAX))
    }

    /// Bytes in the buffer that were never sent.
    pub fn unsent(&self) -> u32 {
        let end = self.text_end();
        if end.after(self.nxt) { end.since(self.nxt) } else { 0 }
    }

    /// Our FIN was sent and acknowledged.
    pub fn fin_acknowledged(&self) -> bool {
        matches!(self.fin, Fin::Sent(at) if self.una.after(at))
    }

    /// Takes in an acknowledgement of everything before `ack`; returns the bytes of text freed.
    pub fn acknowledge(&mut self, ack: Seq) -> u32 {
        let advanced = ack.since(self.una);
        let position = self.buffer.start() + u64::from(advanced);
        // A FIN takes a number but no place in the buffer.
        let freed = self.buffer.acknowledge(position);
        self.urgent.acknowledged(self.buffer.start());
        self.una = ack;
        self.retries = 0;
        self.confirmed = true;
        u32::try_from(freed).unwrap_or(u32::MAX)
    }
}
