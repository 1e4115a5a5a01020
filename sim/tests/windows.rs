//! Buffers that size themselves, over a long fat pipe, with every setting at its default.

use std::net::SocketAddr;

use layer::Duration;
use sim::application::talk::{Plan, Script};
use sim::application::tcp::{Caller, Listener};
use sim::{Queue, WireConfig, World};

const RATE: u64 = 1_000_000_000;
const BYTES: u64 = 500_000_000;

/// 1 Gbit/s at a round trip of 100 ms holds 12.5 MB: from initial buffers of 64 KiB both grow to
/// that within the slow start, and then the wire is full.
#[test]
fn a_long_fat_pipe_is_filled_with_default_settings() {
    let mut world = World::new(1);
    let (a, b) = (world.add_host(), world.add_host());
    let wire = WireConfig {
        rate_bps: Some(RATE),
        // One bandwidth-delay product.
        queue: Queue::Packets(8333),
        ..WireConfig::delayed(Duration::from_millis(50))
    };
    world.cable(a, b, wire);
    let theirs = Script::answering(1, Plan::Send { bytes: 0 }).expecting(BYTES);
    world.run_on(b, Listener::new(7, theirs, 1));
    let remote = SocketAddr::from((world.address(b).ip, 7));
    let ours = Script::calling(1, Plan::Send { bytes: BYTES }).expecting(0);
    let start = world.now() + Duration::from_millis(100);
    world.run_on(a, Caller::new(remote, start, ours));
    let acked = |world: &mut World| {
        let connections = world.computer(a).host().connections();
        connections.first().map_or(0, |connection| connection.bytes_acked)
    };
    let fail = |failure| panic!("{failure}");
    world.run_for(Duration::from_millis(1600)).unwrap_or_else(fail);
    let before = acked(&mut world);
    world.run_for(Duration::from_millis(500)).unwrap_or_else(fail);
    let moved = acked(&mut world) - before;
    println!("{before} bytes in the first 1.5 s, {moved} in the next half");
    assert!(moved * 16 > RATE / 10 * 9, "{moved} bytes in half a second");
}
