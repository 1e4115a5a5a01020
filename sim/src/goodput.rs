//! One bulk transfer over one kind of wire: what the table of `cargo xtask sim` is made of.

use core::net::SocketAddr;

use layer::Duration;
use link::capture::Capture;

use crate::application::talk::{Plan, Script};
use crate::application::tcp::{Caller, Listener};
use crate::rng::Chance;
use crate::wire::{Queue, WireConfig};
use crate::world::{Failure, Outcome, World};

/// The wires of a transfer, both directions alike, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// Bytes to be moved.
    pub bytes: u64,
    /// Round trip.
    pub rtt: Duration,
    /// See [`WireConfig`].
    pub loss: Chance,
    /// Frames late by up to half a round trip.
    pub reorder: Chance,
    /// See [`WireConfig`].
    pub duplicate: Chance,
    /// See [`WireConfig`].
    pub corrupt: Chance,
    /// Bits per second, with a queue of so many frames.
    pub rate: Option<(u64, usize)>,
}

impl Course {
    /// A megabyte over a clean wire with this round trip.
    pub fn new(rtt: Duration) -> Self {
        Self {
            bytes: 1_000_000,
            rtt,
            loss: Chance::NEVER,
            reorder: Chance::NEVER,
            duplicate: Chance::NEVER,
            corrupt: Chance::NEVER,
            rate: None,
        }
    }

    fn wire(&self) -> WireConfig {
        let Self { bytes: _, rtt, loss, reorder, duplicate, corrupt, rate } = *self;
        let perfect = WireConfig::default();
        WireConfig {
            delay: rtt / 2,
            rate_bps: rate.map(|(bps, _)| bps),
            queue: rate.map_or(perfect.queue, |(_, frames)| Queue::Packets(frames)),
            loss,
            reorder,
            duplicate,
            corrupt,
            ..perfect
        }
    }
}

/// How a transfer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodput {
    /// Bits of the application per second, handshake and close included.
    pub bps: u64,
    /// The whole world.
    pub outcome: Outcome,
}

/// How long after the hosts the transfer begins: their addresses are announced by then.
const LEAD: Duration = Duration::from_secs(1);
const PORT: u16 = 19;

/// Runs the transfer, and then lets everything run out.
///
/// # Errors
///
/// A promise of the world was broken.
pub fn run(course: &Course, seed: u64, capture: Option<Capture>) -> Result<Goodput, Failure> {
    let mut world = World::new(seed);
    if let Some(capture) = capture {
        world.set_capture(capture);
    }
    let (client, server) = (world.add_host(), world.add_host());
    world.cable(client, server, course.wire());
    let Course { bytes, .. } = *course;
    let theirs = Script::answering(1, Plan::Send { bytes: 0 }).expecting(bytes);
    world.run_on(server, Listener::new(PORT, theirs, 1));
    let remote = SocketAddr::from((world.address(server).ip, PORT));
    let ours = Script::calling(1, Plan::Send { bytes }).expecting(0);
    world.run_on(client, Caller::new(remote, world.now() + LEAD, ours));
    let outcome = world.run()?;
    world.run_out()?;
    let nanos = outcome.took.saturating_sub(LEAD).as_nanos().max(1);
    let bps = u128::from(bytes) * 8 * 1_000_000_000 / nanos;
    Ok(Goodput { bps: u64::try_from(bps).unwrap_or(u64::MAX), outcome })
}
