//! TCP (RFC 9293) as a [`layer::Layer`]: IP datagrams below, the hub's commands and events above.
//!
//! ```text
//!   TcpCommand  |                 ^ TcpEvent
//!               v                 |
//!   layer.rs    which connection, what is due          table.rs ports.rs isn.rs timewait.rs
//!               listeners: listen.rs, half open: requests.rs cookie.rs
//!   conn/       the states: opening, arrives (SEGMENT ARRIVES), acks, losses, output, closing
//!   send/       what we send: buffer, window, scoreboard, rack, prr, undo, rtt, mtu  cc/ how much
//!   recv/       what we receive: reassembly, window, ack, sack, paws
//!   segment.rs options.rs seq.rs     the wire
//!               |                 ^
//!         IpOut v                 | IpIn
//! ```
//!
//! Read `seq.rs`, `segment.rs`, `conn/state.rs` and `conn/arrives.rs` first: they are RFC 9293 3.4,
//! 3.1, 3.3.2 and 3.10.7.4 in code.
//!
//! What RFC 9293 leaves open (each MAY pinned by a test, most in `tests/choices.rs`):
//!
//! ```text
//!   MAY-1   half-duplex close      yes: data after close is reset, after shutdown it is taken
//!   MAY-2   reopening TIME-WAIT    yes, as RFC 6191 says
//!   MAY-3   MSS on every SYN       yes
//!   MAY-4   same IP id on resend   no: TCP packets are atomic, their id means nothing (RFC 6864)
//!   MAY-7   resend beyond a shrunken window                          no, but for the first segment
//!   MAY-8   keep our window closed                                   yes, while nobody reads
//!   MAY-9   DSCP received, MAY-17 PSH received, told to the program  no
//!   MAY-10  IP timestamps, MAY-11 record route                       no: received ones are skipped
//!   MAY-12  ACK check of RFC 5961  yes
//!   MAY-13  early segments acknowledged at once                      yes
//!   MAY-14  flush call             no: what was written is sent, or the connection is aborted
//!   MAY-15  push by the program, MAY-16 holding what is not pushed   no
//!   MAY-18  other congestion control                                 yes: CUBIC, by name
//! ```
//!
//! Not here yet, with rooms kept free: BBR (`cc/`), pacing (`send/`).
//! Urgent data is delivered in line.

mod cc;
mod config;
mod conn;
mod cookie;
mod isn;
mod layer;
mod listen;
mod memory;
mod options;
mod pack;
mod ports;
mod recv;
mod requests;
mod segment;
mod send;
mod seq;
mod stats;
mod table;
mod timers;
mod timewait;

pub use cc::NAMES as CONGESTION;
pub use config::{BufferSizes, Config, EcnPolicy, SynCookies};
pub use layer::Tcp;
pub use memory::MemoryLimits;
pub use options::{Options, SackBlocks, Timestamps};
pub use segment::{Flags, Segment, SegmentError};
pub use seq::Seq;
pub use stats::Stats;
