//! Crate arp.
