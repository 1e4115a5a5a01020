//! Whole hosts that talk over wires, clean and faulty, by seed.

use std::net::SocketAddr;

use layer::{Duration, Instant};
use sim::application::talk::{Pace, Plan, Script};
use sim::application::tcp::{Caller, Listener};
use sim::application::udp::{Echo, Ping};
use sim::station::Pinger;
use sim::{Burst, Chance, Middle, Queue, WireConfig, World};
use socket::Errno;

/// Programs begin a little after the hosts.
fn start(world: &World) -> Instant {
    world.now() + Duration::from_millis(100)
}

fn at(world: &World, host: sim::StationId, port: u16) -> SocketAddr {
    SocketAddr::from((world.address(host).ip, port))
}

/// Two hosts on a cable; the first calls port 7 of the second.
fn conversation(
    seed: u64,
    wire: WireConfig,
    ours: Script,
    theirs: Script,
) -> (World, sim::Outcome) {
    let mut world = World::new(seed);
    let (a, b) = (world.add_host(), world.add_host());
    world.cable(a, b, wire);
    world.run_on(b, Listener::new(7, theirs, 1));
    let caller = Caller::new(at(&world, b, 7), start(&world), ours);
    world.run_on(a, caller);
    let outcome = world.run().unwrap_or_else(|failure| panic!("{failure}"));
    world.run_out().unwrap_or_else(|failure| panic!("{failure}"));
    (world, outcome)
}

/// Bulk each way at once.
fn bulk(seed: u64, wire: WireConfig, bytes: u64) -> sim::Outcome {
    let plan = Plan::Send { bytes };
    let ours = Script::calling(1, plan).expecting(bytes);
    conversation(seed, wire, ours, Script::answering(1, plan).expecting(bytes)).1
}

fn faulty(delay_ms: u64, loss: Chance) -> WireConfig {
    WireConfig {
        delay: Duration::from_millis(delay_ms),
        loss,
        reorder: Chance::percent(2),
        duplicate: Chance::percent(1),
        corrupt: Chance::per_mille(5),
        ..WireConfig::default()
    }
}

#[test]
fn bulk_both_ways_over_a_clean_wire() {
    let outcome = bulk(1, WireConfig::delayed(Duration::from_millis(10)), 4_000_000);
    assert!(outcome.took < Duration::from_secs(2), "{outcome:?}");
}

#[test]
fn bulk_over_faulty_wires() {
    for seed in 1..=6 {
        bulk(seed, faulty(20, Chance::percent(2)), 200_000);
    }
    bulk(7, faulty(5, Chance::per_mille(5)), 2_000_000);
}

#[test]
fn bulk_through_a_narrow_wire_with_a_short_queue() {
    for queue in [Queue::Packets(20), Queue::Bytes(64_000)] {
        let wire = WireConfig {
            rate_bps: Some(20_000_000),
            queue,
            ..WireConfig::delayed(Duration::from_millis(10))
        };
        let outcome = bulk(3, wire, 2_000_000);
        assert!(outcome.wires.queue_full > 0, "the queue was never full: {outcome:?}");
    }
}

#[test]
fn bulk_through_bursts_of_loss() {
    let burst =
        Burst { begin: Chance::per_mille(5), end: Chance::percent(20), loss: Chance::ALWAYS };
    let wire = WireConfig { burst: Some(burst), ..WireConfig::delayed(Duration::from_millis(10)) };
    for seed in 1..=3 {
        assert!(bulk(seed, wire, 300_000).wires.burst_lost > 0);
    }
}

#[test]
fn echo_request_response_and_half_close() {
    for seed in 1..=3 {
        let wire = faulty(5, Chance::percent(1));
        let echo = Script::calling(1, Plan::Send { bytes: 150_000 }).echoed().expecting(150_000);
        conversation(seed, wire, echo, Script::answering(1, Plan::Echo));
        let ask = Plan::Ask { request: 300, response: 5_000, rounds: 40 };
        let answer = Plan::Answer { request: 300, response: 5_000 };
        let ours = Script::calling(2, ask).expecting(200_000);
        conversation(seed, wire, ours, Script::answering(2, answer).expecting(12_000));
        // The peer sends only after our FIN.
        let ours = Script::calling(3, Plan::Send { bytes: 50_000 }).expecting(70_000);
        let theirs = Script::answering(3, Plan::SendAfterPeer { bytes: 70_000 });
        conversation(seed, wire, ours, theirs.expecting(50_000));
    }
}

#[test]
fn a_slow_reader_closes_the_window_and_gets_everything() {
    let pace = Pace { bytes: 4_000, every: Duration::from_millis(20) };
    let ours = Script::calling(1, Plan::Send { bytes: 2_000_000 });
    let theirs = Script::answering(1, Plan::Send { bytes: 0 }).expecting(2_000_000).paced(pace);
    let (_, outcome) = conversation(1, faulty(5, Chance::per_mille(5)), ours, theirs);
    assert!(outcome.took >= Duration::from_secs(8), "nobody waited for the reader: {outcome:?}");
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    let wire = faulty(20, Chance::percent(2));
    let [first, again, other] = [5, 5, 6].map(|seed| bulk(seed, wire, 50_000));
    assert_eq!(first, again);
    assert_ne!(first.trace, other.trace);
}

