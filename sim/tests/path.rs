//! Transfers through a place that is narrower than the hosts' links: it says so, says it badly, or
//! says nothing.

use std::net::SocketAddr;

use layer::boundary::ConnectionInfo;
use layer::{Duration, InterfaceId};
use sim::application::talk::{Plan, Script};
use sim::application::tcp::{Caller, Listener};
use sim::frame::Address;
use sim::narrow::{Manner, Narrow};
use sim::{Chance, Middle, WireConfig, World};

const BYTES: u64 = 2_000_000;

/// What a transfer each way at once came to: the sender's connection near its end, and seconds.
fn transfer(seed: u64, mtu: u16, manner: Manner, loss: Chance) -> (ConnectionInfo, f64) {
    let mut world = World::new(seed);
    let (a, b) = (world.add_host(), world.add_host());
    let place = world.add_station(Narrow::new(Address::numbered(77), mtu, manner));
    let wire = WireConfig { loss, ..WireConfig::delayed(Duration::from_millis(5)) };
    for (host, side) in [(a, 0), (b, 1)] {
        let segment = world.add_segment(Middle::Hub);
        world.attach(segment, host, InterfaceId(0), wire);
        world.attach(segment, place, InterfaceId(side), wire);
    }
    let plan = Plan::Send { bytes: BYTES };
    let port = 7;
    world.run_on(b, Listener::new(port, Script::answering(1, plan).expecting(BYTES), 1));
    let remote = SocketAddr::from((world.address(b).ip, port));
    let begin = world.now() + Duration::from_secs(1);
    world.run_on(a, Caller::new(remote, begin, Script::calling(1, plan).expecting(BYTES)));
    let mut seen = None;
    let outcome = world.run_watching(|world| {
        // As it is while text is still under way.
        let mut all = world.host(a).connections().into_iter();
        seen = all.find(|connection| connection.send_queue > 0).or(seen.take());
        Ok(())
    });
    let outcome = outcome.unwrap_or_else(|failure| panic!("{failure}"));
    world.run_out().unwrap_or_else(|failure| panic!("{failure}"));
    (seen.expect("it was seen"), outcome.took.as_secs_f64() - 1.0)
}

// test: RFC 1191 estimate
#[test]
fn a_router_that_says_its_size_costs_a_round_trip() {
    for (seed, mtu) in [(1, 1400), (2, 576), (3, 1499)] {
        let (sender, seconds) = transfer(seed, mtu, Manner::Says, Chance::NEVER);
        // 12 bytes are timestamps.
        assert_eq!(sender.mss, u32::from(mtu) - 52);
        assert!(seconds < 2.0, "{mtu}: {seconds} s");
    }
}

// test: RFC 1191 plateau
#[test]
fn a_router_that_does_not_say_costs_a_few() {
    let (sender, seconds) = transfer(4, 1100, Manner::Grumbles, Chance::NEVER);
    assert_eq!(sender.mss, 1006 - 52);
    assert!(seconds < 2.0, "{seconds} s");
}

// test: RFC 4821 black-hole
#[test]
fn a_black_hole_is_crossed() {
    for (seed, mtu) in [(5, 1400), (6, 1100), (7, 576)] {
        let (sender, seconds) = transfer(seed, mtu, Manner::Mute, Chance::NEVER);
        let full = u32::from(mtu) - 52;
        assert!(sender.mss <= full && sender.mss >= 500, "{mtu}: {sender:?}");
        // Three or four timeouts of 0.2 s and more, doubling.
        assert!(seconds < 10.0, "{mtu}: {seconds} s");
    }
}

#[test]
fn loss_besides_does_not_stop_it() {
    for seed in 10..14 {
        for manner in [Manner::Says, Manner::Grumbles, Manner::Mute] {
            transfer(seed, 1300, manner, Chance::percent(1));
        }
    }
}
