//! The host as threads: stages between channels, topology as data, devices, demo services.

pub mod alarm;
mod builder;
pub mod clock;
pub mod config;
pub mod io;
pub mod kernel_routes;
pub mod lane;
pub mod report;
pub mod runner;
pub mod schedule;
mod secrets;
mod stack;
pub mod stage;
pub mod top;
mod topology;
pub mod want;
mod watch;
pub mod word;

pub use builder::{Builder, StartError, interface_exists};
pub use config::{Acd, Attachment, HostAddress, Interface, Pipeline};
pub use stack::{InterfaceInfo, Stack};

/// The atomics of `word.rs` and `want.rs`. Their tests put loom's in this place.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
}
