//! Crate ip.
