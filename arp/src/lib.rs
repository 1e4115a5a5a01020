//! Address resolution as a layer: a bump in the wire between Ethernet and IP.
//!
//! ```text
//!   ip       NetIn ^                 | NetOut {next_hop, hint, packet}
//!            +-----|-----------------v--------------------------------------+
//!            |     |    ARP up  <- dialect -> next hop down                 |
//!            |     |    arp.rs: RFC 826 over message.rs                     |
//!            |     |                 |                                      |
//!            |     |    cache.rs  who is where        hold.rs  who waits    |
//!            |     |    neighbour.rs  one neighbour's states                |
//!            |     |    acd.rs  are our addresses ours? (RFC 5227)          |
//!            +-----|-----------------v--------------------------------------+
//!   link     EthIn |                 | EthOut {destination, packet}
//! ```
//!
//! IP never asks: it sends to a next hop, and the packet leaves at once if the neighbour is known,
//! waits for the answer if not, and comes back as `NetIn::Unreachable` if nobody answers.
//!
//! [`Arp`] is the one type to know; it does one interface. Home of RFC 826, RFC 1122 2.3.2, RFC
//! 1112 6.4 and RFC 5227. `neighbour`, `cache` and `hold` know no address family: IPv6 neighbour
//! discovery is to join as a second dialect beside `arp.rs`.
//!
//! What is left out: proxy ARP (RFC 1027), reverse ARP, address choice after a conflict (RFC 3927),
//! and trailers, which RFC 1122 2.3.1 lets a host leave out.

mod acd;
mod arp;
mod cache;
mod config;
mod hold;
mod message;
mod neighbour;
mod stats;
#[cfg(test)]
mod tests;

pub use crate::arp::{Arp, NeighbourEntry, TableFull};
pub use crate::config::{Acd, Config, Limits};
pub use crate::message::{Message, Operation};
pub use crate::neighbour::NeighbourState;
