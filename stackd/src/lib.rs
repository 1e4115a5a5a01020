//! Crate stackd.