/// ARP, ping, UDP and TCP between three hosts and a pinger, on a hub and on a switch.
#[test]
fn three_hosts_talk_all_at_once() {
    for (middle, loss) in [
        (Middle::Hub, Chance::NEVER),
        (Middle::Switch, Chance::NEVER),
        (Middle::Switch, Chance::percent(2)),
    ] {
        let mut world = World::new(11);
        let hosts = [(); 3].map(|()| world.add_host());
        let segment = world.add_segment(middle);
        let wire = faulty(3, loss);
        for host in hosts {
            world.attach(segment, host, Default::default(), wire);
        }
        let start = start(&world);
        let targets = (0..9).map(|i| (world.address(hosts[i % 3]), [0, 56, 1472][i / 3])).collect();
        let pinger =
            world.add_station(Pinger::new(sim::frame::Address::numbered(4), start, targets));
        world.attach(segment, pinger, Default::default(), wire);
        let sizes = vec![0, 1, 1472, 1473, 8192, 65_507];
        for (index, host) in hosts.into_iter().enumerate() {
            let next = hosts[(index + 1) % 3];
            world.run_on(host, Echo::new(7));
            world.run_on(host, Listener::new(7, Script::answering(1, Plan::Echo), 2));
            let ping = Ping::new(at(&world, next, 7), start, sizes.clone());
            world.run_on(host, ping);
            for other in hosts.into_iter().filter(|other| *other != host) {
                let script = Script::calling(1, Plan::Send { bytes: 40_000 }).echoed();
                let caller = Caller::new(at(&world, other, 7), start, script.expecting(40_000));
                world.run_on(host, caller);
            }
        }
        world.run().unwrap_or_else(|failure| panic!("{failure}"));
        world.run_out().unwrap_or_else(|failure| panic!("{failure}"));
        let neighbours = world.now();
        for host in hosts {
            let known = world.computer(host).host().neighbours(neighbours).len();
            assert_eq!(known, 3, "both other hosts and the pinger");
        }
    }
}

#[test]
fn a_closed_port_refuses_and_an_absent_host_is_unreachable() {
    let mut world = World::new(1);
    let (a, b) = (world.add_host(), world.add_host());
    world.cable(a, b, WireConfig::delayed(Duration::from_millis(1)));
    let script = Script::calling(1, Plan::Send { bytes: 1 });
    for (remote, errno) in [
        (at(&world, b, 9), Errno::CONNREFUSED),
        (SocketAddr::from(([10, 0, 0, 77], 9)), Errno::HOSTUNREACH),
        (SocketAddr::from(([192, 0, 2, 1], 9)), Errno::NETUNREACH),
    ] {
        let caller = Caller::new(remote, start(&world), script).refused(errno);
        world.run_on(a, caller);
    }
    world.run().unwrap_or_else(|failure| panic!("{failure}"));
    world.run_out().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn many_connections_at_once() {
    let mut world = World::new(1);
    let (a, b) = (world.add_host(), world.add_host());
    world.cable(a, b, faulty(5, Chance::percent(1)));
    world.run_on(b, Listener::new(7, Script::answering(1, Plan::Echo), 60));
    for _ in 0..60 {
        let script = Script::calling(1, Plan::Send { bytes: 10_000 }).echoed().expecting(10_000);
        let caller = Caller::new(at(&world, b, 7), start(&world), script);
        world.run_on(a, caller);
    }
    world.run().unwrap_or_else(|failure| panic!("{failure}"));
    world.run_out().unwrap_or_else(|failure| panic!("{failure}"));
}

/// The checkers can fail: a stall is found, and the failure names the seed.
#[test]
fn a_cut_cable_is_a_failure_that_names_the_seed() {
    let mut world = World::new(4711);
    let (a, b) = (world.add_host(), world.add_host());
    let cable = world.cable(a, b, WireConfig::delayed(Duration::from_millis(1)));
    world.run_on(b, Listener::new(7, Script::answering(1, Plan::Echo), 1));
    let script = Script::calling(1, Plan::Send { bytes: 100_000_000 }).echoed();
    let caller = Caller::new(at(&world, b, 7), start(&world), script);
    world.run_on(a, caller);
    world.run_for(Duration::from_millis(120)).unwrap();
    world.set_wires(cable, WireConfig { loss: Chance::ALWAYS, ..WireConfig::default() });
    let failure = world.run().unwrap_err();
    assert!(failure.to_string().contains("seed 4711"), "{failure}");
    assert!(failure.what.contains("moved") || failure.what.contains("TIMEDOUT"), "{failure}");
}

/// The stream checker can fail: a peer that sends another stream is found at the first byte.
#[test]
fn a_wrong_stream_is_found() {
    let mut world = World::new(1);
    let (a, b) = (world.add_host(), world.add_host());
    world.cable(a, b, WireConfig::default());
    world.run_on(b, Listener::new(7, Script::answering(2, Plan::Send { bytes: 10 }), 1));
    let script = Script::calling(1, Plan::Send { bytes: 10 });
    let caller = Caller::new(at(&world, b, 7), start(&world), script);
    world.run_on(a, caller);
    let failure = world.run().unwrap_err();
    assert!(failure.what.contains("byte 0 of stream"), "{failure}");
}
