//! Table tests of IP and ICMP through the layer's own doors: bytes in, bytes out, by hand.

mod common;
mod control;
mod errors;
mod fragments;
mod icmp;
mod loopback;
mod ping;
mod receive;
mod send;
