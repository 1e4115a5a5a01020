//! Crate layer.
