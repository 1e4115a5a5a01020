//! TCP (RFC 9293) as a [`layer::Layer`]: IP datagrams below, the hub's commands and events above.
//!
//! ```text
//!   TcpCommand  |                 ^ TcpEvent
//!               v                 |
//!   layer.rs    which connection, what is due          table.rs listen.rs ports.rs isn.rs
//!                                             timewait.rs
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
//! Not here yet, with rooms kept free: BBR (`cc/`), ECN and pacing (`send/`), SYN cookies (beside
//! `listen.rs`). Urgent data is delivered in line.

mod cc;
mod config;
mod conn;
mod isn;
mod layer;
mod listen;
mod options;
mod ports;
mod recv;
mod segment;
mod send;
mod seq;
mod stats;
mod table;
mod timers;
mod timewait;

pub use config::{BufferSizes, Config};
pub use layer::Tcp;
pub use options::{Options, SackBlocks, Timestamps};
pub use segment::{Flags, Segment, SegmentError};
pub use seq::Seq;
pub use stats::Stats;
