//! The vocabulary of the stack: what a protocol layer is, and what crosses from one to the next.
//!
//! ```text
//!              FromAbove   ToAbove
//!                  |          ^
//!              send|          |out.up
//!                  v          |
//!              +------------------+     poll(now)  <- the driver, after every batch and
//!              |      a Layer     |                   no later than poll_at()
//!              +------------------+     poll_at()  -> when it wants to be polled next
//!                  |          ^
//!          out.down|          |receive
//!                  v          |
//!               ToBelow   FromBelow
//! ```
//!
//! A layer is a deterministic machine: three ways in ([`Layer::receive`], [`Layer::send`],
//! [`Layer::poll`]), two ways out (`out.up`, `out.down`), one question ([`Layer::poll_at`]). It
//! reads no clock, draws no random number, starts no thread, holds no lock, writes no log.
//!
//! Read this file first, [`boundary`] second. Every protocol crate depends on this one and on no
//! other protocol crate: the workspace is a star, not a chain.

pub mod address;
pub mod boundary;
pub mod checksum;
pub mod deadline;
pub mod fork;
pub mod ledger;
pub mod many;
pub mod offload;
pub mod outlet;
pub mod packet;
pub mod stacked;
pub mod time;
mod timed;
pub mod traced;

pub use address::{InterfaceId, MacAddr};
pub use deadline::Deadlines;
pub use fork::{Either, Fork, Side, Sided};
pub use ledger::{Ledger, Note, Reason};
pub use many::{Interfaced, Many, Numbered};
pub use offload::{ChecksumState, Offload, Segmentation, SegmentationKind};
pub use outlet::{Out, Outlet, Outs};
pub use packet::PacketBuf;
pub use stacked::Stacked;
pub use time::{Duration, Instant};
pub use traced::{Crossing, Traced};

/// A protocol layer: a deterministic machine with a neighbour below, a neighbour above, and a
/// clock.
///
/// # Laws
///
/// Checked for every layer crate by the kit in `laws`:
///
/// * **L1 deterministic**: same construction and same calls, same outputs.
/// * **L2 honest deadline**: after `poll(now)`, `poll_at()` is later than `now`, unless an outlet
///   was full or rounds ran out.
/// * **L3 quiet before the deadline**: `poll` before `poll_at()`, with nothing received or sent in
///   between, puts out nothing.
/// * **L4 no panic**, whatever the bytes.
/// * **L5 bounded** memory and outputs.
/// * **L6 conservation**: every item in is delivered, answered, consumed, held
///   ([`Accounted::held_items`]) or dropped and counted.
/// * **L7** `poll` costs what is due, never a scan of all connections.
///
/// # Errors
///
/// There is no error return. Hostile input is a counted drop with a [`Reason`]; misuse by the
/// local user is answered upward; a broken invariant is an assertion.
pub trait Layer {
    /// What the neighbour below delivers.
    type FromBelow;
    /// What this layer delivers to the neighbour above.
    type ToAbove;
    /// What the neighbour above asks to be sent.
    type FromAbove;
    /// What this layer hands to the neighbour below.
    type ToBelow;

    /// An item comes up from below.
    fn receive(&mut self, now: Instant, item: Self::FromBelow, out: &mut Out<'_, Self>);

    /// An item comes down from above.
    fn send(&mut self, now: Instant, item: Self::FromAbove, out: &mut Out<'_, Self>);

    /// Time has passed or a batch has ended: do what is due.
    ///
    /// Drivers call it once after every batch of `receive` and `send`, and no later than
    /// [`Layer::poll_at`].
    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>);

    /// When this layer wants to be polled next; `None` while nothing is pending.
    fn poll_at(&self) -> Option<Instant>;
}

/// What a layer holds at the moment, for law L6 and for memory limits.
pub trait Accounted {
    /// Items taken in and neither passed on, answered, consumed nor dropped yet.
    fn held_items(&self) -> usize;

    /// Bytes of memory those items keep alive.
    fn held_bytes(&self) -> usize {
        0
    }
}

/// Monotonic counters under the names of Linux `nstat` (`IpInReceives`, `TcpRetransSegs`, ...).
pub trait Counted {
    /// Calls `each` with every counter's name and value, in a fixed order.
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64));
}
