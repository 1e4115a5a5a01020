//! The Internet layer: IPv4, with ICMP as the integral part of it that RFC 1122 3.2.2 says it is.
//!
//! ```text
//!    transports       ^ IpIn                       | IpOut
//!                     |                            v
//!    +----------------------------------------------------------------+
//!    |  receive.rs  checks, in RFC 1122's order     send.rs           |
//!    |  reassembly.rs   <--- loopback.rs <---       fragment.rs       |
//!    |  icmp/  echo, errors in and out, limits      plan.rs, routes.rs|
//!    +----------------------------------------------------------------+
//!                     ^ NetIn                      | NetOut
//!    arp              |                            v
//! ```
//!
//! [`Ip`] is a [`layer::Layer`]: it owns addresses and routes, decides what is for us and how
//! packets leave, cuts and joins fragments, answers pings, and tells transports what went wrong
//! with their packets. It never asks below for a link address and never forwards.
//!
//! What exceeds the MTU: a UDP datagram is cut into fragments, all or none, unless its sender
//! forbids it; then, and for TCP always, the transport is told the size that fits (RFC 8900 6.1).
//! Super-segments exceed it on purpose and pass whole to who cuts them.
//!
//! Left out on purpose: forwarding (and with it redirects sent), source routes (RFC 7126), IP
//! options of our own, record route and timestamp in echo replies, IGMP reports (only 224.0.0.1 is
//! joined by itself), local copies of broadcasts and multicasts we send. IPv6 is typed in every
//! signature and not spoken yet.

mod addresses;
mod config;
mod counters;
mod fragment;
mod header;
mod icmp;
mod identification;
mod loopback;
mod machine;
mod path_mtu;
mod plan;
mod reassembly;
mod receive;
mod routes;
mod send;

pub use config::{Config, Interface, Limits, RouteEntry};
pub use counters::Counters;
pub use icmp::Ping;
pub use machine::Ip;
