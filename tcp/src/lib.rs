//! Crate tcp.
