//! Crate laws.
