//! The host as threads: stages between channels, topology as data, devices, demo services.

pub mod alarm;
pub mod clock;
pub mod config;
pub mod io;
pub mod kernel_routes;
pub mod lane;
pub mod runner;
pub mod schedule;
pub mod secrets;
pub mod stage;
pub mod want;
pub mod word;

pub use config::{Acd, Attachment, HostAddress, Interface, Pipeline};

/// The atomics of `word.rs` and `want.rs`. Their tests put loom's in this place.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
}
