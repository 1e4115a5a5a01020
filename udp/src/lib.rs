//! Crate udp.
