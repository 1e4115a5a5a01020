//! A host on threads: stages between channels, where the threads are as data, devices, the clock.
//!
//! ```text
//!    Stack::builder() -> builder.rs opens devices, checks what can go wrong
//!                     -> topology.rs wires layers into stages, starts threads
//!    stage.rs  any layer between two lanes, run in turns     (rules R1 to R4)
//!    word.rs   who runs it: whoever delivers, nobody waits   (checked with loom)
//!    lane.rs   batches on their way    want.rs  "I found no room"    alarm.rs  deadlines
//!    io/       a device's reader and writer                  clock.rs  the only clock
//!    schedule.rs  the same stages without threads, by seed
//! ```
//!
//! Everything protocol is in the layer crates; nothing here knows a header. The binary of the same
//! name adds the command line, rootless namespaces and the demo services. Left out: several TCP
//! stages by flow hash, several queues per TAP.

pub mod alarm;
mod builder;
pub mod clock;
pub mod config;
pub mod control;
mod feed;
pub mod io;
pub mod kernel_routes;
pub mod lane;
mod orders;
pub mod paths;
mod ping;
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
