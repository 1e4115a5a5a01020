//! Crate socket.
