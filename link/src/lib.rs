//! Crate link.
