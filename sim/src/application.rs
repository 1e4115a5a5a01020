//! What runs on hosts: small state machines on the sockets, which check what they receive.
//!
//! An application never waits: it is asked to act whenever something may have changed, does what it
//! can, and says when it wants to be asked again in any case.

pub mod talk;
pub mod tcp;
pub mod udp;

use layer::Instant;
use socket::Host;

/// A program on a host.
pub trait Application {
    /// Does what can be done now. True if anything was done.
    ///
    /// # Errors
    ///
    /// What it saw that must not be: wrong bytes, an unexpected errno.
    fn act(&mut self, now: Instant, host: &mut Host) -> Result<bool, String>;

    /// When it wants to act though nothing has come.
    fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// It has done all it was to do. The world ends when all have.
    fn is_done(&self) -> bool;

    /// A number that grows with everything it gets done: where it stands still, the world stalls.
    fn progress(&self) -> u64;

    /// Where it is, in a line.
    fn describe(&self) -> String;
}
