//! One bulk transfer over one kind of wire: what the tables of `cargo xtask sim` are made of.
//!
//! Every byte is compared, the stall rule of `stall.rs` holds, and what runs out leaves nothing.

use core::net::SocketAddr;

use layer::Duration;
use layer::boundary::TcpState;
use link::capture::Capture;
use socket::Host;

use crate::application::talk::{Plan, Script};
use crate::application::tcp::{Caller, Listener};
use crate::rng::Chance;
use crate::stall::{Stall, Watch};
use crate::wire::{Burst, Queue, WireConfig};
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
    /// See [`WireConfig`].
    pub burst: Option<Burst>,
    /// Frames late by up to half a round trip.
    pub reorder: Chance,
    /// See [`WireConfig`].
    pub duplicate: Chance,
    /// See [`WireConfig`].
    pub corrupt: Chance,
    /// Bits per second, with a queue of so many frames.
    pub rate: Option<(u64, usize)>,
    /// The goodput is what came until then, if the transfer takes longer. It is finished anyway.
    pub limit: Option<Duration>,
}

impl Course {
    /// A megabyte over a clean wire with this round trip.
    pub fn new(rtt: Duration) -> Self {
        Self {
            bytes: 1_000_000,
            rtt,
            loss: Chance::NEVER,
            burst: None,
            reorder: Chance::NEVER,
            duplicate: Chance::NEVER,
            corrupt: Chance::NEVER,
            rate: None,
            limit: None,
        }
    }

    fn wire(&self) -> WireConfig {
        let Self { bytes: _, rtt, loss, burst, reorder, duplicate, corrupt, rate, limit: _ } =
            *self;
        let perfect = WireConfig::default();
        WireConfig {
            delay: rtt / 2,
            rate_bps: rate.map(|(bps, _)| bps),
            queue: rate.map_or(perfect.queue, |(_, frames)| Queue::Packets(frames)),
            loss,
            burst,
            reorder,
            duplicate,
            corrupt,
        }
    }
}

/// How a transfer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodput {
    /// Bits of the application per second, from the open connection to the last byte's arrival.
    pub bps: u64,
    /// The longest time in which nothing moved.
    pub stall: Stall,
    /// What the sender's TCP counted.
    pub sender: Counts,
    /// The whole world.
    pub outcome: Outcome,
}

/// Counters of the sending host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `TcpRetransSegs`.
    pub retransmits: u64,
    /// `TcpExtTCPTimeouts`.
    pub timeouts: u64,
    /// `TcpExtTCPFullUndo`.
    pub undone: u64,
}

impl Counts {
    fn of(host: &Host) -> Self {
        use layer::Counted;
        let mut counts = Self::default();
        host.counters(&mut |name, value| match name {
            "TcpRetransSegs" => counts.retransmits = value,
            "TcpExtTCPTimeouts" => counts.timeouts = value,
            "TcpExtTCPFullUndo" => counts.undone = value,
            _ => {}
        });
        counts
    }
}

/// How long after the hosts the transfer begins: their addresses are announced by then.
const LEAD: Duration = Duration::from_secs(1);
const PORT: u16 = 19;

/// Longest delay of an acknowledgement by a host with the defaults.
const DELAYED_ACK: Duration = Duration::from_millis(40);

/// Runs the transfer, and then lets everything run out.
///
/// # Errors
///
/// A promise of the world was broken, or the transfer stalled.
pub fn run(course: &Course, seed: u64, capture: Option<Capture>) -> Result<Goodput, Failure> {
    let mut world = World::new(seed);
    if let Some(capture) = capture {
        world.set_capture(capture);
    }
    let (client, server) = (world.add_host(), world.add_host());
    world.cable(client, server, course.wire());
    let Course { bytes, rtt, limit, .. } = *course;
    let theirs = Script::answering(1, Plan::Send { bytes: 0 }).expecting(bytes);
    world.run_on(server, Listener::new(PORT, theirs, 1));
    let remote = SocketAddr::from((world.address(server).ip, PORT));
    let ours = Script::calling(1, Plan::Send { bytes }).expecting(0);
    let begin = world.now() + LEAD;
    world.run_on(client, Caller::new(remote, begin, ours));
    let end = limit.map(|limit| begin + limit);
    // There and back, both late, and a delayed acknowledgement.
    let mut watch = Watch::new(begin, rtt * 2 + DELAYED_ACK);
    let mut open = None;
    // Bytes there when the time was over, or so far; and since when.
    let mut arrived = (0, begin);
    let outcome = world.run_watching(|world| {
        let now = world.now();
        if now < begin {
            return Ok(());
        }
        let mut ends = world.host(server).connections();
        // The reader has finished long ago: the caller's FIN, behind the last byte, ends it all.
        let finished = ends.iter().any(|end| end.state == TcpState::TimeWait);
        let there = ends.iter().map(|end| end.bytes_received).max().unwrap_or_default();
        let there = if finished { bytes } else { there };
        if there > arrived.0 && end.is_none_or(|end| now <= end) {
            arrived = (there, now);
        }
        let callers = world.host(client).connections();
        if callers.iter().any(|caller| caller.state == TcpState::Established) {
            open.get_or_insert(now);
        }
        ends.extend(callers);
        watch.look(now, &ends)
    })?;
    let sender = Counts::of(world.host(client));
    world.run_out()?;
    let (bytes, at) = arrived;
    // What was cut off counts as slow as it was: with the time up to the limit.
    let at = end.filter(|_| bytes < course.bytes).unwrap_or(at);
    let nanos = at.since(open.unwrap_or(begin)).as_nanos().max(1);
    let bps = u128::from(bytes) * 8 * 1_000_000_000 / nanos;
    let bps = u64::try_from(bps).unwrap_or(u64::MAX);
    Ok(Goodput { bps, stall: watch.longest(), sender, outcome })
}
