//! Seeded worlds: whole hosts, wires with faults, virtual time, checkers, packet scripts.
//!
//! ```text
//!   World (world.rs): one seed, a clock that jumps to the next event
//!     station.rs      Computer = socket::Host + applications; Pinger
//!     application/    small programs that check what they receive (pattern.rs)
//!     segment.rs      a cable, hub or switch made of
//!     narrow.rs       a place on the way with a smaller MTU
//!     wire.rs         delay, rate, queue, loss, bursts, duplicates, reordering, corruption
//!   goodput.rs        one bulk transfer over one kind of wire, under the rule of
//!   stall.rs          no wait longer than the back-off excuses
//!   impaired.rs       faults at any boundary of any layer
//!   script/           packet scripts: one host against a peer that follows a `*.pkt` file
//!   fuzz/             hostile frames for a whole host
//!   duel/             a connection of which a list of bytes decides all; promises.rs checks it
//! ```
//!
//! Everything is sans-IO and single-threaded: the same seed gives the same world to the last bit.
//! Stages under a seeded scheduler are `stackd::schedule`, because the stages are there.

pub mod application;
pub mod duel;
pub mod frame;
pub mod fuzz;
pub mod goodput;
pub mod impaired;
pub mod narrow;
pub mod parsing;
pub mod pattern;
pub mod promises;
pub mod ranges;
pub mod rng;
pub mod script;
pub mod search;
pub mod segment;
pub mod stall;
pub mod station;
pub mod wire;
pub mod world;

pub use impaired::Impaired;
pub use rng::{Chance, Rng};
pub use segment::Middle;
pub use wire::{Burst, Queue, WireConfig};
pub use world::{Bounds, Failure, Outcome, StationId, World};
